"""Questions that a snapshot is asked before their answers are wanted.

A source's server and this machine mostly wait for each other: the one sums up a table while the other has
nothing to do, then the other way round. What a load will surely ask is therefore told at once, and asked one
after the other whenever nobody else wants the connection. It is the same snapshot, so the same answer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mainstem.errors import SourceUnavailable
from mainstem.schema import Table
from mainstem.source.port import Divisible, Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

Rows = list[tuple[Any, ...]]


class Ahead:
    """A snapshot, for any number of threads, one at a time, and for one of its own that asks ahead. Use as a
    context: what was not asked yet when it is left, is not asked any more."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.position: Mapping[str, str] = snapshot.position
        self._snapshot = snapshot
        self._changed = threading.Condition()
        self._busy = False  # somebody is at the connection
        self._wanted = 0  # callers who wait for the connection: they come first
        self._left = self._begun = False
        self._lost: SourceUnavailable | None = None  # what ended the connection, if it was asked ahead then
        self._asked: dict[str, Future[Rows]] = {}
        self._queue: deque[str] = deque()
        self._thread = threading.Thread(target=self._work, name="mainstem-ahead", daemon=True)

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._left = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def ask(self, sql: str, *, soon: bool = False) -> None:
        """A statement that `select` will be called with; `soon`: before those that were told earlier. Each
        answer is given once: whoever asks again wants to know how it is then."""
        with self._changed:
            if sql not in self._asked:
                self._asked[sql] = Future()
                (self._queue.appendleft if soon else self._queue.append)(sql)
            self._changed.notify_all()
            begin, self._begun = not self._begun, True
        if begin:
            self._thread.start()

    def select(self, sql: str, seconds: float = 0) -> Rows:
        """See the port."""
        with self._changed:
            asked = self._asked.pop(sql, None)
            if asked is not None and sql in self._queue:  # not begun: whoever waits comes first
                self._queue.remove(sql)
                asked = None
        if asked is not None:
            return asked.result()
        with self._held():
            return self._snapshot.select(sql, seconds)

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        """See the port."""
        with self._held():
            yield from self._snapshot.read(table, batch_bytes, where)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Have the connection; wait for it. Whoever finds it lost is told what it was lost by."""
        with self._changed:
            self._wanted += 1
            try:
                self._changed.wait_for(lambda: not self._busy)
            finally:
                self._wanted -= 1
            self._busy = True
        try:
            yield
        except SourceUnavailable as error:
            raise self._lost or error from None
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._left or (self._queue and not self._busy and not self._wanted)
                )
                if self._left:
                    return
                sql = self._queue.popleft()
                future = self._asked[sql]
                self._busy = True
            try:
                rows = self._snapshot.select(sql)
            except BaseException as error:  # noqa: BLE001 - raised where the answer is wanted
                if isinstance(error, SourceUnavailable):
                    self._lost = self._lost or error
                self._leave()
                future.set_exception(error)
            else:
                self._leave()
                future.set_result(rows)


class _Divisible(Ahead):
    def __init__(self, snapshot: Snapshot, divisible: Divisible) -> None:
        super().__init__(snapshot)
        self._divisible = divisible

    def parts(self, table: Table) -> Sequence[str]:
        """See the port."""
        with self._held():
            return self._divisible.parts(table)

    def order(self, table: Table) -> str:
        """See the port."""
        with self._held():
            return self._divisible.order(table)

    @contextmanager
    def twin(self) -> Iterator[Snapshot]:
        """See the port."""
        with ExitStack() as opened:
            with self._held():
                twin = opened.enter_context(self._divisible.twin())
            yield twin


if TYPE_CHECKING:  # a method of the port that is missing here would only show as a table read in one go
    _: type[Divisible] = _Divisible


def ahead_of(snapshot: Snapshot) -> Ahead:
    """The snapshot, to be asked ahead. One that can be read in parts stays one."""
    return _Divisible(snapshot, snapshot) if isinstance(snapshot, Divisible) else Ahead(snapshot)


def ask_soon(snapshot: Snapshot, sql: str) -> None:
    """Ask ahead what is wanted next, if the snapshot can be asked."""
    if isinstance(snapshot, Ahead):
        snapshot.ask(sql, soon=True)
