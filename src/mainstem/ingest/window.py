"""A back-fill: rows of an incremental table that are read again though their cursor says they need not be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from mainstem.contract.canonical import SourceDialect
from mainstem.errors import UsageError, Where
from mainstem.ingest.cursor import NUMBERS, Increment
from mainstem.schema import Kind, Table


@dataclass(frozen=True, slots=True)
class Window:
    """The rows whose cursor is not below `since` and below `until`, as the user wrote them: times in ISO 8601
    (2026-11-01, 2026-11-01T06:00, with a zone or in the column's own time) or numbers; empty bounds nothing.
    """

    since: str = ""
    until: str = ""

    def __bool__(self) -> bool:
        return bool(self.since or self.until)

    def __str__(self) -> str:
        parts = [f"since {self.since}"] if self.since else []
        return " ".join([*parts, f"until {self.until}"] if self.until else parts)


NO_WINDOW = Window()


def check(window: Window, increment: Increment, table: Table) -> None:
    """UsageError if the bounds are not of the cursor's kind, or hold nothing between them."""
    low, high = _bounds(window, increment, table)
    texts = low.startswith("'")
    if low and high and (low.strip("'") >= high.strip("'") if texts else Decimal(low) >= Decimal(high)):
        raise UsageError(f"--since {window.since} is not before --until {window.until}")


def condition(window: Window, increment: Increment, table: Table, dialect: SourceDialect) -> str:
    """SQL for the window's rows, in the source's words; at least those, where it keeps times as text.

    MySQL and PostgreSQL read both ways of writing a time; the sessions' time zone is UTC. SQLite compares
    texts: a space sorts before a T, so that with a space below and a T above no row is left out.
    """
    column = dialect.quote(increment.cursor)
    low, high = _bounds(window, increment, table)
    parts = [f"{column} >= {low}"] if low else []
    if high:
        parts.append(f"{column} < {high.replace(' ', 'T')}")
    return " AND ".join(parts)


def _bounds(window: Window, increment: Increment, table: Table) -> tuple[str, str]:
    kind = table.column(increment.cursor).type.kind
    read = _number if kind in NUMBERS else _day if kind is Kind.DATE else _time
    try:
        return (
            read(window.since, upper=False) if window.since else "",
            read(window.until, upper=True) if window.until else "",
        )
    except (ValueError, InvalidOperation):
        what = "a number" if kind in NUMBERS else "a time like 2026-11-01 or 2026-11-01T06:00+01:00"
        raise UsageError(
            f"--since and --until: the cursor is {what.partition(' like')[0]}",
            where=Where(table=f"raw.{table.name}", column=increment.cursor),
            hint=f"write {what}, or leave the table out with --exclude",
        ) from None


def _number(text: str, *, upper: bool) -> str:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return format(value, "f")


def _moment(text: str) -> datetime:
    """In UTC without a zone if the text has one, as it stands if not."""
    value = datetime.fromisoformat(text)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _time(text: str, *, upper: bool) -> str:
    moment = _moment(text)
    return f"'{moment.date() if moment.time() == time() else moment.isoformat(sep=' ')}'"


def _day(text: str, *, upper: bool) -> str:
    """Whole days: the one in which an upper bound lies belongs to the window."""
    moment = _moment(text)
    more = upper and moment.time() != time()
    day: date = moment.date() + timedelta(days=more)
    return f"'{day}'"
