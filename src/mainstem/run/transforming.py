"""The build of one model inside a run: unchanged, built, or refused."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mainstem.errors import LakeUnavailable, MainstemError
from mainstem.events import Emit, StepFinished, StepProgress, StepStarted
from mainstem.lake import TableVersion
from mainstem.plan import ModelStep, model_digest
from mainstem.run.board import Board
from mainstem.run.parts import Parts, RunOptions
from mainstem.run.receipt import ModelEntry
from mainstem.schema import TableName
from mainstem.transform.state import DIGEST, INPUTS, MODEL, PROOFS

if TYPE_CHECKING:
    from mainstem.transform.proving import Earlier


def import_builders() -> None:
    """Import what builds models. Not at the file's head: pyarrow and sqlglot take their time, and a run that
    finds nothing changed needs neither."""
    from mainstem.transform import build, partial, promise, proving  # noqa: F401


class Transformation:
    """Builds models; `build` may run in several threads at once."""

    def __init__(self, parts: Parts, options: RunOptions, board: Board, run: str, emit: Emit) -> None:
        self._parts = parts
        self._options = options
        self._board = board
        self._run = run
        self._emit = emit
        self._tables = {t.name: t for d in parts.databases.values() for t in d.tables}
        self._models = {model.name: model for model in parts.project.models}
        release = parts.lake.current_release()
        self._rows_before = {n: p.rows for n, p in release.tables.items()} if release else {}

    def build(self, step: ModelStep) -> None:
        """Build a model, or keep its table if its text and inputs are those of the newest one."""
        name = str(step.name)
        self._emit(StepStarted(name, "model"))
        started = time.monotonic()
        try:
            inputs = self._board.inputs(step)
            digest = model_digest(step.model, inputs, self._parts.salt)
            head = self._parts.lake.head(step.name)
            again = self._options.full_refresh and not step.taken
            if head and head.summary.get(DIGEST) == digest and not again:
                self._done(step, head, json.loads(head.summary.get(PROOFS, "[]")), "unchanged", 0.0)
                return
            self._build(step, inputs, digest, head)
        except MainstemError as error:
            from mainstem.transform.build import ModelFailed, verdict_value

            seconds = time.monotonic() - started
            proofs = [verdict_value(v) for v in error.verdicts] if isinstance(error, ModelFailed) else []
            text = self._parts.redact(error.message)
            entry = ModelEntry(name, "failed", seconds=seconds, text=text, proofs=proofs)
            self._board.fail({step.name: entry}, error)
            self._emit(StepFinished(name, "model", "failed", seconds=seconds, detail=text))

    def _earlier(
        self, step: ModelStep, inputs: Mapping[TableName, TableVersion], head: TableVersion | None
    ) -> Earlier | str:
        """The model's newest table with its inputs as they were, if this text and this engine made it;
        otherwise why that cannot be built upon."""
        from mainstem.transform.partial import consider
        from mainstem.transform.proving import Earlier

        if head is None or self._options.full_refresh or head.summary.get(MODEL) != step.model.digest:
            return ""
        try:
            before: dict[TableName, TableVersion] = {}
            for text, location in json.loads(head.summary.get(INPUTS, "{}")).items():
                name = TableName(*text.split(".", 1))
                before[name] = self._parts.lake.at(name, str(location))
            read = {name: version for name, version in before.items() if name in inputs}
            if model_digest(step.model, read, self._parts.salt) != head.summary.get(DIGEST):
                return "in full: its last build was by another version"
            return Earlier(head, before, consider(step.model, head, before, inputs))
        except LakeUnavailable:
            return "in full: an earlier version of an input is gone"

    def _build(
        self,
        step: ModelStep,
        inputs: Mapping[TableName, TableVersion],
        digest: str,
        head: TableVersion | None,
    ) -> None:
        from mainstem.transform.build import Builder, verdict_value
        from mainstem.transform.promise import Context, promise_of

        engine = self._parts.engine()
        earlier = self._earlier(step, inputs, head)
        try:
            engine.attach({name: version.metadata_location for name, version in inputs.items()})
            context = Context(
                tables=self._tables,
                models=self._models,
                columns=tuple(engine.describe(step.model.sql).names),
                rows_before=self._rows_before.get(step.name, 0),
            )
            promise = promise_of(step.model, context)
            if promise.grain:
                inputs = {**inputs, **self._board.grain_input(promise.grain)}
            built = Builder(engine, self._parts.lake, self._run, self._models).build(
                step.model,
                promise,
                inputs,
                digest,
                lambda rows: self._emit(StepProgress(str(step.name), rows)),
                earlier,
            )
        finally:
            engine.close()
        proofs = [verdict_value(verdict) for verdict in built.verdicts]
        self._done(step, built.version, proofs, "done", built.seconds, built.how)

    def _done(
        self,
        step: ModelStep,
        version: TableVersion,
        proofs: list[Mapping[str, Any]] | list[dict[str, object]],
        status: str,
        seconds: float,
        how: str = "",
    ) -> None:
        text = "; ".join(str(proof["text"]) for proof in proofs[:3])
        grain = step.model.header.grain.statement if step.model.header.grain else ""
        entry = ModelEntry(
            str(step.name),
            status,
            version.rows,
            version.bytes,
            seconds,
            text=text,
            how=how,
            grain=grain,
            proofs=proofs,
            taken=step.taken if status == "unchanged" else "",
        )
        self._board.done(step.name, version, entry)
        self._emit(
            StepFinished(
                str(step.name),
                "model",
                "done" if status == "done" else "unchanged",
                version.rows,
                version.bytes,
                seconds,
                f"{how}; {text}" if how else text,
            )
        )
