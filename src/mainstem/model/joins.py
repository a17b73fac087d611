"""Questions about a query's joins: which of them multiplies rows, which of them loses some. Pure.

For `from a join b on … join c on …` the chain is counted after each join, and before it the rows that
find no partner; so each join's effect on the number of rows is known by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import build_scope

from mainstem.model.sql import DIALECT


@dataclass(frozen=True, slots=True)
class JoinProbe:
    """One join. The SQL texts are queries of DuckDB:

    `counts`: one row (rows before, rows before that find no partner, rows after);
    `repeats`: rows (key text, number) for keys that stand for several rows on the right, most first;
    `nulls`: one row, how many rows before have a NULL key. Empty where the condition is no equality.
    """

    right: str
    right_columns: tuple[str, ...]
    left_columns: tuple[str, ...]
    keeps_left: bool
    counts: str
    repeats: str
    nulls: str


Describe = Callable[[str], Sequence[str]]


def join_probes(
    query: exp.Query, grain: Sequence[str], describe: Describe = lambda sql: ()
) -> list[JoinProbe]:
    """Probes of the joins made once the grain's rows are in the chain. `grain` names the source table and
    the models through which its rows come.

    A join that brings the grain itself in multiplies rightly and is left out. `describe` tells the
    column names of a SELECT: with it, columns that stand without their table are understood.
    """
    found: list[JoinProbe] = []
    root = build_scope(query)
    if root is None:
        return found
    for scope in root.traverse():
        select = scope.expression
        if isinstance(select, exp.Select) and select.args.get("joins"):
            joined = _Joined.of(query, select, describe)
            found.extend(_of_select(query, joined, _carriers(query, grain)))
    return found


@dataclass(frozen=True, slots=True)
class _Joined:
    """A select with every join's condition at the join, and the columns of what it joins by alias."""

    select: exp.Select
    columns: dict[str, frozenset[str]]

    @classmethod
    def of(cls, query: exp.Query, select: exp.Select, describe: Describe) -> _Joined:
        select = select.copy()
        sources = [_source(select), *(join.this for join in select.args["joins"])]
        columns: dict[str, frozenset[str]] = {}
        for one in sources:
            names = describe(_sql(query, exp.select("*").from_(one.copy())))
            columns[one.alias_or_name.casefold()] = frozenset(name.casefold() for name in names)
        joined = cls(select, columns)
        joined._pull_conditions()
        return joined

    def owners(self, expression: exp.Expr) -> set[str]:
        """The aliases whose columns an expression uses; '' for a column of which nobody knows."""
        found = set()
        for column in expression.find_all(exp.Column):
            name = column.name.casefold()
            known = [alias for alias, names in self.columns.items() if name in names]
            found.add(column.table.casefold() or (known[0] if len(known) == 1 else ""))
        return found

    def _pull_conditions(self) -> None:
        """`from a, b where a.x = b.x` becomes `from a join b on a.x = b.x`."""
        where = self.select.args.get("where")
        order = list(self.columns)
        conjuncts = list(where.this.flatten()) if where and isinstance(where.this, exp.And) else []
        conjuncts = conjuncts or ([where.this] if where else [])
        for index, join in enumerate(self.select.args["joins"], start=1):
            if join.args.get("on") or join.args.get("using") or join.method or join.side:
                continue
            here, before = join.this.alias_or_name.casefold(), set(order[:index])
            mine = [one for one in conjuncts if here in (used := self.owners(one)) and used & before]
            mine = [one for one in mine if self.owners(one) <= {here, *before}]
            join.set("kind", None if mine else "CROSS")
            if mine:
                join.set("on", exp.and_(*(one.copy() for one in mine)))


def _source(select: exp.Select) -> exp.Expression:
    found: exp.Expression = (select.args.get("from_") or select.args["from"]).this
    return found


def _carriers(query: exp.Query, grain: Sequence[str]) -> set[str]:
    """The names whose rows are made from the grain's: itself and the CTEs that read it."""
    names = {name.casefold() for name in grain}
    for cte in query.find_all(exp.CTE):
        if any(table.name.casefold() in names for table in cte.this.find_all(exp.Table)):
            names.add(cte.alias.casefold())
    return names


def _of_select(query: exp.Query, joined: _Joined, carriers: set[str]) -> list[JoinProbe]:
    probes: list[JoinProbe] = []
    present = _is_carrier(_source(joined.select), carriers)
    joins: list[exp.Join] = joined.select.args["joins"]
    for index, join in enumerate(joins):
        carrier = _is_carrier(join.this, carriers)
        if present and not carrier:
            probes.append(_probe(query, joined, index))
        present = present or carrier
    return probes


def _is_carrier(source: exp.Expression, carriers: set[str]) -> bool:
    return any(table.name.casefold() in carriers for table in source.find_all(exp.Table))


def _probe(query: exp.Query, joined: _Joined, index: int) -> JoinProbe:
    select = joined.select
    join: exp.Join = select.args["joins"][index]
    alias = join.this.alias_or_name
    pairs = _pairs(join, joined, index)
    # DuckDB's ANTI JOIN takes USING as well as ON, and keeps the rows that find no partner.
    before, after, lost = _chain(select, index), _chain(select, index + 1), _chain(select, index)
    anti = join.copy()
    anti.set("side", None)
    anti.set("kind", "ANTI")
    if not (anti.args.get("on") or anti.args.get("using") or anti.method):
        anti.set("on", exp.true())
    lost.append("joins", anti)
    counts = exp.select(*(one.subquery() for one in (before, lost, after)))
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    repeats = nulls = ""
    if pairs:
        repeats = _sql(query, _repeats(join, right))
        some_null = exp.or_(*(exp.Is(this=column.copy(), expression=exp.null()) for column in left))
        nulls = _sql(query, before.copy().where(some_null))
    return JoinProbe(
        right=join.this.name if isinstance(join.this, exp.Table) else alias,
        right_columns=tuple(_words(column) for column in right),
        left_columns=tuple(_words(column) for column in left),
        keeps_left=join.side in ("LEFT", "FULL"),
        counts=_sql(query, counts),
        repeats=repeats,
        nulls=nulls,
    )


def _chain(select: exp.Select, joins: int) -> exp.Select:
    """`select count(*) from … ` with the first `joins` joins of a select, and nothing else of it."""
    chain = exp.select("count(*)").from_(_source(select).copy())
    for join in select.args["joins"][:joins]:
        chain.append("joins", join.copy())
    return chain


def _words(expression: exp.Expression) -> str:
    return expression.name if isinstance(expression, exp.Column) else expression.sql(dialect=DIALECT)


def _pairs(join: exp.Join, joined: _Joined, index: int) -> list[tuple[exp.Expression, exp.Expression]]:
    """The equalities of a join as (left, right) expressions."""
    alias = join.this.alias_or_name
    if join.args.get("using"):
        left = _source(joined.select).alias_or_name if index == 0 else ""
        return [
            (
                exp.column(one.name, table=left or None, quoted=True),
                exp.column(one.name, table=alias, quoted=True),
            )
            for one in join.args["using"]
        ]
    pairs: list[tuple[exp.Expression, exp.Expression]] = []
    on = join.args.get("on")
    for equality in on.find_all(exp.EQ) if on is not None else ():
        sides = (equality.this, equality.expression)
        owners = [joined.owners(side) for side in sides]
        if owners[0] == {alias.casefold()}:
            pairs.append((sides[1], sides[0]))
        elif owners[1] == {alias.casefold()}:
            pairs.append((sides[0], sides[1]))
    return pairs


def _repeats(join: exp.Join, right: Sequence[exp.Expression]) -> exp.Select:
    texts = [exp.cast(column.copy(), "varchar") for column in right]
    text: exp.Expression = texts[0]
    for other in texts[1:]:
        text = exp.DPipe(this=exp.DPipe(this=text, expression=exp.Literal.string(", ")), expression=other)
    chosen = exp.select(exp.alias_(text, "key"), "count(*) as n").from_(join.this.copy())
    for column in right:
        chosen = chosen.where(exp.not_(exp.Is(this=column.copy(), expression=exp.null())))
    return chosen.group_by("1").having("count(*) > 1").order_by("2 desc, 1").limit(3)


def _sql(query: exp.Query, probe: exp.Select) -> str:
    """A probe with the query's own CTEs before it."""
    whole = probe.copy()
    with_ = query.args.get("with_") or query.args.get("with")
    if with_ is not None:
        whole.set("with_" if "with_" in exp.Select.arg_types else "with", with_.copy())
    return whole.sql(dialect=DIALECT)
