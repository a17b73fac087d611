"""The SQL by which a table's history is compared with its rows. Pure.

A version holds from `valid_from` up to, but not at, `valid_to`. Since when: the time in the row, if it lies
after the version before it; else the moment of the read (and never before the version before it). A row
that is gone ends at the moment of the read; one that comes back begins a new version, not before the end of
its last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mainstem.ingest.terms import IS_CURRENT, VALID_FROM, VALID_TO, History
from mainstem.schema import Column, Kind
from mainstem.text import quoted

FOREVER = "9999-12-31 00:00:00"  # until when the present version holds
OWN = (VALID_FROM, VALID_TO, IS_CURRENT)
_STEP = "interval 1 microsecond"
_FLOATING = (Kind.FLOAT, Kind.DOUBLE)


@dataclass(frozen=True, slots=True)
class Versions:
    """`columns` are the history's, `rows` those of the table now, `past` those of the history as it stands
    (none: there is no history yet). `raw` and `before` are the two tables in SQL, `moment` the source's
    time of the read (UTC)."""

    history: History
    columns: Sequence[Column]
    rows: Sequence[Column]
    past: Sequence[Column]
    raw: str
    before: str
    moment: datetime

    @property
    def same(self) -> bool:
        """Whether the files of the history as it stands may stay as they are."""
        return [(c.name, c.type) for c in self.past] == [(c.name, c.type) for c in self.columns]

    @property
    def past_sql(self) -> str:
        """The history as it stands, in its next columns."""
        return f"(select {self._cast('b', {c.name for c in self.past}, self.columns)} from {self.before} b)"

    @property
    def changes(self) -> str:
        """The versions that end or begin; where columns came or went, all that hold now, too."""
        return f"{self._common} {' union all '.join(self._kinds)}"

    @property
    def changes_apart(self) -> tuple[str, ...]:
        """The same as several SELECTs, each with rows of its own."""
        return tuple(f"{self._common} {kind}" for kind in self._kinds)

    @property
    def _kinds(self) -> list[str]:
        kept = (
            f"select {self._names('f')}, c.{VALID_FROM}, c.{VALID_TO}, c.{IS_CURRENT} "
            f"from fresh f join cur c on {self._same('f', 'c')} "
            f"anti join opened o on {self._same('f', 'o')}"
        )
        ended_begun = ["select * from closed", "select * from opened"]
        return ended_begun if self.same or not self.past else [*ended_begun, kept]

    @property
    def _common(self) -> str:
        opened = f"select {self._names('f')}, {self._since()} as {VALID_FROM}, " + (
            f"{self._ever} as {VALID_TO}, true as {IS_CURRENT} from fresh f "
            f"left join cur c on {self._same('f', 'c')} left join edges e on {self._same('f', 'e')} "
            f"where c.{IS_CURRENT} is null or {self._differs}"
        )
        closed = (
            f"select {self._names('c')}, c.{VALID_FROM}, "
            f"coalesce(o.{VALID_FROM}, greatest({self._now}, c.{VALID_FROM} + {_STEP})) as {VALID_TO}, "
            f"false as {IS_CURRENT} from cur c left join opened o on {self._same('c', 'o')} "
            f"left join fresh f on {self._same('c', 'f')} where o.{IS_CURRENT} or f.mainstem_there is null"
        )
        edge = f"max(case when {IS_CURRENT} then {VALID_FROM} else {VALID_TO} end)"
        keys = ", ".join(quoted(name) for name in self.history.key)
        data = [column for column in self.columns if column.name not in OWN]
        fresh = self._cast("n", {column.name for column in self.rows}, data)
        return (
            f"with past as {self.past_sql}, "
            f"cur as (select * from past where {IS_CURRENT}), "
            f"edges as (select {keys}, {edge} as edge, bool_or({IS_CURRENT}) as live from past "
            f"group by {keys}), "
            f"fresh as (select {fresh}, true as mainstem_there from {self.raw} n), "
            f"opened as ({opened}), closed as ({closed})"
        )

    def in_change(self, table: str, change: str, join: str) -> str:
        """The rows of a table with the history's next columns that a change speaks of (`join`: semi), or
        does not (anti)."""
        return (
            f"select a.* from {table} a {join} join {change} b "
            f"on {self._same('a', 'b')} and a.{VALID_FROM} = b.{VALID_FROM}"
        )

    @property
    def faults(self) -> Callable[[str], str]:
        """For a table with the history's columns: one row, how many versions are empty or overlap the next
        one, and how many keys have two present versions."""
        keys = ", ".join(quoted(name) for name in self.history.key)

        def sql(table: str) -> str:
            following = f"lead({VALID_FROM}) over (partition by {keys} order by {VALID_FROM})"
            present = f"count(case when {IS_CURRENT} then 1 end) over (partition by {keys})"
            return (
                f"select count(*) filter ({VALID_FROM} >= {VALID_TO} or following < {VALID_TO}) as faulty, "
                f"count(*) filter (present > 1) as doubled from (select {VALID_FROM}, {VALID_TO}, "
                f"{following} as following, {present} as present from {table})"
            )

        return sql

    def unlike(self, made: str) -> str:
        """One row: how many rows of the table are not among the present versions, and how many versions
        are present."""
        data = [column for column in self.columns if column.name in {c.name for c in self.rows}]
        names = ", ".join(self._exact("m", column) for column in data)
        rows = ", ".join(self._exact("n", column) for column in data)
        return (
            f"select (select count(*) from (select {rows} from {self.raw} n except all "
            f"select {names} from {made} m where {IS_CURRENT})) as unlike, "
            f"(select count(*) from {made} where {IS_CURRENT}) as present"
        )

    @property
    def _word(self) -> str:
        return str(next(c.type for c in self.columns if c.name == VALID_FROM))

    @property
    def _now(self) -> str:
        return self._constant(self.moment.isoformat(" "))

    @property
    def _ever(self) -> str:
        return self._constant(FOREVER)

    def _constant(self, text: str) -> str:
        return f"{self._word} '{text}{'+00' if self._word == 'timestamptz' else ''}'"

    def _since(self) -> str:
        seen = "null"
        if self.history.moment:
            own = f"cast(f.{quoted(self.history.moment)} as {self._word})"
            seen = f"case when {own} < {self._ever} then {own} end"
        return (
            f"case when e.edge is null then coalesce({seen}, {self._now}) "
            f"when {seen} > e.edge or (not e.live and {seen} >= e.edge) then {seen} "
            f"when e.live then greatest({self._now}, e.edge + {_STEP}) "
            f"else greatest({self._now}, e.edge) end"
        )

    @property
    def _differs(self) -> str:
        """Compared are the columns that both have: one that came changes no version."""
        both = {c.name for c in self.rows} & {c.name for c in self.past}
        compared = [column for column in self.columns if column.name in both]
        parts = [f"{self._exact('f', c)} is distinct from {self._exact('c', c)}" for c in compared]
        return f"({' or '.join(parts)})" if parts else "false"

    def _exact(self, alias: str, column: Column) -> str:
        """-0.0 is not 0.0."""
        name = f"cast({alias}.{quoted(column.name)} as {column.type})"
        return f"cast({name} as varchar)" if column.type.kind in _FLOATING else name

    def _names(self, alias: str) -> str:
        return ", ".join(f"{alias}.{quoted(c.name)}" for c in self.columns if c.name not in OWN)

    def _cast(self, alias: str, known: set[str], columns: Sequence[Column]) -> str:
        def cell(column: Column) -> str:
            return f"{alias}.{quoted(column.name)}" if column.name in known else "null"

        return ", ".join(f"cast({cell(c)} as {c.type}) as {quoted(c.name)}" for c in columns)

    def _same(self, left: str, right: str) -> str:
        names = (quoted(name) for name in self.history.key)
        return " and ".join(f"{left}.{name} is not distinct from {right}.{name}" for name in names)
