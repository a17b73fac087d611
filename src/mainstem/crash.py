"""Named points at which a test ends the process as a power cut would; inert without the variable."""

from __future__ import annotations

import os
import signal
import threading
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
        number = signal.Signals[sent or "SIGKILL"]
        if number is signal.SIGSTOP:  # sent to the process, this thread might go a little further
            signal.pthread_kill(threading.get_ident(), number)
        else:
            os.kill(os.getpid(), number)
