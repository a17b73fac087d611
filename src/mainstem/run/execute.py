"""The execution of a plan: loads and builds as soon as their inputs stand, then one release or none."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from mainstem import __version__, crash
from mainstem.cost import reads
from mainstem.cost.prices import assumptions
from mainstem.errors import MainstemError
from mainstem.events import Emit, RunFinished, RunStarted, StepFinished
from mainstem.lake import Release
from mainstem.plan import Plan
from mainstem.run import receipt as receipts
from mainstem.run import resume
from mainstem.run.board import Board
from mainstem.run.ingesting import ingest_source
from mainstem.run.parts import Parts, RunOptions
from mainstem.run.receipt import Receipt, TableEntry
from mainstem.run.transforming import Transformation, import_builders


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `errors` in the order in which they happened; `published` tells whether readers
    see something new."""

    receipt: Receipt
    errors: tuple[MainstemError, ...]
    release: Release | None
    published: bool

    @property
    def exit_code(self) -> int:
        """The exit code of the first error, 0 without one."""
        return self.errors[0].exit_code if self.errors else 0


def new_run_id(now: datetime) -> str:
    """`20261123T120311-4f2a`: sorts by time, to a fraction of a second (in 65,536ths)."""
    return f"{now:%Y%m%dT%H%M%S}-{now.microsecond * 65_536 // 1_000_000:04x}"


def execute(plan: Plan, parts: Parts, options: RunOptions, emit: Emit) -> Outcome:
    """Run a plan. Errors of single steps do not raise: they are in the outcome, and in the receipt.

    The caller holds the run lock.
    """
    now = datetime.now(UTC)
    run = new_run_id(now)
    started = time.monotonic()
    emit(RunStarted(run, len(plan.ingest) + len(plan.models)))
    receipt = Receipt(run, now, parts.project.name, __version__, options.command)
    receipt.sources = {name: f"{d.name} ({d.engine})" for name, d in parts.databases.items()}
    receipt.name, receipt.resumes = options.name, list(options.resumes)
    board = Board(plan, parts.lake, options.fail_fast, options.hold)
    receipt.estimated = _estimated(plan, parts)
    try:
        resume.begin(parts.lake.root, run, options)
        if parts.job is None:
            _run_steps(parts, options, board, run, emit)
        else:
            from mainstem.run.onspark import run_on_spark  # the compiler of Spark's SQL: here alone

            run_on_spark(parts, parts.job, options, board, run, emit)
        release, published = _concluded(parts, board, receipt, options)
    except BaseException as error:
        _broken_off(receipt, board, error, parts)
        raise
    receipt.finished = datetime.now(UTC)
    receipt.status = _status(board, published, options.hold)
    receipt.release = release.id if release else ""
    receipt.errors = [
        {"error": type(error).__name__, "message": parts.redact(str(error))} for error in board.errors
    ]
    receipts.write(receipt, parts.lake.root)
    if receipt.status in ("published", "unchanged"):
        resume.end(parts.lake.root)
    emit(RunFinished(run, receipt.release, published, time.monotonic() - started))
    return Outcome(receipt, tuple(board.errors), release, published)


def _estimated(plan: Plan, parts: Parts) -> dict[str, int | None]:
    """The bytes that each table would be read in at most, by name."""
    share = assumptions(parts.project.config.costs).incremental_share
    return {str(step.name): reads(step, parts.lake.head(step.name), share) for step in plan.ingest}


def _entries(parts: Parts, board: Board, receipt: Receipt) -> list[TableEntry]:
    """The tables' entries, with what was to be read of each and what was."""
    for name, entry in board.table_entries.items():
        entry.estimated_bytes = receipt.estimated.get(entry.table)
        entry.read_bytes = board.meter.bytes(name.name) if parts.job is None else None
    return list(board.table_entries.values())


def _status(board: Board, published: bool, hold: bool) -> str:
    if board.errors:
        return "failed"
    return "held" if hold else "published" if published else "unchanged"


def _concluded(
    parts: Parts, board: Board, receipt: Receipt, options: RunOptions
) -> tuple[Release | None, bool]:
    """Enter all steps into the receipt and publish, if all of them went well and the run is not to hold:
    the release that readers see now, and whether it is a new one."""
    receipt.removed = [str(name) for name in board.plan.removed]
    receipt.tables = _entries(parts, board, receipt)
    receipt.retries, receipt.snapshots = dict(board.retries), dict(board.snapshots)
    receipt.models = board.model_entries_with_headlines(parts.project)
    current = parts.lake.current_release()
    if board.errors or options.hold:
        return current, False
    try:
        return _publish(parts, board, receipt, current, anew=options.full_refresh)
    except MainstemError as error:
        board.errors.append(error)
        return current, False


def _broken_off(receipt: Receipt, board: Board, error: BaseException, parts: Parts) -> None:
    """The receipt of a run that was interrupted, lost its lake, or that a defect of ours ended."""
    message = "interrupted" if isinstance(error, KeyboardInterrupt) else "a defect of Mainstem ended the run"
    if isinstance(error, MainstemError):
        message = parts.redact(str(error))
    release = parts.lake.current_release()
    receipt.finished = datetime.now(UTC)
    receipt.status = "published" if release and release.run == receipt.run else "failed"
    receipt.release = release.id if release else ""
    receipt.tables = _entries(parts, board, receipt)
    receipt.retries, receipt.snapshots = dict(board.retries), dict(board.snapshots)
    receipt.errors = [{"error": type(error).__name__, "message": message}]
    receipts.write(receipt, parts.lake.root)


def _run_steps(parts: Parts, options: RunOptions, board: Board, run: str, emit: Emit) -> None:
    """Loads in one thread a source, builds in `threads` others, each as soon as its inputs stand."""
    if board.plan.models:
        parts.lake.when_expected(import_builders)
    sources = list(dict.fromkeys(step.source for step in board.plan.ingest))
    workers = len(sources) + options.threads
    with ThreadPoolExecutor(workers, thread_name_prefix="mainstem") as pool:
        try:
            for source in sources:
                pool.submit(board.guarded, ingest_source, source, parts, options, board, run, emit)
            # Here, not at the file's head: while the sources answer, what publishes is imported.
            from mainstem.run import serving  # noqa: F401

            transformation = Transformation(parts, options, board, run, emit)
            for step in board.ready_models(options.threads):
                pool.submit(board.guarded, transformation.build, step)
        except BaseException:
            board.stop()
            raise
    for name in board.skipped:
        emit(StepFinished(str(name), "model", "skipped", detail="an input failed"))
    board.raise_crash()


def _publish(
    parts: Parts, board: Board, receipt: Receipt, current: Release | None, *, anew: bool
) -> tuple[Release | None, bool]:
    """One release of every table of the project, unless it would be the one that readers see already. The
    served file takes over what the last one has, unless it is to be made `anew`."""
    from mainstem.run import serving  # see _run_steps

    tables = board.release_tables()
    snapshots = {name: version.snapshot_id for name, version in tables.items()}
    if current and {name: pin.snapshot_id for name, pin in current.tables.items()} == snapshots:
        serving.refresh(parts.project, parts.lake, current)
        return current, False
    receipt.finished, receipt.status = datetime.now(UTC), "published"  # as readers of the served file see it
    spec = serving.spec_of(parts.project, receipt.run, tables, receipt.value())
    locations = {name: version.metadata_location for name, version in tables.items()}
    built = serving.build(parts.lake, spec, locations, None if anew else current)
    receipt.cubes = {cube.name: cube.how for cube in built.cubes if cube.how}
    crash.point("run.before_publish")
    proof = {"holds": True, "run": receipt.run, "headlines": board.headlines(parts.project, parts.salt)}
    release = parts.lake.publish(receipt.run, tables, proof)
    crash.point("run.after_publish")
    return release, True
