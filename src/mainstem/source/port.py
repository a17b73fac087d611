"""The port of a source. Adapters: mysql, postgres, sqlite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mainstem.contract.canonical import SourceDialect
from mainstem.schema import Database, Table

if TYPE_CHECKING:
    import pyarrow as pa


# In a position: the age in seconds of the oldest transaction that may have written when the snapshot opened.
OLDEST_TRANSACTION = "oldest_transaction_seconds"
# In a replica's position: what it had applied before the snapshot opened. Nothing of it is missing there.
APPLIED = "applied"
# In a position: names of the tables that the snapshot does not cover (MyISAM), JSON.
NON_TRANSACTIONAL = "non_transactional"


class OutOfRange(StrEnum):
    """What to do with values that the column's lake type cannot hold (zero dates, infinities, NaN …)."""

    FAIL = "fail"  # stop the run with table, column and the choices (default)
    TEXT = "text"  # the whole column arrives as the server's own text (lake type string)
    NULL = "null"  # such a value arrives NULL, its text in the table's side column (`guard.py`)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The user's choices for one source, from `mainstem.yml`.

    `out_of_range` is keyed by (table, column), both in lake names, and wins over `others_out_of_range`.
    `include`/`exclude` are shell patterns on lake table names.
    """

    schemas: tuple[str, ...] = ()
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    out_of_range: Mapping[tuple[str, str], OutOfRange] = field(default_factory=dict)
    others_out_of_range: OutOfRange = OutOfRange.FAIL
    timeout: float = 60.0  # seconds without any byte after which a read is given up


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `mainstem doctor`: `level` is ok, warning or error."""

    level: str
    subject: str
    message: str
    hint: str = ""


class Snapshot(Protocol):
    """One consistent, read-only view over all tables. Not thread-safe: one call at a time."""

    position: Mapping[str, str]
    """Where in the source's history this view stands (GTID, LSN, data version): goes into the lake
    table's snapshot summary, in the same commit as the data."""

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        """All rows, or those that fulfil `where` (a condition in the source's SQL); columns in the order
        of `table.columns`, with the Arrow types of `arrow.schema_of(table.columns)`. Raises ValueNotExact
        for a value that does not fit, SourceUnavailable when the server goes away: rows handed over before
        count for nothing."""

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT in the source's dialect (proof queries), as Python values. After
        `seconds` (0: no limit) the server ends the statement: OutOfTime, and the snapshot goes on."""


@runtime_checkable
class Divisible(Protocol):
    """A snapshot that can read a large table in parts, several at a time."""

    def parts(self, table: Table) -> Sequence[str]:
        """Conditions in the source's SQL of which each row fulfils exactly one, now and in any later
        snapshot, and that the server finds the rows by. Empty for a table that is better read whole."""

    def order(self, table: Table) -> str:
        """What the meaning of such conditions hangs on (a collation): another one, and they are void."""

    def twin(self) -> AbstractContextManager[Snapshot]:
        """Another connection with the very same view. Raises SourceUnavailable or SourceRefused where it
        cannot be had."""


class Source(Protocol):
    """A database. Opening connects lazily; `close()` ends every connection it made."""

    @property
    def dialect(self) -> SourceDialect:
        """The server's words for canonical texts and row hashes."""

    def introspect(self) -> Database:
        """Tables (views and system tables left out) with lake types by the options' policies."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open one consistent view; leaving the context rolls back and frees the connection."""

    def diagnose(self) -> Sequence[Finding]:
        """Reachable, version, read-only, surplus and missing privileges; for `mainstem doctor`."""

    def close(self) -> None:
        """End all connections; safe to call twice."""
