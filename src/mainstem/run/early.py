"""Loads begun side by side: what has changed in one table is merged while that of the next is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from mainstem.errors import MainstemError
from mainstem.ingest.values import Load, Pending
from mainstem.ingest.witness import is_compared
from mainstem.lake import Staged
from mainstem.plan import IngestStep
from mainstem.project.config import ProofLevel
from mainstem.schema import TableName

_SIDE_BY_SIDE = 2
Begin = Callable[[IngestStep, Load], Pending | None]


def is_small(load: Load) -> bool:
    """Whether the load reads and proves just what has changed."""
    return load.level is ProofLevel.CHANGES and load.increment is not None and is_compared(load)


class Early:
    """Begins loads. Use as a context: a load that was begun and not asked for is thrown away."""

    def __init__(self, begin: Begin, discard: Callable[[Staged], None]) -> None:
        """`begin`: may be called from several threads; `discard` throws a load's files away."""
        self._begin = begin
        self._discard = discard
        self._pool = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="mainstem-early")
        self._begun: dict[TableName, Future[Pending | None]] = {}

    def __enter__(self) -> Early:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future in self._begun.values():
            future.cancel()
        self._pool.shutdown()
        for future in self._begun.values():
            if not future.cancelled() and (pending := _pending(future)):
                self._discard(pending.staged)

    def start(self, loads: Iterable[tuple[IngestStep, Load]]) -> None:
        """Begin these, in their order."""
        for step, load in loads:
            self._begun[step.name] = self._pool.submit(self._begin, step, load)

    def begin(self, step: IngestStep, load: Load) -> Pending | None:
        """What came of a load that was begun before, or begin it now."""
        future = self._begun.pop(step.name, None)
        return future.result() if future else self._begin(step, load)


def _pending(future: Future[Pending | None]) -> Pending | None:
    try:
        return future.result()
    except MainstemError:
        return None  # what ended the others has ended this one, too
