"""Runs command lines in forks of one process that has everything imported, under the fault library.

Started by `launcher.py`, with tests/faults/shim.c preloaded. Reads one JSON object a line; of each job a
watcher process writes how it ended into the job's FIFO, so that jobs may run side by side.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

COMMAND_LINE = (
    "mainstem.cli.main",
    "mainstem.cli.commands.pipeline",
    "mainstem.lake.iceberg",
    "mainstem.lake.parquet",
    "mainstem.engine.duckdb",
    "mainstem.source.sqlite",
    "mainstem.source.mysql",
    "mainstem.source.postgres",
    "mainstem.run",
    "mainstem.serve.bundle",
)
"""What a command line imports, sooner or later."""

IMPORTED = (*COMMAND_LINE, "boto3", "mainstem.lake.publish")


def become(job: dict[str, Any]) -> None:
    """Turn this fork into the command line that the job asks for."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Where tests run in the background of a shell, SIGINT is ignored and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    time.tzset()
    if "umask" in job:
        os.umask(job["umask"])
    for descriptor, name in ((1, "out"), (2, "err")):
        opened = os.open(job["folder"] + "/" + name, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor in job.get("closed", ()):
        os.close(descriptor)
    for name, most in job.get("limits", {}).items():
        if name == "RLIMIT_AS":  # beyond what the fork has already
            most += int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(getattr(resource, name), (most, most))
    if job.get("fault"):
        ctypes.CDLL(None).fault_arm(job["fault"].encode())
    sys.argv = ["mainstem", *job["arguments"]]
    from mainstem.cli.main import end_if_no_thread_begins, run

    end_if_no_thread_begins()
    code = run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of the libraries that were started before the fork are not here to be joined


def _at_once(*_: Any) -> float:
    return 0.0


def watch(job: dict[str, Any]) -> bool:
    """In the watcher: fork the job, wait, tell. True in the job itself."""
    child = os.fork()
    if not child:
        return True
    with open(job["folder"] + "/pid", "w") as file:
        file.write(f"{child}\n")
    _, status = os.waitpid(child, 0)
    with open(job["folder"] + "/ended", "w") as file:
        file.write(f"{os.waitstatus_to_exitcode(status)}\n")
    os._exit(0)


def main() -> None:
    """Serve jobs until the input ends. A source, and AWS, are asked again at once."""
    for name in IMPORTED:
        importlib.import_module(name)
    from botocore.retries.standard import ExponentialBackoff

    from mainstem.run import ingesting

    ingesting.FIRST_WAIT = 0.05
    ExponentialBackoff.delay_amount = _at_once
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        job = json.loads(line)
        if os.fork():
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if watch(job):
            become(job)


if __name__ == "__main__":
    main()
