"""The local catalog: its pointers never lose an update, its releases are all or nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from lakes import ORDERS, killed, python
from mainstem.catalog.local import VERSION, LocalCatalog
from mainstem.catalog.port import Pinned
from mainstem.errors import LakeUnavailable, UsageError
from mainstem.schema import TableName

ITEMS = TableName("raw", "items")
PIN = Pinned(7, "/lake/raw/orders/metadata/1.json", 10, 1000)

COUNT = """
import sys
from pathlib import Path
from mainstem.catalog.local import LocalCatalog
from mainstem.schema import TableName
catalog, name = LocalCatalog(Path(sys.argv[1]), wait=60), TableName("raw", "orders")
done = 0
while done < 25:
    now = catalog.location(name)
    done += catalog.swap(name, now, str(int(now or 0) + 1))
"""

SWAP = """
import sys
from pathlib import Path
from mainstem.catalog.local import LocalCatalog
from mainstem.catalog.port import Pinned
from mainstem.schema import TableName
catalog, name = LocalCatalog(Path(sys.argv[1])), TableName("raw", "orders")
if sys.argv[2] == "swap":
    catalog.swap(name, "one", "two")
else:
    catalog.publish("run-2", {name: Pinned(8, "two", 1, 1)}, {})
"""


@pytest.fixture
def catalog(tmp_path: Path) -> LocalCatalog:
    return LocalCatalog(tmp_path / ".mainstem" / "catalog.db", wait=0.2)


def test_reading_creates_nothing(catalog: LocalCatalog) -> None:
    assert catalog.location(ORDERS) is None
    assert catalog.tables() == {}
    assert catalog.current() is None
    assert catalog.releases() == []
    assert not catalog.path.parent.exists()


def test_swap_moves_the_pointer_only_from_where_it_is(catalog: LocalCatalog) -> None:
    assert catalog.swap(ORDERS, None, "one")
    assert not catalog.swap(ORDERS, None, "two")
    assert not catalog.swap(ORDERS, "zero", "two")
    assert catalog.location(ORDERS) == "one"
    assert catalog.swap(ORDERS, "one", "two")
    assert catalog.swap(ITEMS, None, "i")
    assert catalog.tables() == {ITEMS: "i", ORDERS: "two"}
    assert catalog.drop(ITEMS)
    assert not catalog.drop(ITEMS)
    assert catalog.tables() == {ORDERS: "two"}


def test_of_eight_threads_one_wins(catalog: LocalCatalog) -> None:
    catalog.wait = 60
    catalog.swap(ORDERS, None, "start")
    barrier = Barrier(8)

    def race(number: int) -> bool:
        barrier.wait()
        return catalog.swap(ORDERS, "start", str(number))

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(race, range(8)))
    assert won.count(True) == 1
    assert catalog.location(ORDERS) == str(won.index(True))


def test_processes_lose_no_update(catalog: LocalCatalog) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: python(COUNT, catalog.path), range(3)))
    assert [(d.returncode, d.stderr) for d in done] == [(0, "")] * 3
    assert catalog.location(ORDERS) == "75"


def test_releases(catalog: LocalCatalog) -> None:
    first = catalog.publish("run-1", {ORDERS: PIN, ITEMS: PIN}, {"rows": "gleich"})
    second = catalog.publish("run-2", {ORDERS: PIN}, {})
    assert (first.id, second.id) == ("r0001", "r0002")
    assert first.tables == {ITEMS: PIN, ORDERS: PIN}
    assert first.proof == {"rows": "gleich"}
    assert first.published.utcoffset() is not None
    assert catalog.current() == second
    assert catalog.releases() == [second, first]
    assert catalog.released(ORDERS) == [PIN.snapshot_id]
    assert catalog.released(TableName("raw", "none")) == []
    assert catalog.set_current("r0001") == first
    assert catalog.current() == first


def test_the_current_release_is_never_forgotten_and_no_name_comes_twice(catalog: LocalCatalog) -> None:
    for number in range(3):
        catalog.publish(f"run-{number}", {ORDERS: PIN}, {})
    catalog.set_current("r0002")
    catalog.forget(["r0001", "r0002", "r0003"])
    assert [r.id for r in catalog.releases()] == ["r0002"]
    assert catalog.publish("run-4", {}, {}).id == "r0004"


@pytest.mark.parametrize("name", ["r0002", "1", "", "r", "rx", "r-1", "r1;drop table", "r" + "9" * 30])
def test_unknown_release(catalog: LocalCatalog, name: str) -> None:
    catalog.publish("run-1", {}, {})
    with pytest.raises(UsageError, match="there is no release") as caught:
        catalog.set_current(name)
    assert "r0001" in caught.value.hint
    assert catalog.current() is not None


def test_a_newer_version_is_refused(catalog: LocalCatalog) -> None:
    catalog.swap(ORDERS, None, "one")
    with sqlite3.connect(catalog.path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    calls: list[Callable[[], object]] = [catalog.tables, lambda: catalog.swap(ORDERS, "one", "two")]
    for call in calls:
        with pytest.raises(UsageError, match=f"version {VERSION + 1}, this Mainstem knows version {VERSION}"):
            call()


@pytest.mark.parametrize("mode", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_locked_catalog_is_waited_for_and_then_given_up(catalog: LocalCatalog, mode: str) -> None:
    catalog.swap(ORDERS, None, "one")
    db = sqlite3.connect(catalog.path, isolation_level=None)
    db.execute(mode)
    with pytest.raises(LakeUnavailable, match=r"locked by another process for 0\.2 s"):
        catalog.swap(ORDERS, "one", "two")
    db.execute("ROLLBACK")
    db.close()
    assert catalog.swap(ORDERS, "one", "two")


def test_nothing_stays_locked_between_calls(catalog: LocalCatalog) -> None:
    catalog.swap(ORDERS, None, "one")
    catalog.publish("run-1", {ORDERS: PIN}, {})
    catalog.tables(), catalog.current()
    with pytest.raises(UsageError):
        catalog.set_current("r9")
    db = sqlite3.connect(catalog.path, timeout=0, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    db.close()


@pytest.mark.parametrize("damage", ["garbage", "zeroed page", "folder"])
def test_a_damaged_catalog(catalog: LocalCatalog, damage: str) -> None:
    catalog.swap(ORDERS, None, "one")
    if damage == "garbage":
        catalog.path.write_bytes(b"not a database, but longer than its header of a hundred bytes" * 9)
    elif damage == "zeroed page":
        content = bytearray(catalog.path.read_bytes())
        content[100:4096] = bytes(3996)
        catalog.path.write_bytes(content)
    else:
        catalog.path.unlink()
        catalog.path.mkdir()
    with pytest.raises(LakeUnavailable):
        catalog.location(ORDERS)


def test_killed_in_the_swap(catalog: LocalCatalog) -> None:
    catalog.swap(ORDERS, None, "one")
    assert killed(python(SWAP, catalog.path, "swap", crash_at="catalog.swap"))
    assert catalog.location(ORDERS) == "one"
    assert catalog.swap(ORDERS, "one", "two")


def test_killed_in_the_publication(catalog: LocalCatalog) -> None:
    first = catalog.publish("run-1", {ORDERS: PIN}, {})
    assert killed(python(SWAP, catalog.path, "publish", crash_at="catalog.publish"))
    assert catalog.releases() == [first]
    assert catalog.current() == first
    # The control: without the crash the same program publishes.
    assert python(SWAP, catalog.path, "publish").returncode == 0
    assert [r.id for r in catalog.releases()] == ["r0002", "r0001"]


def test_only_the_user_may_read_it(catalog: LocalCatalog) -> None:
    before = os.umask(0)
    try:
        catalog.swap(ORDERS, None, "one")
    finally:
        os.umask(before)
    assert stat.S_IMODE(catalog.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(catalog.path.parent.stat().st_mode) == 0o700


def test_readable_without_write_permission(catalog: LocalCatalog) -> None:
    """A server of another user reads it: no file beside it is needed (as a write-ahead log would)."""
    catalog.swap(ORDERS, None, "one")
    db = sqlite3.connect(f"file:{catalog.path}?mode=ro&immutable=1", uri=True)
    assert db.execute("SELECT count(*) FROM iceberg_tables").fetchone() == (1,)
    db.close()
    left = [path.name for path in catalog.path.parent.iterdir() if path.stat().st_size]
    assert left == ["catalog.db"]
