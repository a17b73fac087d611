"""Asking a source for its profile: tables, then likely keys, then sums over lines, until the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mainstem.draft import ColumnProfile, Hop, Profile, SumOverLines, contained_key, inclusions, sums
from mainstem.errors import OutOfTime, Terminal
from mainstem.profile import questions
from mainstem.profile.bounds import Limits
from mainstem.schema import Database, Table
from mainstem.source.port import Snapshot, Source
from mainstem.text import count

_LINK_ROWS = 10_000


@dataclass
class _Notes:
    """The profile as it comes in."""

    rows: dict[str, int] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)
    columns: dict[tuple[str, str], ColumnProfile] = field(default_factory=dict)
    contained: dict[tuple[str, str, str], float] = field(default_factory=dict)
    adds_up: dict[tuple[str, str, str], float] = field(default_factory=dict)
    sampled: set[str] = field(default_factory=set)
    unasked: list[str] = field(default_factory=list)
    unfinished: int = 0

    def profile(self) -> Profile:
        return Profile(
            self.rows, self.columns, self.contained, self.adds_up, self.looked,
            frozenset(self.sampled), tuple(self.unasked), self.unfinished,
        )  # fmt: skip


def profile_source(
    source: Source,
    database: Database,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Profile:
    """What the data of a source says, within the limits, in one snapshot.

    A question that the server refuses (a type without equality, a missing grant) is left unanswered.
    Raises SourceUnavailable when the server goes away.
    """
    bounds = limits or Limits()
    if bounds.rows <= 0 or bounds.seconds <= 0 or not database.tables:
        return Profile(unasked=tuple(table.name for table in database.tables))
    end = clock() + bounds.seconds
    with source.snapshot() as snapshot:
        looking = _Look(source, snapshot, database, bounds, lambda: end - clock())
        looking.at_tables()
        looking.at_links()
        looking.at_sums()
        return looking.notes.profile()


class _Look:
    """One snapshot, its questions, and what came back."""

    def __init__(
        self,
        source: Source,
        snapshot: Snapshot,
        database: Database,
        limits: Limits,
        left: Callable[[], float],
    ) -> None:
        self.notes = _Notes()
        self._dialect = source.dialect
        self._snapshot = snapshot
        self._database = database
        self._tables = {table.name: table for table in database.tables}
        self._limits = limits
        self._left = left

    def at_tables(self) -> None:
        """One pass a table."""
        for table in self._database.tables:
            if table.columns:
                try:
                    self._table(table)
                except OutOfTime:
                    self.notes.unasked.append(table.name)

    def _table(self, table: Table) -> None:
        rows = self._limits.rows
        asked: Iterable[questions.Question] = questions.about_columns(
            self._dialect, self._database.engine, table, rows
        )
        answers = [(question, self._ask(question.sql)) for question in asked]
        if any(answer is None for _, answer in answers):
            least = questions.only_nulls(self._dialect, table, rows)
            answers = [(least, self._ask(least.sql))]
        for question, answer in answers:
            if answer is not None:
                self._note(table, question, answer)

    def _note(self, table: Table, question: questions.Question, answer: tuple[Any, ...]) -> None:
        looked = min(int(answer[0]), self._limits.rows)
        more = int(answer[0]) > self._limits.rows
        if more:
            self.notes.sampled.add(table.name)
        self.notes.looked[table.name] = int(answer[0])
        self.notes.rows[table.name] = max(table.rows, looked) if more else looked
        figures: dict[str, dict[str, Any]] = {}
        for (column, what), value in zip(question.figures, answer[1:], strict=True):
            figures.setdefault(column, {})[what] = value
        for column, found in figures.items():
            self.notes.columns[table.name, column] = _column(found, int(answer[0]))

    def at_links(self) -> None:
        """The values of likely keys."""
        for hop in inclusions(self._database, self.notes.profile()):
            try:
                share = self._contained(hop)
            except OutOfTime:
                self.notes.unfinished += 1
                continue
            if share is not None:
                self.notes.contained[hop.table, contained_key(hop.columns), hop.target] = share

    def _contained(self, hop: Hop) -> float | None:
        indexed = self._tables[hop.target].primary_key[:1] == hop.target_columns[:1]
        if hop.target in self.notes.sampled and not indexed:
            return None  # a part of its keys proves nothing
        rows = min(self._limits.rows, _LINK_ROWS)
        answer = self._ask(questions.about_link(self._dialect, self._tables, hop, rows))
        return int(answer[1]) / int(answer[0]) if answer and answer[0] else None

    def at_sums(self) -> None:
        """Headers' amounts against their lines."""
        for ask in sums(self._database, self.notes.profile()):
            try:
                share = self._adds_up(ask)
            except OutOfTime:
                self.notes.unfinished += 1
                continue
            if share is not None:
                self.notes.adds_up[ask.link.target, ask.column, ask.link.table] = share

    def _adds_up(self, ask: SumOverLines) -> float | None:
        line = self._tables[ask.link.table]
        by_header = line.primary_key[:1] == ask.link.columns[:1]
        if line.name in self.notes.sampled and not by_header:
            return None  # a sample in another order holds parts of documents
        shares = []
        for sql in questions.about_sums(self._dialect, self._tables, ask, self._limits.rows):
            answer = self._ask(sql)
            if answer and answer[0]:
                shares.append(int(answer[1]) / int(answer[0]))
        return max(shares, default=None)

    def _ask(self, sql: str) -> tuple[Any, ...] | None:
        """The one row of the answer; None if the server refuses. OutOfTime when the time is up, be it in
        the midst of the question."""
        left = self._left()
        if left <= 0:
            raise OutOfTime("the time for looking is up")
        try:
            ((*values,),) = self._snapshot.select(sql, left)
        except Terminal:
            return None
        return tuple(values)


def _column(found: Mapping[str, Any], rows: int) -> ColumnProfile:
    values = int(found["values"])
    distinct, trimmed = int(found.get("distinct", -1)), int(found.get("trimmed", -1))
    profile = ColumnProfile(
        nulls=1 - values / rows if rows else 0.0,
        distinct=distinct,
        low=_number(found.get("low")),
        high=_number(found.get("high")),
    )
    if trimmed < 0:
        return profile
    return replace(profile, blanks=distinct - trimmed, cases=trimmed - int(found["folded"]))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def told(profile: Profile, limits: Limits) -> list[str]:
    """What was looked at, for people: tables, samples, and what was not."""
    seen = len(profile.looked)
    lines = (
        [f"looked at the data of {count(seen, 'table')}, at most {limits.rows:,} rows each"] if seen else []
    )
    if profile.sampled:
        listed = ", ".join(sorted(profile.sampled))
        lines.append(f"larger, so by their first {limits.rows:,} rows: {listed}")
    if profile.unasked:
        number = count(len(profile.unasked), "table")
        lines.append(f"not looked at within {limits.seconds:g} seconds: {number}, drafted by their names")
    if profile.unfinished:
        number = count(profile.unfinished, "likely key or sum", "likely keys or sums")
        lines.append(f"not asked of the data within {limits.seconds:g} seconds: {number}")
    return lines
