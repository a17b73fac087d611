"""What a run tells while it goes: plain values, given to one callable. Rendering is the command line's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["done", "unchanged", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run's name, and how many steps it has."""

    run: str
    steps: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    """`step` is the lake name (`raw.orders`); `kind` is ingest, model, publish or serve."""

    step: str
    kind: str
    rows_expected: int = -1


@dataclass(frozen=True, slots=True)
class SourceRetried:
    """A source went away; after `seconds` its tables are read in a new snapshot, for the `attempt`th time
    of `retries`. `detail` says what happened."""

    source: str
    attempt: int
    retries: int
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True)
class StepProgress:
    """`rows` done so far in this step."""

    step: str
    rows: int


@dataclass(frozen=True, slots=True)
class StepFinished:
    """`detail` is one line for a person: what was proven, or why it failed."""

    step: str
    kind: str
    status: Status
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """`release` is the identifier of the release that readers now see (empty: there is none)."""

    run: str
    release: str
    published: bool
    seconds: float


Event = RunStarted | StepStarted | SourceRetried | StepProgress | StepFinished | RunFinished
Emit = Callable[[Event], None]
