"""The load of one table: fingerprint at the source, read, write, fingerprint in the lake, commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from mainstem import metadata
from mainstem.contract import reconcile
from mainstem.contract.reconcile import Fingerprint, Side
from mainstem.engine.port import Engine
from mainstem.errors import MainstemError, ProofFailed, Where
from mainstem.ingest import sums
from mainstem.ingest.apart import Apart, Divider, in_step, standing
from mainstem.ingest.cursor import as_moment
from mainstem.ingest.kept import with_kept
from mainstem.ingest.lakeside import lake_fingerprint, out_of_range
from mainstem.ingest.merge import Merger
from mainstem.ingest.parts import PartReader
from mainstem.ingest.pipeline import Prefetched
from mainstem.ingest.since import Since, level
from mainstem.ingest.state import (
    COLUMNS,
    COMPARED,
    CURSOR,
    FINGERPRINT,
    PROOF,
    SUMS,
    TALLY,
    TERMS,
    encode_columns,
    fingerprint_text,
    summary,
)
from mainstem.ingest.tally import Tally
from mainstem.ingest.terms import live_rows
from mainstem.ingest.values import Load, Loaded, Pending, load_text
from mainstem.ingest.witness import Witness, is_compared
from mainstem.lake import Lake, Staged
from mainstem.project.config import ProofLevel
from mainstem.schema import HISTORY, TableName
from mainstem.source.port import Snapshot, Source
from mainstem.text import count

T = TypeVar("T")
_NO_COUNTS: Mapping[TableName, Future[int]] = {}
_NONE: Mapping[Path, Fingerprint] = {}
_COUNTED = (ProofLevel.COUNT, ProofLevel.CHANGES)
_MOST_PARTS = 256  # of 1,024: beyond, reading everything is as quick


class Loader:
    """Loads tables from one snapshot of one source. `begin` and `settle` use the snapshot's connection:
    several threads may call them if the snapshot has them wait (`Ahead`); `finish` may run in any. With a
    witness, tables that have to be read anyway are fingerprinted while they are read."""

    def __init__(
        self,
        source: Source,
        snapshot: Snapshot,
        lake: Lake,
        engine: Engine,
        run: str,
        witness: Witness | None = None,
        counts: Mapping[TableName, Future[int]] = _NO_COUNTS,
    ) -> None:
        """`counts`: what was asked of the witness ahead (`foreseen`)."""
        self._dialect = source.dialect
        self._witness = witness
        self._snapshot = snapshot
        self._lake = lake
        self._engine = engine
        self._divider = Divider(lake, engine, run)
        self._since = Since(source.dialect, snapshot, lake, engine)
        self._counts = counts

    def begin(self, load: Load, on_rows: Callable[[int], None]) -> Loaded | Pending:
        """Read one table into files, unless the source's own fingerprint says that nothing changed."""
        started = time.monotonic()
        load = replace(load, level=level(load, self._lake, self._snapshot))
        side = self._source_side(load)
        asked = self._asked(load)
        expected = None if asked else self._expected(side, load)
        self._refuse_empty(load, expected.rows if expected else -1)
        if expected is not None and self._unchanged(load, expected):
            return self._as_it_stands(load, started, expected, "", self._marked(load))
        mark, marked, moment = self._since.mark(load), self._marked(load), self._moment(load)
        merged = self._since.merged(load, mark, self._lake_side(), on_rows)
        if merged is not None:
            staged, read = merged
            expected = self._counted(load, staged) if load.level in _COUNTED else expected
            note = _read_note(load, read)
            pending = Pending(load, staged, expected, started, mark, read, note, marked=marked, moment=moment)
            return self._without_deleted(pending)
        if load.level in _COUNTED:
            expected = Fingerprint(reconcile.row_count(side, load.table), (), 0)
        staged, note = self._staged(load, on_rows)
        staged = self._with_kept(load, staged)
        return Pending(
            load, staged, expected, started, mark, note=note, asked=asked, marked=marked, moment=moment
        )

    def _counted(self, load: Load, staged: Staged) -> Fingerprint:
        """The number of the source's rows. What the witness says counts if it is that of the rows here."""
        if _answer(self._counts.get(load.name)) == staged.rows:
            return Fingerprint(staged.rows, (), 0)
        try:
            return Fingerprint(reconcile.row_count(self._source_side(load), load.table), (), 0)
        except MainstemError:
            self._lake.discard(staged)
            raise

    def _as_it_stands(
        self, load: Load, started: float, expected: Fingerprint | None, note: str, marked: int
    ) -> Loaded:
        """The version that the lake has is what the source has."""
        assert load.head is not None
        tally = replace(Tally.decode(load.head.summary.get(TALLY, "")), deleted=marked)
        rows = expected.rows if expected else load.head.rows + tally.quarantined
        text = f"{load_text(load.level, rows)}{note} (unchanged){tally}"
        checksum = str(expected.checksum) if expected else ""
        seconds, beside = time.monotonic() - started, standing(self._lake, load.head)
        return Loaded(load.head, False, load.level, text, checksum, seconds, tally, beside)

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
        """Where no full proof finds rows that the source no longer has, their keys are compared. Under
        `changes` their number tells: if it is another one, every cell is compared."""
        load, increment = pending.load, pending.load.increment
        if load.level is ProofLevel.FULL or increment is None or not increment.detect:
            return pending
        try:
            if load.level is not ProofLevel.CHANGES:
                return self._repaired(pending, keys_alone=True) or pending
            if pending.expected and pending.expected.rows == pending.staged.rows:
                return pending
            load = replace(load, level=ProofLevel.FULL)
            expected = self._expected(self._source_side(load), load)
            return replace(pending, load=load, expected=expected, note=_read_note(load, pending.read))
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
        if not parts and not keys_alone and load.head.summary.get(SUMS) and pending.staged.kept:
            raise ProofFailed(
                "what is remembered of the table's files is not what is in them: with it the load does not "
                "equal the source, without it it does",
                where=Where(table=str(load.name)),
                hint=f"nothing was published; --full-refresh --select {load.name}+ reads it anew",
            )
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

    def _with_kept(self, load: Load, staged: Staged) -> Staged:
        """A table that was read whole, though rows stay that the source no longer has (`deletes: ignore`):
        after a run on Spark, say, which leaves no cursor. With those rows."""
        increment, head = load.increment, load.head
        if increment is None or increment.detect or head is None or load.full_refresh:
            return staged
        same = head.summary.get(COLUMNS) == encode_columns(load.table.columns)
        if load.level is not ProofLevel.OFF or not same or load.terms.deleted:
            return staged
        return with_kept(self._lake, self._engine, head, load.table, increment.key, staged)

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

    def finish(self, pending: Pending) -> Loaded | Fingerprint:
        """Prove the files and commit them. Where the proof fails, the lake's fingerprint is returned and
        nothing is committed: `settle` then says what differs."""
        load, staged = pending.load, pending.staged
        self._refuse_empty(load, staged.rows)
        if load.level is ProofLevel.FULL:
            read = self._read_again(pending)
            found = sums.total(load.table, read)
            return self._commit(pending, found, read) if found == _told(pending) else found
        if pending.expected is not None and pending.expected.rows != staged.rows:
            return Fingerprint(staged.rows, (), 0)
        if self._is_head(pending):
            return self._as_it_stands(load, pending.started, None, pending.note, pending.marked)
        return self._commit(pending, None)

    def _is_head(self, pending: Pending) -> bool:
        """Whether a load that was merged changed no file, so that the version that stands says it all."""
        load, staged = pending.load, pending.staged
        if pending.read < 0 or staged.files or load.head is None or load.terms.contract:
            return False
        files = metadata.load(load.head.metadata_location).files or ()
        proven = load.head.summary.get(PROOF) == load.level.value or load.level is ProofLevel.CHANGES
        return proven and set(staged.kept) == set(files)

    def settle(self, pending: Pending, found: Fingerprint) -> Loaded:
        """After a failed proof: ask the read's own snapshot, if a witness was asked before. If the source
        still differs, narrow it down to columns and keys, throw the files away and raise ProofFailed."""
        if pending.asked is not None:
            expected = self._expected(self._source_side(pending.load), pending.load)
            if found == expected:
                return self._commit(pending, found)
            pending = replace(pending, expected=expected)
        raise self._difference(pending, found)

    def _commit(
        self, pending: Pending, proven: Fingerprint | None, shares: Mapping[Path, Fingerprint] = _NONE
    ) -> Loaded:
        """`shares` are the fingerprints of the files."""
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
        compared = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" if proven else ""
        if load.level is ProofLevel.CHANGES and load.head:
            compared = load.head.summary[COMPARED]
        keys = summary(load.source, load.table, self._snapshot.position, load.level.value, remembered)
        if pending.mark is not None:
            keys[CURSOR] = pending.mark.encode()
        keys[TALLY], keys[TERMS], keys[COMPARED] = tally.encode(), load.terms.digest, compared
        shares = {**self._known(load, apart.staged), **shares}
        remaining = {file: shares[file] for file in apart.staged.all_files if file in shares}
        if remaining:
            keys[SUMS] = sums.encode(self._dialect, load.table, apart.staged.location, remaining)
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
        if self._witness is None or load.level is not ProofLevel.FULL or is_compared(load):
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

    def _read_again(self, pending: Pending) -> dict[Path, Fingerprint]:
        """What stands in the files. Of a table that is read by a cursor, each one's share is known for the
        next proof, and that of the files that stay is known from the last one."""
        load, staged = pending.load, pending.staged
        if load.increment is None:
            self._engine.attach_files(load.name, staged.all_files, load.table.columns)
            whole = lake_fingerprint(self._engine, self._lake_side(), self._dialect, load.table)
            return {staged.location: whole}
        files = (load.name, staged.all_files, self._known(load, staged))
        return sums.of_files(self._engine, self._lake_side(), self._dialect, load.table, files)

    def _known(self, load: Load, staged: Staged) -> dict[Path, Fingerprint]:
        """The shares of the files that stay, as far as the version before remembers them."""
        text = load.head.summary.get(SUMS, "") if load.head and staged.kept else ""
        known = sums.decode(text, self._dialect, load.table, staged.location)
        return {file: known[file] for file in staged.kept if file in known}

    def _lake_side(self) -> Side:
        return Side(self._engine.dialect.with_hash(self._dialect.hash), self._engine_select)

    def _engine_select(self, sql: str) -> list[tuple[object, ...]]:
        result = self._engine.query(sql)
        return list(zip(*(column.to_pylist() for column in result.columns), strict=True))

    def _refuse_empty(self, load: Load, rows: int) -> None:
        if rows == 0 and load.rows_before > 0 and not load.allow_empty:
            left_out = load.terms.contract or load.terms.deleted
            but = ", but for those in quarantine or marked as deleted" if left_out else ""
            raise ProofFailed(
                f"there are no rows where the current release has {load.rows_before:,}{but}",
                where=Where(table=str(load.name)),
                hint=f"if that is right: {load.table.name}: {{allow_empty: true}} among the source's tables",
            )


def _told(pending: Pending) -> Fingerprint | None:
    """What the source said; None if the witness could not answer."""
    return pending.expected if pending.asked is None else _answer(pending.asked)


def _answer(asked: Future[T] | None) -> T | None:
    """What the witness says; None if it could not answer, or was not asked."""
    try:
        return asked.result() if asked is not None else None
    except (MainstemError, CancelledError):
        return None


def _read_note(load: Load, read: int) -> str:
    """What is said of a load of which `read` rows were read by the cursor."""
    assert load.increment is not None
    again = f" and {load.window}" if load.window else ""
    said = f"{count(read, 'row')} read by {load.increment.cursor}{again}"
    if load.level is not ProofLevel.CHANGES or load.head is None:
        return f" ({said})"
    return f"; {said}, every cell equal the source; all compared on {load.head.summary[COMPARED][:10]}"
