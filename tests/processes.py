"""Processes of their own that have everything imported: forks of one server, which starts with the first.

Starting Python and importing would take most of a short command's time. `python -m mainstem` itself is run by
the tests of the documentation, of the served page and of outputs that nobody reads.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from faults.forks import COMMAND_LINE

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(list(COMMAND_LINE))
_FILES = ("stdin", "stdout", "stderr")


def command_line(
    arguments: tuple[str, ...],
    cwd: Path,
    env: Mapping[str, str],
    stdin: str | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """`mainstem` with these arguments, wherever it ends: as subprocess.run gives it."""
    with tempfile.TemporaryDirectory(prefix="mainstem-test-") as name:
        folder = Path(name)
        (folder / "stdin").write_text(stdin or "", encoding="utf-8")
        process = FORKS.Process(target=_become, args=(arguments, cwd, dict(env), folder))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["mainstem", *arguments], timeout)
        out, err = ((folder / one).read_text(encoding="utf-8") for one in _FILES[1:])
        return subprocess.CompletedProcess(["mainstem", *arguments], process.exitcode, out, err)


def _become(arguments: tuple[str, ...], cwd: Path, env: dict[str, str], folder: Path) -> None:
    """Turn this fork into that command line."""
    for number, one in enumerate(_FILES):
        opened = os.open(folder / one, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - multiprocessing has closed it
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    gc.set_threshold(200_000, 20, 100)
    sys.argv = ["mainstem", *arguments]
    from mainstem.cli.main import end_if_no_thread_begins, run

    end_if_no_thread_begins()
    code = run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
