"""The server: killed, restarted, full, locked, dead-locked; what it takes away from us in mid-run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pymysql
import pytest

from faults.launcher import Launcher
from faults.world import PASSWORD, READER, World, before, build, grant
from servers.mariadb import MariaDB
from servers.postgres import Postgres

WIDE, ROWS = 250, 4000
MIDDLE = 500_000
ASKING = rb"(crc32|md5|hash).*transfers"  # for the fingerprint
READING = rb"(copy \(select|select).*note.*from.*transfers"


@pytest.fixture(scope="module", params=["mariadb", "postgres"])
def bank(
    request: pytest.FixtureRequest, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A world on a server of its own, which tests may kill and reconfigure."""
    folder = tmp_path_factory.mktemp("server")
    with MariaDB(folder / "own") if request.param == "mariadb" else Postgres() as server:
        yield build(request.param, folder, launcher, server, rows=ROWS, wide=WIDE)


def retried(world: World) -> dict[str, int]:
    receipt = json.loads(world.well("runs", "latest", "--output", "json").out)
    found: dict[str, int] = receipt["retries"]
    return found


def mine(world: World) -> MariaDB | Postgres:
    assert world.server is not None
    return world.server


def test_f06_a_killed_server_keeps_what_it_acknowledged(bank: World) -> None:
    """The servers of these tests: else what a run finds missing were not the product's doing."""
    server = mine(bank)
    bank.ledger.commit()
    server.kill()
    server.start()
    assert bank.sql("select n from clock").strip() == str(bank.ledger.now)
    bank.converges()


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_f06_f07_the_server_goes_and_comes_back(world: World, way: str) -> None:
    """kill -9, or an orderly shutdown, while rows travel; it is back before the second attempt."""
    server = mine(world)
    world.configure("retries: 2")
    pids = [server.pid]

    def restart() -> None:
        getattr(server, way)()
        server.start()
        pids.append(server.pid)

    with world.behind("cut", MIDDLE, times=1) as proxy:
        proxy.at(MIDDLE, restart)
        world.converges()
    assert len(set(pids)) == 2
    assert retried(world) == {"bank": 1}


def test_f06_the_server_stays_away(world: World) -> None:
    server = mine(world)
    with world.behind("cut", MIDDLE, times=1) as proxy:
        proxy.at(MIDDLE, server.kill)
        world.fails(4)
    assert server.process is None
    assert world.shows() == before(world)
    world.fails(4)
    server.start()


def test_f07_our_connection_is_ended_by_the_server(world: World) -> None:
    world.configure("retries: 1")
    ended: list[str] = []

    def end() -> None:
        if world.kind == "postgres":
            sql = f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{READER}'"
            ended.append(world.sql(sql))
        else:
            sql = "select concat('kill ', id, ';') from information_schema.processlist"
            kills = world.sql(f"{sql} where user = '{READER}'")
            ended.append(kills)
            world.sql(kills)

    with world.behind() as proxy:
        proxy.when(READING, end)
        world.converges()
    assert ended[0].strip()
    assert retried(world) == {"bank": 1}


def test_f13_a_lock_that_is_not_given(world: World) -> None:
    """Another session holds the table: we wait for the timeout, try again, give up with exit 4."""
    world.configure("retries: 1\ntimeout: 1")
    with closing(session(world)) as other:
        cursor = other.cursor()
        if world.kind == "postgres":
            cursor.execute("begin")
            cursor.execute("lock table transfers in access exclusive mode")
        else:
            cursor.execute("lock tables transfers write")
        world.fails(4, "lock", "tried 2 times")
        assert world.shows() == before(world)


def test_f13_a_deadlock_is_tried_again(world: World) -> None:
    """PostgreSQL ends our transaction to break a deadlock; the second attempt is well."""
    if world.kind != "postgres":
        return  # InnoDB's consistent reads take no locks that could wait in a circle
    world.configure("retries: 2\ntimeout: 20")
    with closing(session(world)) as other, world.behind() as proxy:
        other.execute("set deadlock_timeout = '1h'")  # so that it is not the one to notice
        threads: list[threading.Thread] = []

        def cross() -> None:
            other.execute("begin")
            other.execute("lock table transfers in access exclusive mode")
            threads.append(threading.Thread(target=close_the_circle))
            threads[0].start()

        def close_the_circle() -> None:
            other.execute("lock table clock in access exclusive mode")
            other.execute("rollback")

        proxy.when(READING, cross)
        world.converges()
        threads[0].join(30)
    assert retried(world) == {"bank": 1}
    deadlocks = mine(world).execute(
        f"select deadlocks from pg_stat_database where datname = '{world.database}'"
    )
    assert int(deadlocks) >= 1


def test_f14_a_change_of_the_table_waits_for_us_and_gets_through(world: World) -> None:
    """ALTER TABLE on a table of the open snapshot: it waits no longer than the run takes."""
    threads: list[threading.Thread] = []
    seen: list[str] = []
    waits = {
        "postgres": "select count(*) from pg_stat_activity where wait_event_type = 'Lock'",
        "mariadb": "select count(*) from information_schema.processlist where state like 'Waiting%lock'",
    }[world.kind]

    def alter() -> None:
        threads.append(threading.Thread(target=world.sql, args=("alter table clock add column extra int",)))
        threads[0].start()
        for _ in range(600):
            seen.append(world.sql(waits).strip())
            if seen[-1] != "0":
                return
            threading.Event().wait(0.02)

    with world.behind() as proxy:
        proxy.when(READING, alter)
        done = world.call("run")
    threads[0].join(30)
    assert not threads[0].is_alive()
    world.sql("alter table clock drop column extra")
    assert seen[-1] != "0", "it waited"
    assert done.code == 0, done.text
    assert world.shows() == world.ledger.now


def test_f16_no_connection_left(world: World) -> None:
    server = mine(world)
    world.configure("retries: 1")
    if isinstance(server, MariaDB):
        server.execute("set global max_connections = 10")
        held = fill(world)
    else:
        server.execute(f"alter role {READER} connection limit 1")
        held = [session(world, READER, PASSWORD)]
    world.fails(4, "connection")
    assert world.shows() == before(world)
    for one in held:
        one.close()
    if isinstance(server, MariaDB):
        for _ in range(200):
            try:
                server.execute("set global max_connections = 100")
                break
            except AssertionError:
                continue
    else:
        server.execute(f"alter role {READER} connection limit -1")


def fill(world: World) -> list[psycopg.Connection[tuple[object]]]:
    """Sessions, until the server has no more."""
    held = []
    for _ in range(20):
        try:
            held.append(session(world, READER, PASSWORD))
        except pymysql.err.OperationalError:
            return held
    raise AssertionError("the server has more connections than it may")


def test_f16_the_password_changes_in_mid_run(world: World) -> None:
    """The connection breaks, and the next login is refused: no second try, no secret in the message."""
    server = mine(world)
    world.configure("retries: 5")

    def rotate() -> None:
        if isinstance(server, MariaDB):
            server.execute(f"alter user {READER} identified by 'another'")
        else:
            server.execute(f"alter role {READER} password 'another'")

    with world.behind("cut", MIDDLE, times=1) as proxy:
        proxy.at(MIDDLE - 100_000, rotate)
        world.fails(4)
        assert proxy.fired
    assert retried(world) == {"bank": 1}
    assert world.shows() == before(world)
    back = f"identified by '{PASSWORD}'" if isinstance(server, MariaDB) else f"password '{PASSWORD}'"
    server.execute(f"alter {'user' if isinstance(server, MariaDB) else 'role'} {READER} {back}")


def test_f16_an_account_that_has_expired(world: World) -> None:
    server = mine(world)
    if isinstance(server, MariaDB):
        server.execute(f"alter user {READER} password expire")
    else:
        server.execute(f"alter role {READER} valid until '2000-01-01'")
    world.configure("retries: 5")
    world.fails(4, "password")
    assert world.shows() == before(world)
    if isinstance(server, MariaDB):
        server.execute(f"alter user {READER} identified by '{PASSWORD}'")
    else:
        server.execute(f"alter role {READER} valid until 'infinity'")


def test_f17_a_privilege_is_revoked_in_mid_run(world: World) -> None:
    """transfers may not be read any more when its turn comes; the release stays, whole."""
    server = mine(world)
    fired: list[bool] = []

    def revoke() -> None:
        fired.append(True)
        if isinstance(server, MariaDB):
            server.execute(f"revoke all privileges on *.* from {READER}")
            for table in ("accounts", "clock"):
                server.execute(f"grant select on {world.database}.{table} to {READER}")
        else:
            world.sql(f"revoke select on transfers from {READER}")

    with world.behind() as proxy:
        proxy.when(ASKING, revoke)
        done = world.call("run")
    assert fired
    assert done.code in (0, 4), done.text  # MariaDB looks at global privileges when a connection begins
    world.is_clean(done)
    if done.code:
        assert "may not read" in done.err
        assert world.shows() == before(world)
    try:
        world.fails(2)  # what may not be read is not there: a model asks for it
    finally:
        grant(world)


def test_f35_a_table_is_changed_under_the_run(world: World) -> None:
    """Dropped, truncated, altered or renamed at the moment at which its rows are asked for: never a value
    in another column, never an empty table as if it were so."""
    create = "create table spare as select * from transfers;"
    for change, undo in (
        ("alter table transfers rename to gone", "alter table gone rename to transfers"),
        ("alter table transfers add column more int", "alter table transfers drop column more"),
        (
            "alter table transfers rename column note to remark",
            "alter table transfers rename column remark to note",
        ),
        (f"{create} delete from transfers", "insert into transfers select * from spare; drop table spare"),
        (f"{create} truncate table transfers", "insert into transfers select * from spare; drop table spare"),
    ):
        fired: list[bool] = []

        def act(change: str = change, fired: list[bool] = fired) -> None:
            fired.append(True)
            changing = threading.Thread(target=world.sql, args=(change,), daemon=True)
            changing.start()
            changing.join(0.5)  # some wait for our snapshot to end

        with world.behind() as proxy:
            proxy.when(ASKING, act)
            done = world.call("run")
        assert fired
        assert done.code in (0, 2, 3, 4), done.text
        world.is_clean(done)
        assert world.shows() in (before(world), world.ledger.now), change
        undone = 0
        for _ in range(100):
            try:
                world.sql(undo)
                undone = 1
                break
            except AssertionError:
                threading.Event().wait(0.05)
        assert undone, change


def session(world: World, user: str = "", password: str = "") -> psycopg.Connection[tuple[object]]:
    """A connection of somebody else's, in the database (typed as psycopg's; pymysql's has what is used)."""
    server = mine(world)
    if isinstance(server, MariaDB):
        return pymysql.connect(  # type: ignore[return-value]
            host=server.host,
            port=server.port,
            user=user or server.user,
            password=password or server.password,
            database=world.database,
        )
    url = server.url(world.database, user, password)
    return psycopg.connect(url, autocommit=True)
