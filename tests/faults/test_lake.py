"""The lake's files: lost, damaged where Parquet has no checksum, deleted under a reader; no room to spill."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.launcher import ALWAYS, Fault, Launcher
from faults.ledger import data_files
from faults.test_disk import flip
from faults.test_process import stopped
from faults.world import World, build

COUNT = "select count(*) from fact_transfers"


@pytest.fixture(scope="module")
def bank(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build("sqlite", tmp_path_factory.mktemp("lake"), launcher, None, rows=400)


@pytest.fixture
def world(bank: World) -> Iterator[World]:
    """A world with something new in the source; afterwards the next run is well."""
    bank.ledger.commit()
    yield bank
    bank.converges()


def file_of(world: World, folder: str) -> Path:
    """A data file of a table in the current release."""
    return next(path for path in data_files(world.root) if folder in str(path))


TABLES = {"raw.transfers": "/raw/transfers-", "mart.fact_transfers": "/mart/fact_transfers-"}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", [False, True], ids=["the same rows", "new rows"])
def test_f53_a_data_file_is_lost(bank: World, table: str, change: bool) -> None:
    """Every command that needs it says which table and what to do; a run claims nothing about it, whether
    the source has changed or not; --full-refresh makes it whole."""
    if change:
        bank.ledger.commit()
    shown = bank.shows()
    lost = file_of(bank, TABLES[table])
    away = lost.rename(bank.root / "away.parquet")
    said = (f"error: {table}: a data file is not in the lake any more: {lost}", "run --full-refresh")
    for command in (("run",), ("plan",), ("query", COUNT)):
        bank.fails(4, *said, arguments=command)
    told = json.loads(bank.fails(4, arguments=("doctor", "--output", "json")).out)
    errors = [one for one in told if one["level"] == "error"]
    assert [table in one["message"] and "--full-refresh" in one["hint"] for one in errors] == [True]
    for command in (("runs",), ("releases",)):
        bank.well(*command)
    bank.converges_with("--full-refresh")
    bank.well("query", COUNT)
    bank.well("doctor", "--data")
    # The release before stays what it was: readers are not led back to it.
    release = json.loads(bank.well("releases", "--output", "json").out)[1]["id"]
    bank.fails(4, table, arguments=("rollback", release))
    away.rename(lost)
    bank.well("rollback", release)
    assert bank.shows() == shown
    bank.converges_with("--full-refresh")


def test_f53_a_table_that_the_run_does_not_touch(world: World) -> None:
    """What a run leaves as it is, it publishes again: not if a file of it is gone."""
    lost = file_of(world, "/raw/clock-")
    away = lost.rename(world.root / "away.parquet")
    world.fails(4, "raw.clock", arguments=("run", "--full-refresh", "--select", "raw.transfers+"))
    away.rename(lost)
    assert world.shows() == world.ledger.now - 1


def test_f53_a_lost_file_of_a_history(launcher: Launcher, tmp_path: Path) -> None:
    """No source knows what was there before: reading again is not offered as its remedy."""
    config = "retries: 0\ntables:\n  accounts: {history: scd2}"
    world = build("sqlite", tmp_path, launcher, None, config=config)
    lost = file_of(world, "/history/accounts-")
    away = lost.rename(tmp_path / "away.parquet")
    world.ledger.commit()
    for options in ((), ("--full-refresh",)):
        done = world.fails(4, "a data file is not in the lake any more", arguments=("run", *options))
        assert "history.accounts" in done.err
        assert "from a backup: the source does not know" in done.err
    lost.parent.mkdir(exist_ok=True)  # housekeeping takes empty folders away
    away.rename(lost)
    world.converges()


def test_f53_a_file_that_was_cut(world: World) -> None:
    """The length is compared before anything is read."""
    path = file_of(world, TABLES["raw.transfers"])
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:-1])
    world.fails(4, "raw.transfers: a data file is not as it was written", "run --full-refresh")
    path.write_bytes(whole)


@pytest.mark.parametrize("where", ["footer", "page"])
def test_f23_doctor_finds_a_bit(world: World, where: str) -> None:
    """In the footer, for which Parquet has no checksum, at once; in a page when it is asked to read them."""
    path = file_of(world, TABLES["raw.transfers"])
    size = path.stat().st_size
    at = size - 40 if where == "footer" else size // 4
    world.well("doctor", "--data")
    flip(path, at)
    done = world.fails(4, arguments=("doctor", "--data"))
    assert "raw.transfers: a data file is" in done.out
    assert str(path) in done.out.replace("\n", "")
    assert world.call("doctor").code == (4 if where == "footer" else 0)
    flip(path, at)


def test_f24_a_long_reader_while_old_releases_are_deleted(bank: World) -> None:
    """A reader has found its release, whose files are older than anything that is kept for its age, and
    stands still; then releases come, of which one alone is to be kept. It reads what it has found."""
    with (bank.root / "mainstem.yml").open("a") as file:
        file.write("keep_releases: 1\n")
    for path in bank.files():
        os.utime(path, (0, 0))
    shown = bank.shows()
    asks = ("query", "select (select n from raw.clock) as n, count(*) from fact_transfers", "--output", "csv")
    whole = bank.well(*asks).out
    reader = bank.start(*asks, env={"MAINSTEM_CRASH_AT": "query.release@SIGSTOP"})
    stopped(reader.pid)
    for _ in range(2):
        bank.ledger.commit()
        bank.converges()
    reader.signal(signal.SIGCONT)
    assert reader.wait().code == 0, reader.text
    assert reader.out == whole
    assert str(shown) in whole
    bank.configure("retries: 0")


BIG = """/* mainstem
kind: dimension
key: [code]
*/
select md5(cast(range as varchar)) as code, repeat(md5(cast(range as varchar)), 4) as words, range as n
from range(400000) order by words
"""


def test_f18_no_room_for_temporary_data(bank: World) -> None:
    """A model that needs more than the memory it may have, on a disk that is full where it would spill."""
    model = bank.root / "models" / "dim_big.sql"
    model.write_text(BIG)
    with (bank.root / "mainstem.yml").open("a") as file:
        file.write("targets:\n  local: {engine: duckdb, memory: 64MB, threads: 1}\n")
    shown = bank.shows()
    bank.ledger.commit()
    fault = Fault(match=".mainstem/tmp", ops="ow", when=1, times=ALWAYS, error=errno.ENOSPC)
    done = bank.fails(4, "dim_big", fault=fault)
    assert done.fired
    assert bank.shows() == shown
    assert not list((bank.state / "tmp").glob("duckdb-*")), "what was spilled is gone"
    bank.converges()
    model.unlink()
    bank.configure("retries: 0")
    bank.converges()
