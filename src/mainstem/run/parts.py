"""What a run works with, and what the user chose for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mainstem.engine.port import Engine
from mainstem.job.launch import SparkJob
from mainstem.lake import Lake
from mainstem.plan import Choices
from mainstem.project.config import ProofLevel
from mainstem.project.load import Project
from mainstem.schema import Database
from mainstem.source.port import Source


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`proof` overrides every table's level; `threads` is the number of models built at the same time;
    `command` is remembered in the receipt.

    `hold`: commit to the lake, publish nothing. `name` is the user's for this run; `choices`, `target` are
    kept for a run that takes over what this one leaves, `resumes` are the runs that this one takes over."""

    full_refresh: bool = False
    proof: ProofLevel | None = None
    threads: int = 2
    fail_fast: bool = False
    command: str = "run"
    hold: bool = False
    name: str = ""
    choices: Choices = field(default_factory=Choices)
    target: str = "local"
    resumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """Made by `wiring`. `engine()` gives a new connection, closed by whoever asked for it; `salt` names
    the versions of what computes models; `redact` removes every secret from a text; `job` runs it all as one
    Spark job."""

    project: Project
    lake: Lake
    sources: Mapping[str, Source]
    databases: Mapping[str, Database]
    engine: Callable[[], Engine]
    salt: str
    redact: Callable[[str], str]
    job: SparkJob | None = None
