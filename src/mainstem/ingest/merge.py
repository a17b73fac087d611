"""Changed rows into a table: files that hold none of their keys stay, the others are written again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from mainstem import metadata
from mainstem.engine.port import Engine
from mainstem.errors import ProofFailed, Where
from mainstem.ingest.pipeline import Prefetched
from mainstem.ingest.terms import live_in_lake
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.schema import Table, TableName

_SMALL = 16 << 20  # bytes: files that are gathered into one when there are many
_MANY = 8


class Merger:
    """Merges by key. Files of the change that are staged meanwhile are gone when it returns."""

    def __init__(
        self,
        lake: Lake,
        engine: Engine,
        head: TableVersion,
        table: Table,
        quarantine: TableVersion | None = None,
        deleted: str = "",
    ) -> None:
        """`quarantine`: rows that were set apart, and are judged again with the others. `deleted`: the column
        that marks rows which are to go."""
        self._lake = lake
        self._engine = engine
        self._head = head
        self._table = table
        self._quarantine = quarantine
        self._deleted = deleted
        self._names = [TableName(space, table.name) for space in ("increment", "part", "base")]

    def merge(
        self,
        key: Sequence[str],
        batches: Iterator[pa.RecordBatch],
        on_rows: Callable[[int], None],
    ) -> tuple[Staged, int] | None:
        """The table's next version with the batches' rows in place of those of the same key, and how many
        rows were read. None if the files of the present version are not known."""
        files = metadata.load(self._head.metadata_location).files
        apart = metadata.load(self._quarantine.metadata_location).files if self._quarantine else ()
        if files is None or apart is None:
            return None
        with Prefetched(batches) as read:
            change = self._lake.stage(self._head.name, self._table.columns, read, on_rows)
        try:
            self._engine.attach_files(self._names[0], change.files, self._table.columns)
            self._require_unique(key, change.rows)
            touched = self._touched(key, files)
            # Those in quarantine at the end: they have two columns more.
            self._engine.attach_files(self._names[2], [*touched, *apart], self._table.columns)
            _, rows = self._engine.stream(self._merged(key))
            kept = [file for file in files if file not in set(touched)]
            staged = self._lake.stage(self._head.name, self._table.columns, rows, keep=kept)
        finally:
            self._lake.discard(change)
        return staged, change.rows

    def repair(self, staged: Staged, inside: str, batches: Iterator[pa.RecordBatch]) -> tuple[Staged, int]:
        """A staged version with the batches' rows in place of all rows that fulfil `inside` (the engine's
        SQL), and how many were read. The version given is thrown away."""
        with Prefetched(batches) as read:
            change = self._lake.stage(self._head.name, self._table.columns, read)
        try:
            self._engine.attach_files(self._names[0], change.files, self._table.columns)
            touched = [file for file in staged.kept if self._any(file, inside)]
            self._engine.attach_files(self._names[2], [*touched, *staged.files], self._table.columns)
            columns = ", ".join(self._quote(column.name) for column in self._table.columns)
            base, added = self._ref(self._names[2]), self._ref(self._names[0])
            _, rows = self._engine.stream(
                f"select {columns} from {base} where not ({inside}) union all select {columns} from {added}"
            )
            kept = [file for file in staged.kept if file not in set(touched)]
            repaired = self._lake.stage(self._head.name, self._table.columns, rows, keep=kept)
        finally:
            self._lake.discard(change)
        self._lake.discard(staged)
        return repaired, change.rows

    def _any(self, file: Path, inside: str) -> bool:
        self._engine.attach_files(self._names[1], [file], self._table.columns)
        sql = f"select 1 as found from {self._ref(self._names[1])} where {inside} limit 1"
        return bool(self._engine.query(sql).num_rows)

    def _touched(self, key: Sequence[str], files: Sequence[Path]) -> list[Path]:
        touched = [file for file in files if self._holds(key, file)]
        small = [file for file in files if file not in touched and file.stat().st_size < _SMALL]
        return touched + small if len(small) >= _MANY else touched

    def _holds(self, key: Sequence[str], file: Path) -> bool:
        change, part, _ = map(self._ref, self._names)
        self._engine.attach_files(self._names[1], [file], self._table.columns)
        sql = f"select 1 as found from {part} a semi join {change} b on {self._same(key)} limit 1"
        return bool(self._engine.query(sql).num_rows)

    def _merged(self, key: Sequence[str]) -> str:
        change, _, base = map(self._ref, self._names)
        columns = ", ".join(self._quote(column.name) for column in self._table.columns)
        left = ", ".join(f"a.{self._quote(column.name)}" for column in self._table.columns)
        return (
            f"select {left} from {base} a anti join {change} b on {self._same(key)} "
            f"union all select {columns} from {change}{self._live()}"
        )

    def _live(self) -> str:
        if not self._deleted:
            return ""
        return f" where {live_in_lake(self._table.column(self._deleted), self._quote(self._deleted))}"

    def _require_unique(self, key: Sequence[str], rows: int) -> None:
        columns = ", ".join(self._quote(name) for name in key)
        sql = f"select count(*) as n from (select distinct {columns} from {self._ref(self._names[0])})"
        if self._engine.query(sql).column(0)[0].as_py() != rows:
            raise ProofFailed(
                "several rows have one key: they cannot be merged by it",
                where=Where(table=str(self._head.name), column=", ".join(key)),
                hint="name a unique key under tables in mainstem.yml, or set mode: full",
            )

    def _same(self, key: Sequence[str]) -> str:
        names = (self._quote(name) for name in key)
        return " and ".join(f"a.{name} is not distinct from b.{name}" for name in names)

    def _ref(self, name: TableName) -> str:
        return f"{self._quote(name.namespace)}.{self._quote(name.name)}"

    def _quote(self, name: str) -> str:
        return self._engine.dialect.quote(name)
