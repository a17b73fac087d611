"""The profile's SQL: plain standard SQL with the source's quoting; what differs is the frozen data on top.

Every question reads at most `rows` + 1 rows of a table (its first ones by primary key), so that a table of
any size costs the same; the one row too many tells that there are more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mainstem.contract.canonical import Dialect
from mainstem.draft import Hop, SumOverLines
from mainstem.schema import Column, Kind, Table

WIDE = 60
"""Columns a question; a wider table is asked in several."""

_EXACT = {
    "mysql": "cast({} as binary)",
    "mariadb": "cast({} as binary)",
    "postgres": 'cast({} as text) collate "C"',
    "sqlite": "{} collate binary",
}
"""A text as one that only its own bytes equal, whatever the column's collation."""

_AS_TEXT = {"mysql": "{}", "mariadb": "{}", "postgres": "cast({} as text)", "sqlite": "{}"}

_NUMERIC = frozenset({Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.FLOAT, Kind.DOUBLE})
_NUMBER = re.compile(r"(?:tiny|small|medium|big)?(?:int|serial)|dec|numeric|float|double|real|number")
_WORDS = re.compile(r"n?(?:var)?char|character|text|bpchar|citext|tinytext|enum|clob|string|$")
_COUNTED = frozenset({Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})


@dataclass(frozen=True, slots=True)
class Question:
    """`sql` answers with one row: the number of rows, then for each of `figures` (column, what) a value."""

    sql: str
    figures: tuple[tuple[str, str], ...]


def is_number(column: Column) -> bool:
    """A number that the server itself compares as one (a TIME or an INTERVAL is not)."""
    native = column.native.lower()
    return column.type.kind in _NUMERIC and (not native or bool(_NUMBER.match(native)))


def is_text(column: Column) -> bool:
    """Characters of a reasonable length, as against JSON, XML, long texts, UUIDs."""
    native = column.native.lower()
    long = native.startswith(("mediumtext", "longtext"))
    return column.type.kind is Kind.STRING and not long and bool(_WORDS.match(native))


def about_columns(dialect: Dialect, engine: str, table: Table, rows: int) -> Iterator[Question]:
    """Nulls, distinct values, extremes, and texts that only blanks or case tell apart."""
    for at in range(0, len(table.columns), WIDE):
        columns = table.columns[at : at + WIDE]
        asked = [(c.name, what, sql) for c in columns for what, sql in _figures(dialect, engine, c)]
        listed = ", ".join(["count(*)", *(sql for _, _, sql in asked)])
        sample = _sample(dialect, table, [c.name for c in columns], rows)
        yield Question(f"select {listed} from {sample}", tuple((name, what) for name, what, _ in asked))


def only_nulls(dialect: Dialect, table: Table, rows: int) -> Question:
    """The least that can be asked, for a table whose types refuse more."""
    asked = tuple((c.name, "values") for c in table.columns[:WIDE])
    listed = ", ".join(["count(*)", *(f"count({dialect.quote(name)})" for name, _ in asked)])
    return Question(f"select {listed} from {_sample(dialect, table, [n for n, _ in asked], rows)}", asked)


def _figures(dialect: Dialect, engine: str, column: Column) -> Iterator[tuple[str, str]]:
    name = dialect.quote(column.name)
    yield "values", f"count({name})"
    if is_text(column):
        text = _AS_TEXT[engine].format(name)
        for what, value in (
            ("distinct", text), ("trimmed", f"trim({text})"), ("folded", f"lower(trim({text}))")
        ):  # fmt: skip
            yield what, f"count(distinct {_EXACT[engine].format(value)})"
    elif is_number(column) or column.type.kind in _COUNTED or column.native.lower() == "uuid":
        yield "distinct", f"count(distinct {name})"
    if is_number(column):
        yield "low", f"min({name})"
        yield "high", f"max({name})"


def _sample(dialect: Dialect, table: Table, columns: Sequence[str], rows: int) -> str:
    """`(select … from … order by key limit …) sampled`."""
    listed = ", ".join(dialect.quote(name) for name in columns)
    key = ", ".join(dialect.quote(name) for name in table.primary_key)
    order = f" order by {key}" if key else ""
    return f"(select {listed} from {dialect.ref(table)}{order} limit {rows + 1:d}) sampled"


def about_link(dialect: Dialect, tables: Mapping[str, Table], hop: Hop, rows: int) -> str:
    """How many values a column has, and how many of them are keys of the other table."""
    table, target = tables[hop.table], tables[hop.target]
    columns = [dialect.quote(c) for c in hop.columns]
    keys = [dialect.quote(c) for c in hop.target_columns]
    sample = _sample(dialect, table, hop.columns, rows)
    # A key that the server has no index for is read once; one that it has is looked up.
    found = (
        f"{dialect.ref(target)} k"
        if target.primary_key[:1] == hop.target_columns[:1]
        else f"(select distinct {', '.join(keys)} from {dialect.ref(target)} limit {rows:d}) k"
    )
    values = ", ".join(f"{column} as v{n}" for n, column in enumerate(columns))
    there = " and ".join(f"{column} is not null" for column in columns)
    same = " and ".join(f"k.{key} = d.v{n}" for n, key in enumerate(keys))
    return (
        f"select count(*), count(k.{keys[0]}) from (select distinct {values} from {sample} "
        f"where {there}) d left join {found} on {same}"
    )


def about_sums(dialect: Dialect, tables: Mapping[str, Table], ask: SumOverLines, rows: int) -> Iterator[str]:
    """How many headers have lines, and for how many of them the lines add up: one question a product.

    The last header of a sample of lines is left out: not all of its lines need be there.
    """
    line, header = tables[ask.link.table], tables[ask.link.target]
    link, key = dialect.quote(ask.link.columns[0]), dialect.quote(ask.link.target_columns[0])
    products = [" * ".join(dialect.quote(c) for c in product) for product in ask.products]
    if ask.discounted:
        *multiplied, share = (dialect.quote(c) for c in ask.discounted)
        products.append(f"{' * '.join(multiplied)} * (1 - {share})")
    needed = dict.fromkeys((ask.link.columns[0], *ask.discounted, *(c for p in ask.products for c in p)))
    sample = _sample(dialect, line, list(needed), rows)
    amount = dialect.quote(ask.column)
    for product in products:
        lines = (
            f"(select {link} as k, sum({product}) as total, count(*) as n from {sample} "
            f"where {link} is not null group by {link})"
        )
        whole = f"where l.k < (select max({link}) from {sample})" if _by_header(line, ask) else "where 1 = 1"
        yield (
            f"select count(*), sum(case when abs(h.{amount} - l.total) <= 0.005 * l.n + 0.005 then 1 else 0 "
            f"end) from {lines} l inner join {dialect.ref(header)} h on h.{key} = l.k {whole} "
            f"and h.{amount} is not null and l.total is not null"
        )


def _by_header(line: Table, ask: SumOverLines) -> bool:
    """Whether the first lines by key are those of the first headers."""
    return line.primary_key[:1] == ask.link.columns[:1]
