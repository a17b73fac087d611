"""A snapshot that is asked ahead: the same answers, in a better order."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest

from mainstem.errors import SourceUnavailable
from mainstem.ingest.ahead import Ahead, ahead_of
from mainstem.schema import Table
from mainstem.source.port import Divisible, SourceOptions
from mainstem.wiring import open_source
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import ask, execute_sql, make_project, run, table

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
                raise SourceUnavailable(f"gone: {sql}")
            return [(sql, len(self.asked))]
        finally:
            self._alone.release()

    def read(self, table: Table, batch_bytes: int = 0, where: str = "") -> Iterator[pa.RecordBatch]:
        with self._alone:
            self.asked.append(f"read {where}")
            yield pa.record_batch({"n": [1]})
            yield pa.record_batch({"n": [2]})


def test_who_finds_the_connection_lost_is_told_by_what() -> None:
    inner = Slow("asked ahead", "asked then")
    with Ahead(inner) as snapshot:
        snapshot.ask("asked ahead")
        assert inner.begun.wait(10)
        inner.go.set()
        with pytest.raises(SourceUnavailable, match="gone: asked ahead"):
            snapshot.select("asked then")


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


@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_what_can_be_read_in_parts_still_can(request: pytest.FixtureRequest, kind: str) -> None:
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    server.create_database("parts")
    server.execute("create table t (n int primary key)", "parts")
    url = f"mysql://{server.user}:{server.password}@{server.host}:{server.port}/parts"
    source = open_source(server.url("parts") if isinstance(server, Postgres) else url, SourceOptions())
    found = source.introspect().tables[0]
    with source.snapshot() as inner, ahead_of(inner) as snapshot:
        assert isinstance(inner, Divisible)
        assert isinstance(snapshot, Divisible)
        assert (tuple(snapshot.parts(found)), snapshot.order(found)) == ((), "")
    source.close()


BANK = """
create table a (id int primary key, n int not null, updated_at datetime(6) not null, key (updated_at));
create table b like a;
create table log (id int primary key auto_increment);
insert into a select seq, 0, now(6) from seq_1_to_500; insert into b select * from a;
"""
MOVE = (
    "update a set n = n + 1, updated_at = utc_timestamp(6) where id = {0}",
    "update b set n = n - 1, updated_at = utc_timestamp(6) where id = {0}",
    "insert into log values ()",
)


def test_a_release_shows_one_moment_though_much_is_asked_at_once(
    tmp_path: Path, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tables that are followed by a cursor, begun side by side and counted beside, and one without,
    asked about ahead; a writer changes all three in each transaction."""
    monkeypatch.setattr("mainstem.run.ingesting.WORTH_ROWS", 0)
    mariadb.create_database("bank")
    mariadb.execute(BANK, "bank")
    config = "proof: changes\ntables:\n  a: {cursor: updated_at}\n  b: {cursor: updated_at}"
    root = make_project(tmp_path / "p", {}, source="", config=config)
    path = root / "mainstem.yml"
    url = f"mysql://{mariadb.user}:{mariadb.password}@{mariadb.host}:{mariadb.port}/bank"
    path.write_text(path.read_text().replace("sqlite:///shop.db", url))
    assert run(root).status == "published"
    stop, moved = threading.Event(), [0]

    def write() -> None:
        with pymysql.connect(
            host=mariadb.host,
            port=mariadb.port,
            user=mariadb.user,
            password=mariadb.password,
            database="bank",
        ) as connection:
            while not stop.is_set():
                with connection.cursor() as cursor:
                    for sql in MOVE:
                        cursor.execute(sql.format(moved[0] % 500 + 1))
                connection.commit()
                moved[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = []
        for _ in range(4):
            before = moved[0]
            while moved[0] < before + 5 and writer.is_alive():
                time.sleep(0.01)
            ran = run(root)
            assert ran.status == "published", ran.messages
            assert ran.table("raw.a")["proof"] in ("changes", "full")
            ((plus, minus, logged),) = ask(
                root, "select (select sum(n) from raw.a), (select sum(n) from raw.b), count(*) from raw.log"
            )
            assert plus == -minus == logged
            seen.append(logged)
    finally:
        stop.set()
        writer.join()
    assert sorted(set(seen)) == seen
