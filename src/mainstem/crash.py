"""Named points at which a test ends the process as a power cut would; inert without the variable."""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "MAINSTEM_CRASH_AT"

_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Kill this process with SIGKILL if `MAINSTEM_CRASH_AT` says `name`, or `name:n` for the n-th pass.
    `name@SIGINT` sends that signal instead."""
    wanted, _, sent = os.environ.get(VARIABLE, "").partition("@")
    if wanted.partition(":")[0] != name:
        return
    _passed[name] += 1
    if _passed[name] == int(wanted.partition(":")[2] or 1):
        os.kill(os.getpid(), signal.Signals[sent or "SIGKILL"])
