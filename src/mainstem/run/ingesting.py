"""The loads of one source in one consistent snapshot: read in this thread, proven in another."""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict

from mainstem.contract import reconcile
from mainstem.contract.reconcile import Fingerprint, Side
from mainstem.engine.port import Engine
from mainstem.errors import MainstemError, ProofFailed, SourceRefused, SourceUnavailable, Where
from mainstem.events import Emit, SourceRetried, StepFinished, StepProgress, StepStarted
from mainstem.ingest.ahead import Ahead, ahead_of
from mainstem.ingest.apart import in_step, standing
from mainstem.ingest.cursor import increment_of
from mainstem.ingest.foreseen import foresee
from mainstem.ingest.load import Loader
from mainstem.ingest.state import POSITION, TALLY
from mainstem.ingest.tally import Tally
from mainstem.ingest.terms import live_rows
from mainstem.ingest.values import Load, Loaded, Pending
from mainstem.ingest.witness import WORTH_ROWS, Witness, is_compared
from mainstem.plan import ACCEPT, IngestStep
from mainstem.project.config import ProofLevel
from mainstem.run.board import Board, failed_table
from mainstem.run.early import Early, is_small
from mainstem.run.parts import Parts, RunOptions
from mainstem.run.receipt import TableEntry
from mainstem.run.replica import require_not_behind
from mainstem.schema import TableName
from mainstem.source.port import Snapshot, Source
from mainstem.text import count

_Finishing = tuple[IngestStep, Pending, "Future[Loaded | Fingerprint]"]
_UNCOMPARED = (ProofLevel.COUNT, ProofLevel.OFF)  # no value of an earlier load is compared again
_AHEAD = 2  # tables whose files are written but not yet proven: bounds what a failure throws away
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before a source is tried again


def ingest_source(source: str, parts: Parts, options: RunOptions, board: Board, run: str, emit: Emit) -> None:
    """Load the plan's tables of one source, all from one snapshot. If the source goes away it is tried
    again in a new snapshot, after a while; tables that this run has committed before are then compared,
    and read again only where they differ."""
    steps = [step for step in board.plan.ingest if step.source == source]
    steps = undecided(steps, parts, board, emit)
    retries = parts.project.config.sources[source].retries
    for attempt in range(retries + 1):
        open_steps = [step for step in steps if not board.has_failed(step.name)]
        if not open_steps or board.stopped:
            return
        try:
            _attempt(open_steps, parts, options, board, run, emit)
            return
        except SourceUnavailable as error:
            if attempt == retries or board.stopped:
                _fail_all(steps, _gave_up(error, attempt, steps, board), parts, board, emit)
                return
            seconds = retry_wait(attempt)
            text = parts.redact(error.message)
            board.retried(source)
            emit(SourceRetried(source, attempt + 1, retries, seconds, text))
            board.pause(seconds)
        except MainstemError as error:
            # Refused: nothing of this source can follow, and asking again changes nothing.
            _fail_all(steps, error, parts, board, emit)
            return


def retry_wait(attempt: int) -> float:
    """Seconds before attempt number `attempt + 2`: they double up to a minute; up to half is left off at
    random, so that many runs do not come back at the same moment."""
    return min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT) * (1 - random.random() / 2)


def _attempt(
    steps: list[IngestStep], parts: Parts, options: RunOptions, board: Board, run: str, emit: Emit
) -> None:
    """One snapshot. While one table is proven and committed, the next is read."""
    loads = _loads(steps, parts, options, board)
    finishing: deque[_Finishing] = deque()
    source = parts.sources[steps[0].source]
    engine: Engine | None = None
    reporter: _Reporter | None = None
    limit = parts.project.config.sources[steps[0].source].max_snapshot
    try:
        with (
            source.snapshot() as opened_snapshot,
            _held(steps[0].source, board) as opened,
            ahead_of(board.meter.over(opened_snapshot)) as snapshot,
            _witness(loads, parts, options) as witness,
            ThreadPoolExecutor(1, thread_name_prefix="mainstem-proof") as prover,
            ExitStack() as early,
        ):
            require_not_behind(steps, parts, snapshot)
            counts = _foreseen(loads, source, snapshot, parts, witness)
            engine = parts.engine()  # while the source answers: its libraries take their time
            loader = Loader(source, snapshot, parts.lake, engine, run, witness, counts or {})
            reporter = _Reporter(parts, board, emit, loader, opened + limit)
            begun = early.enter_context(Early(reporter.begin, parts.lake.discard))
            if counts is not None:
                begun.start((step, load) for step, load in loads if is_small(load))
            for current, load in loads:
                if board.stopped:
                    break
                if not board.is_done(current.name) and (kept := _kept(current, load, parts, snapshot)):
                    reporter.keep(current, kept)
                    continue
                pending = begun.begin(current, load)
                if pending is not None:
                    finishing.append((current, pending, prover.submit(loader.finish, pending)))
                while len(finishing) >= _AHEAD:
                    reporter.finish(*finishing.popleft())
            while finishing:
                reporter.finish(*finishing.popleft())
    except MainstemError:
        for item in finishing:
            if reporter is not None:
                reporter.settle(*item)
        raise
    finally:
        if engine is not None:
            engine.close()


def _loads(
    steps: list[IngestStep], parts: Parts, options: RunOptions, board: Board
) -> list[tuple[IngestStep, Load]]:
    """What is to be loaded, rows since a cursor first: while they are merged, the source answers for the
    others."""
    found = []
    for step in steps:
        load = _load(step, parts, options, again=board.is_done(step.name))
        if load is not None:
            found.append((step, load))
    return sorted(found, key=lambda item: not (item[1].increment and is_compared(item[1])))


def _foreseen(
    loads: list[tuple[IngestStep, Load]],
    source: Source,
    snapshot: Ahead,
    parts: Parts,
    witness: Witness | None,
) -> dict[TableName, Future[int]] | None:
    """Ask ahead what the loads will ask; what the witness was asked. None, and nothing is asked, if much has
    to be read before their turn comes: a table that was asked about cannot be altered until the snapshot
    ends."""
    if any(_is_large_read(step) for step, _ in loads) or not any(is_compared(load) for _, load in loads):
        return None
    found = {}
    for step, load in loads:
        asked = foresee(load, source.dialect, snapshot, parts.lake, witness, WORTH_ROWS)
        if asked is not None:
            found[step.name] = asked
    return found


@contextmanager
def _held(source: str, board: Board) -> Iterator[float]:
    """When the snapshot was opened; the board is told how long it stayed open."""
    opened = time.monotonic()
    try:
        yield opened
    finally:
        board.held(source, time.monotonic() - opened)


def undecided(steps: list[IngestStep], parts: Parts, board: Board, emit: Emit) -> list[IngestStep]:
    """The steps that read; the others end here: frozen ones keep their version, stopped ones fail."""
    reading = []
    for step in steps:
        if step.action == "frozen":
            _keep(step, parts, board, emit)
        elif step.action == "stop":
            error = ProofFailed(
                f"its columns changed in the source: {'; '.join(step.reasons)}",
                where=Where(table=str(step.name)),
                hint=ACCEPT,
            )
            _fail_all([step], error, parts, board, emit)
        else:
            reading.append(step)
    return reading


def _keep(step: IngestStep, parts: Parts, board: Board, emit: Emit) -> None:
    name = str(step.name)
    version = parts.lake.head(step.name)
    assert version is not None  # a table that was never read cannot have changed
    text = f"frozen, not read: {'; '.join(step.reasons)}"
    entry = TableEntry(name, "unchanged", step.source, text=text, rows=version.rows, bytes=version.bytes)
    board.done(step.name, version, entry, standing(parts.lake, version))
    emit(StepFinished(name, "ingest", "unchanged", version.rows, version.bytes, detail=text))


def _gave_up(
    error: SourceUnavailable, retries: int, steps: list[IngestStep], board: Board
) -> SourceUnavailable:
    """The error with what the run has: how often it tried, what stands."""
    kept = sum(board.is_done(step.name) for step in steps)
    tried = f" (tried {retries + 1} times)" if retries else ""
    hint = error.hint
    if kept:
        stay = f"{kept} of {count(len(steps), 'table')} stand in the lake; the next run compares them"
        hint = f"{hint}; {stay}" if hint else stay
    return SourceUnavailable(error.message + tried, where=error.where, hint=hint)


def _witness(
    loads: list[tuple[IngestStep, Load]], parts: Parts, options: RunOptions
) -> AbstractContextManager[Witness | None]:
    """A witness, if a table of some size has to be read whatever its fingerprint is, or its rows counted."""
    worth = any(_is_large_read(s) or (is_small(load) and s.rows >= WORTH_ROWS) for s, load in loads)
    if not worth or options.proof in _UNCOMPARED:
        return nullcontext()
    return Witness(parts.sources[loads[0][0].source])


def _is_large_read(step: IngestStep) -> bool:
    return step.rows >= WORTH_ROWS and step.action in ("new", "changed", "rebuild")


def _fail_all(steps: list[IngestStep], error: MainstemError, parts: Parts, board: Board, emit: Emit) -> None:
    text = parts.redact(error.message)
    unfinished = [step for step in dict.fromkeys(steps) if step.name not in board.table_entries]
    if not unfinished:
        board.note(error)
        return
    for step in unfinished:
        emit(StepFinished(str(step.name), "ingest", "failed", detail=text))
    entries = {step.name: failed_table(step, error, text) for step in unfinished}
    board.fail(entries, error)


def _load(step: IngestStep, parts: Parts, options: RunOptions, *, again: bool) -> Load | None:
    """What to load. `again`: this run has committed the table from an earlier snapshot; then it is compared
    again, or stays as it is if its level of proof compares nothing of an earlier load (None)."""
    level = options.proof or parts.project.proof(step.source, step.table.name)
    if again and level in _UNCOMPARED:
        return None
    config = parts.project.table(step.source, step.table.name)
    release = parts.lake.current_release()
    pinned = release.tables.get(step.name) if release else None
    return Load(
        table=step.table,
        source=step.source,
        level=level,
        head=parts.lake.head(step.name),
        full_refresh=not (again or step.taken)
        and (options.full_refresh or step.action in ("changed", "rebuild")),
        rows_before=pinned.rows if pinned else 0,
        allow_empty=config.allow_empty,
        increment=increment_of(config, step.table),
        window=step.window,
        terms=step.terms,
    )


def _kept(step: IngestStep, load: Load, parts: Parts, snapshot: Snapshot) -> Loaded | None:
    """A table of a run that is taken over, as that one read it, where no fingerprint can be compared: with
    proof: count if the source has as many rows now, with proof: off in any case. None: it has to be read."""
    if not step.taken or load.level not in _UNCOMPARED or load.head is None:
        return None
    if not in_step(parts.lake, load.head, load.terms):
        return None
    tally = Tally.decode(load.head.summary.get(TALLY, ""))
    rows = load.head.rows + tally.quarantined
    text = f"{count(rows, 'row')}, not proven (proof: off){tally}"
    if load.level is ProofLevel.COUNT:
        dialect = live_rows(parts.sources[step.source].dialect, load.table, load.terms.deleted)
        if reconcile.row_count(Side(dialect, snapshot.select), load.table) != rows:
            return None
        text = f"{count(rows, 'row')}, as many as in the source{tally}"
    beside = standing(parts.lake, load.head)
    return Loaded(load.head, False, load.level, text, "", 0.0, tally, beside)


class _Reporter:
    """Runs the two halves of a load and tells the board and the listener how they ended."""

    def __init__(self, parts: Parts, board: Board, emit: Emit, loader: Loader, deadline: float) -> None:
        """`deadline`: of the snapshot, on the monotonic clock."""
        self._deadline = deadline
        self._parts = parts
        self._board = board
        self._emit = emit
        self._loader = loader

    def begin(self, step: IngestStep, load: Load) -> Pending | None:
        """Read a table. None if it is unchanged (and done) or failed in a way that concerns it alone."""
        if not self._board.is_done(step.name):
            self._emit(StepStarted(str(step.name), "ingest", step.rows))
        started = time.monotonic()
        try:
            begun = self._loader.begin(load, self._progress(step))
        except MainstemError as error:
            if isinstance(error, SourceUnavailable | SourceRefused):
                raise
            self._failed(step, error, time.monotonic() - started)
            return None
        if isinstance(begun, Loaded):
            self._done(step, begun)
            return None
        return begun

    def keep(self, step: IngestStep, loaded: Loaded) -> None:
        """A table stands without being read."""
        self._emit(StepStarted(str(step.name), "ingest", step.rows))
        self._done(step, loaded)

    def finish(self, step: IngestStep, pending: Pending, future: Future[Loaded | Fingerprint]) -> None:
        """Wait for proof and commit of a table; explain a difference while the snapshot is open."""
        try:
            result = future.result()
            while isinstance(result, Fingerprint) and pending.read >= 0:
                pending = self._loader.reread(pending, self._progress(step))
                result = self._loader.finish(pending)
            if isinstance(result, Fingerprint):
                result = self._loader.settle(pending, result)
        except MainstemError as error:
            self._parts.lake.discard(pending.staged)
            if isinstance(error, SourceUnavailable):
                raise
            self._failed(step, error, time.monotonic() - pending.started)
            return
        self._done(step, result)

    def _progress(self, step: IngestStep) -> Callable[[int], None]:
        def tell(rows: int) -> None:
            if time.monotonic() > self._deadline:
                raise SourceUnavailable(
                    "the snapshot is older than the source's max_snapshot allows",
                    hint="what was read is kept; raise max_snapshot if the source can bear it",
                )
            self._emit(StepProgress(str(step.name), rows))

        return tell

    def settle(self, step: IngestStep, pending: Pending, future: Future[Loaded | Fingerprint]) -> None:
        """What became of a table whose proof was under way when the source was lost. If it differs,
        nobody can be asked where: its files go, and it is left to the next attempt."""
        try:
            result = future.result()
        except MainstemError as error:
            self._parts.lake.discard(pending.staged)
            self._failed(step, error, time.monotonic() - pending.started)
            return
        if isinstance(result, Fingerprint):
            self._parts.lake.discard(pending.staged)
        else:
            self._done(step, result)

    def _done(self, step: IngestStep, loaded: Loaded) -> None:
        version = loaded.version
        if self._board.is_done(step.name):
            if not loaded.changed:
                return  # as this run has found it before
            self._board.renew(step.name)
        status = "done" if loaded.changed else "unchanged"
        taken = "" if loaded.changed else step.taken
        text = f"{loaded.text}, as run {taken} read it" if taken else loaded.text
        entry = TableEntry(
            table=str(step.name),
            status=status,
            source=step.source,
            proof=loaded.level.value,
            holds=loaded.level.value != "off",
            text=text,
            rows=version.rows,
            bytes=version.bytes,
            checksum=loaded.checksum,
            seconds=loaded.seconds,
            position=json.loads(version.summary.get(POSITION, "{}")),
            **asdict(loaded.tally),
            taken=taken,
            compared=loaded.compared,
        )
        self._board.done(step.name, version, entry, loaded.beside)
        self._emit(
            StepFinished(
                str(step.name),
                "ingest",
                "done" if loaded.changed else "unchanged",
                version.rows,
                version.bytes,
                loaded.seconds,
                text,
            )
        )

    def _failed(self, step: IngestStep, error: MainstemError, seconds: float) -> None:
        text = self._parts.redact(error.message)
        self._board.fail({step.name: failed_table(step, error, text)}, error)
        self._emit(StepFinished(str(step.name), "ingest", "failed", seconds=seconds, detail=text))
