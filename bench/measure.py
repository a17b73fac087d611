"""Measures whole processes side by side: wall, processor time of client and server, peak memory.

Contestants run in turns (A B C A B C …), so that what else the machine does falls on all alike; medians
are printed, and ratios to the floor. Nothing here is a test.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GIVEN_UP = 900  # seconds


@dataclass(frozen=True, slots=True)
class Contestant:
    """One line of a table. `command` may hold `{out}`: a folder that is empty before each run.

    `prepare` runs before the clock does; `rows` says how many rows `{out}` or the command's output holds
    (None: not asked), and what is not `expected` there is an error. `rounds` limits slow ones.
    """

    name: str
    command: Sequence[str]
    expected: int | None = None
    prepare: Callable[[Path], None] | None = None
    rows: Callable[[Path, str], int] | None = None
    rounds: int = 99
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds, bytes."""

    wall: float
    client: float
    server: float
    peak: int


@dataclass(frozen=True, slots=True)
class Result:
    """A contestant's samples; none if it failed, and then why."""

    name: str
    samples: list[Sample]
    failure: str = ""

    def median(self, of: str) -> float:
        return float(statistics.median(getattr(sample, of) for sample in self.samples))


def cpu_of(pid: int) -> float:
    """Processor seconds of a process, its threads and its children, living or waited for."""
    total = _cpu(pid)
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return total + sum(_cpu(int(child)) for child in children.read_text().split())
    except OSError:
        return total


def _tree_cpu(pid: int) -> float:
    """The same of all generations."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return _cpu(pid)
    return _cpu(pid) + sum(_tree_cpu(int(child)) for child in children)


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(value) for value in fields[11:15]) / _TICKS


def run_once(contestant: Contestant, server: int | None) -> tuple[Sample, str]:
    """One run in a fresh folder. RuntimeError with the end of its output if it fails."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out = Path(folder) / "out"
        out.mkdir()
        if contestant.prepare:
            contestant.prepare(out)
        command = [part.replace("{out}", str(out)) for part in contestant.command]
        before = cpu_of(server) if server else 0.0
        log = Path(folder) / "log"
        with log.open("wb") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **contestant.environment},
                start_new_session=True,
            )
            try:
                status, client, peak = _wait(process)
            except KeyboardInterrupt:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            wall = time.perf_counter() - started
        spent = cpu_of(server) - before if server else 0.0
        text = log.read_text(errors="replace")
        if status:
            raise RuntimeError(f"exit {status}: {text.strip()[-400:]}")
        if contestant.rows:
            found = contestant.rows(out, text)
            if found != contestant.expected:
                raise RuntimeError(f"{found} rows where {contestant.expected} were expected")
        return Sample(wall, client, spent, peak), text


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, float, int]:
    """Exit status, processor seconds and peak memory of a process, which is ended with its children after
    a quarter hour. The peak is that of the largest of them (`ru_maxrss` would begin with this process's
    own); the seconds are those of the whole tree, as last seen if nobody waited for some of it."""
    deadline = time.monotonic() + _GIVEN_UP
    peak, seen = 0, 0.0
    while True:
        peak, seen = max(peak, peak_of(process.pid)), max(seen, _tree_cpu(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, max(seen, usage.ru_utime + usage.ru_stime), peak
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.02)


def peak_of(pid: int) -> int:
    """The most memory that the largest process of a tree has had, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    own = re.search(r"VmHWM:\s+(\d+) kB", status)
    return max([int(own[1]) * 1024 if own else 0, *(peak_of(int(child)) for child in children)])


def compare(
    contestants: Sequence[Contestant], rounds: int, server: Callable[[], int] | None = None
) -> list[Result]:
    """Run all, in turns. One that fails is left out of further rounds, and said so."""
    samples: dict[str, list[Sample]] = {one.name: [] for one in contestants}
    failures: dict[str, str] = {}
    for turn in range(rounds):
        for one in contestants:
            if turn >= one.rounds or one.name in failures:
                continue
            try:
                sample, _ = run_once(one, server() if server else None)
            except KeyboardInterrupt:
                note("interrupted: the table has what was measured so far")
                return _results(contestants, samples, failures)
            except (RuntimeError, OSError) as error:
                failures[one.name] = str(error)
                note(f"{one.name}: {error}")
                continue
            samples[one.name].append(sample)
            note(f"{turn + 1}/{rounds} {one.name}: {sample.wall:.2f} s")
    return _results(contestants, samples, failures)


def _results(
    contestants: Sequence[Contestant], samples: Mapping[str, list[Sample]], failures: Mapping[str, str]
) -> list[Result]:
    return [Result(one.name, samples[one.name], failures.get(one.name, "not run")) for one in contestants]


def note(text: str) -> None:
    """Progress, apart from the tables."""
    print(text, file=sys.stderr, flush=True)


def show(title: str, results: Sequence[Result], floor: str = "", remarks: Sequence[str] = ()) -> None:
    """Print a Markdown table; ratios are to the contestant named `floor`."""
    base = next((r.median("wall") for r in results if r.name == floor and r.samples), 0.0)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()[:2])
    print(f"\n**{title}**  \n")
    ratio = "| × floor " if base else ""
    print(f"| | wall s {ratio}| client CPU s | server CPU s | peak MB | runs |")
    print("|---|---" + ("|---" if base else "") + "|---|---|---|---|")
    for one in results:
        if not one.samples:
            print(f"| {one.name} | failed: {one.failure.splitlines()[0][:100]} |")
            continue
        wall = one.median("wall")
        cells = [one.name, f"{wall:.2f}"]
        if base:
            cells.append(f"{wall / base:.2f}")
        cells += [f"{one.median('client'):.2f}", f"{one.median('server'):.2f}"]
        cells += [f"{one.median('peak') / 1e6:.0f}", str(len(one.samples))]
        print("| " + " | ".join(cells) + " |")
    for remark in remarks:
        print(f"\n{remark}")
    print(f"\nLoad of the machine afterwards: {load} (2 means that both cores are busy).", flush=True)


def program(*names: str) -> str | None:
    """The path of the first program that is installed."""
    for name in names:
        if found := shutil.which(name):
            return found
    return None
