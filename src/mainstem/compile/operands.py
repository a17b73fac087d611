"""The types of a query's parts, as DuckDB itself gives them: each part is described where it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from mainstem.compile.sqltypes import SqlType, sql_type

Describe = Callable[[str], "Sequence[tuple[str, str]] | None"]
"""The columns (name, DuckDB's type) of a SELECT over the tables; None if it does not bind."""

META = "mainstem_types"


def annotate(tree: exp.Query, wanted: Callable[[exp.Expr], Sequence[exp.Expr]], describe: Describe) -> None:
    """Note at each node for which `wanted` names parts the types of these parts (None: not known)."""
    by_select: dict[int, tuple[exp.Select, list[exp.Expr]]] = {}
    for node in tree.walk():
        if wanted(node) and (select := node.find_ancestor(exp.Select)):
            by_select.setdefault(id(select), (select, []))[1].append(node)
    for select, nodes in by_select.values():
        parts = [part for node in nodes for part in wanted(node)]
        found = iter(_types(select, parts, describe))
        for node in nodes:
            node.meta[META] = [next(found) for _ in wanted(node)]


def types_of(node: exp.Expr) -> list[SqlType | None]:
    """What `annotate` has noted."""
    found: list[SqlType | None] = node.meta.get(META, [])
    return found


def _types(select: exp.Select, parts: Sequence[exp.Expr], describe: Describe) -> list[SqlType | None]:
    together = describe(_bare(select, parts))
    if together is not None:
        return [sql_type(name) for _, name in together]
    return [_type(select, part, describe) for part in parts]


def _type(select: exp.Select, part: exp.Expr, describe: Describe) -> SqlType | None:
    """One part alone: over the FROM, then beside the SELECT's own columns (aggregates, their aliases)."""
    if isinstance(part, exp.Null):
        return sql_type("NULL")
    for sql in (_bare(select, [part]), _beside(select, part), _beneath(select, part)):
        found = describe(sql)
        if found:
            return sql_type(found[-1][1])
    return None


def _bare(select: exp.Select, parts: Sequence[exp.Expr]) -> str:
    made = exp.Select(expressions=[exp.alias_(part.copy(), f"p{n}") for n, part in enumerate(parts)])
    for key in ("from_", "joins", "laterals"):
        if select.args.get(key):
            value = select.args[key]
            made.set(key, [v.copy() for v in value] if isinstance(value, list) else value.copy())
    for join in made.args.get("joins") or []:
        if str(join.args.get("kind") or "").upper() in (
            "SEMI",
            "ANTI",
        ):  # their right side is not seen after them
            join.set("kind", "")
    return _with(select, made)


def _beneath(select: exp.Select, part: exp.Expr) -> str:
    """In a subquery that speaks of the query around it: over the tables of both."""
    made = exp.Select(expressions=[exp.alias_(part.copy(), "p0")])
    around: exp.Select | None = select
    while around is not None:
        if around.args.get("from_"):
            made = (
                made.join(around.args["from_"].this.copy(), join_type="cross")
                if made.args.get("from_")
                else (made.from_(around.args["from_"].this.copy()))
            )
            for join in around.args.get("joins") or []:
                made.append("joins", join.copy())
        around = around.find_ancestor(exp.Select)
    return _with(select, made)


def _beside(select: exp.Select, part: exp.Expr) -> str:
    made = select.copy()
    for key in ("with_", "order", "limit", "offset", "distinct", "qualify"):
        made.set(key, None)
    made.append("expressions", exp.alias_(part.copy(), "p0"))
    return _with(select, made)


def _with(select: exp.Expr, made: exp.Query) -> str:
    """The SELECT with the common tables that can be seen from where it stands, the outermost first."""
    seen: list[exp.CTE] = []
    inside: exp.Expr = select
    node: exp.Expr | None = select
    recursive = False
    while node is not None:
        clause = node.args.get("with_")
        if clause is not None:
            recursive = recursive or bool(clause.args.get("recursive"))
            before = []
            for cte in clause.expressions:
                if cte is inside:
                    break
                before.append(cte)
            seen = before + seen
        if isinstance(node, exp.CTE):
            inside = node
        node = node.parent
    if not seen:
        return made.sql("duckdb")
    made.set("with_", exp.With(expressions=[cte.copy() for cte in seen], recursive=recursive))
    return made.sql("duckdb")


def arms(
    node: exp.SetOperation, describe: Describe
) -> tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]:
    """The columns of the two sides of a UNION, INTERSECT or EXCEPT; none if a side cannot stand alone."""
    left, right = (_arm(side, describe) for side in (node.left, node.right))
    return left, right


def _arm(side: exp.Expr, describe: Describe) -> Sequence[tuple[str, str]]:
    made = side.copy()
    for key in ("order", "limit", "offset"):
        made.set(key, None)
    made.set("with_", None)
    if isinstance(made, exp.Subquery):
        made = made.this
    select = next(iter(side.find_all(exp.Select)), None)
    if select is None or not isinstance(made, exp.Query):
        return ()
    found = describe(_with(side, made)) or ()
    nulls = [isinstance(one.unalias(), exp.Null) for one in made.selects]
    if len(nulls) != len(found):
        return found
    return [(name, "NULL" if null else type_) for (name, type_), null in zip(found, nulls, strict=True)]


def star_columns(select: exp.Select, star: exp.Expr, describe: Describe) -> list[str]:
    """The names of the columns that a star stands for, after its EXCLUDE."""
    made = exp.Select(expressions=[star.copy()])
    for key in ("from_", "joins", "laterals"):
        if select.args.get(key):
            value = select.args[key]
            made.set(key, [v.copy() for v in value] if isinstance(value, list) else value.copy())
    return [name for name, _ in describe(_with(select, made)) or ()]
