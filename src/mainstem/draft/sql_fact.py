"""A fact as a model file."""

from __future__ import annotations

from typing import Any

from mainstem.draft import header, words
from mainstem.draft.graph import Graph
from mainstem.draft.joins import Joins, key_text
from mainstem.draft.star import (
    Additivity,
    AsOf,
    DateRole,
    DraftedFile,
    Fact,
    Junk,
    Measure,
    Path,
    SourceColumn,
    Star,
)
from mainstem.schema import Kind

MISSING = "'missing'"
NOT_YET = "'not_yet'"
_WIDTH = 110


def fact_file(star: Star, fact: Fact, graph: Graph) -> DraftedFile:
    """`models/fact_….sql`: keys, degenerate, attributes, measures, dates; left joins only."""
    joins = Joins(graph, fact.table)
    columns = [
        *_keys(star, fact, joins),
        *_own(fact, joins),
        *_measures(fact, graph, joins),
        *_dates(fact, joins),
    ]
    text = header.comment(_header(star, fact, graph)) + select(joins, columns)
    return DraftedFile(f"models/{fact.name}.sql", text)


def select(joins: Joins, columns: list[tuple[str, str]]) -> str:
    """Import CTEs, `final`, and the explicit list of its columns."""
    shown = ",\n".join(f"        {named(sql, name)}" for name, sql in columns)
    body = f"final as (\n    select\n{shown}\n{joins.clause()}\n)"
    listed = ",\n".join(f"    {words.quote(name)}" for name, _ in columns)
    return "with\n" + ",\n\n".join([*joins.imports(), body]) + f"\n\nselect\n{listed}\nfrom final\n"


def named(sql: str, name: str) -> str:
    """The expression under its name; a column that has the name already needs no `as`."""
    quoted = words.quote(name)
    if sql.rpartition(".")[2] == quoted and "(" not in sql:
        return sql
    line = f"{sql} as {quoted}"
    if len(line) > _WIDTH and sql.startswith("date_diff('day', cast("):
        days = sql.removeprefix("date_diff(").removesuffix(")").replace(", cast(", ",\n            cast(")
        return f"date_diff(\n            {days}\n        ) as {quoted}"
    if len(line) > _WIDTH and "\n" not in sql and not sql.startswith("coalesce("):
        broken = sql.replace(" || '|' || ", "\n        || '|' || ").replace(" * ", "\n        * ")
        return f"{broken} as {quoted}"
    value, _, member = sql.removesuffix(")").rpartition(", ")
    plain = sql.startswith("coalesce(") and member in (MISSING, NOT_YET)
    if len(line) <= _WIDTH or "\n" in sql or not plain:
        return line
    inner = value.removeprefix("coalesce(").replace(" || '|' || ", "\n            || '|' || ")
    return f"coalesce(\n            {inner},\n            {member}\n        ) as {quoted}"


def _keys(star: Star, fact: Fact, joins: Joins) -> list[tuple[str, str]]:
    result = []
    for role in fact.dates:
        result.append((f"{role.name}_date_key", _date_key(role, joins)))
    for link in fact.links:
        key = star.dimension(link.dimension).key
        if link.as_of:
            result.append((link.name, _version_key(link.path, link.as_of, key, joins)))
            continue
        result.append((link.name, f"coalesce({key_text(joins, link.path, key)}, {MISSING})"))
    if fact.junk:
        result.append((fact.junk.key_name, junk_key(fact.junk, joins)))
    return result


def _version_key(path: Path, as_of: AsOf, key: tuple[str, ...], joins: Joins) -> str:
    """The key of the version that held on the fact's date; none where the last one was over by then."""
    moment = joins.column(as_of.date.path, as_of.date.column) if as_of.exact else day(as_of.date, joins)
    alias = joins.version(path, as_of, moment)
    over = f"{alias}.{words.quote(as_of.until)}"
    over = over if as_of.exact else f"cast({over} as date)"
    text = key_text(joins, path, key).replace(" || '|' || ", "\n                || '|' || ")
    ended = f"when {moment} > {over} then {MISSING}"
    if len(ended) > _WIDTH - 12:
        ended = f"when {moment} > {over}\n                then {MISSING}"
    return (
        f"case\n            {ended}\n            else coalesce(\n"
        f"                {text},\n                {MISSING}\n            )\n        end"
    )


def junk_key(junk: Junk, joins: Joins) -> str:
    """The flags as one text, joined by bars; a NULL counts as a value."""
    parts = [f"coalesce(cast({joins.column(c.path, c.column)} as varchar), '-')" for c in junk.columns]
    return "concat_ws(\n            '|',\n            " + ",\n            ".join(parts) + "\n        )"


def day(role: DateRole, joins: Joins) -> str:
    """The date of a role, without its time of day (UTC where the source keeps an instant)."""
    value = joins.column(role.path, role.column)
    if role.text:
        return f"try_cast({value} as date)"
    return f"cast({value} as date)" if role.has_time else value


def _date_key(role: DateRole, joins: Joins) -> str:
    text = f"cast({day(role, joins)} as varchar)"
    if not role.later:
        return f"coalesce({text}, {MISSING})"
    if not role.path:
        return f"coalesce({text}, {NOT_YET})"
    there = joins.column(role.path, role.path[-1].target_columns[0])
    return (
        f"case\n            when {there} is null then {MISSING}\n"
        f"            else coalesce({text}, {NOT_YET})\n        end"
    )


def _own(fact: Fact, joins: Joins) -> list[tuple[str, str]]:
    return [
        (c.name, joins.column(c.path, c.column))
        for c in (*fact.plain_key, *fact.degenerate, *fact.attributes)
    ]


def _measures(fact: Fact, graph: Graph, joins: Joins) -> list[tuple[str, str]]:
    result = []
    for measure in fact.measures:
        sql = joins.column((), measure.column) if measure.column else _qualified(measure, graph, fact, joins)
        result.append((measure.name, sql))
    return result


def _qualified(measure: Measure, graph: Graph, fact: Fact, joins: Joins) -> str:
    """The expression over the grain table with its columns qualified."""
    return measure.expression.replace("{", f"{joins.alias(())}.").replace("}", "")


def bare(expression: str) -> str:
    """The same expression over the grain table alone, as `equals` wants it."""
    return expression.replace("{", "").replace("}", "")


def _dates(fact: Fact, joins: Joins) -> list[tuple[str, str]]:
    result = []
    for role in fact.dates:
        result.append((f"{role.name}_date", day(role, joins)))
        if role.has_time:
            result.append((f"{role.name}_at", joins.column(role.path, role.column)))
    return result


# --- header ---------------------------------------------------------------------------------------------


def _header(star: Star, fact: Fact, graph: Graph) -> dict[str, Any]:
    one = fact.statement.removeprefix("one row per ")
    columns: dict[str, Any] = {}
    for role in fact.dates:
        columns[f"{role.name}_date_key"] = header.flow(
            description=f"Date: {role.name.replace('_', ' ')}.", references="dim_dates.date_key"
        )
    for link in fact.links:
        dimension = star.dimension(link.dimension)
        said = (link.role or dimension.entity).replace("_", " ")
        columns[link.name] = header.flow(
            description=f"{words.title(said)}.", references=f"{dimension.name}.{dimension.key_name}"
        )
    if fact.junk:
        flags = fact.junk.entity.replace("_", " ")
        columns[fact.junk.key_name] = header.flow(
            description=f"{words.title(flags)}.", references=f"{fact.junk.name}.{fact.junk.key_name}"
        )
    columns.update({c.name: _about(c) for c in fact.plain_key})
    columns.update({c.name: _about(c, " (degenerate)") for c in fact.degenerate})
    columns.update({c.name: _about(c) for c in fact.attributes})
    for role in fact.dates:
        columns[f"{role.name}_date"] = f"{words.title(role.name)}, the day."
        if role.has_time:
            columns[f"{role.name}_at"] = f"{words.title(role.name)}, with the time of day."
    return {
        "kind": "fact",
        "description": about(
            graph, fact.table, f"{words.title(fact.name.removeprefix('fact_'))}, one row each."
        ),
        "grain": {"statement": fact.statement, "table": f"raw.{fact.table}"},
        "key": header.flow_list([c.name for c in fact.key]),
        "columns": columns,
        "measures": {m.name: _measure(m, graph, fact) for m in fact.measures},
        "why": list(fact.why) or [f"One row per {one}."],
    }


def about(graph: Graph, table: str, otherwise: str) -> str:
    """The first line of the table's comment in its source, if it has one."""
    said = graph[table].table.comment.strip()
    return f"{said.splitlines()[0].strip().rstrip('.')}." if said else otherwise


def _about(column: SourceColumn, note: str = "") -> str:
    text = column.description or words.title(column.name)
    return f"{text.rstrip('.')}{note}."


def _measure(measure: Measure, graph: Graph, fact: Fact) -> dict[str, Any]:
    equals = bare(measure.expression) if not measure.column else words.quote(measure.column)
    whole = bool(measure.column) and graph[fact.table].table.column(measure.column).type.kind in (
        Kind.INT,
        Kind.LONG,
    )
    shape = ",.2f" if measure.money else "," if whole else ""
    return header.flow(
        description=measure.description or f"{words.title(measure.name)}.",
        additive=measure.additive.value if measure.additive is not Additivity.FULL else "full",
        equals="" if "*/" in equals else equals,
        format=shape,
    )
