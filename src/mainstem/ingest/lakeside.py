"""The lake's side of a load: what the engine reads in the files, as a fingerprint and in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from mainstem.contract import reconcile
from mainstem.contract.canonical import Dialect
from mainstem.contract.reconcile import Fingerprint, Side
from mainstem.engine.port import Engine
from mainstem.ingest.pipeline import Prefetched
from mainstem.schema import RAW_OUT_OF_RANGE, Table, TableName

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 1 << 16


def lake_fingerprint(engine: Engine, lake: Side, source: Dialect, table: Table) -> Fingerprint:
    """The fingerprint of an attached table, in the source's canonical forms.

    The engine reads the rows; their hashes are summed by the compiled kernel, or by the engine's SQL where
    the kernel is missing or lacks a form. (6 million rows of 16 columns: 3.5 s of processor time, 8 in SQL.)
    """
    from mainstem.hashing import RowSum  # here: a run that finds nothing changed needs no pyarrow

    by = reconcile.forms(source, table)
    forms = [by[column.name] for column in table.columns]
    if not RowSum.knows(table.columns, forms):
        return reconcile.fingerprint(lake, table, by)
    row_sum = RowSum(table.columns, forms, lake.dialect.hash)
    nullable = [at for at, column in enumerate(table.columns) if column.nullable]
    rows = checksum = 0
    nulls = dict.fromkeys(nullable, 0)
    names = ", ".join(lake.dialect.quote(column.name) for column in table.columns)
    _, batches = engine.stream(f"select {names} from {lake.dialect.ref(table)}", _BATCH_ROWS)
    with Prefetched(batches) as read:
        for batch in read:
            rows += batch.num_rows
            checksum += row_sum.of(batch)
            for at in nullable:
                nulls[at] += batch.column(at).null_count
    return Fingerprint(rows, tuple((table.columns[at].name, nulls[at]) for at in nullable), checksum)


def one_by_one(engine: Engine, *selects: str) -> Iterator[pa.RecordBatch]:
    """The rows of several SELECTs, one after the other: as one UNION ALL, DuckDB 1.5 can wait for itself for
    ever when it streams."""
    return chain.from_iterable(engine.stream(sql)[1] for sql in selects)


def out_of_range(engine: Engine, name: TableName, columns: Sequence[str]) -> dict[str, int]:
    """How many values of each column stand in the side column; columns without one are left out."""
    side = engine.dialect.quote(RAW_OUT_OF_RANGE)
    literals = ("'" + column.replace("'", "''") + "'" for column in columns)
    counts = ", ".join(
        f"count(*) filter (list_contains(json_keys({side}), {literal})) as c{at}"
        for at, literal in enumerate(literals)
    )
    table = f"{engine.dialect.quote(name.namespace)}.{engine.dialect.quote(name.name)}"
    found = engine.query(f"select {counts} from {table} where {side} is not null")
    numbers = (int(column[0].as_py()) for column in found.columns)
    return {column: number for column, number in zip(columns, numbers, strict=True) if number}
