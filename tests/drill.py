"""`make drill`: kill -9 at every named step of a run in turns, and at random moments, two hundred times.

A writer changes the source all the while, through the server's own client; a reader reads releases all the
while, with pyiceberg. After each kill the ledger judges: nothing acknowledged is lost, nothing is there
twice, the release is one moment of the source, and a next run is well. Prints a line a cycle in ten and a
summary; the exit code is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import mainstem
from faults.launcher import KILL, Fault, Job, Launcher
from faults.ledger import Wrong
from faults.world import World, build
from servers.mariadb import MariaDB
from servers.postgres import Postgres

SOURCE = Path(mainstem.__file__).parent
# Not those of publishing to S3, of queries and of a project that was moved: a run does not come by them.
POINTS = sorted(
    {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'crash\.point\("((?!remote\.|query\.|relocate\.)[^"]+)"\)', path.read_text())
    }
)
SYSCALLS = "oOwsrutmc"


@dataclass
class Tally:
    """What a drill has seen."""

    cycles: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    published_by_the_dead: int = 0
    reads: int = 0
    commits: int = 0
    seconds: float = 0.0
    not_killed: int = 0

    def __str__(self) -> str:
        steps = ", ".join(f"{what} {times}" for what, times in sorted(self.killed.items()))
        return (
            f"{self.cycles} cycles in {self.seconds:.0f} s, {sum(self.killed.values())} killed "
            f"({self.not_killed} had ended before), {self.published_by_the_dead} after publishing; "
            f"{self.commits} commits and {self.reads} reads beside them; nothing lost, nothing doubled\n"
            f"  killed at: {steps}"
        )


class Drill:
    """Cycles in one world."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.tally = Tally()
        self._dice = random.Random(seed)
        self._wrong: list[str] = []
        self._acknowledged = world.shows()
        self._calls = self._count_calls()

    def _count_calls(self) -> int:
        self.world.ledger.commit()
        whole = self.world.well("run", fault=Fault(match=".mainstem", ops=SYSCALLS, trace=True))
        return len(whole.calls)

    def cycle(self, number: int) -> None:
        """One kill and one recovery, under a writer and a reader. Raises Wrong."""
        world = self.world
        self._acknowledged = world.shows(self._acknowledged)
        world.ledger.commit()
        with self._others():
            what, done = self._killed(number)
            shown = world.shows(self._acknowledged)
            self.tally.published_by_the_dead += shown > self._acknowledged
            self._acknowledged = shown
            committed = world.ledger.now - 1  # the newest may be on its way
            after = world.call("run", *(["--resume"] if number % 2 else []))
            if "no unfinished run" in after.err:  # it was killed before it had begun, or after its release
                after = world.call("run")
            if after.code:
                raise Wrong(f"after a kill at {what} the next run failed:\n{after.text}")
            self._acknowledged = world.shows(max(shown, committed))
        if number % 10 == 9:
            world.converges()
        self.tally.cycles += 1
        self.tally.killed[what] += done.code == -signal.SIGKILL
        if self._wrong:
            raise Wrong(self._wrong[0])

    def _killed(self, number: int) -> tuple[str, Job]:
        """A run that is killed: at the next named step, at some call to the system, or at any moment."""
        way = number % 3
        if way == 0:
            point = POINTS[(number // 3) % len(POINTS)]
            nth = self._dice.choice((1, 1, 2, 3))
            done = self.world.call("run", env={"MAINSTEM_CRASH_AT": f"{point}:{nth}"})
            what = point
        elif way == 1:
            at = self._dice.randint(1, self._calls)
            fault = Fault(match=".mainstem", ops=SYSCALLS, when=at, error=KILL)
            done, what = self.world.call("run", fault=fault), "a call to the system"
        else:
            job = self.world.start("run")
            job.pid  # noqa: B018 - waits until it has begun
            time.sleep(self._dice.random() * 1.2)
            with suppress(ProcessLookupError):
                job.signal(signal.SIGKILL)
            done, what = job.wait(), "any moment"
        if done.code not in (0, -signal.SIGKILL):
            raise Wrong(f"a run that was to be killed at {what} failed:\n{done.text}")
        self.tally.not_killed += done.code == 0
        return what, done

    @contextmanager
    def _others(self) -> Iterator[None]:
        """A writer and a reader at work."""
        over = threading.Event()
        threads = [threading.Thread(target=self._loop, args=(f, over)) for f in (self._write, self._read)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _loop(self, act: object, over: threading.Event) -> None:
        seen = [self._acknowledged]
        while not over.is_set():
            try:
                act(over, seen)  # type: ignore[operator]
            except (AssertionError, OSError, ValueError) as error:
                self._wrong.append(f"{type(error).__name__}: {error}")
                return

    def _write(self, over: threading.Event, seen: list[int]) -> None:
        self.world.ledger.commit(size=1)
        self.tally.commits += 1
        over.wait(0.5)

    def _read(self, over: threading.Event, seen: list[int]) -> None:
        seen[0] = self.world.shows(seen[0])
        self.tally.reads += 1
        over.wait(0.5)


def drill(
    kind: str, folder: Path, launcher: Launcher, server: MariaDB | Postgres, cycles: int, seed: int
) -> Tally:
    """That many cycles in a world of its own."""
    config = "retries: 0" if seed % 2 else "retries: 0\ntables:\n  transfers: {cursor: changed}"
    world = build(kind, folder, launcher, server, config=config, rows=60)
    drilled = Drill(world, seed)
    began = time.monotonic()
    for number in range(cycles):
        drilled.cycle(number)
        if number % 10 == 9:
            sys.stdout.write(f"{kind}: {number + 1} of {cycles} cycles\n")
            sys.stdout.flush()
    drilled.tally.seconds = time.monotonic() - began
    return drilled.tally


def main() -> int:
    """The drill on MariaDB and on PostgreSQL, half of the cycles each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drill-")))
        half = chosen.cycles // 2
        servers: list[tuple[str, MariaDB | Postgres, int]] = [
            ("mariadb", stack.enter_context(MariaDB(folder / "server")), chosen.cycles - half),
            ("postgres", stack.enter_context(Postgres()), half),
        ]
        pool = stack.enter_context(ThreadPoolExecutor(len(servers)))
        drills = []
        for number, (kind, server, cycles) in enumerate(servers):
            launcher = stack.enter_context(Launcher(folder / f"launcher-{kind}"))
            work = (kind, folder / kind, launcher, server, cycles, chosen.seed + number)
            drills.append((kind, pool.submit(drill, *work)))
        failed = 0
        for kind, future in drills:
            try:
                sys.stdout.write(f"{kind}: {future.result()}\n")
            except Wrong as wrong:
                failed = 1
                sys.stdout.write(f"{kind}: WRONG, with --seed {chosen.seed}: {wrong}\n")
    return failed


if __name__ == "__main__":
    os.environ.pop("MAINSTEM_CRASH_AT", None)
    sys.exit(main())
