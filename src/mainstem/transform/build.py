"""The build of one model: run its SQL, write the result, prove it, commit it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mainstem.arrow import type_of
from mainstem.contract import part_checks
from mainstem.contract.model_checks import Promise, Verdict
from mainstem.engine.port import Engine
from mainstem.errors import MainstemError, ProofFailed, Where
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.project.modelfile import ModelFile
from mainstem.schema import MART, Column, TableName
from mainstem.transform.explain import explain_grain
from mainstem.transform.partial import Partial, Rebuilder
from mainstem.transform.proving import Earlier, Prover
from mainstem.transform.state import DIGEST, INPUTS, MODEL, PROMISE, PROOFS


@dataclass(frozen=True, slots=True)
class Built:
    """A model's table, proven and committed. `how` says whether all of it was computed, and why."""

    version: TableVersion
    verdicts: tuple[Verdict, ...]
    seconds: float
    how: str = ""


class ModelFailed(ProofFailed):
    """A model that breaks its promise. `verdicts` has all of them, those that hold too."""

    def __init__(self, message: str, *, where: Where, hint: str, verdicts: Sequence[Verdict]) -> None:
        super().__init__(message, where=where, hint=hint)
        self.verdicts = tuple(verdicts)


class Builder:
    """Builds models on one engine connection; one builder a thread."""

    def __init__(
        self, engine: Engine, lake: Lake, run: str, models: Mapping[str, ModelFile] | None = None
    ) -> None:
        """`models` are all models of the project by name, for the explanation of a refusal."""
        self._models = models or {}
        self._engine = engine
        self._lake = lake
        self._run = run

    def build(
        self,
        model: ModelFile,
        promise: Promise,
        inputs: Mapping[TableName, TableVersion],
        digest: str,
        on_rows: Callable[[int], None],
        earlier: Earlier | str = "",
    ) -> Built:
        """Run, prove and commit one model. `inputs` are all tables that its SQL and its header name;
        `earlier` the version that may be built upon, or why it cannot.

        Raises ModelFailed if a promise is broken (nothing is committed), EngineFailed if the engine
        cannot run the SQL.
        """
        started = time.monotonic()
        name = TableName(MART, model.name)
        self._engine.attach({name: version.metadata_location for name, version in inputs.items()})
        base = earlier if isinstance(earlier, Earlier) else None
        partial = earlier.partial if isinstance(earlier, Earlier) else earlier
        staged, how = self._stage(name, model, partial, on_rows)
        try:
            verdicts, words = Prover(self._engine, self._lake, promise, staged, inputs, base).verdicts()
            self._require(model, promise, verdicts)
            keys = {MODEL: model.digest, DIGEST: digest, PROOFS: encode_verdicts(verdicts)}
            keys |= {INPUTS: encode_inputs(inputs), PROMISE: part_checks.digest(promise)}
            version = self._lake.commit(staged, run=self._run, summary=keys)
        except MainstemError:
            self._lake.discard(staged)
            raise
        how = "; ".join(filter(None, (how, words)))
        return Built(version, tuple(verdicts), time.monotonic() - started, how)

    def _stage(
        self, name: TableName, model: ModelFile, partial: Partial | str, on_rows: Callable[[int], None]
    ) -> tuple[Staged, str]:
        """The model's rows as files, and how they came about."""
        how = partial if isinstance(partial, str) else ""
        columns = result_columns(model, self._engine.describe(model.sql))
        if isinstance(partial, Partial):
            if columns == partial.head.columns:
                staged, how = Rebuilder(self._engine, self._lake, model, partial).stage(on_rows)
                if staged is not None:
                    return staged, how
            else:
                how = "in full: its columns changed"
        _, batches = self._engine.stream(model.sql)
        return self._lake.stage(name, columns, batches, on_rows), how

    def _require(self, model: ModelFile, promise: Promise, verdicts: Sequence[Verdict]) -> None:
        broken = [verdict for verdict in verdicts if not verdict.holds and not verdict.warning]
        if not broken:
            return
        lines = [verdict.text for verdict in broken]
        if any(verdict.name == "grain" for verdict in broken):
            lines += explain_grain(self._engine, model, promise, self._models)
        raise ModelFailed(
            f"{model.name} is refused: " + "\n  ".join(lines),
            where=Where(model.file, model.sql_line),
            hint="nothing was published; the current release stays as it is",
            verdicts=verdicts,
        )


def result_columns(model: ModelFile, schema: pa.Schema) -> tuple[Column, ...]:
    """The lake's columns for a result, with the header's words as comments."""
    words = header_words(model)
    return tuple(Column(f.name, type_of(f.type), comment=words.get(f.name, "")) for f in schema)


def header_words(model: ModelFile) -> dict[str, str]:
    """What the header says of each column."""
    words = {name: measure.description for name, measure in model.header.measures.items()}
    return words | {name: column.description for name, column in model.header.columns.items()}


def encode_inputs(inputs: Mapping[TableName, TableVersion]) -> str:
    """The inputs' versions, for the next build: names and metadata files."""
    found = {str(name): version.metadata_location for name, version in sorted(inputs.items())}
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def encode_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Verdicts as JSON, for the snapshot's summary and the receipt."""
    return json.dumps([verdict_value(verdict) for verdict in verdicts], separators=(",", ":"), default=str)


def verdict_value(verdict: Verdict) -> dict[str, object]:
    """One verdict as plain values."""
    value: dict[str, object] = {"name": verdict.name, "holds": verdict.holds, "text": verdict.text}
    if verdict.warning:
        value["warning"] = True
    if verdict.facts:
        value["facts"] = dict(verdict.facts)
    return value
