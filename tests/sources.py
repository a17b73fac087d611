"""A source that does something else when it is read: what a network, a driver or a bug of ours could do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from mainstem.contract.canonical import SourceDialect
from mainstem.run.parts import Parts
from mainstem.schema import Database, Table
from mainstem.source.port import Finding, Snapshot, Source

Reader = Callable[[Iterator[pa.RecordBatch], Table], Iterator[pa.RecordBatch]]


def unchanged(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    """What the source gives."""
    yield from batches


@dataclass
class Wrapped:
    """A real source whose rows pass through `reader`; `reads` names the tables that were read."""

    inner: Source
    reader: Reader = unchanged
    reads: list[str] = field(default_factory=list)
    batch_bytes: int = 16 << 20

    @property
    def dialect(self) -> SourceDialect:
        return self.inner.dialect

    def introspect(self) -> Database:
        return self.inner.introspect()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self.inner.snapshot() as snapshot:
            yield _Wrapped(self, snapshot)

    def diagnose(self) -> Sequence[Finding]:
        return self.inner.diagnose()

    def close(self) -> None:
        self.inner.close()


class _Wrapped:
    def __init__(self, source: Wrapped, snapshot: Snapshot) -> None:
        self.position: Mapping[str, str] = snapshot.position
        self._source = source
        self._snapshot = snapshot

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        self._source.reads.append(table.name)
        return self._source.reader(
            self._snapshot.read(table, min(batch_bytes, self._source.batch_bytes), where), table
        )

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        return self._snapshot.select(sql, seconds)


def through(
    reader: Reader, reads: list[str] | None = None, batch_bytes: int = 16 << 20
) -> Callable[[Parts], Parts]:
    """For `support.run`: every source's rows pass through `reader`."""

    def adapt(parts: Parts) -> Parts:
        seen = [] if reads is None else reads
        sources = {n: Wrapped(s, reader, seen, batch_bytes) for n, s in parts.sources.items()}
        return replace(parts, sources=sources)

    return adapt


def altering(name: str, column: str, row: int, value: Any) -> Reader:
    """A decoder with a fault: one cell of one table comes out as another value."""

    def reader(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(batches):
            if table.name != name or number:
                yield batch
                continue
            index = batch.schema.get_field_index(column)
            values = batch.column(index).to_pylist()
            assert values[row] != value, "the fault would change nothing"
            values[row] = value
            arrays = list(batch.columns)
            arrays[index] = pa.array(values, batch.schema.field(index).type)
            yield pa.RecordBatch.from_arrays(arrays, schema=batch.schema)

    return reader
