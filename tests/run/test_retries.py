"""A source that goes away is tried again in a new snapshot; what stands is compared, not read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable
from mainstem.events import SourceRetried
from mainstem.project.load import load_project
from mainstem.run import RunOptions, ingesting
from mainstem.run.board import Board
from mainstem.run.receipt import TableEntry
from mainstem.schema import Table
from mainstem.wiring import open_lake
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from sources import Reader, through
from support import ask, execute_sql, make_project, mart, plan_of, raw, run


def _breaking(times: int, error: MainstemError, between: Callable[[], None] = lambda: None) -> Reader:
    """The read of order_lines breaks off, that many times."""
    left = [times]

    def reader(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
        if table.name == "order_lines" and left[0]:
            left[0] -= 1
            yield next(batches).slice(0, 1)
            between()
            raise error
        yield from batches

    return reader


GONE = SourceUnavailable("the server went away", hint="is it up?")


def test_a_source_that_comes_back(tmp_path: Path) -> None:
    root, reads = make_project(tmp_path, {}), list[str]()
    ran = run(root, adapt=through(_breaking(2, GONE), reads))
    assert ran.status == "published", ran.messages
    assert reads == ["customers", "order_lines", "order_lines", "order_lines", "orders"]
    assert ran.outcome.receipt.value()["retries"] == {"shop": 2}
    told = [event for event in ran.events if isinstance(event, SourceRetried)]
    assert [(one.source, one.attempt, one.retries) for one in told] == [("shop", 1, 3), ("shop", 2, 3)]
    assert told[0].detail == "the server went away"
    assert ran.table("raw.customers")["status"] == "done"
    assert ask(root, "select count(*) from raw.order_lines") == [(8,)]


def test_what_changed_between_the_attempts_is_read_again(tmp_path: Path) -> None:
    """All tables of a release come from one snapshot, and models are built on it."""
    root, reads = make_project(tmp_path), list[str]()
    execute_sql(root / "shop.db", "pragma journal_mode = wal")  # somebody writes while we read
    change = "update customers set country = 'Peru' where customer_number = 2"
    reader = _breaking(1, GONE, lambda: execute_sql(root / "shop.db", change))
    ran = run(root, adapt=through(reader, reads))
    assert ran.status == "published", ran.messages
    assert reads == ["customers", "order_lines", "customers", "order_lines", "orders"]
    assert ask(root, "select country from raw.customers where customer_number = 2") == [("Peru",)]
    assert ask(root, "select country from dim_customers where customer_key = '2'") == [("Peru",)]
    positions = [entry.position["wal_index"] for entry in ran.outcome.receipt.tables]
    assert len(set(positions)) == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_it_gives_up_and_says_what_stands(tmp_path: Path, retries: int) -> None:
    root, reads = make_project(tmp_path, {}, config=f"retries: {retries}"), list[str]()
    ran = run(root, adapt=through(_breaking(99, GONE), reads))
    assert ran.outcome.exit_code == 4
    assert reads == ["customers", *["order_lines"] * (retries + 1)]
    assert ("(tried 3 times)" in ran.messages) is bool(retries)
    assert "1 of 3 tables stand in the lake" in ran.messages
    again = list[str]()
    assert run(root, adapt=through(_breaking(0, GONE), again)).status == "published"
    assert again == ["order_lines", "orders"]


def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    root, reads = make_project(tmp_path, {}), list[str]()
    ran = run(root, adapt=through(_breaking(1, SourceRefused("wrong password")), reads))
    assert ran.outcome.exit_code == 4
    assert reads == ["customers", "order_lines"]
    assert ran.outcome.receipt.retries == {}


def test_a_full_refresh_reads_once(tmp_path: Path) -> None:
    root = make_project(tmp_path, {})
    run(root)
    reads: list[str] = []
    ran = run(root, options=RunOptions(full_refresh=True), adapt=through(_breaking(1, GONE), reads))
    assert ran.status == "published"
    assert reads == ["customers", "order_lines", "order_lines", "orders"]


def test_waits_double_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "FIRST_WAIT", 1.0)
    for attempt, most in enumerate((1, 2, 4, 8, 16, 32, 60, 60)):
        waits = {ingesting.retry_wait(attempt) for _ in range(50)}
        assert most / 2 <= min(waits) < max(waits) <= most


def test_models_that_read_an_older_version_wait_again(tiny_run: Path) -> None:
    lake = open_lake(load_project(tiny_run))
    with plan_of(tiny_run, full_refresh=True) as made:
        board = Board(made.plan, lake, fail_fast=False)

        def stands(name: str) -> None:
            table = raw(name) if name in ("customers", "orders", "order_lines") else mart(name)
            version = lake.head(table)
            assert version is not None
            board.done(table, version, TableEntry(str(table), "done"))

        for name in ("customers", "orders", "order_lines"):
            stands(name)
        ready = board.ready_models(2)
        assert next(ready).name == mart("dim_customers")
        board.renew(raw("customers"))  # while the dimension is being built
        stands("dim_customers")
        assert not board.is_done(mart("dim_customers"))
        assert next(ready).name == mart("dim_customers")
        stands("dim_customers")
        assert next(ready).name == mart("fact_lines")
        stands("fact_lines")
        board.renew(raw("orders"))  # after the fact was built: the dimension stays
        assert board.is_done(mart("dim_customers"))
        assert next(ready).name == mart("fact_lines")
        stands("fact_lines")
        assert list(ready) == []


ROWS = 150_000
BIG = "create table big (id int primary key, note varchar(200) not null); "
MARIA = f"insert into big select seq, repeat('x', 200) from seq_1_to_{ROWS}"
PG = f"insert into big select n, repeat('x', 200) from generate_series(1, {ROWS}) n"
KILL = (
    "select concat('kill ', id, ';') from information_schema.processlist "
    "where db = 'again' and id <> connection_id()"
)
TERMINATE = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where datname = 'again' and pid <> pg_backend_pid()"
)


@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_a_connection_that_the_server_ends(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real server ends the connection while rows travel; the real driver notices."""
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    server.create_database("again")
    server.execute(BIG + (MARIA if isinstance(server, MariaDB) else PG), "again")
    url = f"{server.url}again" if isinstance(server, MariaDB) else server.url("again")
    monkeypatch.setenv("SHOP_URL", url)
    root = make_project(tmp_path, {}, source="")
    file = root / "mainstem.yml"
    file.write_text(file.read_text().replace("sqlite:///shop.db", "\"{{ env_var('SHOP_URL') }}\""))
    ended: list[int] = []

    def ending(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            if not ended:
                ended.append(rows)
                if isinstance(server, MariaDB):
                    server.execute(server.execute(KILL), "again")
                else:
                    server.execute(TERMINATE)
            yield batch

    ran = run(root, adapt=through(ending, batch_bytes=1 << 18))
    assert ran.status == "published", ran.messages
    assert ended[0] < ROWS
    assert ran.outcome.receipt.retries == {"shop": 1}
    assert ask(root, "select count(*), count(distinct id) from raw.big") == [(ROWS, ROWS)]


@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_a_refused_value_costs_its_table_alone(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables after it are read from the same snapshot, without another attempt."""
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    server.create_database("alone")
    day = "'0000-00-00'" if isinstance(server, MariaDB) else "'infinity'"
    server.execute(
        "create table a (id int primary key); create table b (id int primary key, day date); "
        f"create table c (id int primary key); insert into a values (1); insert into b values (1, {day}); "
        "insert into c values (1);",
        "alone",
    )
    url = f"{server.url}alone" if isinstance(server, MariaDB) else server.url("alone")
    monkeypatch.setenv("SHOP_URL", url)
    root = make_project(tmp_path, {}, source="", config="retries: 0")
    file = root / "mainstem.yml"
    file.write_text(file.read_text().replace("sqlite:///shop.db", "\"{{ env_var('SHOP_URL') }}\""))
    ran = run(root)
    assert {one.table: one.status for one in ran.outcome.receipt.tables} == {
        "raw.a": "done",
        "raw.b": "failed",
        "raw.c": "done",
    }
