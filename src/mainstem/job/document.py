"""The plan of a run as the document that the job reads: each question and cast is SQL, nothing is decided
there. Pure, but for DuckDB's binder, which tells the types."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainstem.compile import compile_query
from mainstem.compile.query import view_name
from mainstem.compile.sqltypes import spark_type, sql_type
from mainstem.contract import reconcile
from mainstem.contract.model_checks import Promise, Question, questions
from mainstem.contract.reconcile import Fingerprint
from mainstem.engine.binder import Binder
from mainstem.engine.spark.proofdialect import SparkProofDialect, quote
from mainstem.engine.spark.settings import MEANING
from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.ingest.state import COLUMNS, FINGERPRINT, encode_columns, fingerprint_text, summary
from mainstem.ingest.terms import NO_TERMS
from mainstem.ingest.window import NO_WINDOW
from mainstem.lake import TableVersion
from mainstem.metadata import NATIVE, RUN
from mainstem.plan import IngestStep, ModelStep, Plan
from mainstem.project.config import ProofLevel
from mainstem.project.load import Project
from mainstem.schema import MART, RAW, Column, Database, Kind, Table, TableName, Type
from mainstem.source.jdbc import JdbcSource, require_plain
from mainstem.transform.build import header_words
from mainstem.transform.promise import Context, promise_of
from mainstem.transform.state import MODEL

FORMAT = 1
_ROWS_A_PART = 250_000
_MOST_PARTS = 32
_WORDS = {Kind.LONG: "BIGINT", Kind.TIMESTAMP: "TIMESTAMP_NTZ", Kind.TIMESTAMPTZ: "TIMESTAMP_LTZ"}


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
    """The job's document, without settings and secrets. Raises ConfigErrors for models that Spark cannot run
    as DuckDB does, each part at its file and line."""
    models, asked, promises = _models(world, run, catalog)
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
        "tables": [_table(world, step, run, catalog) for step in world.ingest],
        "models": models,
    }
    return Document(value, asked, promises)


def _stands(version: TableVersion) -> dict[str, Any]:
    return {"location": version.metadata_location, "snapshot": version.snapshot_id, "rows": version.rows}


def target_name(name: TableName, catalog: str) -> str:
    """A table's name in Spark's catalog: what all catalogs take, with a number if it was changed."""
    plain = re.sub(r"[^a-z0-9_]", "_", name.name.lower())
    if plain != name.name.lower():
        plain += f"_{sum(name.name.encode()) % 9973}"
    return f"{catalog}.{name.namespace}.{quote(plain)}"


def _word(type_: Type) -> str:
    return _WORDS.get(type_.kind, str(type_).upper())


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _ddl(columns: Sequence[Column]) -> str:
    parts = []
    for column in columns:
        null = "" if column.nullable else " NOT NULL"
        comment = f" COMMENT {_literal(column.comment)}" if column.comment else ""
        parts.append(f"{quote(column.name)} {_word(column.type)}{null}{comment}")
    return ", ".join(parts)


# Tables


def _table(world: World, step: IngestStep, run: str, catalog: str) -> dict[str, Any]:
    table, name = step.table, step.name
    require_plain(table)
    _require_whole(step)
    jdbc = world.jdbc[step.source]
    level = world.proof or world.project.proof(step.source, table.name)
    if level is ProofLevel.CHANGES:  # a job reads by no cursor
        level = ProofLevel.FULL
    by = reconcile.forms(jdbc.dialect, table)
    lake = SparkProofDialect().with_hash(jdbc.dialect.hash)
    columns = [jdbc.column(table, column) for column in table.columns]
    selected = ", ".join(f"{one.select} AS c{number}" for number, one in enumerate(columns))
    split = _split(world, table, jdbc)
    if split:
        selected += f", {split['column']} AS k"  # bare, so that the server finds the ranges by its index
    checks = jdbc.checks(table)
    keys = summary(step.source, table, {}, level.value, "")
    del keys[FINGERPRINT]
    native = json.dumps({c.name: c.native for c in table.columns if c.native}, ensure_ascii=False)
    return {
        "name": str(name),
        "view": view_name(name),
        "target": target_name(name, catalog),
        "source": step.source,
        "level": level.value,
        "query": f"(SELECT {selected} FROM {jdbc.dialect.ref(table)}) mainstem_t",
        "columns": [
            {"name": c.name, "wire": one.wire, "cast": one.cast}
            for c, one in zip(table.columns, columns, strict=True)
        ],
        "nullable": [column.name for column in table.columns if column.nullable],
        "form": fingerprint_text(jdbc.dialect.hash.value, Fingerprint(0, (), 0)).removesuffix(":0:0:"),
        "ask_source": reconcile.fingerprint_sql(jdbc.dialect, table, by),
        "ask_lake": reconcile.fingerprint_sql(lake, table, by),
        "columns_source": reconcile.columns_sql(jdbc.dialect, table, by),
        "columns_lake": reconcile.columns_sql(lake, table, by),
        "ask_rows": f"select count(*) from {jdbc.dialect.ref(table)}",
        "checks": {"sql": checks[0], "columns": list(checks[1])} if checks else None,
        "split": split,
        "known": _known(world, step, level),
        "rows_before": world.rows_before.get(name, 0),
        "allow_empty": world.project.table(step.source, table.name).allow_empty,
        "ddl": _ddl(table.columns),
        "properties": {"format-version": "2", "write.parquet.compression-codec": "zstd", NATIVE: native},
        "summary": {**keys, RUN: run},
    }


def _require_whole(step: IngestStep) -> None:
    """UsageError for what only the local run does with a table."""
    what = ""
    if step.terms != NO_TERMS:
        what = "a contract, a quarantine or a history"
    elif step.window != NO_WINDOW:
        what = "a back-fill"
    if what:
        hint = "run it with --target local"
        raise UsageError(f"Spark does not keep {what}", where=Where(table=str(step.name)), hint=hint)


def _split(world: World, table: Table, jdbc: JdbcSource) -> dict[str, Any] | None:
    """Key ranges of a large table, if the first column of its key is a whole number."""
    if not table.primary_key:
        return None
    key = table.column(table.primary_key[0])
    parts = world.partitions or min(_MOST_PARTS, table.rows // _ROWS_A_PART)
    if parts < 2 or key.type.kind not in (Kind.INT, Kind.LONG) or key.native.startswith("time"):
        return None
    name, ref = jdbc.dialect.quote(key.name), jdbc.dialect.ref(table)
    return {"ask": f"select min({name}), max({name}) from {ref}", "column": name, "key": "k", "parts": parts}


def _known(world: World, step: IngestStep, level: ProofLevel) -> dict[str, Any] | None:
    head = world.heads.get(step.name)
    if head is None or world.full_refresh or step.action in ("new", "changed", "rebuild"):
        return None
    if level is not ProofLevel.FULL or head.summary.get(COLUMNS) != encode_columns(step.table.columns):
        return None
    remembered = head.summary.get(FINGERPRINT)
    return {"fingerprint": remembered, **_stands(head)} if remembered else None


# Models

_Built = tuple[list[dict[str, Any]], dict[TableName, Sequence[Question]], dict[TableName, Promise]]


def _models(world: World, run: str, catalog: str) -> _Built:
    files = {TableName(MART, model.name): model for model in world.project.models}
    steps = {step.name: step for step in world.plan.models}
    found: list[dict[str, Any]] = []
    asked: dict[TableName, Sequence[Question]] = {}
    promises: dict[TableName, Promise] = {}
    errors: list[UsageError] = []
    with Binder() as binder:
        for database in world.databases.values():
            for table in database.tables:
                binder.add_table(TableName(RAW, table.name), table.columns)
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
    if errors:
        raise ConfigErrors(errors)
    return found, asked, promises


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
        "name": str(step.name),
        "view": view_name(step.name),
        "target": target_name(step.name, catalog),
        "digest": model.digest,
        "inputs": [str(name) for name in step.inputs],
        "sql": compiled.sql,
        "inexact": compiled.inexact,
        "ddl": _ddl(columns),
        "questions": _questions(promise, binder, model.file, model.sql_line),
        "known": _stands(head) if head is not None and stays else None,
        "properties": {"format-version": "2", "write.parquet.compression-codec": "zstd", NATIVE: "{}"},
        "summary": {MODEL: model.digest, RUN: run},
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
