"""The classic lost row: a transaction that began before the last read and commits after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pymysql
import pytest

from mainstem.ingest import cursor
from mainstem.source.postgres.dialect import PostgresDialect
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import ask, make_project, run

Server = MariaDB | Postgres
TABLE = """
create table t (id int primary key, note varchar(20) not null, updated_at {time} not null);
insert into t values (1, 'a', {now}), (2, 'b', {now});
"""
INSERT = "insert into t values ({}, 'x', {})"
ALONE = "overlap: 0, deletes: ignore"  # no other protection than that of the server's transactions
NOW = {MariaDB: "utc_timestamp(6)", Postgres: "clock_timestamp() at time zone 'utc'"}
TIME = {MariaDB: "datetime(6)", Postgres: "timestamp"}


@pytest.fixture(params=["mariadb", "postgres"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    found.create_database("late")
    found.execute(TABLE.format(time=TIME[type(found)], now=NOW[type(found)]), "late")
    return found


@contextmanager
def transaction(server: Server) -> Iterator[Callable[[str], None]]:
    """A session of its own; commits at the end."""
    if isinstance(server, MariaDB):
        maria = pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, database="late"
        )
        with maria, maria.cursor() as place:
            yield lambda sql: (place.execute(sql), None)[1]
            maria.commit()
        return
    with psycopg.connect(server.url("late")) as connection:
        yield lambda sql: (connection.execute(sql.encode()), None)[1]


def _project(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, more: str = ALONE, url: str = ""
) -> Path:
    direct = f"{server.url}late" if isinstance(server, MariaDB) else server.url("late")
    monkeypatch.setenv("SHOP_URL", url or direct)
    config = f"proof: 'off'\ntables:\n  t: {{cursor: updated_at, {more}}}"
    make_project(root, {}, source="", config=config)
    file = root / "mainstem.yml"
    file.write_text(file.read_text().replace("sqlite:///shop.db", "\"{{ env_var('SHOP_URL') }}\""))
    return root


def _late(server: Server, root: Path) -> list[int]:
    """Insert 10, without a commit; insert 11 and commit; load; commit 10; load."""
    now = NOW[type(server)]
    with transaction(server) as slow:
        slow(INSERT.format(10, now))
        server.execute(INSERT.format(11, now), "late")
        assert run(root).status == "published"
        assert ask(root, "select list(id order by id) from raw.t") == [([1, 2, 11],)]
    ran = run(root)
    assert not ran.messages
    assert "read by updated_at" in ran.table("raw.t")["text"]
    ids = ask(root, "select list(id order by id) from raw.t")[0][0]
    assert len(set(ids)) == len(ids)
    return list(ids)


def test_a_late_commit_is_read(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _project(server, tmp_path, monkeypatch)
    assert _late(server, root) == [1, 2, 10, 11]


def test_without_the_protection_the_row_is_lost(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresDialect, "written_since", lambda *_: "")
    monkeypatch.setattr(cursor, "OLDEST_TRANSACTION", "nobody")
    root = _project(server, tmp_path, monkeypatch)
    assert _late(server, root) == [1, 2, 11]


def test_the_comparison_of_keys_finds_it_too(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresDialect, "written_since", lambda *_: "")
    monkeypatch.setattr(cursor, "OLDEST_TRANSACTION", "nobody")
    root = _project(server, tmp_path, monkeypatch, "overlap: 0")
    assert _late(server, root) == [1, 2, 10, 11]


def test_without_the_privilege_the_overlap_protects(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb.create_database("late")
    mariadb.execute(TABLE.format(time="datetime(6)", now="utc_timestamp(6)"), "late")
    mariadb.create_user("lesser", "pw", ["SELECT ON late.*"])
    url = f"mysql://lesser:pw@{mariadb.host}:{mariadb.port}/late"
    root = _project(mariadb, tmp_path / "a", monkeypatch, "deletes: ignore", url)
    assert _late(mariadb, root) == [1, 2, 10, 11]
    mariadb.execute("delete from t where id > 2", "late")
    root = _project(mariadb, tmp_path / "b", monkeypatch, ALONE, url)
    assert _late(mariadb, root) == [1, 2, 11]


def test_an_old_time_in_a_late_commit_is_read_in_postgres(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the cursor says: the row's transaction is newer than the last snapshot."""
    postgres.create_database("late")
    postgres.execute(TABLE.format(time="timestamp", now=NOW[Postgres]), "late")
    root = _project(postgres, tmp_path, monkeypatch)
    assert run(root).status == "published"
    postgres.execute(
        "insert into t values (3, 'x', '1999-01-01'); update t set note = 'y' where id = 1", "late"
    )
    assert not run(root).messages
    assert ask(root, "select id, note from raw.t order by id") == [(1, "y"), (2, "b"), (3, "x")]


def test_a_thousand_rows_of_one_moment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _project(server, tmp_path, monkeypatch)
    assert run(root).status == "published"
    moment = NOW[type(server)]
    rows = ", ".join(
        f"({n}, 'x', (select * from (select max(updated_at) from t) m))" for n in range(100, 400)
    )
    server.execute(f"insert into t values (50, 'x', {moment}); insert into t values {rows}", "late")
    assert not run(root).messages
    more = ", ".join(
        f"({n}, 'x', (select * from (select max(updated_at) from t) m))" for n in range(400, 700)
    )
    server.execute(f"insert into t values {more}", "late")
    assert not run(root).messages
    assert ask(root, "select count(*), count(distinct id) from raw.t") == [(603, 603)]


def test_what_the_cursor_does_not_show_is_repaired(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deleted row, and one changed behind the cursor's back: the parts that differ are read again."""
    old = "'2001-02-03 04:05:06'"
    rows = ", ".join(f"({n}, 'x', {old})" for n in range(100, 1100))
    server.execute(f"insert into t values {rows}", "late")
    root = _project(server, tmp_path, monkeypatch)
    file = root / "mainstem.yml"
    file.write_text(file.read_text().replace("proof: 'off'", "proof: full").replace(ALONE, "overlap: 0"))
    assert run(root).status == "published"
    server.execute("delete from t where id in (100, 700); update t set note = 'z' where id = 500", "late")
    ran = run(root)
    assert not ran.messages
    text = ran.table("raw.t")["text"]
    assert text.startswith("1,000 rows, every cell equal the source (")
    assert "of 1,024 parts that differed)" in text
    assert ask(root, "select count(*), sum((note = 'z')::int), min(id) from raw.t") == [(1000, 1, 1)]
    assert run(root).status == "unchanged"


def test_the_time_of_a_tables_last_change_tells_nothing(mariadb: MariaDB) -> None:
    """Why a table without a cursor is compared whole (docs/proof.md): of two transactions that began in one
    second one is committed later, after UPDATE_TIME was read, and it stays what it was."""
    database = "update_time"
    mariadb.create_database(database)
    time = f"select update_time from information_schema.tables where table_schema = '{database}'"
    script = (
        "create or replace table t (id int primary key);"
        "select sleep(1 - mod(unix_timestamp(now(6)), 1)); begin; insert into t values (1); commit;"
        f"begin; insert into t values (2); {time}; select sleep(1.5); commit; {time};"
    )
    for _ in range(10):  # on a busy machine the two may not begin in one second
        _, before, _, after = mariadb.execute(script, database).split("\n")[:-1]
        if before == after:
            break
    assert before == after != "NULL"
