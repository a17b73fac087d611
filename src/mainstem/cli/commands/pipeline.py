"""`mainstem plan` and `mainstem run`."""

from __future__ import annotations

import errno
import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands import costing
from mainstem.cli.commands.common import (
    Exclude,
    FullRefresh,
    Output,
    OutputOption,
    Resume,
    RunName,
    Select,
    Since,
    Target,
    Until,
    choices_of,
    left_over,
    open_project,
    parts,
    planned,
)
from mainstem.cli.commands.relocating import told
from mainstem.cli.progress import Progress
from mainstem.errors import UsageError
from mainstem.plan import ACCEPT, Choices, IngestStep, ModelStep, Plan
from mainstem.project.config import ProofLevel
from mainstem.project.load import Project
from mainstem.schema import Database
from mainstem.text import count, joined, size

if TYPE_CHECKING:
    from mainstem.profile.bounds import Bounds
    from mainstem.run import Outcome, RunOptions


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(plan)
    app.command()(run)


def plan(
    context: typer.Context,
    select: Select = None,
    exclude: Exclude = None,
    full_refresh: FullRefresh = False,
    since: Since = "",
    until: Until = "",
    resume: Resume = False,
    name: RunName = "",
    target: Target = "local",
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a run would do, and why; for a target in AWS what it would cost. Touches nothing."""
    project = open_project(context.obj)
    choices = choices_of(select, exclude, full_refresh, since, until)
    left = left_over(project, choices, name) if resume else None
    if left is not None:
        choices, target = left.choices, left.target
    with planned(project, choices, left, target) as made:
        looks = looks_of(project, made.databases)
        if output is Output.JSON:
            value = plan_value(made.plan) | {"draft": [look.value() for look in looks]}
            value |= costing.value(project, made, target)
            console.write(json.dumps(value, indent=1, ensure_ascii=False))
        else:
            _show(made.plan)
            for look in looks:
                console.out().print(f"{look}", style="dim", markup=False)
            costing.show(project, made, target)


def looks_of(project: Project, databases: dict[str, Database]) -> list[Bounds]:
    """How far `mainstem draft` would look at the data of each source."""
    from mainstem.profile.bounds import Limits, bounds_of

    return [
        bounds_of(name, databases[name], Limits(source.draft.rows, source.draft.seconds), source.draft.links)
        for name, source in project.config.sources.items()
    ]


def plan_value(made: Plan) -> dict[str, object]:
    """A plan as plain values for JSON."""

    def step(one: IngestStep | ModelStep) -> dict[str, object]:
        value: dict[str, object] = {"table": str(one.name), "action": one.action, "why": list(one.reasons)}
        if isinstance(one, IngestStep):
            value |= {"source": one.source, "rows": one.rows, "bytes": one.bytes}
        else:
            value |= {"file": one.model.file, "reads": [str(name) for name in one.inputs]}
        return value | ({"taken": one.taken} if one.taken else {})

    return {
        "ingest": [step(one) for one in made.ingest],
        "models": [step(one) for one in made.models],
        "removed": [str(name) for name in made.removed],
        "rows": made.rows,
        "bytes": made.bytes,
    }


_MARK = {"new": "+", "changed": "~", "rebuild": "~", "check": "?", "depends": "?", "unchanged": " "}
_MARK |= {"frozen": "=", "stop": "!", "taken": "»"}
_STYLE = {"+": "green", "~": "yellow", "?": "cyan", " ": "dim", "-": "red", "=": "yellow", "!": "red"}
_STYLE["»"] = "green"


def _show(made: Plan) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    for title in ("", "table", "action", "rows", "size", "why"):
        table.add_column(title, justify="right" if title in ("rows", "size") else "left", overflow="fold")
    steps: list[IngestStep | ModelStep] = [*made.ingest, *made.models]
    for one in steps:
        mark = _MARK[one.action]
        rows = f"~{one.rows:,}" if isinstance(one, IngestStep) and one.rows >= 0 else ""
        much = f"~{size(one.bytes)}" if isinstance(one, IngestStep) and one.bytes >= 0 else ""
        why = "; ".join(one.reasons)
        table.add_row(
            *(Text(t, style=_STYLE[mark]) for t in (mark, str(one.name), one.action, rows, much, why))
        )
    for removed in made.removed:
        why = "in the release, no longer in the project: left out of the next one"
        table.add_row(*(Text(t, style="red") for t in ("-", str(removed), "removed", "", "", why)))
    console.out().print(table)
    much = f", ~{size(made.bytes)}" if made.bytes else ""  # SQLite does not say
    total = f"reads at most ~{count(made.rows, 'row')}{much}; {count(len(made.models), 'model')}"
    console.out().print(Text(total, style="bold"))
    stopped = [str(one.name) for one in made.ingest if one.action == "stop"]
    if stopped:
        console.out().print(Text(f"a run would stop at {joined(stopped)}: {ACCEPT}", style="red"))


def run(
    context: typer.Context,
    select: Select = None,
    exclude: Exclude = None,
    full_refresh: FullRefresh = False,
    proof: Annotated[
        ProofLevel | None,
        typer.Option("--proof", help="How far loads are proven, whatever mainstem.yml says."),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", min=1, max=64, help="Models at once.")
    ] = 2,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Start nothing after an error.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for another run.")
    ] = 0.0,
    target: Target = "local",
    since: Since = "",
    until: Until = "",
    resume: Resume = False,
    over_budget: Annotated[
        bool, typer.Option("--over-budget", help="Run, whatever the budget says.")
    ] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Publish nothing; run --resume will.")] = False,
    name: RunName = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Ingest → lake → models → proof → publish, all of it or nothing."""
    from mainstem.run import RunOptions

    project = open_project(context.obj)
    choices = choices_of(select, exclude, full_refresh, since, until)
    command = " ".join(["mainstem", *sys.argv[1:]])
    if resume and (hold or proof or target != "local"):
        raise UsageError("--resume goes on with a run as it was begun: leave --hold, --proof, --target out")
    options = RunOptions(full_refresh, proof, threads, fail_fast, command, hold, name, choices, target)
    project.target(target)
    code = run_project(
        project, choices, options, target, output, wait, resume=resume, over_budget=over_budget
    )
    if code:
        raise typer.Exit(code)


def run_project(
    project: Project,
    choices: Choices,
    options: RunOptions,
    target: str,
    output: Output,
    wait: float,
    *,
    resume: bool = False,
    over_budget: bool = False,
) -> int:
    """Plan and execute under the run lock; the exit code. Prints the outcome."""
    from mainstem.run import execute
    from mainstem.run.resume import resumed

    lake = wiring.open_lake(project)
    with ExitStack() as held:
        held.enter_context(lake.run_lock(options.command, wait))
        if (moved := lake.relocate()) is not None:
            console.note(told(moved))
        left = left_over(project, choices, options.name) if resume else None
        if left is not None:
            options, choices, target = resumed(options, left), left.choices, left.target
        made = held.enter_context(planned(project, choices, left, target, remember=True))
        if not over_budget:
            costing.require(project, made, target)
        with Progress(output is Output.JSON) as progress:
            outcome = execute(made.plan, parts(project, made, target), options, progress.emit)
        from mainstem.run.serving import clean  # here: what serves is imported while the sources answer

        clean(project, lake)
    said = _said(outcome, output)
    for error in outcome.errors:
        console.error(error)
    return outcome.exit_code or (0 if said else 4)


def _said(outcome: Outcome, output: Output) -> bool:
    """Tell how the run ended: whether that could be written. The run is over: a reader who has gone (head, a
    closed pager) changes nothing about it."""
    try:
        if output is Output.JSON:
            console.write(json.dumps(outcome.receipt.value(), ensure_ascii=False))
        else:
            _conclude(outcome)
    except (OSError, SystemExit) as error:  # rich ends the program at a closed pipe
        broken = error if isinstance(error, OSError) else error.__context__
        if not isinstance(broken, OSError):
            raise
        console.leave(1)
        if broken.errno != errno.EPIPE:
            told = f"the run has ended ({outcome.receipt.status}), but its result could not be written"
            console.plain_error(f"{told}: {broken.strerror}", f"mainstem runs {outcome.receipt.run} shows it")
            return False
    return True


def _conclude(outcome: Outcome) -> None:
    receipt = outcome.receipt
    for table in receipt.tables:
        if apart := table.apart:
            console.out().print(f"  {table.table}: {apart}", style="yellow", markup=False)
    for model in receipt.models:
        if model.headline:
            console.out().print(f"✓ {model.table}: {model.headline}", style="green", markup=False)
        for item in model.unmatched:
            text = f"  {item['rows']:,} rows at the unknown member of {item['dimension']} ({item['column']})"
            console.out().print(text, style="yellow", markup=False)
    for table in receipt.tables:
        if table.taken and table.proof in (ProofLevel.COUNT.value, ProofLevel.OFF.value):
            text = f"{table.table}: {table.text}; the release shows more than one moment of the source"
            console.out().print(text, style="yellow", markup=False)
    if outcome.errors:
        kept = f"; the current release stays {outcome.release.id}" if outcome.release else ""
        console.note(f"nothing was published{kept}; receipt {receipt.run}")
    elif receipt.status == "held":
        again = f"mainstem run --resume{' --name ' + receipt.name if receipt.name else ''}"
        console.out().print(f"held (receipt {receipt.run}): {again} publishes", markup=False)
    elif outcome.published and outcome.release:
        console.out().print(f"published {outcome.release.id} (receipt {receipt.run})", style="bold")
    else:
        console.out().print(f"nothing changed: {receipt.release} is current (receipt {receipt.run})")
