"""A snapshot that is asked ahead: the same answers, in a better order."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mainstem.errors import SourceUnavailable
from mainstem.ingest.ahead import Ahead, ahead_of
from mainstem.schema import Table
from mainstem.source.port import Divisible, SourceOptions
from mainstem.wiring import open_source
from support import execute_sql, make_project, run, table

T = table("t", "n long")


class Slow:
    """A snapshot whose first question waits until it is let go; `broken` ones fail. At one time it serves one
    caller."""

    def __init__(self, *broken: str) -> None:
        self.position: Mapping[str, str] = {}
        self.asked: list[str] = []
        self.broken = broken
        self.begun = threading.Event()
        self.go = threading.Event()
        self._alone = threading.Lock()

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        assert self._alone.acquire(blocking=False), "one call at a time"
        try:
            self.asked.append(sql)
            self.begun.set()
            assert self.go.wait(10)
            if sql in self.broken:
                raise SourceUnavailable("gone")
            return [(sql, len(self.asked))]
        finally:
            self._alone.release()

    def read(self, table: Table, batch_bytes: int = 0, where: str = "") -> Iterator[pa.RecordBatch]:
        with self._alone:
            self.asked.append(f"read {where}")
            yield pa.record_batch({"n": [1]})
            yield pa.record_batch({"n": [2]})


def test_answers_are_there_when_they_are_wanted() -> None:
    inner = Slow()
    inner.go.set()
    with ahead_of(inner) as snapshot:
        for sql in ("a", "b", "a"):
            snapshot.ask(sql)
        assert [snapshot.select(sql)[0][0] for sql in ("b", "a", "c")] == ["b", "a", "c"]
        assert sorted(inner.asked) == ["a", "b", "c"]
        snapshot.select("a")
        assert inner.asked.count("a") == 2, "who asks again wants to know how it is then"


def test_who_waits_comes_first() -> None:
    inner = Slow()
    with ahead_of(inner) as snapshot:
        for sql in ("first", "later", "wanted"):
            snapshot.ask(sql)
        assert inner.begun.wait(10)
        rows: list[Any] = []
        waiting = threading.Thread(target=lambda: rows.extend(snapshot.select("wanted")))
        waiting.start()
        while snapshot._wanted == 0:
            pass
        inner.go.set()
        waiting.join()
        assert rows == [("wanted", 2)]
        assert snapshot.select("later") == [("later", 3)]


def test_what_is_wanted_soon_is_asked_before_the_rest() -> None:
    inner = Slow()
    with ahead_of(inner) as snapshot:
        snapshot.ask("first")
        assert inner.begun.wait(10)
        snapshot.ask("later")
        snapshot.ask("next", soon=True)
        inner.go.set()
        assert snapshot.select("later")
    assert inner.asked in (["first", "next", "later"], ["first", "later"])


def test_an_error_is_raised_where_the_answer_is_wanted() -> None:
    inner = Slow("bad")
    inner.go.set()
    with ahead_of(inner) as snapshot:
        snapshot.ask("bad")
        snapshot.ask("good")
        assert snapshot.select("good")[0][0] == "good"
        with pytest.raises(SourceUnavailable, match="gone"):
            snapshot.select("bad")


def test_nothing_is_asked_while_rows_are_read() -> None:
    inner = Slow()
    inner.go.set()
    with ahead_of(inner) as snapshot:
        batches = snapshot.read(T, where="x")
        next(batches)
        snapshot.ask("a")
        next(batches)
        assert inner.asked == ["read x"]
        assert isinstance(batches, Generator)
        batches.close()
        assert snapshot.select("a") == [("a", 2)]


def test_what_was_not_asked_when_it_is_left_is_not_asked() -> None:
    inner = Slow()
    with ahead_of(inner) as snapshot:
        snapshot.ask("first")
        snapshot.ask("second")
        assert inner.begun.wait(10)
        threading.Timer(0.05, inner.go.set).start()
    assert inner.asked == ["first"]


def test_a_snapshot_is_asked_and_read_as_before(tmp_path: Path) -> None:
    execute_sql(tmp_path / "a.db", "create table t (n integer); insert into t values (1), (2)")
    source = open_source(f"sqlite:///{tmp_path}/a.db", SourceOptions())
    found = source.introspect().tables[0]
    with source.snapshot() as inner, ahead_of(inner) as snapshot:
        snapshot.ask("select count(*) from t")
        assert snapshot.select("select count(*) from t") == [(2,)]
        assert sum(batch.num_rows for batch in snapshot.read(found)) == 2
        assert isinstance(snapshot, Divisible) == isinstance(inner, Divisible)
    source.close()


def test_a_run_asks_before_it_wants_to_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was read before, so all is asked as it comes; then what a run asks is asked at once."""
    asked: list[str] = []
    ask = Ahead.ask

    def noted(self: Ahead, sql: str, *, soon: bool = False) -> None:
        asked.append(sql)
        ask(self, sql, soon=soon)

    monkeypatch.setattr(Ahead, "ask", noted)
    monkeypatch.setattr("mainstem.run.ingesting.WORTH_ROWS", 3)
    root = make_project(tmp_path / "p", {})
    assert run(root).status == "published"
    assert asked == [], "a large table has to be read: none that was asked about could be altered meanwhile"
    assert run(root).status == "unchanged"
    assert len(asked) == 3
