"""Runs in processes of their own that end at a named point as by a power cut."""

from __future__ import annotations

import multiprocessing
import os
import re
from pathlib import Path

import mainstem
from mainstem import crash
from mainstem.run import RunOptions
from support import run

SOURCE = Path(mainstem.__file__).parent
# Not those of publishing to S3, of queries and of a project that was moved: a run does not come by them.
POINTS = sorted(
    {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'crash\.point\("((?!remote\.|query\.|relocate\.)[^"]+)"\)', path.read_text())
    }
)
LATER = ("commit.before_swap:2", "commit.after_swap:2", "stage.synced:2", "catalog.swap:2")

# A server that has imported everything already, and forks: starting Python each time would take longest.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["mainstem.cli.commands.pipeline", "mainstem.lake.iceberg", "mainstem.engine.duckdb",
     "mainstem.source.sqlite", "mainstem.run", "mainstem.serve.bundle"]
)  # fmt: skip


def _run(root: Path, point: str, options: RunOptions | None) -> None:
    os.environ[crash.VARIABLE] = point
    run(root, options=options)


def in_a_process(root: Path, point: str, options: RunOptions | None = None) -> int | None:
    """Run a project in a process of its own that is killed at a point (empty: nowhere); its exit code."""
    process = _FORKS.Process(target=_run, args=(root, point, options))
    process.start()
    process.join(60)
    return process.exitcode
