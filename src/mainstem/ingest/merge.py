"""Changed rows into a table: files in which none of them differs stay, the others are written again.

A read overlaps the one before, so most of its rows may stand in the lake as they are: those cost no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainstem import metadata
from mainstem.engine.port import Engine
from mainstem.errors import ProofFailed, Where
from mainstem.ingest.lakeside import one_by_one
from mainstem.ingest.pipeline import Prefetched
from mainstem.ingest.terms import live_in_lake
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.schema import Kind, Table, TableName

if TYPE_CHECKING:
    import pyarrow as pa

_SMALL = 16 << 20  # bytes: files that are gathered into one when there are many
_MANY = 8
_BOUNDED = (Kind.INT, Kind.LONG, Kind.DATE, Kind.STRING, Kind.BINARY)  # by them files are passed over
_FLOATS = (Kind.FLOAT, Kind.DOUBLE)


@dataclass(frozen=True, slots=True)
class Change:
    """Rows that were read, in files of their own, to be merged by `key` into a version's `files`; `apart`
    are the files of those in quarantine."""

    key: tuple[str, ...]
    rows: int
    files: tuple[Path, ...]
    apart: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """The next version. `same` are its kept files that hold rows of the change as they were read."""

    staged: Staged
    same: tuple[Path, ...]


class Merger:
    """Merges by key."""

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

    @contextmanager
    def read(
        self, key: Sequence[str], batches: Iterator[pa.RecordBatch], on_rows: Callable[[int], None]
    ) -> Iterator[Change]:
        """The batches' rows, to be merged; their files are gone when the context is left."""
        files = metadata.load(self._head.metadata_location).files
        apart = metadata.load(self._quarantine.metadata_location).files if self._quarantine else ()
        assert files is not None  # Mainstem wrote both
        assert apart is not None
        with Prefetched(batches) as read:
            staged = self._lake.stage(self._head.name, self._table.columns, read, on_rows)
        try:
            self._engine.attach_files(self._names[0], staged.files, self._table.columns)
            self._require_unique(key, staged.rows)
            yield Change(tuple(key), staged.rows, tuple(files), tuple(apart))
        finally:
            self._lake.discard(staged)

    def merge(self, change: Change) -> Merged:
        """The table's next version with the change's rows in place of those of the same key. Without a new
        file if each of them stands there as it is."""
        key = change.key
        touched, same = self._sorted(change)
        added = self._added(key, same)
        if touched or change.apart or self._any(added):
            small = [f for f in change.files if f not in touched and f.stat().st_size < _SMALL]
            if len(small) >= _MANY:
                touched, same = [*touched, *small], [file for file in same if file not in small]
                added = self._added(key, same)
        if touched:
            self._lake.expect_commit()
        # Those in quarantine at the end: they have two columns more.
        self._engine.attach_files(self._names[2], [*touched, *change.apart], self._table.columns)
        columns, base, rows = self._columns("a"), self._ref(self._names[2]), self._ref(self._names[0])
        stays = f"select {columns} from {base} a anti join {rows} b on {self._same(key)}"
        merged = one_by_one(self._engine, stays, added)
        kept = [file for file in change.files if file not in set(touched)]
        staged = self._lake.stage(self._head.name, self._table.columns, merged, keep=kept)
        return Merged(staged, tuple(same))

    def arrived(self, change: Change, merged: Merged) -> str:
        """SQL for the rows of a merged version that have the change's keys. Good until the next merge."""
        self._engine.attach_files(self._names[2], [*merged.same, *merged.staged.files], self._table.columns)
        base, rows = self._ref(self._names[2]), self._ref(self._names[0])
        return f"select {self._columns('a')} from {base} a semi join {rows} b on {self._same(change.key)}"

    def repair(self, staged: Staged, inside: str, batches: Iterator[pa.RecordBatch]) -> tuple[Staged, int]:
        """A staged version with the batches' rows in place of all rows that fulfil `inside` (the engine's
        SQL), and how many were read. The version given is thrown away."""
        with Prefetched(batches) as read:
            change = self._lake.stage(self._head.name, self._table.columns, read)
        try:
            self._engine.attach_files(self._names[0], change.files, self._table.columns)
            touched = [file for file in staged.kept if self._holds(file, inside)]
            self._engine.attach_files(self._names[2], [*touched, *staged.files], self._table.columns)
            columns = ", ".join(self._quote(column.name) for column in self._table.columns)
            base, added = self._ref(self._names[2]), self._ref(self._names[0])
            stays = f"select {columns} from {base} where not ({inside})"
            rows = one_by_one(self._engine, stays, f"select {columns} from {added}")
            kept = [file for file in staged.kept if file not in set(touched)]
            repaired = self._lake.stage(self._head.name, self._table.columns, rows, keep=kept)
        finally:
            self._lake.discard(change)
        self._lake.discard(staged)
        return repaired, change.rows

    def _holds(self, file: Path, inside: str) -> bool:
        self._engine.attach_files(self._names[1], [file], self._table.columns)
        return self._any(f"select 1 from {self._ref(self._names[1])} where {inside}")

    def _any(self, sql: str) -> bool:
        return bool(self._engine.query(f"select 1 as found from ({sql}) limit 1").num_rows)

    def _sorted(self, change: Change) -> tuple[list[Path], list[Path]]:
        """The files in which a row of the change differs, and those that have some of them, all alike."""
        touched, same = list[Path](), list[Path]()
        rows, part = self._ref(self._names[0]), self._ref(self._names[1])
        for file, within in self._candidates(change) if change.rows else ():
            self._engine.attach_files(self._names[1], [file], self._table.columns)
            matching = f"{rows} b on {self._same(change.key)}{within}"
            if not self._any(f"select 1 from {part} a semi join {matching}"):
                continue
            differs = self._any(f"select 1 from {part} a join {matching} where {self._unlike(change.key)}")
            (touched if differs else same).append(file)
        return touched, same

    def _candidates(self, change: Change) -> list[tuple[Path, str]]:
        """The files that may hold a key of the change, by the least and the greatest values that their
        footers tell; SQL that narrows the change to those between them, where they are whole numbers."""
        known = [
            name
            for name in change.key
            if self._table.column(name).type.kind in _BOUNDED and not self._table.column(name).nullable
        ]
        if not known:
            return [(file, "") for file in change.files]
        asked = ", ".join(
            f"{of}({self._quote(name)}) as {of}{at}" for at, name in enumerate(known) for of in ("min", "max")
        )
        answer = self._engine.query(f"select {asked} from {self._ref(self._names[0])}")
        values = [column[0].as_py() for column in answer.columns]
        wanted = {name: (values[2 * at], values[2 * at + 1]) for at, name in enumerate(known)}
        found = []
        for file in change.files:
            bounds = self._lake.bounds(self._head.name, file, known)
            pairs = [(wanted[name], bounds[name]) for name in bounds]
            if all(low <= most and least <= high for (low, high), (least, most) in pairs):
                found.append((file, self._within(bounds)))
        return found

    def _within(self, bounds: Mapping[str, tuple[Any, Any]]) -> str:
        parts = [
            f" and b.{self._quote(name)} between {least} and {most}"
            for name, (least, most) in bounds.items()
            if self._table.column(name).type.kind in (Kind.INT, Kind.LONG)
        ]
        return "".join(parts)

    def _unlike(self, key: Sequence[str]) -> str:
        """SQL: some value of a and b differs, to the bit: -0.0 is not 0.0."""
        parts = ["false"]
        for column in self._table.columns:
            left, right = (f"{side}.{self._quote(column.name)}" for side in ("a", "b"))
            if column.type.kind in _FLOATS:
                left, right = f"cast({left} as varchar)", f"cast({right} as varchar)"
            if column.name not in key or column.type.kind in _FLOATS:
                parts.append(f"{left} is distinct from {right}")
        return " or ".join(parts)

    def _added(self, key: Sequence[str], same: Sequence[Path]) -> str:
        """SQL for the rows of the change that are to be written: not those that stand in files which stay."""
        rows, part = self._ref(self._names[0]), self._ref(self._names[1])
        self._engine.attach_files(self._names[1], same, self._table.columns)
        return (
            f"select {self._columns('a')} from {rows} a anti join {part} b on {self._same(key)}{self._live()}"
        )

    def _live(self) -> str:
        if not self._deleted:
            return ""
        name = f"a.{self._quote(self._deleted)}"
        return f" where {live_in_lake(self._table.column(self._deleted), name)}"

    def _columns(self, side: str) -> str:
        return ", ".join(f"{side}.{self._quote(column.name)}" for column in self._table.columns)

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
        def same(name: str) -> str:
            equal = "is not distinct from" if self._table.column(name).nullable else "="
            return f"a.{self._quote(name)} {equal} b.{self._quote(name)}"

        return " and ".join(map(same, key))

    def _ref(self, name: TableName) -> str:
        return f"{self._quote(name.namespace)}.{self._quote(name.name)}"

    def _quote(self, name: str) -> str:
        return self._engine.dialect.quote(name)
