"""One query of DuckDB's SQL in Spark's. Pure: the types come from a function that describes a SELECT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from mainstem.compile import known
from mainstem.compile.aggregates import outermost
from mainstem.compile.context import APPROXIMATE, Refused, known_types, words
from mainstem.compile.operands import Describe, annotate, arms, star_columns
from mainstem.compile.rules import BY_NODE
from mainstem.compile.sqltypes import Family, spark_type, sql_type
from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.model.sql import parse_query
from mainstem.schema import HISTORY, MART, RAW, TableName

Rename = Callable[[TableName], str]


@dataclass(frozen=True, slots=True)
class Compiled:
    """`columns` are names with DuckDB's types; `inexact` says that a float depends on the order of rows."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    inexact: bool


def view_name(name: TableName) -> str:
    """The name under which a Spark session sees a table of the lake."""
    return f"mainstem_{name.namespace}_{name.name}"


def compile_query(
    sql: str,
    describe: Describe,
    file: str = "query",
    first_line: int = 1,
    rename: Rename = view_name,
    *,
    approximate: bool = False,
) -> Compiled:
    """The query for Spark, its columns cast to the types that they have in DuckDB. `approximate` lets
    floating point be cast to text, for readers that compare numbers, not texts.

    Raises ConfigErrors with every part that is not known to give the same, each at its file and line.
    """
    tree = parse_query(sql, file, first_line)
    columns = describe(sql)
    if columns is None:
        raise ConfigErrors([UsageError("the SQL does not bind in DuckDB", where=Where(file, first_line))])
    faults: list[Refused] = []
    _name_parts(tree)
    for cast in tree.find_all(exp.Cast) if approximate else ():
        cast.meta[APPROXIMATE] = True
    _unmixed(tree, describe, faults)
    _expand_stars(tree, describe, faults)
    annotate(tree, lambda node: BY_NODE[type(node)].parts(node) if type(node) in BY_NODE else (), describe)
    _gather_lists(tree)  # after the types are known: until then the tree is DuckDB's SQL
    inexact = _inexact(tree)
    _check(tree, faults)
    for late in (False, True):
        _apply(tree, faults, late=late)
    _name_tables(tree, rename)
    listed = _result(columns, tree, faults)
    text = "" if faults else _written(tree, faults)
    if faults:
        raise ConfigErrors([_error(fault, file, first_line) for fault in faults])
    names = ", ".join(f"c{number}" for number in range(len(columns)))
    return Compiled(f"SELECT {listed} FROM (\n{text}\n) AS mainstem_result({names})", tuple(columns), inexact)


def _error(fault: Refused, file: str, first_line: int) -> UsageError:
    line = first_line + _line(fault.node) - 1
    return UsageError(f"on Spark: {fault.message}", where=Where(file, line), hint=fault.hint)


def _line(node: exp.Expr) -> int:
    for one in node.walk():
        if "line" in one.meta:
            return int(one.meta["line"])
    above = node.parent
    while above is not None:
        if "line" in above.meta:
            return int(above.meta["line"])
        beside = [int(one.meta["line"]) for one in above.walk() if "line" in one.meta]
        if beside:
            return min(beside)
        above = above.parent
    return 1


def _check(tree: exp.Query, faults: list[Refused]) -> None:
    for node in tree.walk():
        if type(node) in BY_NODE or type(node) in known.SAME:
            if isinstance(node, exp.Join) and str(node.args.get("method") or "").upper() not in (
                "",
                "NATURAL",
            ):
                faults.append(Refused(node, "this kind of join is not known on Spark"))
            continue
        if isinstance(node, exp.IgnoreNulls) and type(node.this) not in (*BY_NODE, *known.SAME):
            continue  # SQLGlot's wrapping of what is refused by itself
        faults.append(Refused(node, f"{words(node)} ({type(node).__name__}): {known.why_not(node)}"))


def _apply(tree: exp.Query, faults: list[Refused], *, late: bool) -> None:
    """Every rule, the innermost parts first."""
    for node in reversed(list(tree.walk(bfs=True))):
        rule = BY_NODE.get(type(node))
        if rule is None or rule.late is not late or node.parent is None:
            continue
        try:
            types = known_types(node, len(rule.parts(node)))
            made = rule.apply(node, types)
        except Refused as fault:
            faults.append(fault)
            continue
        if made is None:
            continue
        target = node
        if late:
            target = outermost(node)
        target.replace(exp.Paren(this=made) if isinstance(made, exp.Binary | exp.Case) else made)


def _name_parts(tree: exp.Query) -> None:
    """`date_part('year', x)` as `extract(year from x)`."""
    for node in list(tree.find_all(exp.Anonymous)):
        if str(node.this).lower() in ("date_part", "datepart") and len(node.expressions) == 2:
            part, value = node.expressions
            if isinstance(part, exp.Literal):
                node.replace(exp.Extract(this=exp.Var(this=str(part.this).upper()), expression=value))


def _gather_lists(tree: exp.Query) -> None:
    """`array_to_string(list_sort(list(distinct x)), s)`: the one use of lists that leaves none behind."""
    for node in tree.find_all(exp.ArrayToString):
        made = node.this
        if isinstance(made, exp.ArraySort) and isinstance(made.this, exp.ArrayAgg):
            node.set("this", made.this.this.copy())


def _inexact(tree: exp.Query) -> bool:
    for node in tree.find_all(exp.Sum, exp.Avg, *known.INEXACT):
        if isinstance(node, known.INEXACT):
            return True
        if any(t is not None and t.floating for t in node.meta.get("mainstem_types", [])):
            return True
    return False


def _unmixed(tree: exp.Query, describe: Describe, faults: list[Refused]) -> None:
    """The two sides of a UNION have the same families of types: what mixes text is decided differently."""
    for node in tree.find_all(exp.SetOperation):
        left, right = arms(node, describe)
        for (name, one), (_, other) in zip(left, right, strict=False):
            families = {sql_type(one).family, sql_type(other).family} - {Family.NULL}
            if Family.TEXT in families and len(families) > 1:
                faults.append(
                    Refused(node, f"the column {name} of a UNION is {one} and {other}", "CAST one side")
                )


def _expand_stars(tree: exp.Query, describe: Describe, faults: list[Refused]) -> None:
    """`* EXCLUDE (…)` and `* REPLACE (…)` as the columns that they stand for."""
    for select in list(tree.find_all(exp.Select)):
        made: list[exp.Expr] = []
        for item in select.expressions:
            star = item.this if isinstance(item, exp.Column) and isinstance(item.this, exp.Star) else item
            if not isinstance(star, exp.Star) or not any(star.args.values()):
                made.append(item)
                continue
            if star.args.get("rename"):
                faults.append(Refused(item, "* RENAME is not known on Spark", "name the columns"))
                continue
            names = star_columns(select, item, describe)
            table = item.args.get("table") if isinstance(item, exp.Column) else None
            replaced = {one.alias.casefold(): one for one in star.args.get("replace") or []}
            for name in names:
                column = exp.column(
                    exp.to_identifier(name, quoted=True), table=table.copy() if table else None
                )
                made.append(replaced.get(name.casefold(), column))
        select.set("expressions", made)


def _name_tables(tree: exp.Query, rename: Rename) -> None:
    common = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue
        if not table.db and table.name.casefold() in common:
            continue
        name = TableName((table.db or MART).lower(), table.name)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        table.set("db", None)
        table.set("this", exp.to_identifier(rename(name), quoted=True))
    for column in tree.find_all(exp.Column):
        if column.args.get("db") and column.db.lower() in (RAW, HISTORY, MART):
            column.set("db", None)


def _result(columns: Sequence[tuple[str, str]], tree: exp.Query, faults: list[Refused]) -> str:
    """The columns with their types. One that nothing holds is told only if no part of it was refused: that
    says why."""
    parts: list[str] = []
    unheld: list[Refused] = []
    for name, type_ in columns:
        word = spark_type(sql_type(type_))
        if word is None:
            unheld.append(
                Refused(tree, f"the column {name} is {type_}, which Spark and the lake do not hold")
            )
            continue
        quoted = "`" + name.replace("`", "``") + "`"
        parts.append(f"CAST(c{len(parts)} AS {word}) AS {quoted}")
    if not faults:
        faults.extend(unheld)
    return ", ".join(parts)


def _written(tree: exp.Query, faults: list[Refused]) -> str:
    try:
        return tree.sql("spark", identify=True, unsupported_level=ErrorLevel.RAISE, pretty=True)
    except UnsupportedError as error:
        faults.append(Refused(tree, f"Spark 3.5 has no words for it: {error}"))
        return ""
