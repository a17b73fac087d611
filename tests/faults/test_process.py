"""The process itself: killed at any step, told to stop, frozen, started twice, short of memory."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import mainstem
from faults.conftest import Make
from faults.launcher import KILL, Fault, Launcher, base
from faults.world import READER, World, Wrong, build
from servers.mariadb import MariaDB
from sweeps import every

SOURCE = Path(mainstem.__file__).parent
# Not those of publishing to S3, of queries and of a project that was moved: a run does not come by them.
POINTS = sorted(
    {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'crash\.point\("((?!remote\.|query\.|relocate\.)[^"]+)"\)', path.read_text())
    }
)
SYSCALLS = "oOwsrutmc"


@pytest.fixture(scope="module")
def bank(mariadb: MariaDB, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build("mariadb", tmp_path_factory.mktemp("process"), launcher, mariadb)


@pytest.fixture
def world(bank: World) -> Iterator[World]:
    """A world with something new in the source; afterwards it converges."""
    bank.configure("retries: 0")
    bank.ledger.commit()
    yield bank
    bank.converges()


def after_a_kill(world: World, old: int) -> None:
    """Readers have the release of before or the new one, whole; nothing waits in the source."""
    assert world.shows() in (old, world.ledger.now)


@pytest.fixture(scope="module")
def calls(bank: World) -> int:
    """How many calls of a run to the system change a file."""
    bank.ledger.commit()
    return len(bank.well("run", fault=Fault(match=".mainstem", ops=SYSCALLS, trace=True)).calls)


@pytest.mark.parametrize("nth", every(3, range(8)))
def test_f01_killed_at_a_call_that_writes(world: World, calls: int, nth: int) -> None:
    """kill -9 at a call to the system that changes a file, spread over all of a run's."""
    assert calls > 40
    at = 1 + int(calls * 0.95) * nth // 7
    done = world.call("run", fault=Fault(match=".mainstem", ops=SYSCALLS, when=at, error=KILL))
    assert done.fired
    assert done.code == -signal.SIGKILL
    after_a_kill(world, world.ledger.now - 1)


@pytest.mark.parametrize("point", every(2, POINTS, first=1))
def test_f02_killed_at_a_named_step(world: World, point: str) -> None:
    done = world.call("run", env={"MAINSTEM_CRASH_AT": point})
    if done.code == 0:  # a step of another command's, or of another kind of load
        pytest.fail(f"{point} was not reached by a run")
    assert done.code == -signal.SIGKILL
    after_a_kill(world, world.ledger.now - 1)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_f03_told_to_stop(world: World, name: str) -> None:
    done = world.call("run", env={"MAINSTEM_CRASH_AT": f"commit.after_swap@{name}"})
    assert done.code in (130, -signal.Signals[name], 128 + signal.Signals[name]), done.text
    world.is_clean(done)
    assert world.shows() == world.ledger.now - 1


def test_f03_frozen_and_thawed(world: World) -> None:
    """A process that stands still keeps its lock: nobody writes beside it, and it ends what it began."""
    frozen = world.start("run", env={"MAINSTEM_CRASH_AT": "commit.before_swap@SIGSTOP"})
    stopped(frozen.pid)
    world.fails(4, "another run is at work", str(frozen.pid))
    assert world.shows() == world.ledger.now - 1
    frozen.signal(signal.SIGCONT)
    assert frozen.wait().code == 0, frozen.text
    assert world.shows() == world.ledger.now


def test_f03_the_control_without_the_lock(world: World) -> None:
    """Without the lock the second run commits and the one that slept finds the table moved on: the swap is
    the second wall. (The lock file is taken away, so that both hold one.)"""
    frozen = world.start("run", env={"MAINSTEM_CRASH_AT": "commit.before_swap@SIGSTOP"})
    stopped(frozen.pid)
    (world.state / "run.lock").unlink()
    world.converges()
    frozen.signal(signal.SIGCONT)
    assert frozen.wait().code == 4, frozen.text
    assert "another run has committed" in frozen.err
    assert world.shows() == world.ledger.now


def stopped(pid: int) -> None:
    """Until the process has stopped itself."""
    status = Path(f"/proc/{pid}/status")
    waiting = threading.Event()
    for _ in range(3000):
        if "State:\tT" in status.read_text():
            return
        waiting.wait(0.01)
    raise AssertionError("it does not stop")


def test_f04_a_dead_parent(world: World) -> None:
    """The shell that started it dies; the run goes on alone, and keeps its lock."""
    point = "commit.before_swap@SIGSTOP"
    code = (
        "import subprocess, sys; "
        "print(subprocess.Popen([sys.executable, '-m', 'mainstem', 'run'], stdout=2).pid)"
    )
    environment = {**base(), **world.env, "MAINSTEM_CRASH_AT": point}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=world.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    orphan = int(done.stdout)
    stopped(orphan)
    world.fails(4, "another run is at work")
    waiting = world.start("run", "--wait", "60")
    world.launcher.run("--version", cwd=world.root)

    os.kill(orphan, signal.SIGCONT)
    assert waiting.wait().code == 0, waiting.text
    assert world.shows() == world.ledger.now


def test_f24_two_runs_at_once(world: World) -> None:
    """Started together: one works, the other waits for it; each is well, and nothing is there twice."""
    before = releases(world)
    jobs = [world.start("run", "--wait", "60") for _ in range(4)]
    assert [job.wait().code for job in jobs] == [0, 0, 0, 0]
    assert world.shows() == world.ledger.now
    assert releases(world) == before + 1, "three found nothing to do"


def test_f24_two_runs_at_once_without_waiting(world: World) -> None:
    jobs = [world.start("run") for _ in range(4)]
    codes = sorted(job.wait().code or 0 for job in jobs)
    assert codes[0] == 0
    assert set(codes) <= {0, 4}
    assert world.shows() == world.ledger.now


def releases(world: World) -> int:
    with closing(sqlite3.connect(world.state / "catalog.db")) as catalog:
        (number,) = catalog.execute("select max(number) from mainstem_releases").fetchone()
    return int(number)


def test_f24_readers_while_releases_appear(bank: World) -> None:
    """Readers of another kind than ours read while runs publish: each sees one state, never an older one
    than before."""
    seen: list[int] = []
    wrong: list[str] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                seen.append(bank.shows(least=seen[-1] if seen else 0))
            except (Wrong, OSError, ValueError) as error:
                wrong.append(repr(error))

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(5):
        bank.ledger.commit()
        bank.converges()
    over.set()
    thread.join(30)
    assert not wrong
    assert len(set(seen)) > 1, "releases appeared under the reader"


def test_f24_the_control_a_mixed_release(bank: World) -> None:
    """The reader above would see a release of two moments: one made by hand."""
    bank.ledger.commit()
    bank.converges()
    with closing(sqlite3.connect(bank.state / "catalog.db")) as catalog, catalog:
        rows = catalog.execute(
            "select release, metadata_location from mainstem_release_tables"
            " where name = 'transfers' order by release desc limit 2"
        ).fetchall()
        (newest, right), (_, older) = rows
        swap = (
            "update mainstem_release_tables set metadata_location = ?"
            " where release = ? and name = 'transfers'"
        )
        catalog.execute(swap, (older, newest))
        catalog.commit()
        with pytest.raises(Wrong):
            bank.shows()
        catalog.execute(swap, (right, newest))


def test_f05_little_memory(make: Make) -> None:
    """An address space that is full ends the run with a message; readers keep what they had."""
    world = make("mariadb", rows=4000, wide=250)
    world.ledger.commit()
    failed = 0
    for more in (1, 50, 100, 200, 400, 800):
        done = world.call("run", limits={"RLIMIT_AS": more << 20})
        assert "Traceback" not in done.err, done.text
        assert "crash:" not in done.err, done.text
        failed += done.code != 0
        assert world.shows() in (world.ledger.now, world.ledger.now - (done.code != 0))
        if done.code == 0:
            break
    assert failed, "the limit was felt"
    world.converges()


NO_THREAD = """
import _thread, threading
from mainstem.cli.main import end_if_no_thread_begins
if {armed}:
    end_if_no_thread_begins()
def begin():
    raise MemoryError
_thread.start_new_thread(begin, ())
threading.Event().wait({seconds})
"""


@pytest.mark.parametrize(("armed", "seconds", "code"), [(True, 60, 4), (False, 0.5, 0)])
def test_f05_a_thread_that_cannot_begin_ends_the_run(armed: bool, seconds: float, code: int) -> None:
    """Thread.start would wait for it for ever; the control: Python alone says so and goes on."""
    program = NO_THREAD.format(armed=armed, seconds=seconds)
    done = subprocess.run(
        [sys.executable, "-c", program], env=base(), capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: out of memory") is armed


def test_f15_a_dead_run_leaves_no_transaction(make: Make) -> None:
    """Killed with an open snapshot: the server ends it, so that neither undo log nor dead rows pile up."""
    for kind, sql in {
        "postgres": (
            "select count(*) from pg_stat_activity"
            f" where usename = '{READER}' and datname = current_database()"
        ),
        "mariadb": (
            f"select count(*) from information_schema.processlist where user = '{READER}' and db = database()"
        ),
    }.items():
        world = make(kind)
        world.ledger.commit()
        frozen = world.start("run", env={"MAINSTEM_CRASH_AT": "stage.synced@SIGSTOP"})
        stopped(frozen.pid)
        assert int(world.sql(sql)) > 0, "its snapshot is open"
        frozen.signal(signal.SIGKILL)
        assert frozen.wait().code == -signal.SIGKILL
        waiting = threading.Event()
        for _ in range(200):
            if int(world.sql(sql)) == 0:
                break
            waiting.wait(0.05)
        assert int(world.sql(sql)) == 0
        world.converges()


def test_f49_nobody_reads_the_output(world: World) -> None:
    """Whether its output is taken changes neither what a run does nor how it says it ended; only a result
    that was not written is no success."""
    ways = {">&- 2>&-": 0, "2>&1 | head -c 1": 0, "--output json > /dev/full 2> /dev/full": 4}
    for way, code in ways.items():
        assert unread(world, f"run --full-refresh {way}") == code, way
        assert world.shows() == world.ledger.now, way
        world.ledger.commit()
    assert unread(world, "query 'select * from fact_transfers' | head -c 1") == 0
    model = world.root / "models" / "dim_accounts.sql"
    whole = model.read_text()
    model.write_text(whole.replace("union all", "union all select '1', owner from raw.accounts union all"))
    assert unread(world, "run 2>&1 | head -c 1") == 3, "what failed is not told as well"
    model.write_text(whole)


def unread(world: World, command: str) -> int:
    """The exit code of a command line of the shell's."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m mainstem {command}; exit ${{PIPESTATUS[0]}}"],
        cwd=world.root,
        env={**base(), **world.env},
        check=False,
        capture_output=True,
    )
    return done.returncode


def test_f51_few_descriptors(world: World) -> None:
    codes = []
    for most in (8, 12, 16, 24, 64):
        done = world.call("run", limits={"RLIMIT_NOFILE": most})
        codes.append(done.code)
        assert done.code in (0, 4), done.text
        world.is_clean(done)
        assert world.shows() >= world.ledger.now - 1
    assert 4 in codes, "the limit was felt"


def test_f51_a_mask_that_hides_nothing(make: Make) -> None:
    """umask 0: what is written is still for the user alone."""
    world = make("sqlite", run=False)
    world.well("run", umask=0)
    assert world.shows() == 0
    for path in world.files() | {world.state / "catalog.db"}:
        assert path.stat().st_mode & 0o077 == 0, path
