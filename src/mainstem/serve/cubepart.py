"""A cube brought up to date from the rows that changed, where that gives the cells of one made anew.

Two versions of a table share most of their files. The rows of the others, those that both have left out,
were removed or added; a row whose dimension's row changed counts as both. Grouped by the cube's own SQL (the
removed ones with the dimensions as they were, the added ones as they are) they say by how much each cell
changes. That is exact for sums of whole and decimal numbers without NULL and for counts, and for nothing
else: floating-point numbers depend on the order, and a sum of NULLs alone is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb

from mainstem.engine import views
from mainstem.schema import MART, Column, Kind, TableName, Type
from mainstem.serve.cube import CubePlan, Types
from mainstem.serve.cubesql import ROWS, CubeColumn, Join, cube_sql, mart, order_sql, totals_sql
from mainstem.text import count, quoted

MOST = 0.25  # of the fact's rows, or of a cube's cells out of their order: beyond, all is made anew
COMPARED = 0.5  # of the fact's bytes, in files that only one version has

_EXACT = frozenset({Kind.INT, Kind.LONG, Kind.DECIMAL})
_SIGN, _ROW = quoted("+-"), quoted("+row")

Files = Mapping[TableName, Sequence[Path]]


class Unfit(Exception):
    """What stands and what changed do not go together: the cube has to be made anew. The text says why."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The files of two versions of a table: only the earlier has `removed`, only the later `added`."""

    removed: tuple[Path, ...]
    added: tuple[Path, ...]
    kept: tuple[Path, ...]

    @classmethod
    def between(cls, before: Sequence[Path], now: Sequence[Path]) -> Moved:
        """From the files of both versions."""
        old, new = set(before), set(now)
        removed = tuple(file for file in before if file not in new)
        return cls(removed, tuple(f for f in now if f not in old), tuple(f for f in now if f in old))


@dataclass(frozen=True, slots=True)
class Part:
    """How a cube can be brought up to date. `columns` are those of the fact that it is made of;
    `dimensions` the joined tables that have another version, by model."""

    plan: CubePlan
    fact: Moved
    columns: tuple[Column, ...]
    dimensions: Mapping[str, Moved]
    types: Types
    rows: int


def consider(plan: CubePlan, types: Types, before: Files, now: Files, rows: int) -> Part | str:
    """Whether a part would be right; otherwise why not. `before` and `now` are the data files of two
    versions of the marts, whose columns have the same `types`; `rows` those of the fact."""
    names = {model: TableName(MART, model) for model in (plan.model, *(j.table for j in plan.joins))}
    if not plan.dimensions:
        return "in full: it has no dimensions"
    if plan.model in {join.table for join in plan.joins}:
        return f"in full: it joins {plan.model} to itself"
    missing = [model for model, name in names.items() if not before.get(name) or not now.get(name)]
    if missing:
        return f"in full: the files of {missing[0]} are not known"
    columns = _columns(types.get(plan.model, {}), _of_fact(plan))
    if columns is None or any(
        _columns(types.get(j.table, {}), _of_join(plan, j)) is None for j in plan.joins
    ):
        return "in full: a column of it is a floating-point number, or of no known type"
    summed = {c.summed for c in plan.columns if c.summed}
    if any(c.type.kind not in _EXACT for c in columns if c.name in summed):
        return "in full: what it sums is no whole or decimal number"
    fact = Moved.between(before[names[plan.model]], now[names[plan.model]])
    if _bytes(fact.added) > COMPARED * _bytes(now[names[plan.model]]):
        return f"in full: too many files of {plan.model} were written again"
    moved = {
        join.table: Moved.between(before[names[join.table]], now[names[join.table]])
        for join in plan.joins
        if set(before[names[join.table]]) != set(now[names[join.table]])
    }
    return Part(plan, fact, columns, moved, types, rows)


def _bytes(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _of_fact(plan: CubePlan) -> list[str]:
    used = [join.key for join in plan.joins]
    used += [d.column for d in plan.dimensions if d.alias == "f"]
    used += [c.summed or c.counted for c in plan.columns if c.summed or c.counted]
    return list(dict.fromkeys(used))


def _of_join(plan: CubePlan, join: Join) -> list[str]:
    """Its key first."""
    used = [join.target, *(d.column for d in plan.dimensions if d.alias == join.alias)]
    return list(dict.fromkeys(used))


def _columns(types: Mapping[str, Type], names: Sequence[str]) -> tuple[Column, ...] | None:
    """The columns with their types; None if one is not known, or equal values of it may be two (0.0
    and -0.0)."""
    folded = {name.casefold(): type_ for name, type_ in types.items()}
    found = tuple(Column(name, folded[name.casefold()]) for name in names if name.casefold() in folded)
    plain = all(column.type.kind not in (Kind.FLOAT, Kind.DOUBLE) for column in found)
    return found if plain and len(found) == len(names) else None


class Parting:
    """Computes a part on a connection that reads the release as it is. Its temporary tables go with
    `close`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, part: Part) -> None:
        self._con = con
        self._part = part
        self._plan = part.plan
        self._made: list[str] = []

    def fresh(self, cells: str) -> str:
        """The cells that change, as a temporary table: `+row`, the row of the relation `cells` that has the
        cell now (NULL: none has), and the cell as it is to be; without rows, it goes. Raises Unfit if too
        many rows changed, or cells and changes do not go together."""
        reached = self._reached()
        moved = self._moved(reached)
        delta = self._delta(*self._sides(moved, reached)) if reached else self._signed(moved)
        by, sums = self._names()
        same = " and ".join(f"c.{name} is not distinct from d.{name}" for name in by)
        chosen = [f"d.{name}" for name in by]
        chosen += [f"coalesce(c.{name}, 0) + d.{name} as {name}" for name in sums]
        fresh = self._table(
            "fresh",
            f"select c.rowid as {_ROW}, {', '.join(chosen)} from {delta} as d "
            f"left join {cells} as c on {same}",
        )
        self._require_whole(fresh, sums)
        return fresh

    def _names(self) -> tuple[list[str], list[str]]:
        """The coordinates of a cell, and its sums."""
        plan = self._plan
        return [quoted(d.name) for d in plan.dimensions], [quoted(name) for name in _sums(plan)]

    def _signed(self, moved: str) -> str:
        """By how much each cell changes, from the fact's rows that come and go: no dimension's row did."""
        plan, all_of_them = self._plan, quoted("+rows")
        kinds = {column.name.casefold(): column.type.kind for column in self._part.columns}
        signed = [replace(column, sql=_signed_sum(column, kinds)) for column in plan.columns]
        signed.append(CubeColumn("+rows", f"sum(f.{_SIGN})"))
        models = dict.fromkeys(join.table for join in plan.joins)
        are = {model: self._used(model, mart(model), moved) for model in models}
        cells = cube_sql(plan.model, plan.dimensions, signed, plan.joins, {**are, plan.model: moved})
        by, sums = self._names()
        pairs = [*((name, name) for name in sums[:-1]), (all_of_them, sums[-1])]
        chosen = [*by, *(f"coalesce({own}, 0) as {name}" for own, name in pairs)]
        differs = " or ".join(f"coalesce({own}, 0) <> 0" for own, _ in pairs)
        return self._table("delta", f"select {', '.join(chosen)} from ({cells}) where {differs}")

    def _delta(self, old: str, new: str) -> str:
        """The same from rows that go, with the dimensions as they were, and rows that come."""
        plan, part = self._plan, self._part
        before = {model: self._read(model, (*m.removed, *m.kept)) for model, m in part.dimensions.items()}
        joins = plan.joins
        models = dict.fromkeys(join.table for join in joins)
        was = {model: self._used(model, before.get(model) or mart(model), old) for model in models}
        are = {model: self._used(model, mart(model), new) for model in models}
        gone = cube_sql(plan.model, plan.dimensions, plan.columns, joins, {**was, plan.model: old})
        come = cube_sql(plan.model, plan.dimensions, plan.columns, joins, {**are, plan.model: new})
        by, sums = self._names()
        counted = ", ".join(f"sum({_SIGN} * coalesce({name}, 0)) as {name}" for name in sums)
        moved = " or ".join(f"sum({_SIGN} * coalesce({name}, 0)) <> 0" for name in sums)
        return self._table(
            "delta",
            f"select {', '.join(by)}, {counted} from (select *, 1 as {_SIGN} from ({come}) "
            f"union all select *, -1 from ({gone})) group by {', '.join(by)} having {moved}",
        )

    def totals(self, before: Sequence[Decimal]) -> tuple[Decimal, ...]:
        """What `CubePlan.totals` gives, from what it gave `before`: more by the files that came, less by
        those that went, whose rows had no NULL in what is summed. Raises Unfit if that is another number of
        rows than the fact has."""
        come, gone = (
            self._con.execute(totals_sql(self._plan.columns, self._files(files))).fetchone() or ()
            for files in (self._part.fact.added, self._part.fact.removed)
        )
        with localcontext(prec=100):
            sums = [was + (a or 0) - (b or 0) for was, a, b in zip(before, come, gone, strict=True)]
        if sums[0] != self._part.rows:
            raise Unfit("the files that came and went do not have the rows that did")
        return (*sums[:-1], Decimal(come[-1]))

    def _require_whole(self, fresh: str, sums: Sequence[str]) -> None:
        rows = quoted(ROWS)
        odd = " or ".join(f"{name} <> 0" for name in sums)
        sql = f"select count(*) from {fresh} where {rows} < 0 or ({rows} = 0 and ({odd} or {_ROW} is null))"
        if self._one(sql):
            raise Unfit("its cells do not have the rows that were removed")

    def _moved(self, reached: str) -> str:
        """The fact's rows that come and go, but for those that are `reached`, with how often: `+-`. Raises
        Unfit if they are too many."""
        part, names = self._part, ", ".join(quoted(c.name) for c in self._part.columns)
        removed, added = (self._files(files) for files in (part.fact.removed, part.fact.added))
        moved = self._table(
            "moved",
            f"select {names}, cast(sum({_SIGN}) as bigint) as {_SIGN} from "
            f"(select *, 1 as {_SIGN} from {added} union all select *, -1 from {removed}) "
            f"where not ({reached or 'false'}) group by {names} "
            f"having sum({_SIGN}) <> 0",
        )
        for sign in ("", "-"):
            sql = f"select coalesce(sum({sign}{_SIGN}), 0) from {moved} where {sign}{_SIGN} > 0"
            self._require_few(self._one(sql))
        return moved

    def _require_few(self, rows: int) -> None:
        if rows > MOST * self._part.rows:
            raise Unfit(f"{count(rows, 'row')} of {self._part.rows:,} changed")

    def _sides(self, moved: str, reached: str) -> tuple[str, str]:
        """The fact's rows that go and those that come, as relations; those that are `reached` do both."""
        part, names = self._part, ", ".join(quoted(c.name) for c in self._part.columns)
        removed, added, kept = (self._files(f) for f in (part.fact.removed, part.fact.added, part.fact.kept))
        sides = []
        for name, sign, files in (("old", "-", removed), ("new", "", added)):
            times = f"unnest(range({sign}{_SIGN})) as {quoted('+n')} from {moved} where {sign}{_SIGN} > 0"
            sql = f"select {names} from (select {names}, {times})"
            sql += "".join(f" union all select {names} from {rows} where {reached}" for rows in (files, kept))
            sides.append(self._table(name, sql))
            self._require_few(self._one(f"select count(*) from {sides[-1]}"))
        return sides[0], sides[1]

    def _reached(self) -> str:
        """The condition that a row of the fact refers to a dimension's row that changed; empty: none did."""
        conditions = []
        for join in self._plan.joins:
            moved = self._part.dimensions.get(join.table)
            if moved is None:
                continue
            columns = _columns(self._part.types[join.table], _of_join(self._plan, join)) or ()
            names = ", ".join(quoted(c.name) for c in columns)
            added, removed = (_relation(files, columns) for files in (moved.added, moved.removed))
            keys = self._table(
                f"keys {join.alias}",
                f"select distinct {quoted(join.target)} as k from (select {names} from "
                f"(select *, 1 as {_SIGN} from {added} union all select *, -1 from {removed}) "
                f"group by {names} having sum({_SIGN}) <> 0)",
            )
            if self._one(f"select count(*) from {keys}"):
                conditions.append(f"coalesce({quoted(join.key)} in (select k from {keys}), false)")
        return " or ".join(conditions)

    def _used(self, model: str, relation: str, rows: str) -> str:
        """The rows of a dimension to which those rows of the fact refer: numbering all of a large one takes
        longer than the rest."""
        keys = " or ".join(
            f"{quoted(join.target)} in (select {quoted(join.key)} from {rows})"
            for join in self._plan.joins
            if join.table == model
        )
        return f"(select * from {relation} where {keys})"

    def _read(self, model: str, files: Sequence[Path]) -> str:
        used = [name for j in self._plan.joins if j.table == model for name in _of_join(self._plan, j)]
        return _relation(files, _columns(self._part.types[model], list(dict.fromkeys(used))) or ())

    def _files(self, files: Sequence[Path]) -> str:
        return _relation(files, self._part.columns)

    def _table(self, name: str, sql: str) -> str:
        table = quoted(f"__part {name}")
        self._con.execute(f"create or replace temp table {table} as {sql}")
        self._made.append(table)
        return table

    def _one(self, sql: str) -> int:
        found = self._con.execute(sql).fetchone()
        return int(found[0]) if found else 0

    def close(self) -> None:
        """Drop what was made."""
        for table in self._made:
            self._con.execute(f"drop table if exists {table}")


def merged_sql(plan: CubePlan, cells: str, fresh: str) -> str:
    """All cells in their order, from those that stand and those that change."""
    names = ", ".join(quoted(n) for n in (*(d.name for d in plan.dimensions), *_sums(plan)))
    gone = f"select {_ROW} from {fresh} where {_ROW} is not null"
    return (
        f"select {names} from {cells} where rowid not in ({gone}) "
        f"union all select {names} from {fresh} where {quoted(ROWS)} > 0{order_sql(plan.dimensions)}"
    )


def replace_sql(plan: CubePlan, cells: str, fresh: str) -> tuple[str, str]:
    """Statements that put the changed cells into the table `cells`, behind those that stand."""
    names = ", ".join(quoted(n) for n in (*(d.name for d in plan.dimensions), *_sums(plan)))
    return (
        f"delete from {cells} where rowid in (select {_ROW} from {fresh})",
        f"insert into {cells} ({names}) select {names} from {fresh} where {quoted(ROWS)} > 0"
        f"{order_sql(plan.dimensions)}",
    )


def update_sql(plan: CubePlan, cells: str, fresh: str) -> str:
    """Statement that gives the changed cells of the table `cells` their sums, where they stand."""
    sums = ", ".join(f"{name} = f.{name}" for name in map(quoted, _sums(plan)))
    return f"update {cells} as c set {sums} from {fresh} as f where c.rowid = f.{_ROW}"


def same_cells(fresh: str) -> str:
    """SELECT of the number of changed cells that come or go."""
    return f"select count(*) from {fresh} where {_ROW} is null or {quoted(ROWS)} = 0"


def _signed_sum(column: CubeColumn, kinds: Mapping[str, Kind]) -> str:
    """A column's aggregate over rows that come and go."""
    sign = f"f.{_SIGN}"
    if column.counted:
        return f"sum(case when f.{quoted(column.counted)} is not null then {sign} else 0 end)"
    if not column.summed:
        return f"sum({sign})"
    value = f"f.{quoted(column.summed)}"
    whole = kinds[column.summed.casefold()] is not Kind.DECIMAL
    return f"sum({sign} * {f'cast({value} as hugeint)' if whole else value})"


def _sums(plan: CubePlan) -> list[str]:
    return [*(column.name for column in plan.columns), ROWS]


def _relation(files: Sequence[Path], columns: Sequence[Column]) -> str:
    return f"({views.of_files(TableName(MART, 'part'), files, columns).query})"
