"""The loads of one source in one consistent snapshot: read in this thread, proven in another."""

from __future__ import annotations

import json
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from mainstem.contract.reconcile import Fingerprint
from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable
from mainstem.events import Emit, StepFinished, StepProgress, StepStarted
from mainstem.ingest.load import Load, Loaded, Loader, Pending
from mainstem.ingest.state import POSITION
from mainstem.ingest.witness import WORTH_ROWS, Witness
from mainstem.plan import IngestStep
from mainstem.project.config import ProofLevel
from mainstem.run.board import Board, failed_table
from mainstem.run.parts import Parts, RunOptions
from mainstem.run.receipt import TableEntry

_Finishing = tuple[IngestStep, Pending, "Future[Loaded | Fingerprint]"]
_AHEAD = 2  # tables whose files are written but not yet proven: bounds what a failure throws away


def ingest_source(source: str, parts: Parts, options: RunOptions, board: Board, run: str, emit: Emit) -> None:
    """Load the plan's tables of one source. While one table is proven and committed, the next is read."""
    steps = [step for step in board.plan.ingest if step.source == source]
    remaining = deque(steps)
    finishing: deque[_Finishing] = deque()
    current = steps[0]
    engine = parts.engine()
    try:
        with (
            parts.sources[source].snapshot() as snapshot,
            _witness(steps, parts, options) as witness,
            ThreadPoolExecutor(1, thread_name_prefix="mainstem-proof") as prover,
        ):
            loader = Loader(parts.sources[source], snapshot, parts.lake, engine, run, witness)
            reporter = _Reporter(parts, board, emit, loader)
            while remaining and not board.stopped:
                current = remaining.popleft()
                pending = reporter.begin(current, _load(current, parts, options))
                if pending is not None:
                    finishing.append((current, pending, prover.submit(loader.finish, pending)))
                while len(finishing) >= _AHEAD:
                    reporter.finish(*finishing.popleft())
            while finishing:
                reporter.finish(*finishing.popleft())
    except MainstemError as error:
        # The connection is gone or was refused: nothing of this source can follow.
        for item in finishing:
            reporter.settle(*item, error)
        _fail_all([current, *remaining], error, parts, board, emit)
    finally:
        engine.close()


def _witness(
    steps: list[IngestStep], parts: Parts, options: RunOptions
) -> AbstractContextManager[Witness | None]:
    """A witness, if a table of some size has to be read whatever its fingerprint is."""
    sure = ("new", "changed", "rebuild")
    worth = any(step.rows >= WORTH_ROWS and step.action in sure for step in steps)
    if not worth or options.proof in (ProofLevel.OFF, ProofLevel.COUNT):
        return nullcontext()
    return Witness(parts.sources[steps[0].source])


def _fail_all(steps: list[IngestStep], error: MainstemError, parts: Parts, board: Board, emit: Emit) -> None:
    text = parts.redact(error.message)
    unfinished = [step for step in dict.fromkeys(steps) if step.name not in board.table_entries]
    if not unfinished:
        return
    for step in unfinished:
        emit(StepFinished(str(step.name), "ingest", "failed", detail=text))
    entries = {step.name: failed_table(step, error, text) for step in unfinished}
    board.fail(entries, error)


def _load(step: IngestStep, parts: Parts, options: RunOptions) -> Load:
    release = parts.lake.current_release()
    pinned = release.tables.get(step.name) if release else None
    return Load(
        table=step.table,
        source=step.source,
        level=options.proof or parts.project.proof(step.source, step.table.name),
        head=parts.lake.head(step.name),
        full_refresh=options.full_refresh or step.action in ("changed", "rebuild"),
        rows_before=pinned.rows if pinned else 0,
        allow_empty=parts.project.table(step.source, step.table.name).allow_empty,
    )


class _Reporter:
    """Runs the two halves of a load and tells the board and the listener how they ended."""

    def __init__(self, parts: Parts, board: Board, emit: Emit, loader: Loader) -> None:
        self._parts = parts
        self._board = board
        self._emit = emit
        self._loader = loader

    def begin(self, step: IngestStep, load: Load) -> Pending | None:
        """Read a table. None if it is unchanged (and done) or failed in a way that concerns it alone."""
        self._emit(StepStarted(str(step.name), "ingest", step.rows))
        started = time.monotonic()
        try:
            begun = self._loader.begin(load, lambda rows: self._emit(StepProgress(str(step.name), rows)))
        except MainstemError as error:
            if isinstance(error, SourceUnavailable | SourceRefused):
                raise
            self._failed(step, error, time.monotonic() - started)
            return None
        if isinstance(begun, Loaded):
            self._done(step, begun)
            return None
        return begun

    def finish(self, step: IngestStep, pending: Pending, future: Future[Loaded | Fingerprint]) -> None:
        """Wait for proof and commit of a table; explain a difference while the snapshot is open."""
        try:
            result = future.result()
            if isinstance(result, Fingerprint):
                result = self._loader.settle(pending, result)
        except MainstemError as error:
            self._parts.lake.discard(pending.staged)
            self._failed(step, error, time.monotonic() - pending.started)
            return
        self._done(step, result)

    def settle(
        self,
        step: IngestStep,
        pending: Pending,
        future: Future[Loaded | Fingerprint],
        lost: MainstemError,
    ) -> None:
        """What became of a table whose proof was under way when the source was `lost`."""
        try:
            result = future.result()
            if isinstance(result, Fingerprint):
                raise lost  # it differs, and nobody can be asked where
        except MainstemError as error:
            self._parts.lake.discard(pending.staged)
            self._failed(step, error, time.monotonic() - pending.started)
            return
        self._done(step, result)

    def _done(self, step: IngestStep, loaded: Loaded) -> None:
        version = loaded.version
        status = "done" if loaded.changed else "unchanged"
        entry = TableEntry(
            table=str(step.name),
            status=status,
            source=step.source,
            proof=loaded.level.value,
            holds=loaded.level.value != "off",
            text=loaded.text,
            rows=version.rows,
            bytes=version.bytes,
            checksum=loaded.checksum,
            seconds=loaded.seconds,
            position=json.loads(version.summary.get(POSITION, "{}")),
        )
        self._board.done(step.name, version, entry)
        self._emit(
            StepFinished(
                str(step.name),
                "ingest",
                "done" if loaded.changed else "unchanged",
                version.rows,
                version.bytes,
                loaded.seconds,
                loaded.text,
            )
        )

    def _failed(self, step: IngestStep, error: MainstemError, seconds: float) -> None:
        text = self._parts.redact(error.message)
        self._board.fail({step.name: failed_table(step, error, text)}, error)
        self._emit(StepFinished(str(step.name), "ingest", "failed", seconds=seconds, detail=text))
