"""Runs in processes of their own that end at a named point as by a power cut."""

from __future__ import annotations

import os
import re
from pathlib import Path

import mainstem
from mainstem import crash
from mainstem.run import RunOptions
from processes import FORKS
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


def _run(root: Path, point: str, options: RunOptions | None) -> None:
    os.environ[crash.VARIABLE] = point
    run(root, options=options)


def in_a_process(root: Path, point: str, options: RunOptions | None = None) -> int | None:
    """Run a project in a process of its own that is killed at a point (empty: nowhere); its exit code."""
    process = FORKS.Process(target=_run, args=(root, point, options))
    process.start()
    process.join(60)
    return process.exitcode
