"""A run as one Spark job: its tables are judged here by the same questions, adopted, and published as one
release. What the job has written and nobody adopted stays unreachable, and `Lake.clean` removes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from mainstem import errors
from mainstem.contract.model_checks import Verdict
from mainstem.errors import EngineFailed, MainstemError, ProofFailed, Where
from mainstem.events import Emit, StepFinished, StepStarted
from mainstem.ingest.apart import standing
from mainstem.ingest.state import BESIDE, FINGERPRINT, TALLY
from mainstem.ingest.tally import Tally
from mainstem.ingest.values import load_text
from mainstem.job.document import Document, World, document
from mainstem.job.launch import SparkJob, catalog_settings, run_job
from mainstem.lake import TableVersion
from mainstem.plan import IngestStep, ModelStep
from mainstem.project.config import ProofLevel
from mainstem.run.board import Board, failed_table
from mainstem.run.ingesting import undecided
from mainstem.run.parts import Parts, RunOptions
from mainstem.run.receipt import ModelEntry, TableEntry
from mainstem.schema import HISTORY, TableName
from mainstem.transform.build import ModelFailed, encode_verdicts, verdict_value
from mainstem.transform.explain import explain_grain
from mainstem.transform.state import DIGEST, PROOFS

CATALOG = "lake"


def run_on_spark(
    parts: Parts, job: SparkJob, options: RunOptions, board: Board, run: str, emit: Emit
) -> None:
    """Run every step of the plan in one job. Raises ConfigErrors for models that Spark cannot run."""
    steps = undecided(list(board.plan.ingest), parts, board, emit)
    if len(steps) < len(board.plan.ingest) and board.errors:
        return
    made = document(_world(parts, job, options, board, steps), run, CATALOG)
    if not steps and not made.value["models"]:
        return
    for table in steps:
        emit(StepStarted(str(table.name), "ingest", table.rows))
    for model in board.plan.models:
        emit(StepStarted(str(model.name), "model"))
    folder = parts.lake.root / "tmp" / f"spark-{run}"
    warehouse = parts.lake.folder / f"spark-{run}"
    settings = {**made.value["settings"], **catalog_settings(CATALOG, warehouse)}
    result = run_job(job, {**made.value, "settings": settings}, folder)
    _Outcome(parts, board, emit, made, result).take(steps)
    if not board.errors:
        shutil.rmtree(folder, ignore_errors=True)


def _world(parts: Parts, job: SparkJob, options: RunOptions, board: Board, steps: list[IngestStep]) -> World:
    release = parts.lake.current_release()
    names = board.plan.names
    frozen = {s.name for s in board.plan.ingest} - {s.name for s in steps}
    heads = {name: head for name in names if (head := parts.lake.head(name)) is not None}
    kept: dict[TableName, TableVersion] = {}
    for name in frozen & heads.keys():
        kept |= {name: heads[name], **standing(parts.lake, heads[name])}
    return World(
        project=parts.project,
        plan=board.plan,
        ingest=steps,
        databases=parts.databases,
        jdbc=job.jdbc,
        bases={**board.bases, **kept},
        heads=heads,
        rows_before={n: p.rows for n, p in release.tables.items()} if release else {},
        salt=parts.salt,
        full_refresh=options.full_refresh,
        proof=options.proof,
        partitions=job.partitions,
    )


class _Outcome:
    """The job's result, entered on the board step by step."""

    def __init__(
        self, parts: Parts, board: Board, emit: Emit, made: Document, result: Mapping[str, Any]
    ) -> None:
        self._parts = parts
        self._board = board
        self._emit = emit
        self._made = made
        self._result = result
        self._tables = {table["name"]: table for table in made.value["tables"]}
        self._error = _error(result)

    def take(self, steps: list[IngestStep]) -> None:
        """Adopt what holds; the rest fails with the job's reason."""
        for step in steps:
            self._guarded(step, self._result["tables"].get(str(step.name)))
        for model in self._board.plan.models:
            self._guarded(model, self._result["models"].get(str(model.name)))
        if self._error is not None and self._error not in self._board.errors:
            self._board.note(self._error)

    def _guarded(self, step: IngestStep | ModelStep, found: Mapping[str, Any] | None) -> None:
        try:
            if isinstance(step, ModelStep):
                self._model(step, found)
            else:
                self._table(step, found)
        except MainstemError as error:
            self._failed(step, error)

    def _table(self, step: IngestStep, found: Mapping[str, Any] | None) -> None:
        told = self._tables[str(step.name)]
        full = told["level"] == ProofLevel.FULL
        asked = found is not None and (not full or found.get("found") is not None)
        if found is None or not asked or (full and self._error and found.get("expected") != found["found"]):
            raise self._error or EngineFailed("the job left it out", where=Where(table=str(step.name)))
        if found["status"] == "read":  # and then something failed
            raise self._error or EngineFailed("the job left it out", where=Where(table=str(step.name)))
        level = ProofLevel(told["level"])
        changed, checksum = found["status"] == "done", str(found["found"]["checksum"]) if full else ""
        version, beside, tally = self._adopted(step, told, found) if changed else self._kept(step, found)
        self._require_rows(version, found)
        note = f" (read whole, with the rows {step.window})" if changed and step.window else ""
        text = load_text(level, version.rows + tally.quarantined) + (note if changed else " (unchanged)")
        entry = TableEntry(
            table=str(step.name),
            status="done" if changed else "unchanged",
            source=step.source,
            proof=level.value,
            holds=level is not ProofLevel.OFF,
            text=f"{text}{tally}",
            rows=version.rows,
            bytes=version.bytes,
            checksum=checksum,
            seconds=found["seconds"],
            **asdict(tally),
        )
        self._done(step, version, entry, "ingest", entry.text, beside)

    def _adopted(
        self, step: IngestStep, told: Mapping[str, Any], found: Mapping[str, Any]
    ) -> tuple[TableVersion, dict[TableName, TableVersion], Tally]:
        """What the job wrote as versions of ours, the raw table last: it names the snapshots of the tables
        beside it, so that none of them stands without the others."""
        lake, beside = self._parts.lake, dict[TableName, TableVersion]()
        for name in step.beside:
            one = found["beside"][str(name)]
            stays = one["status"] == "unchanged"
            version = lake.head(name) if stays else lake.adopt(name, one["location"], {})
            if version is None or (version.snapshot_id, version.rows) != (one["snapshot"], one["rows"]):
                raise ProofFailed("it is not the table that the job has seen", where=Where(table=str(name)))
            beside[name] = version
        histories = [version.rows for name, version in beside.items() if name.namespace == HISTORY]
        tally = Tally(
            found.get("out_of_range", {}),
            found.get("quarantined", 0),
            found.get("broken", {}),
            found["deleted"],
            sum(histories),
        )
        snapshots = {name.namespace: version.snapshot_id for name, version in beside.items()}
        keys = {
            FINGERPRINT: _fingerprint(told, found["found"]) if found["found"] else "",
            TALLY: tally.encode(),
            BESIDE: json.dumps(snapshots) if snapshots else "",
        }
        return lake.adopt(step.name, found["location"], keys), beside, tally

    def _kept(
        self, step: IngestStep, found: Mapping[str, Any]
    ) -> tuple[TableVersion, dict[TableName, TableVersion], Tally]:
        """The version that stands, with those beside it."""
        version = self._parts.lake.at(step.name, found["location"])
        tally = replace(Tally.decode(version.summary.get(TALLY, "")), deleted=found["deleted"])
        return version, standing(self._parts.lake, version), tally

    def _model(self, step: ModelStep, found: Mapping[str, Any] | None) -> None:
        name = str(step.name)
        if found is None:
            raise self._error or EngineFailed("the job left it out", where=Where(table=name))
        if found["status"] == "unchanged":
            version = self._parts.lake.at(step.name, found["location"])
            proofs = json.loads(version.summary.get(PROOFS, "[]"))
        else:
            verdicts = self._judged(step, found)
            keys = {DIGEST: found["digest"], PROOFS: encode_verdicts(verdicts)}
            version = self._parts.lake.adopt(step.name, found["location"], keys)
            self._require_rows(version, found)
            proofs = [verdict_value(verdict) for verdict in verdicts]
        status = "done" if found["status"] == "done" else "unchanged"
        text = "; ".join(str(proof["text"]) for proof in proofs[:3])
        grain = step.model.header.grain.statement if step.model.header.grain else ""
        entry = ModelEntry(
            name,
            status,
            version.rows,
            version.bytes,
            found.get("seconds", 0.0),
            text=text,
            grain=grain,
            proofs=proofs,
        )
        self._done(step, version, entry, "model", text)

    def _judged(self, step: ModelStep, found: Mapping[str, Any]) -> list[Verdict]:
        """The verdicts on the job's answers. Raises ModelFailed if a promise is broken."""
        asked = self._made.asked[step.name]
        answers = [[tuple(row) for row in rows] for rows in found["answers"]]
        verdicts = [question.judge(rows) for question, rows in zip(asked, answers, strict=True)]
        broken = [verdict for verdict in verdicts if not verdict.holds and not verdict.warning]
        if not broken:
            if found["status"] == "refused":
                raise ProofFailed("the job refuses it, and its answers hold: the two judge differently")
            return verdicts
        lines = [verdict.text for verdict in broken]
        if any(verdict.name == "grain" for verdict in broken):
            lines += self._explained(step)
        raise ModelFailed(
            f"{step.model.name} is refused: " + "\n  ".join(lines),
            where=Where(step.model.file, step.model.sql_line),
            hint="nothing was published; the current release stays as it is",
            verdicts=verdicts,
        )

    def _explained(self, step: ModelStep) -> list[str]:
        """DuckDB looks at the tables that Spark wrote."""
        promise = self._made.promises[step.name]
        places = {n: v.metadata_location for n, v in self._board.inputs(step).items()}
        places |= {n: v.metadata_location for n, v in self._board.grain_input(promise.grain).items()}
        engine = self._parts.engine()
        try:
            engine.attach(places)
            models = {model.name: model for model in self._parts.project.models}
            return explain_grain(engine, step.model, promise, models)
        finally:
            engine.close()

    def _require_rows(self, version: TableVersion, found: Mapping[str, Any]) -> None:
        if version.rows != found["rows"]:
            raise ProofFailed("the table's metadata counts other rows", where=Where(table=str(version.name)))

    def _done(
        self,
        step: IngestStep | ModelStep,
        version: TableVersion,
        entry: TableEntry | ModelEntry,
        kind: str,
        text: str,
        beside: Mapping[TableName, TableVersion] | None = None,
    ) -> None:
        self._board.done(step.name, version, entry, beside)
        status = "done" if entry.status == "done" else "unchanged"
        name = str(step.name)
        self._emit(StepFinished(name, kind, status, version.rows, version.bytes, entry.seconds, text))  # type: ignore[arg-type]

    def _failed(self, step: IngestStep | ModelStep, error: MainstemError) -> None:
        text = self._parts.redact(error.message)
        kind = "model" if isinstance(step, ModelStep) else "ingest"
        if isinstance(step, ModelStep):
            proofs = [verdict_value(v) for v in error.verdicts] if isinstance(error, ModelFailed) else []
            status = "failed" if isinstance(error, ModelFailed) else "skipped"
            entry: TableEntry | ModelEntry = ModelEntry(str(step.name), status, text=text, proofs=proofs)
        else:
            entry = failed_table(step, error, text)
        self._board.fail({step.name: entry}, error)
        self._emit(StepFinished(str(step.name), kind, "failed", detail=text))


def _fingerprint(told: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    nulls = ",".join(f"{name}={number}" for name, number in found["nulls"].items())
    return f"{told['form']}:{found['rows']}:{found['checksum']}:{nulls}"


def _error(result: Mapping[str, Any]) -> MainstemError | None:
    told = result.get("error")
    if not told:
        return None
    kinds = {
        one.__name__: one
        for one in (errors.ProofFailed, errors.ValueNotExact, errors.SourceUnavailable, errors.EngineFailed)
    }
    kind = kinds.get(told["kind"], EngineFailed)
    hint = "nothing was published; run again" if kind is errors.ProofFailed else ""
    where = Where(table=told["table"], column=told["column"])
    return kind(told["message"], where=where, hint=told["hint"] or hint)
