"""What a source may do to its data without an error: late, equal, old, restored, of another shape."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta

import pytest
from pyiceberg.table import StaticTable

from faults.conftest import Make
from faults.ledger import heads, text_of
from faults.test_server import session
from faults.world import World, Wrong

KINDS = pytest.mark.parametrize("kind", ["mariadb", "postgres"])
CURSOR = "retries: 0\nproof: {proof}\ntables:\n  transfers: {{cursor: changed{more}}}"
LONG_AGO = "2000-01-01 00:00:00.000000"


def by_cursor(make: Make, kind: str, *, proof: str = "off", more: str = ", deletes: ignore") -> World:
    """A world whose transfers are read by their time of change; nothing but the cursor shows changes."""
    world = make(kind, config=CURSOR.format(proof=proof, more=more))
    world.ledger.put(world.ledger.transfer("2", "changed", world.ledger.latest))
    world.converges()
    return world


def a_late_commit(world: World) -> None:
    """A transaction writes before another one, and commits after that one was read."""
    latest = datetime.fromisoformat(world.ledger.latest)
    early = str(text_of(latest - timedelta(minutes=30)))
    with closing(session(world)) as late:
        cursor = late.cursor()
        cursor.execute("begin")
        cursor.execute(
            "insert into transfers (id, account_id, amount, note, changed) "
            f"values (9001, 1, 0.00, 'late', '{early}')"
        )
        world.ledger.put(world.ledger.transfer("3", "on time", world.ledger.latest))
        world.converges()
        number = world.ledger.put(world.ledger.transfer("9001", "late", early), execute=False)
        cursor.execute(f"update clock set n = {number}")
        cursor.execute("commit")


@KINDS
def test_f32_a_row_that_is_committed_late(make: Make, kind: str) -> None:
    world = by_cursor(make, kind)
    a_late_commit(world)
    world.converges()


def test_f32_the_control_without_overlap(make: Make) -> None:
    world = by_cursor(make, "mariadb", more=", deletes: ignore, overlap: 0")
    a_late_commit(world)
    world.well("run")
    with pytest.raises(Wrong, match="1 lost"):
        world.shows()


@KINDS
def test_f33_thousands_of_equal_times(make: Make, kind: str) -> None:
    """More rows of one time than a batch holds, then half of them again under the same time."""
    world = by_cursor(make, kind, more=", deletes: ignore, overlap: 0")
    moment = world.ledger.latest
    rows = [(str(n), "1", "0.00", f"equal {n}", moment) for n in range(20_000, 30_000)]
    world.ledger.put(*rows)
    world.converges()
    world.ledger.put(*[(*row[:3], "again", moment) for row in rows[::2]])
    world.converges()


@KINDS
def test_f34_old_and_repeated_rows(make: Make, kind: str) -> None:
    """Rows whose time lies far behind the cursor, and yesterday's rows once more: the proof finds them."""
    world = by_cursor(make, kind, proof="full", more="")
    world.ledger.put(world.ledger.transfer("4", "behind the cursor", LONG_AGO))
    world.converges()
    row = world.ledger.states[-1].tables["transfers"]["4"]
    world.ledger.put(row)
    world.converges()
    world.ledger.commit()  # deletes, too
    world.converges()


@KINDS
def test_f34_the_control_without_proof(make: Make, kind: str) -> None:
    world = by_cursor(make, kind, more=", deletes: ignore, overlap: 0")
    if kind == "postgres":
        # PostgreSQL tells which rows were written since, whatever their cursor says; deletes it does not.
        world.ledger.commit()
        world.ledger.commit()
    else:
        world.ledger.put(world.ledger.transfer("4", "behind the cursor", LONG_AGO))
    world.well("run")
    with pytest.raises(Wrong, match="transfers"):
        world.shows()


@KINDS
def test_f38_a_source_that_was_restored(make: Make, kind: str) -> None:
    """A backup is older than the last load: its greatest time is gone. Told; taken on demand."""
    world = by_cursor(make, kind)
    before = world.ledger.now
    old = datetime.fromisoformat(world.ledger.latest)
    later = str(text_of(old + timedelta(days=1)))
    world.ledger.put(world.ledger.transfer("5", "to be forgotten", later))
    world.converges()
    shown = world.ledger.now
    world.ledger.restore(before)
    world.fails(3, "went back")
    assert world.shows() == shown
    world.converges_with("--full-refresh")


# Columns

SENTINELS = """
create table shapes (id int primary key, a varchar(20), b varchar(20), n int);
insert into shapes values (1, 'a1', 'b1', 1), (2, 'a2', null, 20000), (3, null, 'b3', null);
"""
BOTH = [
    "alter table shapes add column late varchar(20)",
    "alter table shapes add column filled varchar(20) not null default 'filled'",
    "alter table shapes drop column b",
    "alter table shapes rename column a to z",
    "alter table shapes rename column a to t; alter table shapes rename column b to a; "
    "alter table shapes rename column t to b",
    "alter table shapes drop column a; alter table shapes add column a varchar(20)",
    "create table other (id int primary key, b varchar(20), a varchar(20), n int); "
    "insert into other select id, b, a, n from shapes; drop table shapes; alter table other rename to shapes",
    "update shapes set a = 'x', b = 'y', n = 0; alter table shapes add column more int",
]
CHANGES = {
    "mariadb": [
        *BOTH,
        "alter table shapes add column first varchar(20) default 'f' first",
        "alter table shapes add column middle varchar(20) default 'm' after a",
        "alter table shapes modify a varchar(20) after n",
        "alter table shapes modify n bigint",
        "alter table shapes modify n smallint",
        "alter table shapes modify n varchar(20)",
        "update shapes set b = 'b2', a = 'a3', n = 3; alter table shapes modify b varchar(20) not null",
        "alter table shapes modify a varchar(20) character set latin1",
        "update shapes set n = id; alter table shapes drop primary key, add primary key (id, n)",
        "alter table shapes comment 'only words'",
    ],
    "postgres": [
        *BOTH,
        "alter table shapes alter n type bigint",
        "alter table shapes alter n type smallint",
        "alter table shapes alter n type text",
        "update shapes set b = 'b2', a = 'a3', n = 3; alter table shapes alter b set not null",
        "alter table shapes drop constraint shapes_pkey",
        "comment on table shapes is 'only words'",
        "begin; alter table shapes drop column a; rollback",
    ],
}
EACH = [pytest.param(kind, id=kind) for kind in CHANGES]


@pytest.mark.parametrize("kind", EACH)
def test_f35_columns_that_change_between_runs(make: Make, kind: str) -> None:
    """A table for every change. It is taken over, or the table stays as it was until somebody decides: no
    value in another column."""
    world = make(kind)
    changes = {f"shapes{number}": change for number, change in enumerate(CHANGES[kind])}
    for table in changes:
        world.sql(SENTINELS.replace("shapes", table))
    world.allow()
    world.well("run")
    before = {table: in_the_lake(world, table) for table in changes}
    for table, change in changes.items():
        world.sql(change.replace("shapes", table).replace("other", f"other_{table}"))
    world.allow()
    done = world.fails(3, "--full-refresh")
    stopped = {table for table in changes if f"raw.{table}:" in done.err or f"raw.{table}." in done.err}
    assert 0 < len(stopped) < len(changes)
    for table, change in changes.items():
        wanted = before[table] if table in stopped else in_the_source(world, table)
        assert in_the_lake(world, table) == wanted, change
    world.converges_with("--full-refresh")
    for table, change in changes.items():
        assert in_the_lake(world, table) == in_the_source(world, table), change


def in_the_lake(world: World, name: str) -> dict[str, list[str | None]]:
    """The newest version of a table, released or not."""
    table = StaticTable.from_metadata(heads(world.root)[f"raw.{name}"]).scan().to_arrow().sort_by("id")
    return {name: [text_of(value) for value in table[name].to_pylist()] for name in table.column_names}


def in_the_source(world: World, table: str) -> dict[str, list[str | None]]:
    """By the server's own client: each column by its name, by itself."""
    where = "table_schema = database()" if world.kind == "mariadb" else "table_schema = 'public'"
    names = world.sql(
        f"select column_name from information_schema.columns where table_name = '{table}' and {where}"
    )
    found = {}
    for name in names.split():
        text = f"concat('=', {name})" if world.kind == "mariadb" else f"'=' || cast({name} as text)"
        texts = world.sql(f"select coalesce({text}, '-') from {table} order by id").splitlines()
        found[name] = [None if text == "-" else text[1:] for text in texts]
    return found
