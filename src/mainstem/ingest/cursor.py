"""Where the next incremental read begins: the cursor's greatest value, and how far before it rows may
still appear. Pure; literals are SQL, compared by the source itself, in its own order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from mainstem.contract.canonical import SourceDialect
from mainstem.errors import ProofFailed, Where
from mainstem.project.config import Deletes, Mode, TableConfig
from mainstem.schema import Kind, Table
from mainstem.source.port import OLDEST_TRANSACTION

TIMES = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
NUMBERS = (Kind.INT, Kind.LONG, Kind.DECIMAL)
CURSORS = (*NUMBERS, *TIMES)
OVERLAP_SECONDS = 7200  # clocks that step back, summer time, transactions that nobody may list
OVERLAP_STEPS = 10_000  # numbers that transactions draw long before they commit
_MARGIN = 60  # seconds: the server lists its transactions to the second, and not quite at once
_AHEAD = timedelta(days=1)  # local time without a zone may be 14 hours ahead
_PLACE = ("hostname", "port", "server_id")
_LOGGED = ("binlog_file", "binlog_position")
_IDENTITY = ("server_uuid", "server_uid", "system_identifier", "timeline")


@dataclass(frozen=True, slots=True)
class Increment:
    """How a table is read incrementally: column, merge key, overlap in seconds or steps (None: default),
    whether rows that the source no longer has are looked for."""

    cursor: str
    key: tuple[str, ...]
    overlap: int | None = None
    detect: bool = True


@dataclass(frozen=True, slots=True)
class Watermark:
    """What a load remembers of its cursor: SQL literals of the greatest value and of the value from which
    rows may still appear. Both empty if no row had a value."""

    cursor: str
    top: str
    low: str

    def encode(self) -> str:
        """As the snapshot's summary has it."""
        return json.dumps([self.cursor, self.top, self.low], ensure_ascii=False)

    @classmethod
    def decode(cls, text: str) -> Watermark | None:
        """The inverse; None for no text."""
        return cls(*json.loads(text)) if text else None


def increment_of(config: TableConfig, table: Table) -> Increment | None:
    """The table's way of being read, None for whole. The columns were checked with the project."""
    key = tuple(config.key) or table.primary_key
    if config.mode is Mode.FULL or not config.cursor or not key:
        return None
    return Increment(config.cursor, key, config.overlap, config.deletes is Deletes.DETECT)


def proposal(table: Table) -> str:
    """A column that looks like a cursor, by its name: the time of the last change. Empty if there is none, or
    no key to merge by."""
    if not table.primary_key:
        return ""
    words = ("updated", "modified", "changed", "last_update", "lastupdate", "last_modified")
    for column in table.columns:
        if column.type.kind in TIMES[1:] and column.name.lower().startswith(words):
            return column.name
    return ""


def watermark(
    increment: Increment, table: Table, greatest: Any, now: Any, position: Mapping[str, str]
) -> Watermark:
    """From the cursor's greatest value in the snapshot, the server's own time (UTC) and its position.

    Raises ProofFailed for a value in the future: rows that come would all lie before it, and never be
    read.
    """
    if greatest is None:
        return Watermark(increment.cursor, "", "")
    moment, present = as_moment(greatest), as_moment(now)
    if moment and present and moment > present + _AHEAD:
        raise ProofFailed(
            "the cursor is in the future: rows to come would lie before it and never be read",
            where=Where(table=f"raw.{table.name}", column=increment.cursor),
            hint="correct the rows in the source, or set mode: full for the table",
        )
    return Watermark(
        increment.cursor, literal(greatest), literal(_before(greatest, increment.overlap, position))
    )


def condition(
    increment: Increment,
    table: Table,
    mark: Watermark,
    dialect: SourceDialect,
    positions: tuple[Mapping[str, str], Mapping[str, str]],
) -> str:
    """SQL for the rows to read: not before the low bound (`>=`: values may be equal), without a value, or
    written since, where the server can tell. `positions`: the last load's and this snapshot's."""
    column = dialect.quote(increment.cursor)
    parts = [f"{column} >= {mark.low}"]
    if table.column(increment.cursor).nullable:
        parts.append(f"{column} IS NULL")
    written = dialect.written_since(*positions)
    return " OR ".join([*parts, written] if written else parts)


def same_server(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two positions are of one server, as far as both say who it is."""
    return all(before[name] == now[name] for name in _IDENTITY if name in before and name in now)


def same_moment(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two snapshots surely show the same rows: they are of one server, and at one place of its binary
    log, which MariaDB tells of a snapshot exactly. Nobody else does."""
    return all(one.get(name) and one.get(name) == other.get(name) for name in (*_PLACE, *_LOGGED))


def literal(value: Any) -> str:
    """SQL that a cursor's column is compared with."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float | date | str):
        raise TypeError(f"no cursor is a {type(value).__name__}")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return repr(value)
    text = value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
    return "'" + text.replace("\\", "").replace("'", "''") + "'"


def _before(greatest: Any, overlap: int | None, position: Mapping[str, str]) -> Any:
    """The least value that a transaction which had not committed at the snapshot may still bring."""
    if isinstance(greatest, date):
        seconds = OVERLAP_SECONDS if overlap is None else overlap
        if OLDEST_TRANSACTION in position:
            seconds += int(position[OLDEST_TRANSACTION]) + _MARGIN
        if not isinstance(greatest, datetime):
            seconds = -(-seconds // 86_400) * 86_400  # a day is the least that a date can tell
        try:
            return greatest - timedelta(seconds=seconds)
        except OverflowError:
            return type(greatest).min
    if isinstance(greatest, int | Decimal):
        return greatest - (OVERLAP_STEPS if overlap is None else overlap)
    return greatest  # SQLite's texts: it has one writer at a time


def as_moment(value: Any) -> datetime | None:
    """A time without a zone, in UTC if it had one; None for what is no time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None
