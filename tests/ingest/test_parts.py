"""A large table is read in parts; a stopped load is taken up where it stood, if the source still agrees."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from mainstem import crash
from mainstem.ingest import parts
from mainstem.ingest.state import encode_columns
from mainstem.lake.journal import Journal
from mainstem.project.load import load_project
from mainstem.run import ingesting
from mainstem.schema import Table, TableName
from mainstem.source.mysql import boundaries
from mainstem.source.mysql.boundaries import evenly, ranges
from mainstem.source.postgres import pages
from mainstem.source.postgres import source as postgres_source
from mainstem.source.postgres.pages import page_ranges
from mainstem.wiring import open_lake
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from servers.proxy import Proxy
from support import Ran, ask, make_project, run

ROWS, PART = 60_000, 8_000
DATABASE = "parts"
TABLE = "drop table if exists big; create table big (id int primary key, v int not null, note varchar(200));"
FILL = {
    "mariadb": f"insert into big select seq, 0, repeat('x', 200) from seq_1_to_{ROWS}; analyze table big;",
    "postgres": f"insert into big select n, 0, repeat('x', 200) from generate_series(1, {ROWS}) n; "
    "analyze big;",
}
CHANGE = (
    "update big set v = 7 where id = 1; delete from big where id = 2; insert into big values (0, 5, null);"
)
HALF = ROWS * 210 // 2  # bytes on the wire, about
Server = MariaDB | Postgres

_FORKS = multiprocessing.get_context("forkserver")


@pytest.fixture(params=["mariadb", "postgres"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with the table, of which some thousand rows are a part."""
    found: Server = request.getfixturevalue(request.param)
    found.execute(f"drop database if exists {DATABASE}")
    found.create_database(DATABASE)
    found.execute(TABLE + FILL[request.param], DATABASE)
    _small_parts(monkeypatch.setattr)
    monkeypatch.setenv("SHOP_URL", _url(found))
    return found


def _small_parts(set_: Callable[[object, str, object], None]) -> None:
    for module in (boundaries, pages):
        set_(module, "PART_ROWS", PART)


def _url(server: Server, port: int = 0) -> str:
    url = server.url + DATABASE if isinstance(server, MariaDB) else server.url(DATABASE)
    return url.replace(f":{server.port}/", f":{port or server.port}/")


def _project(root: Path, config: str = "retries: 0") -> Path:
    make_project(root, {}, source="", config=config)
    file = root / "mainstem.yml"
    file.write_text(file.read_text().replace("sqlite:///shop.db", "\"{{ env_var('SHOP_URL') }}\""))
    return root


def _stopped(root: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose connection is cut in the middle of the table; one reader, so that its first part stands."""
    with Proxy(server.host, server.port, "cut", after=HALF) as proxy, monkeypatch.context() as patched:
        patched.setattr(parts, "READERS", 1)
        patched.setenv("SHOP_URL", _url(server, proxy.port))
        ran = run(root)
        assert proxy.fired
    assert ran.outcome.exit_code == 4, ran.messages


def _journal(root: Path) -> Journal | None:
    (table,) = _tables(root)
    return open_lake(load_project(root)).journal(
        TableName("raw", "big"), table.columns, _identity(table), tuple
    )


def _tables(root: Path) -> tuple[Table, ...]:
    from support import plan_of

    with plan_of(root) as made:
        return tuple(step.table for step in made.plan.ingest)


def _identity(table: Table) -> str:
    return f"shop {table.source_schema}.{table.source_name} {encode_columns(table.columns)}"


def _kept(ran: Ran) -> int:
    """The rows that a run says it has kept."""
    found = re.search(r"\(([\d,]+) rows? kept", str(ran.table("raw.big")["text"]))
    return int(found[1].replace(",", "")) if found else 0


def _same(root: Path, server: Server) -> bool:
    sql = "select count(*), count(distinct id), sum(id), sum(v), count(note) from {}big"
    told = server.execute(sql.format(""), DATABASE).replace("|", "\t").split()
    return [str(value) for value in ask(root, sql.format("raw."))[0]] == told


@pytest.mark.parametrize("proof", ["full", "off"])
def test_a_cut_load_is_taken_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    root = _project(tmp_path, f'retries: 0\nproof: "{proof}"')
    _stopped(root, server, monkeypatch)
    journal = _journal(root)
    assert journal is not None
    assert 0 < len(journal.done) < len(journal.parts)
    server.execute(CHANGE, DATABASE)
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert 0 < _kept(ran) < ROWS
    assert _kept(ran) <= sum(f.rows for files in journal.done.values() for f in files) - 3
    assert _same(root, server)
    assert not list((load_project(root).state / "staging").iterdir())
    # Nothing but the table's files is left.
    lake = open_lake(load_project(root))
    lake.clean(older_than=timedelta(0))
    assert run(root).status == "unchanged" if proof == "full" else True


def test_without_the_comparison_a_stale_row_would_survive(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the tests above."""
    root = _project(tmp_path, 'retries: 0\nproof: "off"')
    _stopped(root, server, monkeypatch)
    server.execute(CHANGE, DATABASE)
    monkeypatch.setattr(parts.PartReader, "_keep", lambda *_: 0)
    assert run(root).status == "published"
    assert not _same(root, server)


def test_retries_of_one_run_take_it_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _project(tmp_path, "retries: 1")
    with Proxy(server.host, server.port, "cut", after=HALF, times=1) as proxy:
        monkeypatch.setenv("SHOP_URL", _url(server, proxy.port))
        ran = run(root)
    assert ran.status == "published", ran.messages
    assert ran.outcome.receipt.retries == {"shop": 1}
    assert _kept(ran) > 0
    assert _same(root, server)


def _run_killed(root: Path, point: str, url: str) -> None:
    os.environ[crash.VARIABLE] = point
    os.environ["SHOP_URL"] = url
    _small_parts(setattr)
    run(root)


@pytest.mark.parametrize("point", ["stage.synced:3", "stage.group:5", "commit.before_swap"])
def test_a_killed_load_is_taken_up(server: Server, tmp_path: Path, point: str) -> None:
    root = _project(tmp_path)
    process = _FORKS.Process(target=_run_killed, args=(root, point, _url(server)))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, "the fault did not fire"
    server.execute(CHANGE, DATABASE)
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert 0 < _kept(ran) < ROWS
    assert _same(root, server)


def test_killed_after_the_commit(server: Server, tmp_path: Path) -> None:
    """The journal is older than the table then: nothing of it is used, and nothing of the table deleted."""
    root = _project(tmp_path)
    process = _FORKS.Process(target=_run_killed, args=(root, "commit.after_swap", _url(server)))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, "the fault did not fire"
    open_lake(load_project(root)).clean(older_than=timedelta(0))
    server.execute(CHANGE, DATABASE)
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert _kept(ran) == 0
    assert _same(root, server)


def test_other_columns_are_read_anew(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _project(tmp_path)
    _stopped(root, server, monkeypatch)
    server.execute("alter table big add w int", DATABASE)
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert _kept(ran) == 0
    assert _same(root, server)


def test_a_snapshot_is_given_up_in_time(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt goes on where the one before was too old."""
    root = _project(tmp_path, "retries: 20\nmax_snapshot: 100000")
    monkeypatch.setattr(ingesting, "time", _Hurried())
    ran = run(root)
    assert ran.status == "published", ran.messages
    receipt = ran.outcome.receipt.value()
    assert receipt["retries"]["shop"] >= 1
    assert receipt["snapshots"]["shop"] > 100_000
    assert _kept(ran) > 0
    assert _same(root, server)


class _Hurried:
    """A clock on which each look takes seven hours."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 25_200
        return self._now


def test_what_is_left_waits_a_week(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _project(tmp_path)
    _stopped(root, server, monkeypatch)
    lake = open_lake(load_project(root))
    (journal,) = (load_project(root).state / "staging").iterdir()
    listed = {
        lake.root / file[0] for files in json.loads(journal.read_text())["done"].values() for file in files
    }
    lake.clean(older_than=timedelta(0))
    assert set((load_project(root).state / "lake").rglob("*.parquet")) == listed
    os.utime(journal, (1, 1))
    lake.clean(older_than=timedelta(0))
    assert not journal.exists()
    assert not list((load_project(root).state / "lake").rglob("*.parquet"))


def test_a_damaged_file_is_read_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _project(tmp_path)
    _stopped(root, server, monkeypatch)
    for at, file in enumerate(sorted((load_project(root).state / "lake").rglob("*.parquet"))):
        content = bytearray(file.read_bytes())
        content[8:] = b"\0" * len(content[8:])
        file.chmod(0o600)
        file.write_bytes(content[:9] if at % 2 else content)
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert _kept(ran) == 0
    assert _same(root, server)


def test_several_connections_see_one_snapshot(postgres: Postgres, server: Server) -> None:
    if server is not postgres:
        return
    source = postgres_source.PostgresSource.from_url(_url(postgres))
    (table,) = source.introspect().tables
    with source.snapshot() as snapshot:
        postgres.execute("delete from big", DATABASE)
        with snapshot.twin() as twin, snapshot.twin() as third:
            wheres = snapshot.parts(table)
            assert len(wheres) == ROWS // PART
            readers = (snapshot, twin, third)
            rows = [
                batch.num_rows
                for at, where in enumerate(wheres)
                for batch in readers[at % 3].read(table, where=where)
            ]
            assert sum(rows) == ROWS
            assert twin.position["snapshot"] == snapshot.position["snapshot"]
    source.close()


@pytest.mark.parametrize(("least", "most", "number"), [(1, 10, 3), (-5, 5, 4), (0, 1, 9), (0, 2**63 - 1, 7)])
def test_ranges_divide_the_numbers(least: int, most: int, number: int) -> None:
    found = ranges("id", [str(cut) for cut in evenly(least, most, number)])
    points = sorted({least, most, *range(least, min(most, least + 12)), most // 2, -(2**63), 2**63 - 1})
    with closing(sqlite3.connect(":memory:")) as connection:
        for point in points if found else ():
            told = connection.execute(f"select {', '.join(found)} from (select {point} as id)").fetchone()
            assert sum(told) == 1


def test_pages_of_other_kinds_of_tables() -> None:
    assert page_ranges([(None, None)], 4) == ()
    assert page_ranges([(1000, False)], 4) == ()
    assert page_ranges([(1, True)], 4) == ()
    assert page_ranges([(9, True)], 2) == ("ctid < '(4,0)'::tid", "ctid >= '(4,0)'::tid")
