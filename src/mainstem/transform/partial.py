"""The part of a model's table that a change of its inputs reaches, computed again; the rest stays.

What changed is read from the data, not believed: the files that two versions of a table do not share are
compared row by row (by a hash of 64 bits). From the changed rows follow the keys of the grain table that they
reach (`model.rowwise`); the model's own SQL, unaltered, runs over the grain's rows of those keys, and the
result takes the place of the rows with those keys. The proofs then look at the whole table, as after any
build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mainstem import metadata
from mainstem.engine.port import Engine
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.model.rowwise import Rowwise
from mainstem.project.modelfile import ModelFile
from mainstem.schema import Column, Kind, TableName
from mainstem.text import count, joined, quoted
from mainstem.transform import reach
from mainstem.transform.shape import shape_of

MOST = 0.25  # of the grain's rows: beyond, building everything is as quick
COMPARED = 0.5  # the same, of the model's bytes, for the inputs' files that have to be compared
_FEW = 4 << 20  # bytes that are compared however large their share is
_WORD = 18  # digits of a decimal that DuckDB keeps in 64 bits
_SMALL, _MANY = 4 << 20, 8  # files of the model's table that are gathered into one when there are many

_KEYS, _GRAIN, _BASE, _PART = (TableName("part", name) for name in ("keys", "grain", "base", "file"))


@dataclass(frozen=True, slots=True)
class _Moved:
    """An input that has another version than at the last build: the files that only one of them has."""

    added: tuple[Path, ...]
    removed: tuple[Path, ...]
    columns: tuple[Column, ...]

    @property
    def bytes(self) -> int:
        """Of the files that the present version has alone."""
        return sum(file.stat().st_size for file in self.added)


@dataclass(frozen=True, slots=True)
class Partial:
    """How a model's table can be brought up to date in part. `moved` are the inputs that changed."""

    shape: Rowwise
    head: TableVersion
    inputs: Mapping[TableName, TableVersion]
    moved: Mapping[TableName, _Moved]


def consider(
    model: ModelFile,
    head: TableVersion,
    before: Mapping[TableName, TableVersion],
    now: Mapping[TableName, TableVersion],
) -> Partial | str:
    """Whether a build in part would be right; otherwise why not. `before` are the inputs' versions from
    which `head` was built by this same model and engine, `now` the present ones."""
    shape = shape_of(model)
    if isinstance(shape, str):
        return f"in full: it {shape}"
    spelled = {(n.namespace, n.name.casefold()): n for n in now}
    names = {n: spelled.get((n.namespace, n.name.casefold())) for n in shape.tables}
    moved: dict[TableName, _Moved] = {}
    for written, name in names.items():
        if name is None or name not in before:
            return f"in full: {written} was not among its inputs"
        if before[name].snapshot_id != now[name].snapshot_id:
            found = _compared(before[name], now[name])
            if found is None:
                return f"in full: the columns or files of {name} cannot be compared"
            moved[written] = found
    if sum(one.bytes for one in moved.values()) > max(_FEW, COMPARED * head.bytes):
        return f"in full: too many files of {joined([str(name) for name in moved])} were written again"
    if metadata.load(head.metadata_location).files is None:
        return "in full: its files are not known"
    return Partial(shape, head, {n: now[name] for n, name in names.items() if name}, moved)


def _compared(before: TableVersion, now: TableVersion) -> _Moved | None:
    old, new = (metadata.load(version.metadata_location) for version in (before, now))
    same = [(c.name, c.type) for c in before.columns] == [(c.name, c.type) for c in now.columns]
    if old.files is None or new.files is None or not same:
        return None
    known, kept = set(old.files), set(new.files)
    added = tuple(file for file in new.files if file not in known)
    removed = tuple(file for file in old.files if file not in kept)
    return _Moved(added, removed, now.columns) if all(file.is_file() for file in removed) else None


class Rebuilder:
    """Computes the part. Files that are staged meanwhile are gone when `stage` returns."""

    def __init__(self, engine: Engine, lake: Lake, model: ModelFile, partial: Partial) -> None:
        self._engine = engine
        self._lake = lake
        self._model = model
        self._partial = partial
        self._shape = partial.shape
        self._head = partial.head
        self._staged: list[Staged] = []

    def stage(self, on_rows: Callable[[int], None]) -> tuple[Staged | None, str]:
        """The model's next version and how it came about; None if it has to be built in full."""
        try:
            keys = self._keys()
            rows = self._partial.inputs[self._shape.grain].rows
            if keys.rows > MOST * rows:
                return None, f"in full: {count(keys.rows, 'key')} of {rows:,} are reached by the changes"
            staged = self._merged(keys, on_rows)
            return staged, f"in part: {count(keys.rows, 'key')} of {rows:,} computed again"
        finally:
            for one in self._staged:
                self._lake.discard(one)

    def _keys(self) -> Staged:
        """The grain's keys that a change reaches, as a relation."""
        grain = self._partial.inputs[self._shape.grain]
        wanted = list(self._shape.key.values())
        columns = tuple(next(c for c in grain.columns if c.name.casefold() == w.casefold()) for w in wanted)
        named = ", ".join(quoted(name) for name in wanted)
        found: list[str] = []
        for place, (name, moved) in enumerate(self._partial.moved.items()):
            if name == self._shape.grain:
                found.append(f"select distinct {named} from {self._changed(place, moved, wanted)} as t0")
            for index, one in enumerate(self._shape.joined):
                if one.table == name:
                    changed = self._changed(place, moved, [equal.right for equal in one.on])
                    found.append(self._shape.affected(index, changed))
        spelled = ", ".join(f"{quoted(w)} as {quoted(c.name)}" for w, c in zip(wanted, columns, strict=True))
        united = "\nunion\n".join(found) or f"select {named} from {quoted(*grain.name)} where false"
        return self._kept(columns, f"select {spelled} from (\n{united}\n)", _KEYS)

    def _changed(self, place: int, moved: _Moved, wanted: Sequence[str]) -> str:
        """The rows of an input that only one of its two versions has: the columns that are `wanted`. Rows are
        told apart by these and a hash of 64 bits over all columns: grouped by all, they take twice as long.
        EXCEPT ALL would number all rows."""
        added, removed = (TableName("part", f"{what} {place}") for what in ("added", "removed"))
        self._engine.attach_files(added, moved.added, moved.columns)
        self._engine.attach_files(removed, moved.removed, moved.columns)
        everything = [quoted(column.name) for column in moved.columns]
        everything += [_told_apart(column) for column in moved.columns if _told_apart(column)]
        names = ", ".join(quoted(name) for name in dict.fromkeys(wanted))
        hashed = f'{names}, hash({", ".join(everything)}) as "+hash"'
        return (
            f'(select {names} from (select {hashed}, 1 as "+-" from {quoted(*added)} '
            f"union all select {hashed}, -1 from {quoted(*removed)}) "
            f'group by {names}, "+hash" having sum("+-") <> 0)'
        )

    def _kept(self, columns: Sequence[Column], sql: str, name: TableName | None = None) -> Staged:
        """The rows of a SELECT as files, attached under a name."""
        _, batches = self._engine.stream(sql)
        plain = tuple(Column(c.name, c.type) for c in columns)
        staged = self._lake.stage(self._head.name, plain, batches)
        self._staged.append(staged)
        if name is not None:
            self._engine.attach_files(name, staged.files, plain)
        return staged

    def _merged(self, keys: Staged, on_rows: Callable[[int], None]) -> Staged:
        grain = self._partial.inputs[self._shape.grain]
        mine = self._shape.key.values()
        holding = self._holding(_files(grain), grain.columns, mine) if keys.rows else []
        self._engine.attach_files(_GRAIN, holding, grain.columns)
        same = self._same(mine)
        of_keys = f"select a.* from {quoted(*_GRAIN)} as a semi join {quoted(*_KEYS)} as b on {same}"
        # In the grain table's place, so that the model's own SQL runs as it is written.
        self._kept(grain.columns, of_keys, grain.name)
        try:
            return self._staged_over(keys, on_rows)
        finally:
            self._engine.attach({grain.name: grain.metadata_location})

    def _staged_over(self, keys: Staged, on_rows: Callable[[int], None]) -> Staged:
        head, files = self._head, _files(self._head)
        same = self._same(self._shape.key)
        touched = self._holding(files, head.columns, self._shape.key) if keys.rows else []
        small = [file for file in files if file not in touched and file.stat().st_size < _SMALL]
        touched += small if len(small) >= _MANY else []
        self._engine.attach_files(_BASE, touched, head.columns)
        names = ", ".join(quoted(column.name) for column in head.columns)
        base, found = quoted(*_BASE), quoted(*_KEYS)
        left = ", ".join(f"a.{quoted(column.name)}" for column in head.columns)
        stays = f"select {left} from {base} as a anti join {found} as b on {same}"
        made = f"select {names} from (\n{self._model.sql}\n)"
        # One after the other: as one UNION ALL, DuckDB 1.5 can wait for itself for ever when it streams.
        rows = chain.from_iterable(self._engine.stream(sql)[1] for sql in (stays, made))
        kept = [file for file in files if file not in set(touched)]
        return self._lake.stage(head.name, head.columns, rows, on_rows, keep=kept)

    def _holding(self, files: Sequence[Path], columns: Sequence[Column], mine: Iterable[str]) -> list[Path]:
        """Those of the files that have a row of the keys, which are its columns `mine`."""
        part, names = quoted(*_PART), list(mine)
        same = self._same(names)
        sql = f"select 1 as found from {part} as a semi join {quoted(*_KEYS)} as b on {same} limit 1"
        found = []
        for file in self._candidates(files, columns, names):
            self._engine.attach_files(_PART, [file], columns)
            if self._engine.query(sql).num_rows:
                found.append(file)
        return found

    def _candidates(
        self, files: Sequence[Path], columns: Sequence[Column], mine: Sequence[str]
    ) -> list[Path]:
        """Those that may have one, by their footers."""
        spelled = {column.name.casefold(): column for column in columns}
        names = {
            theirs: spelled[name.casefold()].name
            for name, theirs in zip(mine, self._shape.key.values(), strict=True)
        }
        keys = [Column(theirs, spelled[name.casefold()].type) for theirs, name in names.items()]
        found = reach.bounds(self._engine, _KEYS, keys)
        return reach.within(self._lake, self._head.name, files, {names[n]: pair for n, pair in found.items()})

    def _same(self, mine: Iterable[str]) -> str:
        """A table's columns (as a) equal the keys (b)."""
        pairs = zip(mine, self._shape.key.values(), strict=True)
        return " and ".join(
            f"a.{quoted(left)} is not distinct from b.{quoted(right)}" for left, right in pairs
        )


def _told_apart(column: Column) -> str:
    """SQL for what DuckDB's hash of a column does not tell apart, or nothing: zeros of both signs; decimals
    of 128 bits such as 0 and -1, whose halves are hashed apart and joined by an exclusive or."""
    if column.type.kind in (Kind.FLOAT, Kind.DOUBLE):
        return f"signbit({quoted(column.name)})"
    if column.type.kind is Kind.DECIMAL and column.type.precision > _WORD:
        return f"cast({quoted(column.name)} as varchar)"
    return ""


def _files(version: TableVersion) -> tuple[Path, ...]:
    return metadata.load(version.metadata_location).files or ()
