"""What the data says about a database, as a value. Optional: drafting works from the schema alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """Figures of one column. `nulls` is a share from 0 to 1; `distinct` counts values that are not null,
    -1 unknown; `low` and `high` are the extremes of a numeric column, None where unknown or not numeric."""

    nulls: float = 0.0
    distinct: int = -1
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """`rows` by table; `columns` by (table, column); `contained` by (table, column, other table): the share
    of the column's values that are found in the other table's key."""

    rows: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], ColumnProfile] = field(default_factory=dict)
    contained: Mapping[tuple[str, str, str], float] = field(default_factory=dict)

    def column(self, table: str, column: str) -> ColumnProfile | None:
        """The figures of one column, if known."""
        return self.columns.get((table, column))
