"""One run at a time: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from mainstem.errors import LakeUnavailable
from mainstem.lake import storage


@contextmanager
def run_lock(path: Path, command: str, wait: float) -> Iterator[None]:
    """Hold the lock file exclusively. Waits up to `wait` seconds for the holder to end, then raises
    LakeUnavailable, which says who holds it: process, command, since when."""
    try:
        storage.make_folder(path.parent)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise storage.unavailable(error) from error
    try:
        _acquire(descriptor, path, wait)
        with suppress(OSError):  # no room for a name: it holds the lock all the same
            _sign(descriptor, command)
        yield
    finally:
        os.close(descriptor)  # frees the lock; the file stays, so that nobody locks a deleted one


def _acquire(descriptor: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LakeUnavailable(
                    f"another run is at work here{_holder(path)}", hint="wait for it to end, then try again"
                ) from None
            time.sleep(0.05)
        except OSError as error:  # a file system without locks
            raise storage.unavailable(error) from error


def _sign(descriptor: int, command: str) -> None:
    text = json.dumps(
        {"pid": os.getpid(), "command": command, "since": datetime.now(UTC).isoformat(timespec="seconds")}
    )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _holder(path: Path) -> str:
    try:
        signed = json.loads(path.read_text())
        return f": process {signed['pid']}, {signed['command']}, since {signed['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # it has the lock, but has not signed yet
