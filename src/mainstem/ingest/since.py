"""The rows of a table that may have changed since its last load: which they are, and their merge."""

from __future__ import annotations

import json
from collections.abc import Callable

from mainstem import metadata
from mainstem.contract import reconcile
from mainstem.contract.canonical import SourceDialect
from mainstem.contract.reconcile import Side
from mainstem.engine.port import Engine
from mainstem.errors import ProofFailed, Where
from mainstem.ingest.ahead import ask_soon
from mainstem.ingest.apart import in_step, standing
from mainstem.ingest.cursor import Watermark, condition, same_server, watermark
from mainstem.ingest.lakeside import lake_fingerprint
from mainstem.ingest.merge import Merger
from mainstem.ingest.state import COLUMNS, COMPARED, CURSOR, POSITION, SOURCE, encode_columns
from mainstem.ingest.terms import rows_of, rows_where
from mainstem.ingest.values import Load
from mainstem.ingest.window import condition as window_condition
from mainstem.lake import Lake, Staged
from mainstem.project.config import ProofLevel
from mainstem.schema import QUARANTINE, TableName
from mainstem.source.port import Snapshot


class Since:
    """Reads tables by their cursors, in one snapshot of one source."""

    def __init__(self, dialect: SourceDialect, snapshot: Snapshot, lake: Lake, engine: Engine) -> None:
        self._dialect = dialect
        self._snapshot = snapshot
        self._lake = lake
        self._engine = engine

    def mark(self, load: Load) -> Watermark | None:
        """The cursor's state in this snapshot, for the next load."""
        if load.increment is None:
            return None
        cursor = self._dialect.quote(load.increment.cursor)
        sql = f"select max({cursor}), {self._dialect.now} from {self._dialect.ref(load.table)}"
        ((greatest, now),) = self._snapshot.select(sql)
        return watermark(load.increment, load.table, greatest, now, self._snapshot.position)

    def merged(
        self, load: Load, mark: Watermark | None, lake: Side, on_rows: Callable[[int], None]
    ) -> tuple[Staged, int] | None:
        """The rows that may have changed since the last load, merged into it, and how many were read; None if
        the table has to be read whole. With `proof: changes` they are compared with the source before this
        returns: ProofFailed if they differ."""
        before = last(load, self._lake, self._snapshot)
        if before is None or mark is None or load.increment is None or load.head is None:
            return None
        self._require_advance(load, before)
        positions = (json.loads(load.head.summary[POSITION]), self._snapshot.position)
        where = condition(load.increment, load.table, before, self._dialect, positions)
        if load.window:
            again = window_condition(load.window, load.increment, load.table, self._dialect)
            where = f"({where}) OR ({again})"
        quarantine = standing(self._lake, load.head).get(TableName(QUARANTINE, load.table.name))
        merger = Merger(self._lake, self._engine, load.head, load.table, quarantine, load.terms.deleted)
        rows = self._snapshot.read(load.table, where=where)
        with merger.read(load.increment.key, rows, on_rows) as change:
            if load.level is ProofLevel.CHANGES:  # answered while the rows are merged
                source, by = self._read_side(load, where), reconcile.forms(self._dialect, load.table)
                ask_soon(self._snapshot, reconcile.fingerprint_sql(source.dialect, load.table, by))
            merged = merger.merge(change)
            if load.level is ProofLevel.CHANGES:
                arrived = Side(rows_of(lake.dialect, merger.arrived(change, merged)), lake.select)
                try:
                    self._prove(load, where, arrived)
                except BaseException:
                    self._lake.discard(merged.staged)
                    raise
            return merged.staged, change.rows

    def _prove(self, load: Load, where: str, arrived: Side) -> None:
        """The rows that were read are asked of the source, in the same snapshot: they are those that stand
        in the lake under their keys."""
        table, source = load.table, self._read_side(load, where)
        expected = reconcile.fingerprint(source, table, reconcile.forms(self._dialect, table))
        found = lake_fingerprint(self._engine, arrived, self._dialect, table)
        if found != expected:
            difference = reconcile.narrow(source, arrived, table, (expected, found))
            raise ProofFailed(
                f"of the rows that were read, the load does not equal the source: {difference}",
                where=Where(table=str(load.name)),
                hint="nothing was published; run again, and report it if it happens twice",
            )

    def _read_side(self, load: Load, where: str) -> Side:
        """The source's rows that fulfil a condition in its SQL and are loaded."""
        if load.terms.deleted:
            where = f"({where}) AND ({self._dialect.live(load.table.column(load.terms.deleted))})"
        return Side(rows_where(self._dialect, load.table, where), self._snapshot.select)

    def _require_advance(self, load: Load, before: Watermark) -> None:
        cursor = self._dialect.quote(before.cursor)
        sql = f"select 1 from {self._dialect.ref(load.table)} where {cursor} >= {before.top} limit 1"
        if not self._snapshot.select(sql):
            raise ProofFailed(
                "the cursor went back: no row has the greatest value of the last load or a greater one",
                where=Where(table=str(load.name), column=before.cursor),
                hint="was the source restored, or its newest row deleted? "
                f"mainstem run --full-refresh --select {load.name}+ takes it as it is",
            )


def level(load: Load, lake: Lake, snapshot: Snapshot) -> ProofLevel:
    """How far the load can be proven: `changes` builds on a version of which every cell was compared once,
    and on a cursor; where one is missing it is `full`."""
    if load.level is not ProofLevel.CHANGES:
        return load.level
    compared = load.head is not None and load.head.summary.get(COMPARED)
    return ProofLevel.CHANGES if compared and last(load, lake, snapshot) else ProofLevel.FULL


def last(load: Load, lake: Lake, snapshot: Snapshot) -> Watermark | None:
    """The last load's watermark, if what was loaded then is what is loaded now."""
    if load.increment is None or load.head is None or load.full_refresh:
        return None
    mark = Watermark.decode(load.head.summary.get(CURSOR, ""))
    same = (
        load.head.summary.get(COLUMNS) == encode_columns(load.table.columns)
        and load.head.summary.get(SOURCE) == load.source
        and same_server(json.loads(load.head.summary.get(POSITION, "{}")), snapshot.position)
        and in_step(lake, load.head, load.terms)
    )
    if not (mark and mark.top and mark.cursor == load.increment.cursor and same):
        return None
    # Another program's version: its files are not known.
    return mark if metadata.load(load.head.metadata_location).files is not None else None
