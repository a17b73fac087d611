"""Dimensions, the date dimension and bridges as model files."""

from __future__ import annotations

from typing import Any

from mainstem.draft import header, words
from mainstem.draft.columns import Use
from mainstem.draft.graph import Graph
from mainstem.draft.joins import Joins, key_text
from mainstem.draft.sql_fact import MISSING, about, junk_key, named, select
from mainstem.draft.star import (
    Bridge,
    DateRole,
    Dimension,
    DraftedFile,
    Fact,
    Gathered,
    Junk,
    SourceColumn,
    Star,
)
from mainstem.schema import Column, Kind

UNKNOWN = "'Unknown'"
_SHARES = frozenset({"percent", "percentage", "pct", "share", "weight", "ratio", "proportion"})


def dimension_file(star: Star, dimension: Dimension, graph: Graph) -> DraftedFile:
    """`models/dim_….sql`: the base table's rows and one unknown member."""
    joins = Joins(graph, dimension.table, frozenset(item.name + "_listed" for item in dimension.gathered))
    listed = {item: f"{item.name}_listed" for item in dimension.gathered}
    columns = [(dimension.key_name, key_text(joins, (), dimension.key), MISSING)]
    for attribute in dimension.attributes:
        source = _source(graph, dimension.table, attribute)
        value = _value(star, joins, graph, dimension, attribute)
        columns.append((attribute.name, value, _unknown(dimension, attribute, source)))
    columns += [
        (item.name, f"{listed[item]}.{words.quote(item.name)}", UNKNOWN) for item in dimension.gathered
    ]
    clause = joins.clause()
    for item, name in listed.items():
        own, other = words.quote(item.to_owner.target_columns[0]), words.quote(item.to_owner.columns[0])
        clause += f"\n    left join {name}\n        on {joins.alias(())}.{own} = {name}.{other}"
    gathering = [_gather(star, joins, graph, item, name) for item, name in listed.items()]
    shown = ",\n".join(f"        {named(sql, name)}" for name, sql, _ in columns)
    empty = ",\n".join(f"        {unknown} as {words.quote(name)}" for name, _, unknown in columns)
    final = f"final as (\n    select\n{shown}\n{clause}\n    union all\n    select\n{empty}\n)"
    last = ",\n".join(f"    {words.quote(name)}" for name, _, _ in columns)
    text = (
        "with\n" + ",\n\n".join([*joins.imports(), *gathering, final]) + f"\n\nselect\n{last}\nfrom final\n"
    )
    return DraftedFile(
        f"models/{dimension.name}.sql", header.comment(_dimension_header(star, dimension, graph)) + text
    )


def _source(graph: Graph, table: str, attribute: SourceColumn) -> Column:
    return graph[attribute.path[-1].target if attribute.path else table].table.column(attribute.column)


def padded(engine: str, column: Column) -> bool:
    """Whether blanks at the end of a text mean nothing in its source: MySQL's collations, fixed widths."""
    if column.type.kind is not Kind.STRING:
        return False
    native = column.native.lower()
    if engine in ("mysql", "mariadb"):
        return native.startswith(("char", "varchar", "enum", "")) and not native.startswith(("json", "set"))
    return native.startswith(("char(", "character(", "bpchar", "nchar")) and not native.startswith(
        "character varying"
    )


def _value(star: Star, joins: Joins, graph: Graph, dimension: Dimension, attribute: SourceColumn) -> str:
    value = joins.column(attribute.path, attribute.column)
    if _split_by_blanks(graph, dimension, attribute):
        return f"trim({value})"
    return f"rtrim({value})" if padded(star.engine, _source(graph, dimension.table, attribute)) else value


def _split_by_blanks(graph: Graph, dimension: Dimension, attribute: SourceColumn) -> bool:
    """Whether the data holds texts that only blanks tell apart: one thing, counted as two."""
    table = attribute.path[-1].target if attribute.path else dimension.table
    figures = graph.profile.column(table, attribute.column)
    own_key = not attribute.path and attribute.column in dimension.key
    return figures is not None and figures.blanks > 0 and not own_key


def _unknown(dimension: Dimension, attribute: SourceColumn, source: Column) -> str:
    own_key = not attribute.path and attribute.column in dimension.key
    return UNKNOWN if source.type.kind is Kind.STRING and not own_key else "null"


def _gather(star: Star, joins: Joins, graph: Graph, item: Gathered, name: str) -> str:
    """`film_id, 'Action, Comedy'`: one row per owner, so that joining it doubles nothing."""
    bridge, other = joins.cte(item.bridge), joins.cte(item.to_class.target)
    owner = f"{bridge}.{words.quote(item.to_owner.columns[0])}"
    label = f"{other}.{words.quote(item.label)}"
    if padded(star.engine, graph[item.to_class.target].table.column(item.label)):
        label = f"rtrim({label})"
    pairs = " and ".join(
        f"{bridge}.{words.quote(c)} = {other}.{words.quote(t)}"
        for c, t in zip(item.to_class.columns, item.to_class.target_columns, strict=True)
    )
    return (
        f"{name} as (\n    select\n        {owner},\n"
        f"        array_to_string(array_sort(list(distinct {label})), ', ') as {words.quote(item.name)}\n"
        f"    from {bridge}\n    inner join {other}\n        on {pairs}\n    group by {owner}\n)"
    )


def _dimension_header(star: Star, dimension: Dimension, graph: Graph) -> dict[str, Any]:
    said = dimension.entity.replace("_", " ")
    why = list(dimension.why)
    if any(padded(star.engine, _source(graph, dimension.table, a)) for a in dimension.attributes):
        why.append("Text is cut of blanks at its end: to the source 'Norway' and 'Norway  ' are one value.")
    why += text_findings(graph, dimension)
    columns: dict[str, Any] = {
        dimension.key_name: f"Key: the natural key as text; 'missing' is the unknown {said}."
    }
    for attribute in dimension.attributes:
        columns[attribute.name] = attribute.description or f"{words.title(attribute.name)}."
    for item in dimension.gathered:
        columns[item.name] = f"{words.title(item.name)}, listed by name."
    return {
        "kind": "dimension",
        "description": about(
            graph,
            dimension.table,
            f"{words.title(dimension.name.removeprefix('dim_'))}, one row each and an unknown.",
        ),
        "key": header.flow_list([dimension.key_name]),
        "columns": columns,
        "why": why,
    }


def text_findings(graph: Graph, dimension: Dimension) -> list[str]:
    """What the data says of texts that would split a group, one sentence a column."""
    told = []
    for attribute in dimension.attributes:
        table = attribute.path[-1].target if attribute.path else dimension.table
        figures = graph.profile.column(table, attribute.column)
        if figures is None:
            continue
        if _split_by_blanks(graph, dimension, attribute):
            told.append(
                f"{attribute.name}: there are values that only blanks tell apart; they are trimmed, so that "
                "one thing is one group."
            )
        if figures.cases > 0:
            told.append(
                f"{attribute.name}: there are values that only upper and lower case tell apart; left so: "
                "lower() would join them."
            )
    return told


def junk_file(star: Star, fact: Fact, junk: Junk, graph: Graph) -> DraftedFile:
    """The flags of a fact as a dimension: one row a combination that occurs, and an unknown."""
    joins = Joins(graph, fact.table)
    columns = [(junk.key_name, junk_key(junk, joins))]
    columns += [(c.name, joins.column(c.path, c.column)) for c in junk.columns]
    shown = ",\n".join(f"        {named(sql, name)}" for name, sql in columns)
    found = f"combinations as (\n    select distinct\n{shown}\n{joins.clause()}\n)"
    names = [words.quote(name) for name, _ in columns]
    # Two combinations with one key would be the same text: then one row stands for both.
    kept = ",\n".join([f"        {names[0]}", *(f"        max({n}) as {n}" for n in names[1:])])
    empty = ",\n".join([f"        {MISSING} as {names[0]}", *(f"        null as {n}" for n in names[1:])])
    final = (
        f"final as (\n    select\n{kept}\n    from combinations\n    group by {names[0]}\n"
        f"    union all\n    select\n{empty}\n)"
    )
    last = ",\n".join(f"    {name}" for name in names)
    body = ",\n\n".join([*joins.imports(), found, final])
    flags = junk.entity.replace("_", " ")
    document = {
        "kind": "dimension",
        "description": f"{words.title(flags)}: one row a combination that occurs, and an unknown.",
        "key": header.flow_list([junk.key_name]),
        "columns": {
            junk.key_name: "Key: the values joined by bars; 'missing' is the unknown combination.",
            **{c.name: c.description or f"{words.title(c.name)}." for c in junk.columns},
        },
        "why": [
            f"A junk dimension: {len(junk.columns)} flags of {fact.name} that say little each; together they "
            "are one key instead of so many columns on every row."
        ],
    }
    text = f"with\n{body}\n\nselect\n{last}\nfrom final\n"
    return DraftedFile(f"models/{junk.name}.sql", header.comment(document) + text)


# --- dates ----------------------------------------------------------------------------------------------


def dates_file(star: Star, graph: Graph) -> DraftedFile | None:
    """`models/dim_dates.sql`: every day between the first and the last date of any role of any fact."""
    used: dict[tuple[str, str], DateRole] = {}
    for fact in star.facts:
        for role in fact.dates:
            used.setdefault((role.path[-1].target if role.path else fact.table, role.column), role)
    if not used:
        return None
    parts = []
    for (table, column), role in used.items():
        cast = "try_cast" if role.text else "cast"
        parts.append(f"    select {cast}({words.quote(column)} as date) as day from raw.{words.quote(table)}")
    text = _DATES.replace("{used}", "\n    union\n".join(parts))
    columns = {
        "date_key": "Key: the day as YYYY-MM-DD; 'missing' and 'not_yet' for what has no date.",
        "date": "The day.", "year": "Year.", "quarter": "Quarter (2003-Q1).", "month": "Month (2003-01).",
        "month_name": "Name of the month.", "day": "Day of the month.", "weekday": "Name of the weekday.",
        "is_weekend": "Saturday or Sunday.",
    }  # fmt: skip
    roles = sorted({f"{fact.name}.{role.name}_date_key" for fact in star.facts for role in fact.dates})
    document = {
        "kind": "dimension",
        "description": "Days, one row each, and two for what has no date.",
        "key": header.flow_list(["date_key"]),
        "columns": columns,
        "why": ["In the roles " + ", ".join(roles) + ".",
                "'not_yet': the source leaves the date empty until it happens; 'missing': it has none."],
    }  # fmt: skip
    return DraftedFile("models/dim_dates.sql", header.comment(document) + text)


_DATES = """with
used as (
{used}
),

bounds as (
    select
        min(day) as first_day,
        max(day) as last_day
    from used
    where day between date '1900-01-01' and date '2100-12-31'
),

calendar as (
    select unnest(generate_series(first_day, last_day, interval 1 day)) as moment
    from bounds
),

days as (
    select cast(moment as date) as day
    from calendar
    union
    select day
    from used
    where day is not null
),

final as (
    select
        cast(day as varchar) as date_key,
        day as date,
        year(day) as year,
        cast(year(day) as varchar) || '-Q' || cast(quarter(day) as varchar) as quarter,
        strftime(day, '%Y-%m') as month,
        strftime(day, '%B') as month_name,
        day(day) as day,
        strftime(day, '%A') as weekday,
        strftime(day, '%A') in ('Saturday', 'Sunday') as is_weekend
    from days
    union all
    select
        'missing' as date_key,
        null as date,
        null as year,
        'Unknown' as quarter,
        'Unknown' as month,
        'Unknown' as month_name,
        null as day,
        'Unknown' as weekday,
        null as is_weekend
    union all
    select
        'not_yet' as date_key,
        null as date,
        null as year,
        'Not yet' as quarter,
        'Not yet' as month,
        'Not yet' as month_name,
        null as day,
        'Not yet' as weekday,
        null as is_weekend
)

select
    date_key,
    date,
    year,
    quarter,
    month,
    month_name,
    day,
    weekday,
    is_weekend
from final
"""


# --- bridges --------------------------------------------------------------------------------------------


def bridge_file(star: Star, bridge: Bridge, graph: Graph) -> DraftedFile:
    """`models/bridge_….sql`: the keys of the ends, the association's own columns, and a weight."""
    joins = Joins(graph, bridge.table)
    columns = []
    for link in bridge.links:
        key = star.dimension(link.dimension).key
        columns.append((link.name, f"coalesce({key_text(joins, link.path, key)}, {MISSING})"))
    columns += [(c.name, joins.column(c.path, c.column)) for c in bridge.attributes]
    over = ", ".join(joins.column((), c) for c in bridge.host)
    columns.append(("weight", _weight(joins, graph, bridge, over)))
    key = graph[bridge.table].key
    names = {c.column: c.name for c in bridge.attributes}
    described: dict[str, Any] = {
        link.name: header.flow(
            description=f"{words.title(star.dimension(link.dimension).entity)}.",
            references=f"{link.dimension}.{star.dimension(link.dimension).key_name}",
        )
        for link in bridge.links
    }
    described |= {c.name: c.description or f"{words.title(c.name)}." for c in bridge.attributes}
    described["weight"] = f"Adds up to 1 over {', '.join(bridge.host)}."
    why = list(bridge.why)
    share = _share(graph, bridge)
    why += [f"The weight is {share}, brought to a sum of 1; equal shares where it is empty."] if share else []
    document = {
        "kind": "bridge",
        "description": about(
            graph, bridge.table, f"{words.title(bridge.name.removeprefix('bridge_'))}, one row each."
        ),
        "grain": {"statement": "one row per association", "table": f"raw.{bridge.table}"},
        "key": header.flow_list(
            [names[c] for c in key if c in names] if all(c in names for c in key) else []
        ),
        "columns": described,
        "why": why,
    }
    return DraftedFile(f"models/{bridge.name}.sql", header.comment(document) + select(joins, columns))


def _share(graph: Graph, bridge: Bridge) -> str:
    """The association's own share (`ownership_percent`), if it has one."""
    node = graph[bridge.table]
    return next(
        (c.name for c in node.columns(Use.PRICE, Use.ADDITIVE) if _SHARES & set(node.said_of[c.name])), ""
    )


def _weight(joins: Joins, graph: Graph, bridge: Bridge, over: str) -> str:
    equal = f"1.0 / count(*) over (partition by {over})"
    share = _share(graph, bridge)
    if not share:
        return equal
    given = f"coalesce({joins.column((), share)}, 0)"
    return (
        f"coalesce(\n            {given}\n            / nullif(sum({given}) over (partition by {over}), 0),\n"
        f"            {equal}\n        )"
    )


__all__ = ["bridge_file", "dates_file", "dimension_file", "junk_file"]
