"""What the user asks of a table beyond its rows: a contract, rows left out as deleted, a history. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from mainstem.contract.canonical import Dialect, SourceDialect
from mainstem.contract.rules import Contract
from mainstem.ingest.cursor import TIMES, proposal
from mainstem.project.config import HistoryKind, TableConfig
from mainstem.schema import HISTORY, QUARANTINE, Column, Kind, Table, TableName, Type

REASON, RUN = "_reason", "_run"
VALID_FROM, VALID_TO, IS_CURRENT = "valid_from", "valid_to", "is_current"
MARKS = (Kind.BOOLEAN, Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
D = TypeVar("D", bound=Dialect)
_NUMBERS = (Kind.INT, Kind.LONG, Kind.DECIMAL)


@dataclass(frozen=True, slots=True)
class History:
    """Every version of a row is kept, by key. `moment`: the column that says since when a version holds;
    empty: since it was seen."""

    key: tuple[str, ...]
    moment: str = ""

    def __str__(self) -> str:
        return f"history (scd2) since {self.moment or 'the run that sees a change'}"


@dataclass(frozen=True, slots=True)
class Terms:
    """`deleted`: the column that marks rows as deleted; empty: none does."""

    contract: Contract | None = None
    deleted: str = ""
    history: History | None = None

    @property
    def digest(self) -> str:
        """Decides whether a table has to be read again; empty without terms."""
        if self == NO_TERMS:
            return ""
        parts = [repr(self.contract), self.deleted, repr(self.history)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def words(self) -> tuple[str, ...]:
        """As a plan says them."""
        found = [str(self.contract)] if self.contract else []
        found += [f"rows marked by {self.deleted} left out"] if self.deleted else []
        found += [str(self.history)] if self.history else []
        return tuple(found)


NO_TERMS = Terms()


def terms_of(config: TableConfig, table: Table) -> Terms:
    """A table's terms; the columns were checked with the project."""
    return Terms(
        contract=config.contract.contract(table) if config.contract else None,
        deleted=config.deleted,
        history=_history(config, table) if config.history is HistoryKind.SCD2 else None,
    )


def _history(config: TableConfig, table: Table) -> History:
    times = {column.name for column in table.columns if column.type.kind in TIMES}
    moment = next((name for name in (config.cursor, proposal(table)) if name in times), "")
    return History(tuple(config.key) or table.primary_key, moment)


def faults(config: TableConfig, table: Table) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What cannot be, of settings whose columns exist: place in the table's settings, message, hint."""
    columns = {column.name: column for column in table.columns}
    taken = {name.casefold() for name in columns}
    marks = columns.get(config.deleted)
    if marks and marks.type.kind not in MARKS:
        hint = "a boolean, a number (0: not deleted) or a time (NULL: not deleted)"
        yield ("deleted",), f"{table.name}.{marks.name} ({marks.type}) cannot mark rows as deleted", hint
    terms = terms_of(config, table)
    if terms.history and not terms.history.key:
        yield ("history",), f"{table.name} has no primary key to tell versions by", "name one: key: [COLUMN]"
    added = [REASON, RUN] if terms.contract and terms.contract.quarantine else []
    added += [VALID_FROM, VALID_TO, IS_CURRENT] if terms.history else []
    for name in added:
        if name in taken:
            place = ("contract", "on_break") if name in (REASON, RUN) else ("history",)
            yield place, f"{table.name} has a column {name} of its own", "rename it in the source"


def beside(terms: Terms, table: str) -> list[TableName]:
    """The tables that are kept beside `raw.TABLE`."""
    found = [TableName(QUARANTINE, table)] if terms.contract and terms.contract.quarantine else []
    return [*found, TableName(HISTORY, table)] if terms.history else found


def quarantine_columns(table: Table) -> tuple[Column, ...]:
    """The table's columns, the rules that the row breaks, the run that found it."""
    text = Type(Kind.STRING)
    return (*table.columns, Column(REASON, text, nullable=False), Column(RUN, text, nullable=False))


def history_columns(table: Table, history: History, former: tuple[Column, ...] = ()) -> tuple[Column, ...]:
    """The table's columns, those that it had before, and since when, until when a version holds. Only a
    key has a value in every version: other columns may be younger than a row."""
    data = (
        replace(column, nullable=column.nullable or column.name not in history.key, guarded=False, covers=())
        for column in (*table.columns, *former)
    )
    kind = Kind.TIMESTAMP if history.moment else Kind.TIMESTAMPTZ
    if history.moment and table.column(history.moment).type.kind is Kind.TIMESTAMPTZ:
        kind = Kind.TIMESTAMPTZ
    return (
        *data,
        Column(VALID_FROM, Type(kind), nullable=False),
        Column(VALID_TO, Type(kind), nullable=False),
        Column(IS_CURRENT, Type(Kind.BOOLEAN), nullable=False),
    )


def live_in_lake(column: Column, name: str) -> str:
    """SQL of the engine for the rows that a column does not mark; `name` is the column, quoted."""
    if column.type.kind is Kind.BOOLEAN:
        return f"{name} is not true"
    return f"coalesce({name}, 0) = 0" if column.type.kind in _NUMBERS else f"{name} is null"


def live_rows(dialect: SourceDialect, table: Table, deleted: str) -> SourceDialect:
    """The dialect, for the rows that are not marked as deleted; as it is if no column marks any."""
    return rows_where(dialect, table, dialect.live(table.column(deleted))) if deleted else dialect


def rows_where(dialect: SourceDialect, table: Table, condition: str) -> SourceDialect:
    """A source's dialect that sees only the table's rows which fulfil a condition in its SQL."""
    names = ", ".join(dialect.quote(c.name) for c in table.columns if not c.covers)
    return rows_of(dialect, f"select {names} from {dialect.ref(table)} where {condition}")


def rows_of(dialect: D, query: str) -> D:
    """A dialect for which a query's rows are the table."""
    return cast(D, _RowsOf(dialect, query))


class _RowsOf:
    def __init__(self, dialect: Dialect, query: str) -> None:
        self._dialect = dialect
        self._query = query

    def __getattr__(self, name: str) -> object:
        return getattr(self._dialect, name)

    def ref(self, table: Table) -> str:
        """See Dialect."""
        return f"({self._query}) as mainstem_rows"


def remembered(text: str) -> Mapping[str, int]:
    """Snapshot ids of the tables that were committed with a load, by namespace."""
    return dict(json.loads(text)) if text else {}
