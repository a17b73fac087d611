"""One run at a time; a dead one never stands in the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstem.errors import LakeUnavailable
from mainstem.lake import Lake

HOLD = """
import sys, time
from pathlib import Path
from mainstem.lake import Lake
with Lake(Path(sys.argv[1])).run_lock("mainstem run --full", wait=0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / ".mainstem")


@pytest.fixture
def holder(lake: Lake) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock until its input is closed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, str(lake.root)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_is_at_work(lake: Lake, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(LakeUnavailable) as caught, lake.run_lock("mainstem run", wait=0.1):
        pass
    assert f"process {holder.pid}, mainstem run --full, since 2" in str(caught.value)


def test_the_lock_of_a_killed_run_is_free(lake: Lake, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lake.run_lock("mainstem run", wait=0):
        assert str(os.getpid()) in (lake.root / "run.lock").read_text()


def test_waiting_until_the_other_has_ended(lake: Lake, holder: subprocess.Popen[str]) -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    with lake.run_lock("mainstem run", wait=30):
        pass


def test_one_after_the_other_and_after_an_error(lake: Lake) -> None:
    with pytest.raises(KeyError), lake.run_lock("one", wait=0):
        raise KeyError
    with lake.run_lock("two", wait=0):
        third = lake.run_lock("three", wait=0)
        with pytest.raises(LakeUnavailable, match="two"), third:
            pass


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".mainstem").write_text("a file")
    with pytest.raises(LakeUnavailable), Lake(tmp_path / ".mainstem").run_lock("run", wait=0):
        pass


UNSIGNED = """
import resource, sys
from pathlib import Path
from mainstem.lake import Lake
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
with Lake(Path(sys.argv[1])).run_lock("mainstem run"):
    print("held")
"""


def test_a_lock_that_cannot_be_signed(lake: Lake) -> None:
    """Not a byte more may be written, so the lock does not say who holds it."""
    done = subprocess.run(
        [sys.executable, "-c", UNSIGNED, str(lake.root)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "held\n"), done.stderr


def test_a_file_system_without_locks(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(LakeUnavailable, match="No locks available"), lake.run_lock("mainstem run"):
        pass
