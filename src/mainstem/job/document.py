"""The plan of a run as the document that the job reads: each question and cast is SQL, nothing is decided
there. Pure, but for DuckDB's binder, which tells the types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainstem.compile import compile_query
from mainstem.compile.query import view_name
from mainstem.compile.sqltypes import spark_type, sql_type
from mainstem.contract import reconcile
from mainstem.contract.canonical import SourceDialect
from mainstem.contract.model_checks import Promise, Question, questions
from mainstem.contract.reconcile import Fingerprint
from mainstem.contract.rules import Rule
from mainstem.engine.binder import Binder
from mainstem.engine.spark.proofdialect import SparkProofDialect
from mainstem.engine.spark.settings import MEANING
from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.ingest.cursor import increment_of
from mainstem.ingest.history import next_columns
from mainstem.ingest.state import (
    BESIDE,
    COLUMNS,
    FINGERPRINT,
    TERMS,
    encode_columns,
    fingerprint_text,
    summary,
)
from mainstem.ingest.terms import live_rows, quarantine_columns, remembered, terms_of
from mainstem.job.ddl import output
from mainstem.job.terms import contract_part, history_part, outside_part
from mainstem.lake import TableVersion
from mainstem.metadata import RUN
from mainstem.plan import IngestStep, ModelStep, Plan
from mainstem.project.config import ProofLevel
from mainstem.project.load import Project
from mainstem.schema import HISTORY, MART, QUARANTINE, RAW, Column, Database, Kind, Table, TableName, Type
from mainstem.source.jdbc import JdbcSource
from mainstem.transform.build import header_words
from mainstem.transform.promise import Context, promise_of
from mainstem.transform.state import MODEL

FORMAT = 1
_ROWS_A_PART = 250_000
_MOST_PARTS = 32


@dataclass(frozen=True, slots=True)
class World:
    """What the document is made from: `bases` are the versions of tables that the run does not touch, `heads`
    the newest ones of those that it does, `rows_before` what readers see now."""

    project: Project
    plan: Plan
    ingest: Sequence[IngestStep]
    databases: Mapping[str, Database]
    jdbc: Mapping[str, JdbcSource]
    bases: Mapping[TableName, TableVersion]
    heads: Mapping[TableName, TableVersion]
    rows_before: Mapping[TableName, int]
    salt: str
    full_refresh: bool = False
    proof: ProofLevel | None = None
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """The document, and what judges the job's answers: the questions of each model."""

    value: dict[str, Any]
    asked: Mapping[TableName, Sequence[Question]]
    promises: Mapping[TableName, Promise]


def document(world: World, run: str, catalog: str = "lake") -> Document:
    """The job's document, without settings and secrets. Raises ConfigErrors for rules of contracts and models
    that Spark cannot run as DuckDB does, each part at its file and line."""
    errors: list[UsageError] = []
    tables = [one for step in world.ingest if (one := _known_table(world, step, run, catalog, errors))]
    models, asked, promises = _models(world, run, catalog, errors)
    if errors:
        raise ConfigErrors(errors)
    value = {
        "format": FORMAT,
        "run": run,
        "salt": world.salt,
        "meaning": MEANING,
        "settings": {},
        "sources": {
            name: {
                "driver": one.driver,
                "init": one.init,
                "begin": list(one.begin),
                "fetch": one.fetch,
                "scheme": one.url.partition("://")[0],
                "port": one.port,
                "options": one.url.partition("?")[2],
            }
            for name, one in world.jdbc.items()
            if any(step.source == name for step in world.ingest)
        },
        "attached": {
            str(name): {"view": view_name(name), **_stands(version)} for name, version in world.bases.items()
        },
        "tables": tables,
        "models": models,
    }
    return Document(value, asked, promises)


def _stands(version: TableVersion) -> dict[str, Any]:
    return {"location": version.metadata_location, "snapshot": version.snapshot_id, "rows": version.rows}


# Tables


def _known_table(
    world: World, step: IngestStep, run: str, catalog: str, errors: list[UsageError]
) -> dict[str, Any] | None:
    """The table, or what is wrong with its rules."""
    try:
        return _table(world, step, run, catalog)
    except ConfigErrors as error:
        errors.extend(error.errors)
        return None


def _table(world: World, step: IngestStep, run: str, catalog: str) -> dict[str, Any]:
    table, name = step.table, step.name
    jdbc = world.jdbc[step.source]
    level = world.proof or world.project.proof(step.source, table.name)
    if level is ProofLevel.CHANGES:  # a job reads by no cursor
        level = ProofLevel.FULL
    by = reconcile.forms(jdbc.dialect, table)
    source = live_rows(jdbc.dialect, table, step.terms.deleted)
    lake = SparkProofDialect().with_hash(jdbc.dialect.hash)
    columns = [jdbc.column(table, column) for column in table.columns]
    selected = ", ".join(f"{one.select} AS c{number}" for number, one in enumerate(columns))
    split = _split(world, table, jdbc, source)
    if split:
        selected += f", {split['column']} AS k"  # bare, so that the server finds the ranges by its index
    checks = jdbc.checks(table)
    keys = summary(step.source, table, {}, level.value, "")
    del keys[FINGERPRINT]
    return {
        **output(name, catalog, table.columns, {**keys, TERMS: step.terms.digest, RUN: run}),
        "source": step.source,
        "level": level.value,
        "query": f"(SELECT {selected} FROM {source.ref(table)}) mainstem_t",
        "columns": [
            {"name": c.name, "wire": one.wire, "cast": one.cast}
            for c, one in zip(table.columns, columns, strict=True)
        ],
        "nullable": [column.name for column in table.columns if column.nullable],
        "form": fingerprint_text(jdbc.dialect.hash.value, Fingerprint(0, (), 0)).removesuffix(":0:0:"),
        "ask_source": reconcile.fingerprint_sql(source, table, by),
        "ask_lake": reconcile.fingerprint_sql(lake, table, by),
        "columns_source": reconcile.columns_sql(source, table, by),
        "columns_lake": reconcile.columns_sql(lake, table, by),
        "ask_rows": f"select count(*) from {source.ref(table)}",
        "ask_marked": _marked(jdbc.dialect, step),
        "checks": {"sql": checks[0], "columns": list(checks[1])} if checks else None,
        "split": split,
        "known": _known(world, step, level),
        "keeps": _keeps(world, step, level),
        "rows_before": world.rows_before.get(name, 0),
        "allow_empty": world.project.table(step.source, table.name).allow_empty,
        "outside": outside_part(table),
        **_beside(world, step, run, catalog),
    }


def _beside(world: World, step: IngestStep, run: str, catalog: str) -> dict[str, Any]:
    """How rows are judged, and the two tables that may stand beside a table."""
    table, terms = step.table, step.terms
    place = ("sources", step.source, "tables", table.name, "contract")

    def line(rule: Rule) -> int:
        at = (*place, "columns", rule.column) if rule.column else (*place, "expression")
        return world.project.document.line(at)

    quarantine = history = None
    if terms.contract and terms.contract.quarantine:
        quarantine = output(TableName(QUARANTINE, table.name), catalog, quarantine_columns(table), {RUN: run})
    if terms.history:
        name = TableName(HISTORY, table.name)
        head = world.heads.get(name)
        past = head.columns if head else ()
        now = world.jdbc[step.source].dialect.now
        questions, columns = history_part(table, terms.history, past, now)
        known = _stands(head) if head else None
        history = {**output(name, catalog, columns, {RUN: run}), **questions, "known": known}
    contract = contract_part(terms.contract, table, line)
    return {"contract": contract, "quarantine": quarantine, "history": history}


def _marked(dialect: SourceDialect, step: IngestStep) -> str:
    """The question how many rows the source marks as deleted; empty if no column marks any."""
    if not step.terms.deleted:
        return ""
    live = dialect.live(step.table.column(step.terms.deleted))
    return f"select count(*) from {dialect.ref(step.table)} where not ({live})"


def _keeps(world: World, step: IngestStep, level: ProofLevel) -> dict[str, Any] | None:
    """Rows that the source no longer has stay (`deletes: ignore`): by which key they are known, and the
    versions in which they stand; None if none stay. UsageError where it cannot be told which."""
    increment = increment_of(world.project.table(step.source, step.table.name), step.table)
    if increment is None or increment.detect or world.full_refresh or level is not ProofLevel.OFF:
        return None
    head = world.heads.get(step.name)
    stands: list[dict[str, Any]] = []
    if head is not None and head.summary.get(COLUMNS) == encode_columns(step.table.columns):
        apart = TableName(QUARANTINE, step.table.name)
        wanted = remembered(head.summary.get(BESIDE, "")).get(QUARANTINE)
        beside = world.heads.get(apart)
        if step.terms.deleted or (wanted is not None and (beside is None or beside.snapshot_id != wanted)):
            raise UsageError(
                "Spark reads it whole, and cannot tell rows that are marked as deleted, or were in"
                " quarantine, from those that the source no longer has (deletes: ignore)",
                where=Where(table=str(step.name)),
                hint="run it with --target local, or take the source's rows with --full-refresh",
            )
        stands.append({"view": view_name(TableName("kept", step.table.name)), **_stands(head)})
        if wanted is not None and beside is not None:
            stands.append({"view": view_name(TableName("kept apart", step.table.name)), **_stands(beside)})
    return {"key": list(increment.key), "stands": stands}


def _split(world: World, table: Table, jdbc: JdbcSource, source: SourceDialect) -> dict[str, Any] | None:
    """Key ranges of a large table, if the first column of its key is a whole number."""
    if not table.primary_key:
        return None
    key = table.column(table.primary_key[0])
    parts = world.partitions or min(_MOST_PARTS, table.rows // _ROWS_A_PART)
    if parts < 2 or key.type.kind not in (Kind.INT, Kind.LONG) or key.native.startswith("time"):
        return None
    name, ref = source.quote(key.name), source.ref(table)
    return {"ask": f"select min({name}), max({name}) from {ref}", "column": name, "key": "k", "parts": parts}


def _known(world: World, step: IngestStep, level: ProofLevel) -> dict[str, Any] | None:
    head = world.heads.get(step.name)
    if head is None or world.full_refresh or step.action in ("new", "changed", "rebuild"):
        return None
    if level is not ProofLevel.FULL or head.summary.get(COLUMNS) != encode_columns(step.table.columns):
        return None
    fingerprint = head.summary.get(FINGERPRINT)
    beside = _standing(world, step, head)
    if not fingerprint or head.summary.get(TERMS, "") != step.terms.digest or beside is None:
        return None
    return {"fingerprint": fingerprint, **_stands(head), "beside": beside}


def _standing(world: World, step: IngestStep, head: TableVersion) -> dict[str, Any] | None:
    """The tables that were committed with a version of a raw table; None if they are not those that stand."""
    snapshots = remembered(head.summary.get(BESIDE, ""))
    found = {}
    for name in step.beside:
        version = world.heads.get(name)
        if version is None or version.snapshot_id != snapshots.get(name.namespace):
            return None
        found[str(name)] = {"view": view_name(name), **_stands(version)}
    return found


# Models

_Built = tuple[list[dict[str, Any]], dict[TableName, Sequence[Question]], dict[TableName, Promise]]


def _models(world: World, run: str, catalog: str, errors: list[UsageError]) -> _Built:
    files = {TableName(MART, model.name): model for model in world.project.models}
    steps = {step.name: step for step in world.plan.models}
    found: list[dict[str, Any]] = []
    asked: dict[TableName, Sequence[Question]] = {}
    promises: dict[TableName, Promise] = {}
    with Binder() as binder:
        for source, database in world.databases.items():
            for table in database.tables:
                binder.add_table(TableName(RAW, table.name), table.columns)
                if columns := _history_columns(world, source, table):
                    binder.add_table(TableName(HISTORY, table.name), columns)
        for name in world.plan.graph.order:
            if name not in files:
                continue
            binder.add_query(name, files[name].sql)
            if name not in steps:
                continue
            try:
                value, promises[name] = _model(world, steps[name], binder, run, catalog)
                asked[name] = questions(promises[name])
            except ConfigErrors as error:
                errors.extend(error.errors)
                continue
            found.append(value)
    return found, asked, promises


def _history_columns(world: World, source: str, table: Table) -> Sequence[Column]:
    """The columns of a table's history as models will find it; none if it has none."""
    name = TableName(HISTORY, table.name)
    if name in world.bases:
        return world.bases[name].columns
    history = terms_of(world.project.table(source, table.name), table).history
    head = world.heads.get(name)
    return next_columns(table, history, head.columns if head else ()) if history else ()


def _model(
    world: World, step: ModelStep, binder: Binder, run: str, catalog: str
) -> tuple[dict[str, Any], Promise]:
    model = step.model
    compiled = compile_query(model.sql, binder.describe, model.file, model.sql_line)
    words = header_words(model)
    columns = [Column(n, lake_type(t), comment=words.get(n, "")) for n, t in compiled.columns]
    context = Context(
        tables={t.name: t for d in world.databases.values() for t in d.tables},
        models={one.name: one for one in world.project.models},
        columns=tuple(name for name, _ in compiled.columns),
        rows_before=world.rows_before.get(step.name, 0),
    )
    promise = promise_of(model, context)
    head = world.heads.get(step.name)
    stays = head is not None and not world.full_refresh and step.action in ("unchanged", "depends")
    value = {
        **output(step.name, catalog, columns, {MODEL: model.digest, RUN: run}),
        "digest": model.digest,
        "inputs": [str(name) for name in step.inputs],
        "sql": compiled.sql,
        "inexact": compiled.inexact,
        "questions": _questions(promise, binder, model.file, model.sql_line),
        "known": _stands(head) if head is not None and stays else None,
    }
    return value, promise


def lake_type(name: str) -> Type:
    """The lake's type of a column of a model, from DuckDB's name of it."""
    word = spark_type(sql_type(name)) or "STRING"
    words = {"BIGINT": "long", "TIMESTAMP_NTZ": "timestamp", "TIMESTAMP_LTZ": "timestamptz"}
    return Type.parse(words.get(word, word.lower().replace(" ", "")))


def _questions(promise: Promise, binder: Binder, file: str, line: int) -> list[dict[str, Any]]:
    every = questions(promise)
    written = len(every) - len(promise.declared)
    return [
        {
            "name": question.name,
            "sql": compile_query(question.sql, binder.describe, file, line, approximate=True).sql,
            "rule": rule_of(question),
            "before": promise.rows_before if not promise.allow_empty else 0,
            "warning": number >= written and promise.declared[number - written].warning,
        }
        for number, question in enumerate(every)
    ]


_RULES = {"rows": "not emptied", "grain": "pair", "key": "no rows"}


def rule_of(question: Question) -> str:
    """How the job tells from the rows whether a promise holds: the same as the question's judge."""
    if question.name.startswith("sum of "):
        return "sum"
    if " → " in question.name:
        return "reference"
    return _RULES.get(question.name, "zero")
