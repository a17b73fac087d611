"""Where a run stands: what is done, what failed, what may start. Shared by all threads of a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec

from mainstem.errors import MainstemError, UsageError
from mainstem.ingest.apart import standing
from mainstem.ingest.state import BESIDE, COMPARED, TALLY
from mainstem.ingest.tally import Tally
from mainstem.ingest.terms import remembered
from mainstem.lake import Lake, Release, TableVersion
from mainstem.plan import IngestStep, ModelStep, Plan, model_digest
from mainstem.project.config import ProofLevel
from mainstem.project.header import Measure
from mainstem.project.load import Project
from mainstem.run.metering import Meter
from mainstem.run.receipt import ModelEntry, TableEntry, headline, unmatched
from mainstem.schema import MART, RAW, TableName
from mainstem.transform.state import DIGEST, PROOFS

P = ParamSpec("P")


class Board:
    """The state of one run. Every public method may be called from any thread."""

    def __init__(self, plan: Plan, lake: Lake, fail_fast: bool, hold: bool = False) -> None:
        self.plan = plan
        self.errors: list[MainstemError] = []
        self.skipped: list[TableName] = []
        self.table_entries: dict[TableName, TableEntry] = {}
        self.retries: dict[str, int] = {}
        self.snapshots: dict[str, float] = {}
        self.meter = Meter()
        self._model_entries: dict[TableName, ModelEntry] = {}
        self._lake = lake
        self._fail_fast = fail_fast
        self._hold = hold
        self._done: dict[TableName, TableVersion] = {}
        self._failed: set[TableName] = set()
        self._running: set[TableName] = set()
        self._waiting: list[ModelStep] = list(plan.models)
        self._stale: set[TableName] = set()
        self._stopped = False
        self._crash: BaseException | None = None
        self._changed = threading.Condition()
        self._bases = self._load_bases()

    def _load_bases(self) -> dict[TableName, TableVersion]:
        """Versions of the tables that this run does not touch: the released one, else the newest; the newest
        in a run that holds, for what other steps have left is not released yet."""
        touched = self.plan.names
        release = None if self._hold else self._lake.current_release()
        bases: dict[TableName, TableVersion] = {}
        for name in self.plan.graph.nodes:
            if name in touched:
                continue
            pinned = release.tables.get(name) if release else None
            version = self._lake.at(name, pinned.metadata_location) if pinned else self._lake.head(name)
            if version is not None:
                bases[name] = version
                bases.update(self._standing(version, release))
        return bases

    def _standing(self, version: TableVersion, release: Release | None) -> dict[TableName, TableVersion]:
        """The tables beside a raw table that is not touched, as they were committed with it."""
        found = standing(self._lake, version)
        for namespace, snapshot in remembered(version.summary.get(BESIDE, "")).items():
            name = TableName(namespace, version.name.name)
            pinned = release.tables.get(name) if release else None
            if name not in found and pinned and pinned.snapshot_id == snapshot:
                found[name] = self._lake.at(name, pinned.metadata_location)
        return found

    # What happens

    def guarded(self, step: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run a step so that a defect of ours ends the run as a crash, not as a thread that hangs."""
        try:
            step(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again by raise_crash, in the run's thread
            with self._changed:
                self._crash = self._crash or error
                self._stopped = True
                self._changed.notify_all()

    def raise_crash(self) -> None:
        """Raise what `guarded` caught, if it caught something."""
        if self._crash is not None:
            raise self._crash

    def done(
        self,
        name: TableName,
        version: TableVersion,
        entry: TableEntry | ModelEntry,
        beside: Mapping[TableName, TableVersion] | None = None,
    ) -> None:
        """A table stands, proven, and those that were committed with it."""
        with self._changed:
            if not self._again(name):
                self._done[name] = version
                self._done.update(beside or {})
                self._enter(name, entry)

    def fail(self, entries: Mapping[TableName, TableEntry | ModelEntry], error: MainstemError) -> None:
        """Tables that will not stand in this run, for one reason."""
        with self._changed:
            if any(self._again(name) for name in entries):
                return
            if error not in self.errors:
                self.errors.append(error)
            self._failed.update(entries)
            self._failed.update(other for name in entries for other in self._beside(name))
            self._stopped = self._stopped or self._fail_fast
            for name, entry in entries.items():
                self._enter(name, entry)

    def note(self, error: MainstemError) -> None:
        """An error that concerns no table by itself."""
        with self._changed:
            self.errors.append(error)

    def is_done(self, name: TableName) -> bool:
        """Whether the table stands in this run."""
        return name in self._done

    def has_failed(self, name: TableName) -> bool:
        """Whether the table will not stand in this run."""
        return name in self._failed

    def retried(self, source: str) -> None:
        """A source went away and is tried once more."""
        self.retries[source] = self.retries.get(source, 0) + 1

    def held(self, source: str, seconds: float) -> None:
        """A snapshot of a source was closed after so many seconds; the longest is remembered."""
        self.snapshots[source] = max(round(seconds, 3), self.snapshots.get(source, 0.0))

    def pause(self, seconds: float) -> None:
        """Wait; less if the run is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)

    def renew(self, name: TableName) -> None:
        """A table will stand in another version than the one that models may have read: those that did
        are built again."""
        with self._changed:
            for step in self._descendants(name):
                if step.name in self._running:
                    self._stale.add(step.name)
                elif self._done.pop(step.name, None) is not None:
                    self._waiting.append(step)
            self._changed.notify_all()

    def _descendants(self, name: TableName) -> list[ModelStep]:
        reached = {name, *self._beside(name)}
        for step in self.plan.models:  # in an order in which inputs stand first
            if reached.intersection(step.inputs):
                reached.add(step.name)
        return [step for step in self.plan.models if step.name in reached]

    def _beside(self, name: TableName) -> list[TableName]:
        return [other for step in self.plan.ingest if step.name == name for other in step.beside]

    def _again(self, name: TableName) -> bool:
        """Whether a model that just ended has read what is no longer so: then it waits once more."""
        if name not in self._stale:
            return False
        self._stale.discard(name)
        self._running.discard(name)
        self._waiting.extend(step for step in self.plan.models if step.name == name)
        self._changed.notify_all()
        return True

    def _enter(self, name: TableName, entry: TableEntry | ModelEntry) -> None:
        if isinstance(entry, TableEntry):
            self.table_entries[name] = entry
        else:
            self._model_entries[name] = entry
        self._running.discard(name)
        self._changed.notify_all()

    def stop(self) -> None:
        """Start nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        return self._stopped

    # What may start

    def ready_models(self, threads: int) -> Iterator[ModelStep]:
        """The models of the plan, each as soon as its inputs stand and a thread is free; waits between
        them. A model with an input that failed is skipped. Ends when nothing is left to start or wait
        for."""
        while True:
            with self._changed:
                self._skip()
                step = next((s for s in self._waiting if self._startable(s, threads)), None)
                if step is not None:
                    self._running.add(step.name)
                    self._waiting.remove(step)
                elif self._stopped or self._settled():
                    return
                else:
                    self._changed.wait(timeout=1.0)
                    continue
            yield step

    def _settled(self) -> bool:
        """Whether nothing can make a model start any more."""
        loaded = all(s.name in self._done or s.name in self._failed for s in self.plan.ingest)
        return loaded and not self._waiting and not self._running

    def _skip(self) -> None:
        for step in list(self._waiting):
            if any(name in self._failed for name in step.inputs):
                self._waiting.remove(step)
                self._failed.add(step.name)
                self.skipped.append(step.name)
                text = "not run: an input failed"
                self._model_entries[step.name] = ModelEntry(str(step.name), "skipped", text=text)

    def _startable(self, step: ModelStep, threads: int) -> bool:
        if step.name in self._running:
            return False
        stands = all(name in self._done or name not in self.plan.names for name in step.inputs)
        return stands and not self._stopped and len(self._running) < threads

    def inputs(self, step: ModelStep) -> dict[TableName, TableVersion]:
        """The versions that a model reads. UsageError if one was never loaded and is not selected."""
        found: dict[TableName, TableVersion] = {}
        for name in step.inputs:
            version = self._done.get(name) or self._bases.get(name)
            if version is None:
                raise UsageError(
                    f"{step.name.name} reads {name}, which was never loaded and is not selected",
                    hint=f"run with --select +{step.name.name}",
                )
            found[name] = version
        return found

    @property
    def bases(self) -> dict[TableName, TableVersion]:
        """The versions of the tables that this run does not touch."""
        return dict(self._bases)

    def grain_input(self, grain: str) -> dict[TableName, TableVersion]:
        """The version of a grain table, for a proof against it."""
        name = TableName(RAW, grain)
        version = self._done.get(name) or self._bases.get(name)
        return {name: version} if version else {}

    # What came out

    def release_tables(self) -> dict[TableName, TableVersion]:
        """Every table of the project that stands: this run's versions over those it did not touch."""
        return {**self._bases, **self._done}

    def fully_proven(self, grain: str) -> bool:
        """Whether the load of a source table (`raw.orders`) was proven cell by cell."""
        name = TableName(RAW, grain.removeprefix(f"{RAW}."))
        version = self._done.get(name) or self._bases.get(name)
        entry = self.table_entries.get(name)
        if entry is not None and (not entry.holds or entry.compared):
            return False  # frozen: it equals what the source was; changes: all of it was compared before
        return version is not None and version.summary.get("mainstem.proof") == ProofLevel.FULL.value

    def model_entries_with_headlines(self, project: Project) -> list[ModelEntry]:
        """The models' entries in the plan's order, with the line that the dashboard shows."""
        headers = {model.name: model.header for model in project.models}
        for name, entry in self._model_entries.items():
            if entry.status not in ("failed", "skipped"):
                entry.headline = self._headline(entry.proofs, headers[name.name].measures)
            entry.unmatched = unmatched(entry.proofs)
        order = [step.name for step in self.plan.models]
        return sorted(self._model_entries.values(), key=lambda e: order.index(TableName(MART, e.table[5:])))

    def headlines(self, project: Project, salt: str) -> dict[str, str]:
        """The headline of every fact of the release, by model; models of earlier runs keep theirs. One whose
        inputs moved on without it (they were selected, it was not) says so."""
        models = {model.name: model for model in project.models}
        tables = self.release_tables()
        found: dict[str, str] = {}
        for name, version in tables.items():
            if name.namespace != MART or name.name not in models:
                continue
            model = models[name.name]
            text = self._headline(json.loads(version.summary.get(PROOFS, "[]")), model.header.measures)
            inputs = {parent: tables[parent] for parent in self.plan.graph.parents(name) if parent in tables}
            current = name in self._done or version.summary.get(DIGEST) == model_digest(model, inputs, salt)
            if text:
                found[name.name] = text if current else f"{text}, as of an earlier load"
        return found

    def _headline(self, proofs: Sequence[Mapping[str, Any]], measures: Mapping[str, Measure]) -> str:
        grain = next((p["facts"]["grain"] for p in proofs if "grain" in (p.get("facts") or {})), "")
        proven = bool(grain) and self.fully_proven(grain)
        return headline(proofs, measures, proven, self._left_out(grain), self._compared(grain))

    def _compared(self, grain: str) -> str:
        """When every cell of a grain table was compared, if only what changed was since."""
        name = TableName(RAW, grain.removeprefix(f"{RAW}."))
        version, entry = self._done.get(name) or self._bases.get(name), self.table_entries.get(name)
        if version is None or (entry is not None and not entry.holds):
            return ""
        return version.summary.get(COMPARED, "")

    def _left_out(self, grain: str) -> str:
        """The rows of the source that a grain table does not have."""
        name = TableName(RAW, grain.removeprefix(f"{RAW}."))
        version = self._done.get(name) or self._bases.get(name)
        return Tally.decode(version.summary.get(TALLY, "")).left_out if version else ""


def failed_table(step: IngestStep, error: MainstemError, text: str) -> TableEntry:
    """The receipt's entry of a load that failed."""
    return TableEntry(str(step.name), "failed", source=step.source, text=text or type(error).__name__)
