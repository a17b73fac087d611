"""What looking at a source's data may cost, told before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainstem.schema import Database
from mainstem.text import count


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a profile may cost: rows looked at a table, seconds over all (the server ends the
    question that is under way then). No rows: nothing is asked."""

    rows: int = 50_000
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """For one source: the tables to be looked at (one pass each), the rows that are read at most, and the
    tables of which only the first rows are."""

    source: str
    tables: int
    rows: int
    sampled: tuple[str, ...]
    seconds: float
    links: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The sentence of `mainstem plan`."""
        if not self.tables:
            return f"mainstem draft looks at no data of {self.source}"
        sampled = f"; of {_some(self.sampled)} the first rows" if self.sampled else ""
        links = f"; {count(len(self.links), 'foreign key')} from mainstem.yml" if self.links else ""
        return (
            f"mainstem draft would look at {count(self.tables, 'table')} of {self.source}, one pass each: "
            f"at most {count(self.rows, 'row')} and {self.seconds:g} seconds in all{sampled}{links}"
        )

    def value(self) -> dict[str, object]:
        """As plain values for JSON."""
        return {
            "source": self.source, "tables": self.tables, "rows": self.rows, "seconds": self.seconds,
            "sampled": list(self.sampled), "links": list(self.links),
        }  # fmt: skip


def bounds_of(source: str, database: Database, limits: Limits, links: Sequence[str] = ()) -> Bounds:
    """The bounds of a look; a table of unknown size counts as the most that is read of one."""
    looked = [t for t in database.tables if t.columns] if limits.rows > 0 and limits.seconds > 0 else []
    most = [limits.rows + 1 if t.rows < 0 else min(t.rows, limits.rows + 1) for t in looked]
    sampled = tuple(t.name for t in looked if t.rows > limits.rows)
    return Bounds(source, len(looked), sum(most), sampled, limits.seconds, tuple(links))


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
