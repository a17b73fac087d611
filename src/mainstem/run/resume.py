"""What a run that did not end well, or that was told to hold, has left for the next one to take over.

A run leaves its name and its choices here before its first commit (`.mainstem/unfinished/RUN.json`), and they
go when its release is published. Which tables it has committed, the lake itself says: each version names its
run, in the same commit as the rows. So a kill at any moment leaves a state that can be taken over, or none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mainstem import __version__, crash
from mainstem.errors import LakeUnavailable
from mainstem.ingest.cursor import Watermark, increment_of
from mainstem.ingest.state import COLUMNS, CURSOR, PROOF, SOURCE, TERMS, encode_columns
from mainstem.ingest.window import Window
from mainstem.lake import TableVersion
from mainstem.metadata import RUN
from mainstem.plan import Choices, IngestStep, ModelStep, Plan
from mainstem.project.config import ProofLevel
from mainstem.project.load import Project
from mainstem.run.parts import RunOptions
from mainstem.schema import TableName

_HOW = {
    ProofLevel.FULL: "every cell is compared again",
    ProofLevel.CHANGES: "what has changed since is read and compared",
    ProofLevel.COUNT: "its rows are counted again",
    ProofLevel.OFF: "it is not compared: proof: off",
}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that published nothing: `runs` are its name in the receipts and those of the runs that it had
    taken over itself; `name` is the user's (an orchestrator's); `held` if it was told to publish nothing."""

    runs: tuple[str, ...]
    name: str
    held: bool
    choices: Choices
    proof: str
    target: str
    version: str


def begin(state: Path, run: str, options: RunOptions) -> None:
    """Remember a run before its first commit. What others have left is forgotten, unless this run takes it
    over or is held under the same name. LakeUnavailable if it cannot be written."""
    folder = state / "unfinished"
    value = {
        "run": run,
        "earlier": options.resumes,
        "name": options.name,
        "held": options.hold,
        "choices": asdict(options.choices),
        "proof": options.proof.value if options.proof else "",
        "target": options.target,
        "version": __version__,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = folder / f"{run}.part"
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        crash.point("resume.written")
        os.replace(partial, folder / f"{run}.json")
        for path in folder.iterdir():
            if path.name != f"{run}.json" and not (options.hold and _held_as(path, options.name)):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise LakeUnavailable(f"the run cannot be remembered: {error.strerror}") from error


def end(state: Path) -> None:
    """Forget what there was to take over: the release that it was for is published."""
    for path in (state / "unfinished").glob("*"):
        path.unlink(missing_ok=True)


def unfinished(state: Path, released: str, name: str = "") -> Unfinished | None:
    """The newest run that ended without a release, or the held one of that name; None if there is none.
    `released` is the run whose release is current: it may have been killed right after it."""
    files = sorted((state / "unfinished").glob("*.json"))
    every = [value for path in files if (value := _read(path))]
    if not every or released in {value["run"] for value in every}:
        return None
    newest = every[-1]
    if name and newest["name"] != name:
        return None
    same = [v for v in every if v["held"] and v["name"] == newest["name"]] if newest["held"] else [newest]
    runs = dict.fromkeys(run for value in same for run in (*value["earlier"], value["run"]))
    stored = newest["choices"]
    return Unfinished(
        runs=tuple(runs),
        name=newest["name"],
        held=newest["held"],
        # What was held was selected step by step; what is published is the project.
        choices=Choices()
        if newest["held"]
        else Choices(
            tuple(stored["select"]),
            tuple(stored["exclude"]),
            stored["full_refresh"],
            Window(**stored["window"]),
        ),
        proof=newest["proof"],
        target=newest["target"],
        version=newest["version"],
    )


def _held_as(path: Path, name: str) -> bool:
    value = _read(path)
    return bool(value and value["held"] and value["name"] == name)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and "choices" in value else None


def resumed(options: RunOptions, left: Unfinished) -> RunOptions:
    """The options of a run that goes on with another one: those with which that one was begun."""
    return replace(
        options,
        full_refresh=left.choices.full_refresh,
        proof=ProofLevel(left.proof) if left.proof else None,
        choices=left.choices,
        target=left.target,
        name=left.name,
        resumes=left.runs,
    )


def take_over(
    plan: Plan, left: Unfinished, heads: Mapping[TableName, TableVersion], project: Project
) -> Plan:
    """The plan with the steps marked that `left` has done in the way in which they would be done now.

    A table is taken over if it was read with these columns, from this source, by this cursor, and proven as
    far as it would be now; a model, if one of those runs has built it (whether from what it would read now,
    its digest tells when it is its turn). Nothing is taken over from another version of Mainstem.
    """
    if left.version != __version__:
        return plan
    ingest = tuple(_taken_table(step, left, heads.get(step.name), project) for step in plan.ingest)
    models = tuple(_taken_model(step, left, heads.get(step.name)) for step in plan.models)
    return replace(plan, ingest=ingest, models=models)


def _taken_table(
    step: IngestStep, left: Unfinished, head: TableVersion | None, project: Project
) -> IngestStep:
    if head is None or head.summary.get(RUN) not in left.runs or step.action not in ("check", "rebuild"):
        return step
    level = ProofLevel(left.proof) if left.proof else project.proof(step.source, step.table.name)
    increment = increment_of(project.table(step.source, step.table.name), step.table)
    mark = Watermark.decode(head.summary.get(CURSOR, ""))
    same = (
        head.summary.get(PROOF) in (level.value, ProofLevel.FULL.value if level is ProofLevel.CHANGES else "")
        and head.summary.get(SOURCE) == step.source
        and head.summary.get(TERMS, "") == step.terms.digest
        and head.summary.get(COLUMNS) == encode_columns(step.table.columns)
        and (increment.cursor if increment else "") == (mark.cursor if mark else "")
    )
    if not same:
        return step
    run = head.summary[RUN]
    reasons = (f"loaded by run {run}; {_HOW[level]}",)
    return replace(step, action="taken", taken=run, reasons=reasons, window=Window())


def _taken_model(step: ModelStep, left: Unfinished, head: TableVersion | None) -> ModelStep:
    if head is None or head.summary.get(RUN) not in left.runs or step.action in ("new", "changed"):
        return step
    run = head.summary[RUN]
    return replace(
        step, action="taken", taken=run, reasons=(f"built by run {run}; again if an input changes",)
    )
