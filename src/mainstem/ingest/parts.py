"""A large table, read in parts: several at a time, and after a stop only those that are missing.

A part that an earlier, stopped load has written is kept if the source says, in the snapshot of now, that it
has the same rows: the fingerprint of the part's files equals that of the part. So it does not matter what
was written to the source in between.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from mainstem.contract import reconcile
from mainstem.contract.reconcile import Side
from mainstem.engine.port import Engine
from mainstem.errors import MainstemError
from mainstem.ingest.lakeside import lake_fingerprint
from mainstem.ingest.state import encode_columns
from mainstem.lake import Lake, Staged
from mainstem.lake.journal import Journal
from mainstem.schema import Table, TableName
from mainstem.source.port import Divisible, Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

    Item = tuple[int, pa.RecordBatch | None]

READERS = max(2, min(4, os.cpu_count() or 1))  # connections, where several see the same
_BATCH_BYTES = 8 << 20
_DEPTH = 4  # batches that are read ahead


class PartReader:
    """Reads a table's parts from one snapshot and its twins."""

    def __init__(self, snapshot: Snapshot, lake: Lake, engine: Engine, sides: tuple[Side, Side]) -> None:
        """`sides`: the source and the lake, for the fingerprints of what was read before."""
        self._snapshot = snapshot
        self._lake = lake
        self._engine = engine
        self._source, self._files = sides

    def stage(
        self, name: TableName, table: Table, source: str, on_rows: Callable[[int], None]
    ) -> tuple[Staged, int] | None:
        """The table's next version, and how many of its rows were read by an earlier run; None if the table
        is to be read whole."""
        snapshot = self._snapshot
        if not isinstance(snapshot, Divisible):
            return None
        identity = f"{source} {table.source_schema}.{table.source_name} {encode_columns(table.columns)}"
        if order := snapshot.order(table):
            identity += f" {order}"
        journal = self._lake.journal(name, table.columns, identity, lambda: snapshot.parts(table))
        if journal is None:
            return None
        kept = self._keep(journal, name, table)
        missing = [part for part in range(len(journal.parts)) if part not in journal.done]
        with ExitStack() as opened:
            readers = [self._snapshot]
            while len(readers) < min(READERS, len(missing)):
                try:
                    readers.append(opened.enter_context(snapshot.twin()))
                except MainstemError:
                    break  # one connection has to do

            def read(at: Snapshot, part: int) -> Iterator[pa.RecordBatch]:
                return at.read(table, _BATCH_BYTES, where=journal.parts[part])

            with Gathered(readers, missing, read) as items:
                staged = self._lake.stage_parts(
                    journal, table.columns, items, lambda rows: on_rows(kept + rows)
                )
        return staged, kept

    def _keep(self, journal: Journal, name: TableName, table: Table) -> int:
        """Forget the parts that are not what the source has now; the rows of the others."""
        by = reconcile.forms(self._source.dialect, table)
        rows = 0
        for part in sorted(journal.done):
            files = journal.done[part]
            expected = reconcile.fingerprint(self._source, table, by, journal.parts[part])
            try:
                self._engine.attach_files(name, [file.path for file in files], table.columns)
                found = lake_fingerprint(self._engine, self._files, self._source.dialect, table)
            except MainstemError:
                found = replace(expected, rows=-1)  # a file that cannot be read is no part
            if found == expected:
                rows += expected.rows
            else:
                journal.forget(part)
        return rows


class Gathered:
    """Iterate over the batches of parts that several snapshots read at the same time, each in a thread of
    its own: (part, batch), and (part, None) at a part's end. At most a few batches are read ahead.

    An error of a reader is raised where the items are taken. Use as a context: leaving it stops the readers
    and waits for them.
    """

    def __init__(
        self,
        readers: Sequence[Snapshot],
        parts: Sequence[int],
        read: Callable[[Snapshot, int], Iterator[pa.RecordBatch]],
    ) -> None:
        self._parts = deque(parts)
        self._read = read
        self._queue: queue.Queue[Item | BaseException | None] = queue.Queue(_DEPTH)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(reader,), name="mainstem-read", daemon=True)
            for reader in readers
        ]

    def __enter__(self) -> Iterator[Item]:
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # no memory for one: those that were begun hold the snapshots
            self.__exit__()
            raise
        return self._taken()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _taken(self) -> Iterator[Item]:
        left = len(self._threads)
        while left:
            item = self._queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                left -= 1
            else:
                yield item

    def _work(self, reader: Snapshot) -> None:
        end: BaseException | None = None
        try:
            while not self._stop.is_set():
                try:
                    part = self._parts.popleft()
                except IndexError:
                    break
                if not self._part(reader, part):
                    break
        except BaseException as caught:  # noqa: BLE001 - handed to the other thread, where it is raised
            end = caught
        self._put(end)

    def _part(self, reader: Snapshot, part: int) -> bool:
        batches = self._read(reader, part)
        try:
            for batch in batches:
                if not self._put((part, batch)):
                    return False
            return self._put((part, None))
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()

    def _put(self, item: Item | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
