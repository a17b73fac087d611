"""What the data says about a database, as a value. Optional: drafting works from the schema alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ACCEPT = 0.7
"""Score from which an undeclared link is taken (Rostin et al. 2009; weights in docs/drafting.md)."""

ASK = 0.5
"""Score from which one that is not taken is asked for."""

ENOUGH = 50
"""Rows below which the data decides nothing by what it happens not to hold."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """Figures of one column. `nulls` is a share from 0 to 1; `distinct` counts values that are not null,
    -1 unknown; `low` and `high` are the extremes of a numeric column, None where unknown or not numeric;
    `blanks` counts texts that differ from another one only by blanks at their ends, `cases` those that do
    only by upper and lower case."""

    nulls: float = 0.0
    distinct: int = -1
    low: float | None = None
    high: float | None = None
    blanks: int = 0
    cases: int = 0


def contained_key(columns: Sequence[str]) -> str:
    """How `Profile.contained` names the columns of a link."""
    return ", ".join(columns)


def score_link(name: float, contained: float | None) -> float:
    """.45 name + .55 contents; without data the name alone has to carry it."""
    return name if contained is None else 0.45 * name + 0.55 * contained


@dataclass(frozen=True, slots=True)
class Profile:
    """All figures by lake names.

    `rows` by table (an estimate where `sampled`); `looked` the rows looked at; `columns` by (table, column);
    `contained` by (table, column, other table): the share of the column's values that are found in the other
    table's key; `adds_up` by (header, column, line): the share of headers whose amount is the sum of their
    lines. `unasked` are tables that time did not allow, `unfinished` the number of
    further questions (keys, sums) for which there was none.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], ColumnProfile] = field(default_factory=dict)
    contained: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    adds_up: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    looked: Mapping[str, int] = field(default_factory=dict)
    sampled: frozenset[str] = frozenset()
    unasked: tuple[str, ...] = ()
    unfinished: int = 0

    def column(self, table: str, column: str) -> ColumnProfile | None:
        """The figures of one column, if known."""
        return self.columns.get((table, column))

    def seen(self, table: str) -> int:
        """The rows that the figures of a table rest on; -1 if nobody looked."""
        return self.looked.get(table, self.rows.get(table, -1))

    def unique(self, table: str, column: str) -> bool | None:
        """Whether every row looked at has a value of its own; None if that is not known."""
        figures, seen = self.column(table, column), self.seen(table)
        if figures is None or seen < 0 or figures.distinct < 0:
            return None
        return figures.distinct == seen and not figures.nulls
