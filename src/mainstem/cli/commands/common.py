"""What several commands need: the project, its sources, its plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem import sound, wiring
from mainstem.cli import console
from mainstem.errors import ConfigErrors, MainstemError, UsageError
from mainstem.graph import Readings
from mainstem.ingest.window import Window
from mainstem.lake import Lake, TableVersion
from mainstem.plan import Choices, Plan, lake_databases, make_plan
from mainstem.project.load import Project, read_project
from mainstem.project.targets import LocalTarget, SparkTarget
from mainstem.schema import Database, TableName
from mainstem.source.port import Source

if TYPE_CHECKING:
    from mainstem.run.parts import Parts
    from mainstem.run.resume import Unfinished


class Output(StrEnum):
    """The form of a command's result."""

    TABLE = "table"
    JSON = "json"


class QueryOutput(StrEnum):
    """The form of a query's result."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        "-s",
        metavar="ITEM",
        help="Only these: NAME, raw.TABLE, +NAME+, tag:TAG, state:modified; A,B is both. Repeatable.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="ITEM", help="Leave these out (same grammar). Repeatable."),
]
FullRefresh = Annotated[bool, typer.Option("--full-refresh", help="Read and build again, changed or not.")]
OutputOption = Annotated[Output, typer.Option("--output", help="For people or for machines.")]
Since = Annotated[
    str,
    typer.Option(
        "--since", metavar="BOUND", help="Read rows again whose cursor is not below this time or number."
    ),
]
Until = Annotated[str, typer.Option("--until", metavar="BOUND", help="… and is below this one.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the last run that published nothing, as it was begun.")
]
RunName = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Tells held runs apart: an orchestrator's run id, say.")
]
Target = Annotated[
    str, typer.Option("--target", "-t", metavar="NAME", help="Where it runs, from mainstem.yml.")
]
AwsTargetName = Annotated[
    str, typer.Option("--target", "-t", metavar="NAME", help="A target with engine: aws.")
]
ReleaseOption = Annotated[
    str, typer.Option("--release", metavar="ID", help="A release other than the current one.")
]


def open_project(directory: Path) -> Project:
    """Load the project; from now on its secrets are hidden in every text. Errors in its models and
    dashboards are told by `planned`: they stop no query on a release."""
    project = read_project(directory)
    console.hide(wiring.redactor(project))
    return project


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and what it was made from; `databases` as the lake will have them, `heads` as it has them."""

    plan: Plan
    sources: dict[str, Source]
    databases: dict[str, Database]
    lake: Lake
    heads: dict[TableName, TableVersion]


@contextmanager
def planned(
    project: Project,
    choices: Choices,
    left: Unfinished | None = None,
    target: str = "local",
    *,
    remember: bool = False,
) -> Iterator[Planned]:
    """Introspect the sources, check every model, compare with the lake, and with what an unfinished run has
    `left` there; `remember` what was found sound, so that it is not checked again. Sources close at the
    end."""
    lake = wiring.open_lake(project)
    choices = replace(choices, whole=isinstance(project.target(target), SparkTarget))
    with wiring.open_sources(project) as sources:
        databases = _introspect(project, sources)
        heads = {name: head for name in lake.tables() if (head := lake.head(name)) is not None}
        if not choices.full_refresh:
            lake.require_whole(heads)
        seen = lake_databases(project, databases, heads, choices)
        known = _checked(project, seen, remember=remember)
        release = lake.current_release()
        released = list(release.tables) if release else []
        salt = wiring.salt(project.target(target))
        plan = make_plan(project, databases, heads, released, choices, salt, known)
        # A Spark job compares or reads every table of its own accord.
        if left is not None and isinstance(project.target(target), LocalTarget):
            from mainstem.run.resume import take_over

            plan = take_over(plan, left, heads, project)
        yield Planned(plan, sources, seen, lake, heads)


def _checked(project: Project, databases: dict[str, Database], *, remember: bool) -> Readings:
    """Check the project, unless the same was found sound before. What is known of its models."""
    digest = sound.digest_of(project, databases)
    known = sound.recall(project, digest)
    if known is None and not sound.is_bare(project):
        from mainstem.check import check_project

        check_project(project, databases)  # its libraries take their time
        if remember:
            sound.remember(project, digest)
    return known or {}


def _introspect(project: Project, sources: dict[str, Source]) -> dict[str, Database]:
    try:
        return wiring.introspect(project, sources)
    except MainstemError:
        if project.errors:
            raise ConfigErrors(list(project.errors)) from None
        raise


def left_over(project: Project, choices: Choices, name: str) -> Unfinished | None:
    """What `--resume` goes on with. None if nothing is left of the run of that name; UsageError without a
    name, or if something else than that run was chosen."""
    from mainstem.run.resume import unfinished

    if choices != Choices():
        raise UsageError("--resume goes on with a run as it was begun: leave the selection out")
    release = wiring.open_lake(project).current_release()
    left = unfinished(project.state, release.run if release else "", name)
    if left is None and not name:
        raise UsageError("there is no unfinished run to go on with", hint="mainstem run begins one")
    if left is None:
        console.note(f"nothing is left of a run {name}: everything is compared again")
    return left


def choices_of(
    select: list[str] | None, exclude: list[str] | None, full_refresh: bool, since: str = "", until: str = ""
) -> Choices:
    """The selection options as one value."""
    return Choices(tuple(select or ()), tuple(exclude or ()), full_refresh, Window(since, until))


def parts(project: Project, made: Planned, target: str) -> Parts:
    """What a run works with."""
    from mainstem.run.parts import Parts

    chosen = project.target(target)
    return Parts(
        project=project,
        lake=made.lake,
        sources=made.sources,
        databases=made.databases,
        engine=wiring.engine_factory(project, chosen),
        salt=wiring.salt(chosen),
        redact=wiring.redactor(project),
        job=wiring.spark_job(project, chosen),
    )
