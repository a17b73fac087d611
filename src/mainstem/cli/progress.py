"""Live progress of a run on a terminal, a line a step elsewhere, JSON lines nowhere: stderr only."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from mainstem.cli import console
from mainstem.events import Event, SourceRetried, StepFinished, StepProgress, StepStarted
from mainstem.text import count, size

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_MARK = {
    "done": ("✓", "green"),
    "unchanged": ("=", "dim"),
    "failed": ("✗", "red"),
    "skipped": ("-", "yellow"),
}


class Progress:
    """A listener of a run's events; `emit` may be called from any thread."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._lock = threading.Lock()
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Progress:
        if not self._quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as RichProgress

            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[rows]}"),
            )
            self._bars = RichProgress(*columns, TimeElapsedColumn(), console=console.err(), transient=True)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def emit(self, event: Event) -> None:
        """Show one event."""
        if self._quiet:
            return
        with self._lock:
            if isinstance(event, StepStarted):
                self._start(event)
            elif isinstance(event, StepProgress):
                self._advance(event)
            elif isinstance(event, StepFinished):
                self._finish(event)
            elif isinstance(event, SourceRetried):
                self._retry(event)

    def _start(self, event: StepStarted) -> None:
        if self._bars is not None:
            total = event.rows_expected if event.rows_expected > 0 else None
            self._tasks[event.step] = self._bars.add_task(event.step, total=total, rows="")

    def _advance(self, event: StepProgress) -> None:
        if self._bars is None:
            console.err()  # what a finished step is told with takes its time: while rows come in
        elif event.step in self._tasks:
            self._bars.update(self._tasks[event.step], completed=event.rows, rows=f"{event.rows:,} rows")

    def _retry(self, event: SourceRetried) -> None:
        from rich.text import Text

        again = f"again in {event.seconds:.0f} s ({event.attempt} of {event.retries})"
        text = Text("↻ ", style="yellow").append(event.source, style="bold")
        text.append(f"  {console.clean(event.detail)}; {again}", style="yellow")
        (self._bars.console if self._bars is not None else console.err()).print(text)

    def _finish(self, event: StepFinished) -> None:
        from rich.text import Text

        task = self._tasks.pop(event.step, None)
        if self._bars is not None and task is not None:
            self._bars.remove_task(task)
        mark, style = _MARK[event.status]
        text = Text(f"{mark} ", style=style).append(event.step, style="bold")
        if event.status == "done":
            text.append(
                f"  {count(event.rows, 'row')}, {size(event.bytes)}, {event.seconds:.2f} s", style="dim"
            )
        elif event.status == "unchanged":
            text.append(f"  {count(event.rows, 'row')}, unchanged", style="dim")
        else:
            text.append(
                f"  {console.clean(event.detail.splitlines()[0] if event.detail else '')}", style=style
            )
        (self._bars.console if self._bars is not None else console.err()).print(text)
