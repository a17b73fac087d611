"""The disk: full, failing, lying, short, gone; and what is not on it yet when the power goes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyiceberg.exceptions import ValidationError

from faults.launcher import ALWAYS, KILL, SHORT, Fault, Job, Launcher
from faults.ledger import data_files, heads
from faults.world import World, build
from sweeps import every, sweep

CHANGES = "oOwsrtm"


@pytest.fixture(scope="module")
def bank(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build("sqlite", tmp_path_factory.mktemp("disk"), launcher, None, rows=400)


@pytest.fixture
def world(bank: World) -> Iterator[World]:
    """A world with something new in the source; afterwards the disk is well and the world converges."""
    bank.ledger.commit()
    yield bank
    bank.converges()


@pytest.fixture(scope="module")
def calls(bank: World) -> list[str]:
    """`letter path` of every call of a run that changes a file of the state, in order."""
    bank.ledger.commit()
    done = bank.well("run", fault=Fault(match=".mainstem", ops=CHANGES, trace=True))
    found = [line.split(maxsplit=3) for line in done.calls if line.startswith("CALL")]
    assert len(found) > 40
    return [f"{letter} {path}" for _, letter, _, path in found]


def judged(world: World, done: Job) -> None:
    """A failed run says so, and changed nothing; one that ends well has published what is so."""
    assert done.fired, "the fault did not fire"
    assert done.code in (0, 4), done.text
    world.is_clean(done)
    assert world.shows() == world.ledger.now - (done.code != 0)


@pytest.mark.parametrize("nth", every(3, range(10)))
def test_f18_a_disk_that_is_full_from_some_call_on(world: World, calls: list[str], nth: int) -> None:
    filling = [call for call in calls if call[0] in "owm"]
    at = 1 + (len(filling) - 1) * nth // 10
    fault = Fault(match=".mainstem", ops="owm", when=at, times=ALWAYS, error=errno.ENOSPC)
    done = world.call("run", fault=fault)
    assert done.fired
    assert done.code == 4, done.text
    world.is_clean(done)
    assert "space" in done.err or "full" in done.err, done.text
    assert world.shows() in (world.ledger.now - 1, world.ledger.now)  # a receipt may be what found no room


def test_f18_a_disk_that_is_full_when_the_served_file_is_made(world: World) -> None:
    """What the engine says of its own file is told with the way out, which then works."""
    fault = Fault(match=".mainstem/serve", ops="w", when=1, times=ALWAYS, error=errno.ENOSPC)
    done = world.call("run", fault=fault)
    assert done.fired
    assert done.code == 4, done.text
    assert "free some space" in done.err, done.text
    world.well("run", "--resume")
    world.converges()


@pytest.mark.parametrize("nth", every(3, range(8)))
def test_f19_one_call_fails(world: World, calls: list[str], nth: int) -> None:
    """EIO once, at a call somewhere in the run: nothing is tried again as if it had not been."""
    at = 2 + (len(calls) - 4) * nth // 8
    done = world.call("run", fault=Fault(match=".mainstem", ops=CHANGES, when=at, error=errno.EIO))
    assert done.fired
    assert done.code in (0, 4), done.text
    world.is_clean(done)
    assert world.shows() in (world.ledger.now - 1, world.ledger.now)
    if done.code == 0:
        assert world.shows() == world.ledger.now


@pytest.mark.parametrize("where", ["lake/raw", "lake/mart", "catalog.db", "serve/"])
def test_f19_a_sync_that_fails_is_a_failure(world: World, where: str) -> None:
    """What may not be on the disk is not acknowledged. (The served file is made anew if its first attempt, a
    copy of the last one, fails: then that file has to be synchronised.)"""
    times = ALWAYS if where == "serve/" else 1
    done = world.call("run", fault=Fault(match=where, ops="s", when=1, times=times, error=errno.EIO))
    assert done.fired
    assert done.code == 4, done.text
    world.is_clean(done)
    assert world.shows() == world.ledger.now - 1


@pytest.mark.parametrize("where", ["lake/raw", "catalog.db", "bank.db"])
def test_f19_a_read_that_fails(world: World, where: str) -> None:
    done = world.call("run", fault=Fault(match=where, ops="R", when=2, times=ALWAYS, error=errno.EIO))
    judged(world, done)
    assert done.code == 4


def test_f19_a_query_on_a_failing_disk(world: World) -> None:
    fault = Fault(match="/lake/", ops="R", when=1, times=ALWAYS, error=errno.EIO)
    done = world.fails(4, arguments=("query", "select count(*) from fact_transfers"), fault=fault)
    assert done.fired


@pytest.mark.parametrize(
    ("error", "ops"), [(errno.EINTR, "w"), pytest.param(errno.EINTR, "s", marks=sweep), (SHORT, "w")]
)
def test_f19_interrupted_and_short(world: World, error: int, ops: str) -> None:
    """Calls that were interrupted, or wrote half, are no failures: they are gone on with."""
    for match, when in (("catalog.db", 1), ("/data/", 1), ("/metadata/", 1), ("/metadata/", 5)):
        done = world.call("run", fault=Fault(match=match, ops=ops, when=when, error=error))
        judged(world, done)
        if done.code == 0:
            world.ledger.commit()


def test_f19_a_rename_that_fails(world: World) -> None:
    done = world.call("run", fault=Fault(match=".mainstem", ops="r", when=1, error=errno.EACCES))
    assert done.fired
    assert done.code == 4, done.text
    world.is_clean(done)


@pytest.mark.parametrize("nth", every(2, range(6)))
def test_f20_the_power_goes(world: World, calls: list[str], nth: int) -> None:
    """The process dies at a call, and with it all that was never synchronised: files are as empty as a
    file system may leave them, new names are gone. What was acknowledged is there."""
    before = world.files()
    at = 1 + (len(calls) - 6) * nth // 6
    fault = Fault(match=".mainstem", ops=CHANGES, when=at, error=KILL, trace=True)
    done = world.call("run", fault=fault)
    assert done.fired
    assert done.code == -signal.SIGKILL
    lose_what_is_not_on_the_disk(done, before)
    assert world.shows() in (world.ledger.now - 1, world.ledger.now)


def lose_what_is_not_on_the_disk(done: Job, before: set[Path]) -> int:
    """Empty every file of the lake that is new and was not synchronised after its last write; how many."""
    written: dict[str, bool] = {}
    for line in done.calls:
        kind, letter, _, path = line.split(maxsplit=3)
        if kind != "CALL":
            continue
        if letter in "oOwt":
            written[path] = False
        elif letter == "s":
            written[path] = True
    lost = 0
    for name, safe in written.items():
        file = Path(name)
        if not safe and file.is_file() and "/lake/" in name and file not in before:
            file.chmod(0o600)
            os.truncate(file, 0)
            lost += 1
    return lost


def test_f20_the_control_without_synchronising(launcher: Launcher, tmp_path: Path) -> None:
    """The judge sees a lake whose newest version was never on the disk."""
    world = build("sqlite", tmp_path, launcher, None)
    world.ledger.commit()
    before = world.files()
    done = world.well("run", fault=Fault(match=".mainstem", ops="ow", trace=True))  # syncs are not seen
    assert lose_what_is_not_on_the_disk(done, before) > 3
    with pytest.raises(ValidationError, match="EOF while parsing"):
        world.shows()


def test_f21_a_file_system_that_became_read_only(world: World) -> None:
    fault = Fault(match=".mainstem", ops="oOwrutmc", when=1, times=ALWAYS, error=errno.EROFS)
    done = world.fails(4, fault=fault)
    assert done.fired
    assert world.shows() == world.ledger.now - 1
    world.well("query", "select count(*) from fact_transfers", fault=fault)


def test_f21_the_folder_is_gone(world: World, tmp_path: Path) -> None:
    """Readers are told; nothing pretends to be empty."""
    away = tmp_path / "away"
    (world.state / "lake").rename(away)
    try:
        world.fails(4, arguments=("query", "select count(*) as n from fact_transfers"))
        world.fails(4)
    finally:
        shutil.rmtree(world.state / "lake", ignore_errors=True)
        away.rename(world.state / "lake")


@pytest.mark.parametrize("what", ["cut in half", "empty", "other bytes", "gone"])
def test_f22_a_source_file_that_is_torn(world: World, what: str, tmp_path: Path) -> None:
    source = Path(world.database)
    world.sql("pragma wal_checkpoint(truncate)")
    whole = source.read_bytes()
    if what == "gone":
        source.unlink()
    else:
        torn = {"cut in half": whole[: len(whole) // 2], "empty": b"", "other bytes": b"\0" * len(whole)}
        source.write_bytes(torn[what])
    try:
        done = world.call("run")
    finally:
        source.write_bytes(whole)
    assert done.code in (2, 3, 4), done.text
    world.is_clean(done)
    assert world.shows() == world.ledger.now - 1


@pytest.mark.parametrize("what", ["metadata.json", "snap-", "-m0.avro"])
def test_f23_a_bit_flips_in_the_metadata(world: World, what: str) -> None:
    """In the middle of every file of that kind in turn; a run or a query either works rightly or says so."""
    for location in heads(world.root).values():
        folder = Path(location).parent
        path = next(p for p in sorted(folder.iterdir(), reverse=True) if what in p.name)
        flip(path, path.stat().st_size // 2)
        done = world.call("run")
        flip(path, path.stat().st_size // 2)
        assert done.code in (0, 4), done.text
        world.is_clean(done)


def test_f23_a_bit_flips_in_the_data(world: World) -> None:
    """Parquet pages carry checksums: a reader that verifies them never gets another value."""
    path = max(data_files(world.root), key=os.path.getsize)
    whole = pq.read_table(path)
    content = path.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")  # the footer has no checksum
    found = 0
    for at in range(8, end, max(1, end // 60)):
        flip(path, at)
        try:
            same = pq.read_table(path, page_checksum_verification=True).equals(whole)
        except (OSError, ValueError):
            found += 1
        else:
            assert same, f"another value, and nobody said so (byte {at})"
        flip(path, at)
    assert found > 20


def test_f23_pages_carry_checksums(world: World) -> None:
    """In every data file of the release (a loss of power leaves empty ones that are nobody's): the page
    header's field 4 (crc) is what the verification above compares."""
    paths = data_files(world.root)
    assert len(paths) >= 5
    for path in paths:
        footer = pq.read_metadata(path)
        column = footer.row_group(0).column(0)
        starts = [column.dictionary_page_offset, column.data_page_offset]
        start = min(offset for offset in starts if offset)
        header = path.read_bytes()[start : start + 24]
        # Thrift's compact form: fields 1 to 3 are integers (i32, delta 1), 4 the checksum (i32, delta 1).
        position = 0
        for _ in range(3):
            assert header[position] == 0x15
            position += 1
            while header[position] & 0x80:
                position += 1
            position += 1
        assert header[position] == 0x15, path


def flip(path: Path, at: int) -> None:
    """One bit, there and back."""
    mode = path.stat().st_mode
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    path.chmod(mode)


def test_f25_a_catalog_that_is_locked_for_a_while(world: World) -> None:
    """Another process writes the catalog; the run waits for it."""
    with closing(sqlite3.connect(world.state / "catalog.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        job = world.start("run")
        with pytest.raises(AssertionError):
            job_wait_without_killing(job)
        other.execute("rollback")
    assert job.wait().code == 0, job.text
    assert world.shows() == world.ledger.now


def job_wait_without_killing(job: Job) -> None:
    import select

    ready, _, _ = select.select([job.ended], [], [], 1.5)
    assert ready


def test_f25_a_catalog_that_stays_locked(world: World) -> None:
    with closing(sqlite3.connect(world.state / "catalog.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        world.fails(4, "locked")
        other.execute("rollback")
    assert world.shows() == world.ledger.now - 1


@pytest.mark.parametrize("harm", ["header", "middle", "empty", "newer"])
def test_f25_a_damaged_catalog(world: World, harm: str) -> None:
    path = world.state / "catalog.db"
    whole = path.read_bytes()
    if harm == "newer":
        with closing(sqlite3.connect(path)) as catalog:
            catalog.execute("pragma user_version = 99")
    else:
        start = {"header": 0, "middle": 4096, "empty": 0}[harm]
        path.write_bytes(b"" if harm == "empty" else whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :])
    files = world.files()
    try:
        done = world.call("run")
        if done.code == 0:
            assert world.shows() == world.ledger.now
    finally:
        path.write_bytes(whole)
    # An empty file is a new catalog: everything is read anew, nothing of the old lake is touched.
    assert done.code == 0 if harm == "empty" else done.code in (2, 4), done.text
    world.is_clean(done)
    assert files <= world.files()


@pytest.mark.parametrize("calls", [(1, 3), pytest.param((2, 5, 8), marks=sweep)], ids=str)
@pytest.mark.parametrize("ops", ["w", "s", "t"])
def test_f26_a_commit_whose_outcome_is_unknown(world: World, ops: str, calls: tuple[int, ...]) -> None:
    """Every call of the catalog's commits fails in turn, also those after which it has landed: the release
    is the old one or the new one, no file of either is missing, and the next run is well."""
    for when in calls:
        done = world.call("run", fault=Fault(match="catalog.db", ops=ops, when=when, error=errno.EIO))
        if not done.fired:
            break
        assert done.code in (0, 4), done.text
        world.is_clean(done)
        assert world.shows() in (world.ledger.now - 1, world.ledger.now)
        world.converges()
        world.ledger.commit()


def test_f31_clocks(bank: World) -> None:
    """A clock that is wrong, or set while we run: positions come from the source, waiting from a clock that
    nobody sets."""
    hour, year = 3600, 365 * 86400
    cases = [
        Fault(clock=hour),
        Fault(clock=-2 * hour),
        Fault(clock=12 * year),  # beyond 2038
        Fault(step=2 * hour, after=40),
        Fault(step=-2 * hour, after=40),
    ]
    for number, fault in enumerate(cases):
        bank.ledger.commit()
        done = bank.call("run", fault=fault)
        assert done.fired, number
        assert done.code == 0, done.text
        assert bank.shows() == bank.ledger.now, number
    bank.ledger.commit()
    bank.converges()
