"""What a run would do and why: pure, from the project, the source's schema and the lake's state."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.graph import NONE_KNOWN, Readings, project_graph, reading_of
from mainstem.ingest.cursor import increment_of, proposal
from mainstem.ingest.drift import Drift, Verdict, judge
from mainstem.ingest.state import COMPARED, CURSOR, FINGERPRINT, TERMS
from mainstem.ingest.terms import NO_TERMS, Terms, beside, terms_of
from mainstem.ingest.window import NO_WINDOW, Window
from mainstem.ingest.window import check as check_window
from mainstem.lake import TableVersion
from mainstem.model.graph import Graph, select
from mainstem.project.config import Mode, ProofLevel, TableConfig
from mainstem.project.load import Project
from mainstem.project.modelfile import ModelFile
from mainstem.schema import MART, RAW, Database, Table, TableName
from mainstem.transform.state import DIGEST, MODEL

Action = Literal["new", "changed", "check", "rebuild", "depends", "unchanged", "frozen", "stop", "taken"]

WORTH_PROPOSING = 100_000  # rows: below, reading all is as quick
ACCEPT = "mainstem run --full-refresh --select TABLE+ takes it over; see also on_change in docs/project.md"


@dataclass(frozen=True, slots=True)
class IngestStep:
    """A source table. `action`: new (never read), changed (its columns did), check (read if its
    fingerprint differs; with proof off or count: read), rebuild (--full-refresh), frozen (its columns
    changed, on_change: freeze), stop (they changed in a way that somebody has to accept), taken (the run
    `taken`, which published nothing, has loaded it: run/resume.py). `window`: rows that an
    incremental read takes again."""

    name: TableName
    source: str
    table: Table
    action: Action
    reasons: tuple[str, ...]
    taken: str = ""
    window: Window = NO_WINDOW
    terms: Terms = NO_TERMS

    @property
    def beside(self) -> list[TableName]:
        """The tables that are kept beside the raw one: its quarantine, its history."""
        return beside(self.terms, self.table.name)

    @property
    def rows(self) -> int:
        """Those of the source's table, estimated; below zero: unknown."""
        return self.table.rows

    @property
    def bytes(self) -> int:
        """The size of the source's table, estimated; below zero: unknown."""
        return self.table.bytes


@dataclass(frozen=True, slots=True)
class ModelStep:
    """A model. `action`: new, changed (its text did), rebuild, depends (run if an input turns out to
    have changed), unchanged (no input is loaded in this run), taken (the run `taken` has built it)."""

    name: TableName
    model: ModelFile
    inputs: tuple[TableName, ...]
    action: Action
    reasons: tuple[str, ...]
    taken: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order in which they can run. `removed` are tables of the current release that the
    project no longer has; `graph` holds everything, selected or not."""

    ingest: tuple[IngestStep, ...]
    models: tuple[ModelStep, ...]
    removed: tuple[TableName, ...]
    graph: Graph

    @property
    def names(self) -> set[TableName]:
        """The tables that the run would touch."""
        beside = {name for step in self.ingest for name in step.beside}
        return {step.name for step in self.ingest} | beside | {step.name for step in self.models}

    @property
    def rows(self) -> int:
        """Estimated rows to read at most; unknown estimates count as zero."""
        return sum(max(step.rows, 0) for step in self.ingest)

    @property
    def bytes(self) -> int:
        """Estimated bytes to read at most; unknown estimates count as zero."""
        return sum(max(step.bytes, 0) for step in self.ingest)


@dataclass(frozen=True, slots=True)
class Choices:
    """The user's selection on the command line. `whole`: the target reads a changed table whole (Spark)."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    full_refresh: bool = False
    window: Window = NO_WINDOW
    whole: bool = False


def model_digest(model: ModelFile, inputs: Mapping[TableName, TableVersion], salt: str) -> str:
    """What decides whether a model's table is still right: its text, its inputs' snapshots, the version
    of what computes it (`salt`)."""
    parts = [salt, model.digest, *sorted(f"{name}@{version.snapshot_id}" for name, version in inputs.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def make_plan(
    project: Project,
    databases: Mapping[str, Database],
    heads: Mapping[TableName, TableVersion],
    released: Collection[TableName],
    choices: Choices,
    salt: str,
    known: Readings = NONE_KNOWN,
) -> Plan:
    """Compare what there is with what there was. Touches nothing.

    `databases` by source name; `heads` are the newest committed versions; `released` the tables of the
    current release; `known` what is known of the models' SQL. Raises ConfigErrors for errors in the models,
    UsageError for the selection.
    """
    origin = _origins(databases)
    histories = [name for name, (source, table) in origin.items() if _terms(project, source, table).history]
    graph = project_graph(project, origin, histories, known)
    modified = _modified(project, graph, heads)
    chosen = select(graph, choices.select, choices.exclude, modified)
    if choices.window:
        _check_window(project, origin, chosen, choices)
    ingest = tuple(
        _ingest_step(project, source, _drift(project, source, table, heads, choices), heads, choices)
        for name, (source, table) in origin.items()
        if TableName(RAW, name) in chosen
    )
    files = {TableName(MART, model.name): model for model in project.models}
    loading = {name for step in ingest for name in (step.name, *step.beside)}
    models: list[ModelStep] = []
    for name in graph.order:
        if name in files and name in chosen:
            step = _model_step(files[name], graph, heads, loading, choices, salt, known)
            models.append(step)
            if step.action != "unchanged":
                loading.add(name)
    kept = [beside(_terms(project, source, table), table.name) for source, table in origin.values()]
    removed = set(released) - set(graph.nodes) - {name for names in kept for name in names}
    return Plan(ingest, tuple(models), tuple(sorted(removed)), graph)


def _check_window(
    project: Project, origin: Mapping[str, tuple[str, Table]], chosen: Collection[TableName], choices: Choices
) -> None:
    """A back-fill needs a table with a cursor, and bounds of its kind."""
    if choices.full_refresh:
        raise UsageError("--full-refresh reads every row: leave --since and --until out")
    found = False
    for name, (source, table) in origin.items():
        increment = increment_of(project.table(source, name), table)
        if increment and TableName(RAW, name) in chosen:
            check_window(choices.window, increment, table)
            found = True
    if not found:
        hint = "name one in mainstem.yml (docs/incremental.md); --full-refresh reads whole tables again"
        raise UsageError("--since and --until: no selected table has a cursor", hint=hint)


def _origins(databases: Mapping[str, Database]) -> dict[str, tuple[str, Table]]:
    origin: dict[str, tuple[str, Table]] = {}
    folded: dict[str, str] = {}
    errors: list[UsageError] = []
    for source, database in databases.items():
        for table in database.tables:
            twin = folded.setdefault(table.name.casefold(), f"{source}: {table.name}")
            if twin != f"{source}: {table.name}":
                hint = "exclude one of them in mainstem.yml (names differ by more than case in the lake)"
                message = f"two source tables would be raw.{table.name}: {twin} and {source}: {table.name}"
                errors.append(UsageError(message, where=Where("mainstem.yml"), hint=hint))
            origin[table.name] = (source, table)
            errors.extend(_twin_columns(table))
    if errors:
        raise ConfigErrors(errors)
    return origin


def _twin_columns(table: Table) -> list[UsageError]:
    seen: dict[str, str] = {}
    errors = []
    for column in table.columns:
        twin = seen.setdefault(column.name.casefold(), column.name)
        if twin != column.name:
            where = Where(table=f"raw.{table.name}", column=column.name)
            message = f"the columns {twin} and {column.name} differ by case alone"
            hint = f"leave the table out (exclude: [{table.name}]) or rename one in the source"
            errors.append(UsageError(message, where=where, hint=hint))
    return errors


def _modified(project: Project, graph: Graph, heads: Mapping[TableName, TableVersion]) -> set[TableName]:
    """Models whose text differs from that of their newest table (`state:modified`)."""
    found = set()
    for model in project.models:
        head = heads.get(TableName(MART, model.name))
        if head is None or head.summary.get(MODEL) != model.digest:
            found.add(TableName(MART, model.name))
    return found & set(graph.nodes)


def lake_databases(
    project: Project,
    databases: Mapping[str, Database],
    heads: Mapping[TableName, TableVersion],
    choices: Choices,
) -> dict[str, Database]:
    """The databases as the lake will have them after a run: without columns that are left out, frozen
    tables as they were."""
    return {
        source: replace(
            database,
            tables=tuple(_drift(project, source, t, heads, choices).table for t in database.tables),
        )
        for source, database in databases.items()
    }


def _drift(
    project: Project,
    source: str,
    table: Table,
    heads: Mapping[TableName, TableVersion],
    choices: Choices,
) -> Drift:
    policy = project.on_change(source, table.name)
    return judge(table, heads.get(TableName(RAW, table.name)), policy, accept=choices.full_refresh)


_DRIFTED: Mapping[Verdict, Action] = {
    Verdict.TAKE: "changed",
    Verdict.FREEZE: "frozen",
    Verdict.STOP: "stop",
}


def _ingest_step(
    project: Project,
    source: str,
    drift: Drift,
    heads: Mapping[TableName, TableVersion],
    choices: Choices,
) -> IngestStep:
    name = TableName(RAW, drift.table.name)
    head = heads.get(name)
    terms = _terms(project, source, drift.table)

    def step(action: Action, *reasons: str) -> IngestStep:
        in_parts = _in_parts(project.table(source, drift.table.name), drift.table, terms, choices, action)
        return IngestStep(name, source, drift.table, action, (*reasons, *in_parts, *terms.words), terms=terms)

    if head is None:
        return step("new", "never read")
    if drift.verdict in _DRIFTED:
        return step(_DRIFTED[drift.verdict], *drift.reasons)
    if choices.full_refresh:
        return step("rebuild", "full refresh")
    if head.summary.get(TERMS, "") != terms.digest:
        return step("changed", *drift.reasons, "its contract, deleted or history changed: read whole")
    config = project.table(source, drift.table.name)
    how = () if choices.whole else _how(config, drift.table, head)
    if choices.window and increment_of(config, drift.table):
        again = f"rows {choices.window} again, unless its fingerprint is the same"
        if choices.whole:
            again = f"read whole, with the rows {choices.window}, unless its fingerprint is the same"
        reasons = (*drift.reasons, *how, again)
        return replace(step("check", *reasons), window=choices.window)
    if choices.window:
        how = (*how, "no cursor: not narrowed")
    compared, level = head.summary.get(COMPARED), project.proof(source, drift.table.name)
    if level is ProofLevel.CHANGES and compared and CURSOR in head.summary and not choices.whole:
        return step("check", *drift.reasons, *how, f"what was read is compared; all was on {compared[:10]}")
    if head.summary.get(FINGERPRINT):
        return step("check", *drift.reasons, "read if its fingerprint differs", *how)
    return step("check", *drift.reasons, "read: the last load has no fingerprint", *how)


def _in_parts(
    config: TableConfig, table: Table, terms: Terms, choices: Choices, action: Action
) -> tuple[str, ...]:
    """Said of a table that may be read whole: what a stop costs, and how many connections read."""
    later = action == "check" and increment_of(config, table) is not None
    if not table.parts or choices.whole or terms.deleted or later or action in ("frozen", "stop"):
        return ()
    return (f"in about {table.parts:,} parts",)


def _terms(project: Project, source: str, table: Table) -> Terms:
    return terms_of(project.table(source, table.name), table)


def _how(config: TableConfig, table: Table, head: TableVersion) -> tuple[str, ...]:
    """Whether rows since a cursor are read, or could be: said where reading all costs something."""
    increment = increment_of(config, table)
    if increment:
        ready = CURSOR in head.summary
        return (f"incremental by {increment.cursor}" + ("" if ready else ", after one whole read"),)
    cursor = proposal(table) if config.mode is Mode.AUTO and table.rows >= WORTH_PROPOSING else ""
    return (f"could be incremental: cursor: {cursor}",) if cursor else ()


def _model_step(
    model: ModelFile,
    graph: Graph,
    heads: Mapping[TableName, TableVersion],
    loading: Collection[TableName],
    choices: Choices,
    salt: str,
    known: Readings,
) -> ModelStep:
    name = TableName(MART, model.name)
    inputs = graph.parents(name)
    head = heads.get(name)

    def step(action: Action, *reasons: str) -> ModelStep:
        return ModelStep(name, model, inputs, action, reasons)

    if head is None:
        return step("new", "never built")
    if choices.full_refresh:
        return step("rebuild", "full refresh")
    if head.summary.get(MODEL) != model.digest:
        return step("changed", "its file changed")
    moving = [str(other) for other in inputs if other in loading]
    present: dict[TableName, TableVersion] = {}
    for other in inputs:
        version = heads.get(other)
        if version is not None:
            present[other] = version
    current = len(present) == len(inputs) and head.summary.get(DIGEST) == model_digest(model, present, salt)
    if not current:
        return step("changed", "its inputs changed")
    if moving:
        return step("depends", "run if " + _some(moving) + " changed", reading_of(model, known).how)
    return step("unchanged")


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {len(names)} inputs"
