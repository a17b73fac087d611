"""The hand-over between the reading and the writing thread: bounded, loses nothing, leaves no thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mainstem.errors import SourceUnavailable
from mainstem.ingest.parts import Gathered
from mainstem.ingest.pipeline import Prefetched


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "mainstem-read"]


class Items:
    """An iterator that knows how far it was read, and whether it was closed."""

    def __init__(self, number: int, error: BaseException | None = None) -> None:
        self.read = 0
        self.closed = False
        self._number = number
        self._error = error
        self.passed = threading.Condition()

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        with self.passed:
            if self.read == self._number:
                if self._error is not None:
                    raise self._error
                raise StopIteration
            self.read += 1
            self.passed.notify_all()
            return self.read

    def close(self) -> None:
        self.closed = True


def test_everything_arrives_in_order() -> None:
    items = Items(1000)
    with Prefetched(items) as taken:
        assert list(taken) == list(range(1, 1001))
    assert items.closed
    assert _threads() == []


def test_nothing_is_something_too() -> None:
    with Prefetched(iter(())) as taken:
        assert list(taken) == []


@pytest.mark.parametrize("error", [SourceUnavailable("gone"), RuntimeError("a defect"), KeyboardInterrupt()])
def test_an_error_of_the_reader_is_raised_where_the_items_are_taken(error: BaseException) -> None:
    items, seen = Items(2, error), list[int]()
    with pytest.raises(type(error)) as caught, Prefetched(items) as taken:
        seen.extend(taken)
    assert caught.value is error
    assert items.closed
    assert _threads() == []


def test_the_reader_is_ahead_by_no_more_than_the_depth() -> None:
    items = Items(100)
    with Prefetched(items, depth=3) as taken:
        assert next(taken) == 1
        with items.passed:
            # 1 taken, 3 in the queue, 1 in the reader's hand.
            assert items.passed.wait_for(lambda: items.read == 5, timeout=20)
            assert not items.passed.wait_for(lambda: items.read > 5, timeout=0.3)
    assert items.read == 5


def test_leaving_early_stops_the_reader() -> None:
    items = Items(10**9)
    with Prefetched(items) as taken:
        assert next(taken) == 1
    assert items.closed
    assert items.read < 10
    assert _threads() == []


def test_an_error_of_the_writer_stops_the_reader_and_passes() -> None:
    items = Items(10**9)

    def write() -> None:
        with Prefetched(items) as taken:
            next(taken)
            raise ValueError("disk full")

    with pytest.raises(ValueError, match="disk"):
        write()
    assert items.closed
    assert _threads() == []


def test_readers_of_parts_end_where_one_of_them_cannot_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, closed = list[threading.Thread](), threading.Event()
    start = threading.Thread.start

    def refuse_the_second(thread: threading.Thread) -> None:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    def read(snapshot: Any, part: int) -> Iterator[Any]:
        try:
            yield from iter(int, 1)  # without end
        finally:
            closed.set()

    monkeypatch.setattr(threading.Thread, "start", refuse_the_second)
    with pytest.raises(RuntimeError, match="start new thread"), Gathered([None, None], [0, 1], read):  # type: ignore[list-item]
        pass
    assert closed.is_set()
    assert _threads() == []
