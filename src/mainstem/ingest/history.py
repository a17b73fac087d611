"""Every version of a row: `history.TABLE`, kept from load to load (a slowly changing dimension, type 2).

What the history says now is what `raw.TABLE` says: a load compares the two, key by key (`versions.py`), so
that a run that is repeated, or was killed or rolled back, finds nothing new and adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mainstem import metadata
from mainstem.engine.port import Engine
from mainstem.errors import ProofFailed, Where
from mainstem.ingest.lakeside import one_by_one
from mainstem.ingest.terms import History, history_columns
from mainstem.ingest.versions import OWN, Versions
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.schema import HISTORY, RAW, Column, Kind, Table, TableName, Type, contains

_SMALL = 4 << 20  # bytes: files that are gathered into one when there are many
_MANY = 8


class Historian:
    """Brings one table's history up to its staged rows."""

    def __init__(self, lake: Lake, engine: Engine, table: Table, history: History) -> None:
        self._lake = lake
        self._engine = engine
        self._table = table
        self._history = history
        self._name = TableName(HISTORY, table.name)
        spaces = (RAW, "before", "change", "part")
        self._now, self._before, self._change, self._part = (TableName(s, table.name) for s in spaces)

    def advance(self, staged: Staged, moment: datetime) -> Staged | None:
        """The history's next version, staged; None if the one that stands says what the rows say. `moment`:
        the source's own time of the read, UTC without a zone."""
        head = self._lake.head(self._name)
        files = self._files(head)
        past = head.columns if head else ()
        self._engine.attach_files(self._now, staged.all_files, self._table.columns)
        self._attach_before(head, files)
        raw, before = self._ref(self._now), self._ref(self._before)
        columns = self._columns(past)
        versions = Versions(self._history, columns, self._table.columns, past, raw, before, moment)
        self._require_key(staged.rows)
        change = self._lake.stage(self._name, columns, one_by_one(self._engine, *versions.changes_apart))
        try:
            if head is not None and versions.same and not change.rows:
                return None
            made = self._merged(versions, files, change)
        finally:
            self._lake.discard(change)
        try:
            self._prove(versions, made)
        except BaseException:
            self._lake.discard(made)
            raise
        return made

    def _files(self, head: TableVersion | None) -> Sequence[Path] | None:
        """The files of the history as it stands; None if a Spark job wrote it, whose files are not known."""
        if head:
            self._lake.require_whole({self._name: head})
        found = metadata.load(head.metadata_location).files if head else ()
        if found is None and head is not None and metadata.RUN not in head.summary:
            raise ProofFailed(
                "another program has written the history: its files are not known",
                where=Where(table=str(self._name)),
                hint="set it back to the snapshot that Mainstem wrote, with that other program",
            )
        return found

    def _attach_before(self, head: TableVersion | None, files: Sequence[Path] | None) -> None:
        if files is None and head is not None:
            self._engine.attach({self._before: head.metadata_location})
        else:
            columns = head.columns if head else self._columns(())
            self._engine.attach_files(self._before, files or (), columns)

    def _columns(self, past: Sequence[Column]) -> tuple[Column, ...]:
        return next_columns(self._table, self._history, past)

    def _require_key(self, rows: int) -> None:
        keys = ", ".join(self._engine.dialect.quote(name) for name in self._history.key)
        sql = f"select count(*) from (select distinct {keys} from {self._ref(self._now)})"
        if self._number(sql)[0] != rows:
            raise ProofFailed(
                "several rows have one key: their versions cannot be told apart",
                where=Where(table=str(self._now), column=", ".join(self._history.key)),
                hint="name a unique key under tables in mainstem.yml",
            )

    def _merged(self, versions: Versions, files: Sequence[Path] | None, change: Staged) -> Staged:
        """Files none of whose versions end here stay as they are; none of a Spark job does."""
        self._engine.attach_files(self._change, change.files, versions.columns)
        touched = [file for file in files or () if not versions.same or self._holds(versions, file)]
        small = [f for f in files or () if f not in touched and f.stat().st_size < _SMALL]
        touched += small if len(small) >= _MANY else []
        if files is not None:
            self._engine.attach_files(self._before, touched, versions.past or versions.columns)
        changed = self._ref(self._change)
        rest = versions.in_change(versions.past_sql, changed, "anti")
        rows = one_by_one(self._engine, rest, f"select * from {changed}")
        kept = [file for file in files or () if file not in set(touched)]
        return self._lake.stage(self._name, versions.columns, rows, keep=kept)

    def _holds(self, versions: Versions, file: Path) -> bool:
        self._engine.attach_files(self._part, [file], versions.columns)
        sql = versions.in_change(self._ref(self._part), self._ref(self._change), "semi")
        return bool(self._engine.query(f"select 1 as found from ({sql}) limit 1").num_rows)

    def _prove(self, versions: Versions, made: Staged) -> None:
        """The present versions are the table's rows; no two versions of a key overlap."""
        self._engine.attach_files(self._part, made.all_files, versions.columns)
        table = self._ref(self._part)
        unlike, present = self._number(versions.unlike(table))
        overlapping, doubled = self._number(versions.faults(table))
        rows = self._number(f"select count(*) from {self._ref(self._now)}")[0]
        if unlike or overlapping or doubled or present != rows:
            raise ProofFailed(
                f"the history does not hold: {rows:,} rows, {present:,} present versions, {unlike:,} unlike, "
                f"{overlapping:,} that overlap, {doubled:,} present twice",
                where=Where(table=str(self._name)),
                hint="nothing was published; report it",
            )

    def _number(self, sql: str) -> list[int]:
        return [int(column[0].as_py()) for column in self._engine.query(sql).columns]

    def _ref(self, name: TableName) -> str:
        return f"{self._engine.dialect.quote(name.namespace)}.{self._engine.dialect.quote(name.name)}"


def next_columns(table: Table, history: History, past: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of a history's next version, from those of the present one (none: there is none): none is
    lost, and a type that cannot hold the values of before gives way to one that holds both. Raises
    ProofFailed where there is no such type."""
    before = {c.name: c for c in past if c.name not in OWN}
    names = {column.name for column in table.columns}
    former = tuple(replace(c, nullable=True) for c in before.values() if c.name not in names)
    return tuple(
        replace(c, type=_common(table, c, before[c.name].type)) if c.name in before else c
        for c in history_columns(table, history, former)
    )


def _common(table: Table, column: Column, before: Type) -> Type:
    if contains(column.type, before):
        return column.type
    if contains(before, column.type):
        return before
    if Kind.BINARY not in (before.kind, column.type.kind):
        return Type(Kind.STRING)
    raise ProofFailed(
        f"the history has it as {before}, the source now as {column.type}: no type holds both",
        where=Where(table=str(TableName(HISTORY, table.name)), column=column.name),
        hint="leave the column out in the source's query, or give up the history (history: off)",
    )
