"""How many bytes of each table have come from its source."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mainstem.schema import Table
from mainstem.source.port import Divisible, Snapshot

if TYPE_CHECKING:
    import pyarrow as pa


class Meter:
    """Counts what passes through the snapshots that it is put before; any number of threads may read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes: Counter[str] = Counter()

    def over(self, snapshot: Snapshot) -> Snapshot:
        """The same snapshot, metered. One that can be read in parts stays one."""
        return (
            _Parted(snapshot, self, snapshot) if isinstance(snapshot, Divisible) else _Metered(snapshot, self)
        )

    def bytes(self, table: str) -> int:
        """Bytes of the source table's rows as they arrived: Arrow, in memory; rows that were read twice count
        twice. Answers to questions (fingerprints) are not counted."""
        return self._bytes[table]

    def count(self, table: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches, counted as they are taken. Closing it closes them."""
        try:
            for batch in batches:
                with self._lock:
                    self._bytes[table] += batch.nbytes
                yield batch
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()


class _Metered:
    def __init__(self, snapshot: Snapshot, meter: Meter) -> None:
        self.position: Mapping[str, str] = snapshot.position
        self._snapshot = snapshot
        self._meter = meter

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        return self._meter.count(table.name, self._snapshot.read(table, batch_bytes, where))

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        return self._snapshot.select(sql, seconds)


class _Parted(_Metered):
    def __init__(self, snapshot: Snapshot, meter: Meter, divisible: Divisible) -> None:
        super().__init__(snapshot, meter)
        self._divisible = divisible

    def parts(self, table: Table) -> Sequence[str]:
        return self._divisible.parts(table)

    def order(self, table: Table) -> str:
        return self._divisible.order(table)

    @contextmanager
    def twin(self) -> Iterator[Snapshot]:
        with self._divisible.twin() as twin:
            yield self._meter.over(twin)
