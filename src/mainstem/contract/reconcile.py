"""Is what stands in the lake what stood in the source? The same questions for both sides, as SQL.

Each side computes its answer apart: the source's server over its own tables, the engine over the files
that were written. The row checksum is the *sum* of the rows' hashes, so that a doubled row shows (an
exclusive or would cancel it). A difference is narrowed down: which columns, then which keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mainstem.contract.canonical import Dialect, Form
from mainstem.schema import Column, Table
from mainstem.text import count, joined

BUCKETS = 1024
EXAMPLES = 5
Select = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one side says of a table: rows, NULLs of each nullable column, sum of the rows' hashes."""

    rows: int
    nulls: tuple[tuple[str, int], ...]
    checksum: int

    def __str__(self) -> str:
        nulls = ",".join(f"{name}={number}" for name, number in self.nulls)
        return f"{self.rows}:{self.checksum}:{nulls}"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: how to write a question, and whom to ask."""

    dialect: Dialect
    select: Select


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two sides differ. Keys are rendered as `column=value` (values of the key only)."""

    table: str
    source: Fingerprint
    lake: Fingerprint
    columns: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    changed: tuple[str, ...]

    def __str__(self) -> str:
        lines = []
        if self.source.rows != self.lake.rows:
            lines.append(
                f"the source has {count(self.source.rows, 'row')}, the lake {count(self.lake.rows, 'row')}"
            )
        else:
            lines.append(f"both have {count(self.source.rows, 'row')}, but not the same values")
        if self.columns:
            lines.append("columns that differ: " + joined(self.columns))
        for what, keys in (("missing", self.missing), ("too many", self.extra), ("different", self.changed)):
            if keys:
                lines.append(f"{what}: " + "; ".join(keys))
        return "; ".join(lines)


def forms(dialect: Dialect, table: Table) -> dict[str, Form]:
    """The canonical form of each column, as the source's dialect chooses."""
    return {column.name: dialect.form(column) for column in table.columns}


def _row_hash(dialect: Dialect, columns: Sequence[Column], by: dict[str, Form]) -> str:
    return dialect.row_hash([dialect.text(column, by[column.name]) for column in columns])


def fingerprint_sql(dialect: Dialect, table: Table, by: dict[str, Form], where: str = "") -> str:
    """One row: count(*), the checksum as text, then count(column) of each nullable column; of the rows that
    fulfil `where`."""
    parts = ["count(*)", dialect.total(_row_hash(dialect, table.columns, by))]
    parts += [f"count({_present(dialect, column, by)})" for column in table.columns if column.nullable]
    only = f" where {where}" if where else ""
    return f"select {', '.join(parts)} from {dialect.ref(table)}{only}"


def _present(dialect: Dialect, column: Column, by: dict[str, Form]) -> str:
    """SQL that is NULL where the column's value is; cheaper than its text where the column itself is."""
    own = not column.guarded and not column.covers
    return dialect.quote(column.name) if own else dialect.text(column, by[column.name])


def fingerprint(side: Side, table: Table, by: dict[str, Form], where: str = "") -> Fingerprint:
    """Ask one side for the fingerprint of the table, or of its rows that fulfil `where`."""
    rows, checksum, *present = side.select(fingerprint_sql(side.dialect, table, by, where))[0]
    nullable = [column.name for column in table.columns if column.nullable]
    nulls = tuple((name, int(rows) - int(number)) for name, number in zip(nullable, present, strict=True))
    return Fingerprint(int(rows), nulls, int(checksum))


def row_count_sql(dialect: Dialect, table: Table) -> str:
    """One row: the number of rows alone."""
    return f"select count(*) from {dialect.ref(table)}"


def row_count(side: Side, table: Table) -> int:
    """Ask one side for the number of rows alone."""
    return int(side.select(row_count_sql(side.dialect, table))[0][0])


def narrow(source: Side, lake: Side, table: Table, found: tuple[Fingerprint, Fingerprint]) -> Difference:
    """Find the columns and the keys in which two sides differ (at most `EXAMPLES` keys a kind)."""
    by = forms(source.dialect, table)
    columns = _differing_columns(source, lake, table, by)
    keys = table.primary_key or tuple(column.name for column in table.columns)
    buckets = differing_buckets(source, lake, table, by, keys)[:EXAMPLES]
    left, right = (_rows_of(side, table, by, keys, buckets) for side in (source, lake))
    missing = {key for key, _ in left - right}
    extra = {key for key, _ in right - left}
    changed = missing & extra if table.primary_key else set()
    return Difference(
        table=table.name,
        source=found[0],
        lake=found[1],
        columns=columns,
        missing=tuple(sorted(missing - changed)[:EXAMPLES]),
        extra=tuple(sorted(extra - changed)[:EXAMPLES]),
        changed=tuple(sorted(changed)[:EXAMPLES]),
    )


def columns_sql(dialect: Dialect, table: Table, by: dict[str, Form]) -> str:
    """One row: the checksum of each column by itself, as text."""
    hashes = [dialect.row_hash([dialect.text(column, by[column.name])]) for column in table.columns]
    return f"select {', '.join(dialect.total(one) for one in hashes)} from {dialect.ref(table)}"


def _differing_columns(source: Side, lake: Side, table: Table, by: dict[str, Form]) -> tuple[str, ...]:
    def checksums(side: Side) -> list[int]:
        return [int(value) for value in side.select(columns_sql(side.dialect, table, by))[0]]

    pairs = zip(table.columns, checksums(source), checksums(lake), strict=True)
    return tuple(column.name for column, left, right in pairs if left != right)


def _key_columns(table: Table, keys: Sequence[str]) -> list[Column]:
    return [table.column(name) for name in keys]


def _rows_of(
    side: Side, table: Table, by: dict[str, Form], keys: Sequence[str], buckets: Sequence[int]
) -> Counter[tuple[str, int]]:
    """The rows (key text, hash) of the buckets of key hashes."""
    if not buckets:
        return Counter()
    dialect = side.dialect
    key = _row_hash(dialect, _key_columns(table, keys), by)
    texts = ", ".join(dialect.text(column, by[column.name]) for column in _key_columns(table, keys))
    inside = ", ".join(str(bucket) for bucket in buckets)
    sql = (
        f"select {_row_hash(dialect, table.columns, by)}, {texts} from {dialect.ref(table)} "
        f"where {dialect.modulo(key, BUCKETS)} in ({inside})"
    )
    return Counter((_key_text(keys, row[1:]), int(row[0])) for row in side.select(sql))


def _key_text(keys: Sequence[str], values: Sequence[Any]) -> str:
    shown = [
        (name, "NULL" if value is None else str(value)) for name, value in zip(keys, values, strict=True)
    ]
    return ", ".join(f"{name}={value[:40]}" for name, value in shown[:4])


def bucket(dialect: Dialect, table: Table, by: dict[str, Form], keys: Sequence[str]) -> str:
    """SQL for the bucket (0 … 1,023) of a row: the hash of its key."""
    return dialect.modulo(_row_hash(dialect, _key_columns(table, keys), by), BUCKETS)


def differing_buckets(
    source: Side,
    lake: Side,
    table: Table,
    by: dict[str, Form],
    keys: Sequence[str],
    *,
    keys_alone: bool = False,
) -> list[int]:
    """The buckets in which two sides have other rows, or with `keys_alone` other keys."""
    compared = _key_columns(table, keys) if keys_alone else table.columns

    def buckets(side: Side) -> dict[int, tuple[int, int]]:
        dialect = side.dialect
        key = bucket(dialect, table, by, keys)
        total = dialect.total(_row_hash(dialect, compared, by))
        sql = f"select {key}, count(*), {total} from {dialect.ref(table)} group by {key}"
        return {int(number): (int(rows), int(checksum)) for number, rows, checksum in side.select(sql)}

    left, right = buckets(source), buckets(lake)
    return sorted(b for b in left.keys() | right.keys() if left.get(b) != right.get(b))
