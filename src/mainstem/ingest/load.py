"""The load of one table: fingerprint at the source, read, write, fingerprint in the lake, commit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from datetime import datetime

from mainstem.contract import reconcile
from mainstem.contract.reconcile import Fingerprint, Side
from mainstem.engine.port import Engine
from mainstem.errors import MainstemError, ProofFailed, Where
from mainstem.ingest.apart import Apart, Divider, in_step, standing
from mainstem.ingest.cursor import Increment, Watermark, as_moment, condition, same_server, watermark
from mainstem.ingest.lakeside import lake_fingerprint, out_of_range
from mainstem.ingest.merge import Merger
from mainstem.ingest.parts import PartReader
from mainstem.ingest.pipeline import Prefetched
from mainstem.ingest.state import (
    COLUMNS,
    CURSOR,
    FINGERPRINT,
    POSITION,
    SOURCE,
    TALLY,
    TERMS,
    encode_columns,
    fingerprint_text,
    summary,
)
from mainstem.ingest.tally import NOTHING, Tally
from mainstem.ingest.terms import NO_TERMS, Terms, live_rows
from mainstem.ingest.window import NO_WINDOW, Window
from mainstem.ingest.window import condition as window_condition
from mainstem.ingest.witness import Witness
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.project.config import ProofLevel
from mainstem.schema import HISTORY, QUARANTINE, RAW, Table, TableName
from mainstem.source.port import Snapshot, Source
from mainstem.text import count

_MOST_PARTS = 256  # of 1,024: beyond, reading everything is as quick


@dataclass(frozen=True, slots=True)
class Load:
    """What to load, and how. `rows_before` is the number of rows that readers see now; `window` are rows
    that an incremental load reads again."""

    table: Table
    source: str
    level: ProofLevel
    head: TableVersion | None
    full_refresh: bool
    rows_before: int = 0
    allow_empty: bool = False
    increment: Increment | None = None
    window: Window = NO_WINDOW
    terms: Terms = NO_TERMS

    @property
    def name(self) -> TableName:
        return TableName(RAW, self.table.name)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load that holds. `changed` is false if the lake already had exactly these rows. `tally`: what did
    not arrive as an ordinary row or value; `beside`: the tables that stand beside the raw one."""

    version: TableVersion
    changed: bool
    level: ProofLevel
    text: str
    checksum: str
    seconds: float
    tally: Tally = NOTHING
    beside: Mapping[TableName, TableVersion] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """A load whose files are written but neither proven nor committed. `expected` is the fingerprint of
    the snapshot itself; without it `asked` is the witness's. `read` is the number of rows that were read
    incrementally, -1 if all were; `note` is said of the load; `marked` rows are left out as deleted; `moment`
    is the source's own time of the read, for a history."""

    load: Load
    staged: Staged
    expected: Fingerprint | None
    started: float
    mark: Watermark | None = None
    read: int = -1
    note: str = ""
    repaired: bool = False
    asked: Future[Fingerprint] | None = None
    marked: int = 0
    moment: datetime | None = None


class Loader:
    """Loads tables from one snapshot of one source. `begin` and `settle` use the snapshot's connection
    and belong to one thread; `finish` may run in another one. With a witness, tables that have to be read
    anyway are fingerprinted while they are read."""

    def __init__(
        self,
        source: Source,
        snapshot: Snapshot,
        lake: Lake,
        engine: Engine,
        run: str,
        witness: Witness | None = None,
    ) -> None:
        self._dialect = source.dialect
        self._witness = witness
        self._snapshot = snapshot
        self._lake = lake
        self._engine = engine
        self._divider = Divider(lake, engine, run)

    def begin(self, load: Load, on_rows: Callable[[int], None]) -> Loaded | Pending:
        """Read one table into files, unless the source's own fingerprint says that nothing changed."""
        started = time.monotonic()
        side = self._source_side(load)
        asked = self._asked(load)
        expected = None if asked else self._expected(side, load)
        self._refuse_empty(load, expected.rows if expected else -1)
        if expected is not None and self._unchanged(load, expected):
            assert load.head is not None
            tally = replace(Tally.decode(load.head.summary.get(TALLY, "")), deleted=self._marked(load))
            text = f"{count(expected.rows, 'row')}, every cell equal the source (unchanged){tally}"
            seconds = time.monotonic() - started
            checksum, beside = str(expected.checksum), standing(self._lake, load.head)
            return Loaded(load.head, False, load.level, text, checksum, seconds, tally, beside)
        mark, marked, moment = self._mark(load), self._marked(load), self._moment(load)
        if load.level is ProofLevel.COUNT:
            expected = Fingerprint(reconcile.row_count(side, load.table), (), 0)
        merged = self._merged(load, mark, on_rows)
        if merged is not None:
            staged, read = merged
            assert load.increment is not None
            again = f" and {load.window}" if load.window else ""
            note = f" ({count(read, 'row')} read by {load.increment.cursor}{again})"
            pending = Pending(load, staged, expected, started, mark, read, note, marked=marked, moment=moment)
            return self._without_deleted(pending)
        staged, note = self._staged(load, on_rows)
        return Pending(
            load, staged, expected, started, mark, note=note, asked=asked, marked=marked, moment=moment
        )

    def reread(self, pending: Pending, on_rows: Callable[[int], None]) -> Pending:
        """Repair an incremental load that does not equal the source, where rows were deleted, or changed
        without their cursor: read the parts that differ; all of it if they are many, or if that did not
        help."""
        if not pending.repaired and (repaired := self._repaired(pending, keys_alone=False)):
            return repaired
        self._lake.discard(pending.staged)
        staged, note = self._staged(pending.load, on_rows)
        whole = " (read whole: the cursor did not show every change)"
        return replace(pending, staged=staged, read=-1, note=whole + note)

    def _without_deleted(self, pending: Pending) -> Pending:
        """Where no full proof finds rows that the source no longer has, their keys are compared."""
        increment = pending.load.increment
        if pending.load.level is ProofLevel.FULL or increment is None or not increment.detect:
            return pending
        try:
            return self._repaired(pending, keys_alone=True) or pending
        except MainstemError:
            self._lake.discard(pending.staged)
            raise

    def _repaired(self, pending: Pending, *, keys_alone: bool) -> Pending | None:
        """The load with those of 1,024 parts (by the hash of the key) read again in which it differs from
        the source. None if there are none, or too many."""
        load, table = pending.load, pending.load.table
        if load.increment is None or load.head is None:
            return None
        self._engine.attach_files(load.name, pending.staged.all_files, table.columns)
        source, lake = self._source_side(load), self._lake_side()
        by, key = reconcile.forms(self._dialect, table), load.increment.key
        parts = reconcile.differing_buckets(source, lake, table, by, key, keys_alone=keys_alone)
        if not 0 < len(parts) <= _MOST_PARTS:
            return None
        inside, at_source = (
            f"{reconcile.bucket(side.dialect, table, by, key)} in ({', '.join(map(str, parts))})"
            for side in (lake, source)
        )
        merger = Merger(self._lake, self._engine, load.head, table)
        live = self._live(load)
        rows = self._snapshot.read(table, where=f"({at_source}) AND ({live})" if live else at_source)
        staged, read = merger.repair(pending.staged, inside, rows)
        note = f"{pending.note[:-1]}, {read:,} in {len(parts):,} of 1,024 parts that differed)"
        return replace(pending, staged=staged, note=note, repaired=True)

    def _staged(self, load: Load, on_rows: Callable[[int], None]) -> tuple[Staged, str]:
        """All rows, and what is to be said of it: a large table is read in parts, of which those that a
        stopped run has read are kept where the source still has them."""
        if live := self._live(load):  # parts are compared with all rows of the source
            with Prefetched(self._snapshot.read(load.table, where=live)) as batches:
                return self._lake.stage(load.name, load.table.columns, batches, on_rows), ""
        sides = (Side(self._dialect, self._snapshot.select), self._lake_side())
        reader = PartReader(self._snapshot, self._lake, self._engine, sides)
        if divided := reader.stage(load.name, load.table, load.source, on_rows):
            staged, kept = divided
            return staged, f" ({count(kept, 'row')} kept of a load that was stopped)" if kept else ""
        with Prefetched(self._snapshot.read(load.table)) as batches:
            return self._lake.stage(load.name, load.table.columns, batches, on_rows), ""

    def _source_side(self, load: Load) -> Side:
        """The source's rows that are loaded."""
        return Side(live_rows(self._dialect, load.table, load.terms.deleted), self._snapshot.select)

    def _live(self, load: Load) -> str:
        deleted = load.terms.deleted
        return self._dialect.live(load.table.column(deleted)) if deleted else ""

    def _marked(self, load: Load) -> int:
        """How many rows the source marks as deleted."""
        if not load.terms.deleted:
            return 0
        sql = f"select count(*) from {self._dialect.ref(load.table)} where not ({self._live(load)})"
        return int(self._snapshot.select(sql)[0][0])

    def _moment(self, load: Load) -> datetime | None:
        """The source's own time, for a table with a history."""
        if load.terms.history is None:
            return None
        return as_moment(self._snapshot.select(f"select {self._dialect.now}")[0][0])

    def _mark(self, load: Load) -> Watermark | None:
        """The cursor's state in this snapshot, for the next load."""
        if load.increment is None:
            return None
        cursor = self._dialect.quote(load.increment.cursor)
        sql = f"select max({cursor}), {self._dialect.now} from {self._dialect.ref(load.table)}"
        ((greatest, now),) = self._snapshot.select(sql)
        return watermark(load.increment, load.table, greatest, now, self._snapshot.position)

    def _merged(
        self, load: Load, mark: Watermark | None, on_rows: Callable[[int], None]
    ) -> tuple[Staged, int] | None:
        """The rows that may have changed since the last load, merged into it; None if the table has to be
        read whole."""
        last = self._last(load)
        if last is None or mark is None or load.increment is None or load.head is None:
            return None
        self._require_advance(load, last)
        positions = (json.loads(load.head.summary[POSITION]), self._snapshot.position)
        where = condition(load.increment, load.table, last, self._dialect, positions)
        if load.window:
            again = window_condition(load.window, load.increment, load.table, self._dialect)
            where = f"({where}) OR ({again})"
        quarantine = standing(self._lake, load.head).get(TableName(QUARANTINE, load.table.name))
        merger = Merger(self._lake, self._engine, load.head, load.table, quarantine, load.terms.deleted)
        return merger.merge(load.increment.key, self._snapshot.read(load.table, where=where), on_rows)

    def _last(self, load: Load) -> Watermark | None:
        """The last load's watermark, if what was loaded then is what is loaded now."""
        if load.increment is None or load.head is None or load.full_refresh:
            return None
        last = Watermark.decode(load.head.summary.get(CURSOR, ""))
        same = (
            load.head.summary.get(COLUMNS) == encode_columns(load.table.columns)
            and load.head.summary.get(SOURCE) == load.source
            and same_server(json.loads(load.head.summary.get(POSITION, "{}")), self._snapshot.position)
            and in_step(self._lake, load.head, load.terms)
        )
        return last if last and last.top and last.cursor == load.increment.cursor and same else None

    def _require_advance(self, load: Load, last: Watermark) -> None:
        cursor = self._dialect.quote(last.cursor)
        sql = f"select 1 from {self._dialect.ref(load.table)} where {cursor} >= {last.top} limit 1"
        if not self._snapshot.select(sql):
            raise ProofFailed(
                "the cursor went back: no row has the greatest value of the last load or a greater one",
                where=Where(table=str(load.name), column=last.cursor),
                hint="was the source restored, or its newest row deleted? "
                f"mainstem run --full-refresh --select {load.name}+ takes it as it is",
            )

    def finish(self, pending: Pending) -> Loaded | Fingerprint:
        """Prove the files and commit them. Where the proof fails, the lake's fingerprint is returned and
        nothing is committed: `settle` then says what differs."""
        load, staged = pending.load, pending.staged
        self._refuse_empty(load, staged.rows)
        if load.level is ProofLevel.FULL:
            found = self._found(pending)
            return self._commit(pending, found) if found == _told(pending) else found
        if pending.expected is not None and pending.expected.rows != staged.rows:
            return Fingerprint(staged.rows, (), 0)
        return self._commit(pending, None)

    def settle(self, pending: Pending, found: Fingerprint) -> Loaded:
        """After a failed proof: ask the read's own snapshot, if a witness was asked before. If the source
        still differs, narrow it down to columns and keys, throw the files away and raise ProofFailed."""
        if pending.asked is not None:
            expected = self._expected(self._source_side(pending.load), pending.load)
            if found == expected:
                return self._commit(pending, found)
            pending = replace(pending, expected=expected)
        raise self._difference(pending, found)

    def _commit(self, pending: Pending, proven: Fingerprint | None) -> Loaded:
        load = pending.load
        apart = self._divider.divide(load.table, load.terms, pending.staged, pending.moment)
        try:
            self._refuse_empty(load, apart.staged.rows)
            if proven:
                self._divider.require_sum(apart, load.table, self._lake_side(), self._dialect, proven)
            tally = self._tally(pending, apart)
        except BaseException:
            self._divider.discard(apart)
            raise
        remembered = fingerprint_text(self._dialect.hash.value, proven) if proven else ""
        keys = summary(load.source, load.table, self._snapshot.position, load.level.value, remembered)
        if pending.mark is not None:
            keys[CURSOR] = pending.mark.encode()
        keys[TALLY], keys[TERMS] = tally.encode(), load.terms.digest
        beside = self._divider.commit(apart, keys)
        version = beside.pop(load.name)
        seconds = time.monotonic() - pending.started
        checksum = str(proven.checksum) if proven else ""
        text = f"{load_text(load.level, version.rows + apart.quarantined)}{pending.note}{tally}"
        return Loaded(version, True, load.level, text, checksum, seconds, tally, beside)

    def _tally(self, pending: Pending, apart: Apart) -> Tally:
        """Values out of range are counted in the files that are about to be committed."""
        table, name = pending.load.table, pending.load.name
        guarded = [column.name for side in table.columns for column in side.covers]
        outside: dict[str, int] = {}
        if guarded:
            self._engine.attach_files(name, apart.staged.all_files, table.columns)
            outside = out_of_range(self._engine, name, guarded)
        versions = apart.rows(self._lake, HISTORY)
        return Tally(outside, apart.quarantined, apart.broken or {}, pending.marked, versions)

    def _difference(self, pending: Pending, found: Fingerprint) -> ProofFailed:
        load = pending.load
        assert pending.expected is not None
        try:
            if load.level is ProofLevel.FULL:
                source, lake = self._source_side(load), self._lake_side()
                message = str(reconcile.narrow(source, lake, load.table, (pending.expected, found)))
            else:
                message = (
                    f"the source has {count(pending.expected.rows, 'row')}, "
                    f"{count(found.rows, 'row')} arrived"
                )
        finally:
            self._lake.discard(pending.staged)
        return ProofFailed(
            f"the load does not equal the source: {message}",
            where=Where(table=str(load.name)),
            hint="nothing was published; run again, and report it if it happens twice",
        )

    def _asked(self, load: Load) -> Future[Fingerprint] | None:
        """The witness's answer, for a table that no comparison can spare reading."""
        compared = load.head is not None and not load.full_refresh
        if self._witness is None or compared or load.level is not ProofLevel.FULL:
            return None
        return self._witness.ask(load.table, live_rows(self._dialect, load.table, load.terms.deleted))

    def _expected(self, side: Side, load: Load) -> Fingerprint | None:
        if load.level is not ProofLevel.FULL:
            return None
        return reconcile.fingerprint(side, load.table, reconcile.forms(self._dialect, load.table))

    def _unchanged(self, load: Load, expected: Fingerprint) -> bool:
        if load.full_refresh or load.head is None:
            return False
        remembered = load.head.summary
        # The names are not in the checksum: a renamed column must be written again.
        text = fingerprint_text(self._dialect.hash.value, expected)
        same = remembered.get(FINGERPRINT) == text
        same = same and remembered.get(COLUMNS) == encode_columns(load.table.columns)
        same = same and remembered.get(TERMS, "") == load.terms.digest
        return same and in_step(self._lake, load.head, load.terms)

    def _found(self, pending: Pending) -> Fingerprint:
        table = pending.load.table
        self._engine.attach_files(pending.load.name, pending.staged.all_files, table.columns)
        return lake_fingerprint(self._engine, self._lake_side(), self._dialect, table)

    def _lake_side(self) -> Side:
        return Side(self._engine.dialect.with_hash(self._dialect.hash), self._engine_select)

    def _engine_select(self, sql: str) -> list[tuple[object, ...]]:
        result = self._engine.query(sql)
        return list(zip(*(column.to_pylist() for column in result.columns), strict=True))

    def _refuse_empty(self, load: Load, rows: int) -> None:
        if rows == 0 and load.rows_before > 0 and not load.allow_empty:
            raise ProofFailed(
                f"the source has no rows where the current release has {load.rows_before:,}",
                where=Where(table=str(load.name)),
                hint=f"if that is right: {load.table.name}: {{allow_empty: true}} among the source's tables",
            )


def _told(pending: Pending) -> Fingerprint | None:
    """What the source said; None if the witness could not answer."""
    if pending.asked is None:
        return pending.expected
    try:
        return pending.asked.result()
    except (MainstemError, CancelledError):
        return None


def load_text(level: ProofLevel, rows: int) -> str:
    """What a proof of that level says of a load."""
    if level is ProofLevel.FULL:
        return f"{count(rows, 'row')}, every cell equal the source"
    if level is ProofLevel.COUNT:
        return f"{count(rows, 'row')}, as many as in the source"
    return f"{count(rows, 'row')}, not proven (proof: off)"
