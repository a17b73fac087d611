"""Command lines as processes of their own that start in a few milliseconds, with faults of the system."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
_DROPPED = ("MAINSTEM_", "SHOP_", "COLUMNS", "LD_PRELOAD")


@dataclass(frozen=True)
class Fault:
    """What shim.c is told (see there). `error`: an errno, KILL or SHORT."""

    match: str = ""
    ops: str = ""
    when: int = 0
    times: int = 1
    error: int = 0
    trace: bool = False
    clock: int = 0
    step: int = 0
    after: int = 0
    dns: bool = False

    def text(self, log: Path) -> str:
        """As fault_arm reads it."""
        values: dict[str, object] = {"log": log}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value != self.__dataclass_fields__[name].default:
                values[name] = int(value) if isinstance(value, bool) else value
        return ";".join(f"{name}={value}" for name, value in values.items())


KILL, SHORT, ALWAYS = -1, -2, 1 << 30


@dataclass
class Job:
    """A command line at work, or its end."""

    folder: Path
    arguments: tuple[str, ...]
    ended: int
    code: int | None = None

    @property
    def pid(self) -> int:
        """Of the command line's own process."""
        path = self.folder / "pid"
        for _ in range(3000):
            text = path.read_text() if path.exists() else ""
            if text.endswith("\n"):
                return int(text)
            time.sleep(0.01)
        raise AssertionError("the job was not started")

    def wait(self, timeout: float = 120) -> Job:
        """Until it has ended; killed and failed after `timeout` seconds."""
        if self.code is None:
            ready, _, _ = select.select([self.ended], [], [], timeout)
            if not ready:
                os.kill(self.pid, signal.SIGKILL)
                self.code = -signal.SIGKILL
                os.close(self.ended)
                raise AssertionError(f"mainstem {' '.join(self.arguments)} hangs:\n{self.text}")
            self.code = int(os.read(self.ended, 100))
            os.close(self.ended)
        return self

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, number)

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text(errors="replace")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text(errors="replace")

    @property
    def text(self) -> str:
        return f"exit {self.code}\n{self.out}{self.err}"

    @property
    def fired(self) -> list[str]:
        """The lines of faults that happened: `FIRED letter count path`."""
        return [line for line in self.calls if line.startswith("FIRED")]

    @property
    def calls(self) -> list[str]:
        """Every line of the fault library."""
        log = self.folder / "faults"
        return log.read_text().splitlines() if log.exists() else []


@dataclass
class Launcher:
    """`with Launcher(folder) as launcher:`; `folder` gets the compiled library and a folder a job."""

    folder: Path
    _process: subprocess.Popen[str] | None = field(default=None)
    _jobs: list[Job] = field(default_factory=list)

    def __enter__(self) -> Launcher:
        self.folder.mkdir(parents=True, exist_ok=True)
        library = self.folder / "shim.so"
        compiler = shutil.which(os.environ.get("CC", "cc"))
        assert compiler, "a C compiler is among what the tests need (scripts/system-packages)"
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "shim.c"), "-ldl"]
        subprocess.run(command, check=True)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "forks.py")],
            env={**base(), "LD_PRELOAD": str(library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.reap()
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def reap(self) -> None:
        """End what a failed test has left at work."""
        for job in self._jobs:
            if job.code is None:
                os.kill(job.pid, signal.SIGKILL)
                job.wait()

    def start(
        self,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        fault: Fault | None = None,
        limits: Mapping[str, int] | None = None,
        closed: Sequence[int] = (),
        umask: int | None = None,
    ) -> Job:
        """Start a command line. `limits`: `{"RLIMIT_AS": bytes}` (more than it
        starts with); `closed`: descriptors it does not have."""
        assert self._process is not None
        assert self._process.stdin is not None
        folder = self.folder / f"job{len(self._jobs):04d}"
        folder.mkdir()
        os.mkfifo(folder / "ended")
        ended = os.open(folder / "ended", os.O_RDONLY | os.O_NONBLOCK)
        job: dict[str, Any] = {
            "arguments": arguments,
            "cwd": str(cwd),
            "env": {**base(), **(env or {})},
            "folder": str(folder),
            "closed": list(closed),
            "limits": dict(limits or {}),
            "fault": fault.text(folder / "faults") if fault else "",
        }
        if umask is not None:
            job["umask"] = umask
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        made = Job(folder, arguments, ended)
        self._jobs.append(made)
        return made

    def run(self, *arguments: str, timeout: float = 120, **more: Any) -> Job:
        """The same, and wait for its end."""
        return self.start(*arguments, **more).wait(timeout)


def base() -> dict[str, str]:
    """The environment without what would change a run."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
