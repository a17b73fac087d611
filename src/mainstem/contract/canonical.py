"""The canonical text of a cell: what the source and the lake each compute, apart, to be compared.

A source's dialect says for each column which form its SQL yields (`canonical`), the engine's dialect
yields the same form from what stands in the lake. NULL stays NULL in every form.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from mainstem.schema import Column, Kind, Table


class Form(StrEnum):
    """A canonical text. Both sides must print the same bytes for the same value."""

    INTEGER = "integer"  # decimal digits, '-' for negatives
    FIXED = "fixed"  # decimal with exactly `scale` digits after the point: '-0.50'
    TEXT = "text"  # the text itself, UTF-8
    TEXT_HASH = "text_hash"  # decimal digits of the row hash of the UTF-8 text (long texts)
    BINARY_HASH = "binary_hash"  # decimal digits of the row hash of the bytes
    HEX = "hex"  # upper-case hexadecimal of the bytes
    BOOLEAN = "boolean"  # '1' or '0'
    DATE = "date"  # YYYY-MM-DD
    TIMESTAMP_FIXED = "timestamp_fixed"  # YYYY-MM-DD HH:MM:SS.ffffff, in UTC if it has a zone
    EPOCH_MICROS = "epoch_micros"  # microseconds since 1970-01-01 00:00:00 (UTC), decimal digits
    DOUBLE_BITS = "double_bits"  # upper-case hexadecimal of the big-endian IEEE 754 bits (16 digits)
    FLOAT_BITS = "float_bits"  # the same of 32 bits (8 digits)
    DOUBLE_MYSQL = "double_mysql"  # what MySQL prints for CAST(x + 0e0 AS CHAR), floats widened to double


PLAINEST: Mapping[Kind, Form] = MappingProxyType(
    {
        Kind.BOOLEAN: Form.BOOLEAN,
        Kind.INT: Form.INTEGER,
        Kind.LONG: Form.INTEGER,
        Kind.DECIMAL: Form.FIXED,
        Kind.FLOAT: Form.FLOAT_BITS,
        Kind.DOUBLE: Form.DOUBLE_BITS,
        Kind.STRING: Form.TEXT,
        Kind.BINARY: Form.HEX,
        Kind.DATE: Form.DATE,
        Kind.TIMESTAMP: Form.TIMESTAMP_FIXED,
        Kind.TIMESTAMPTZ: Form.TIMESTAMP_FIXED,
    }
)
"""The plainest exact form of each lake type: the engines' own; sources say where theirs is another."""


class Hash(StrEnum):
    """The row hash of a source, a non-negative integer of at most 64 bits."""

    CRC32 = "crc32"  # CRC-32 (ISO 3309, as zlib) of the UTF-8 bytes
    MD5_64 = "md5_64"  # the first 64 bits of MD5, big-endian, unsigned
    # PostgreSQL's own (hashing/jenkins.py), for rows; texts and bytes that stand as a number are of MD5_64.
    JENKINS_64 = "jenkins_64"


class Dialect(Protocol):
    """SQL pieces in the words of one server or engine; used by `reconcile` to write the same question
    for both sides. All methods return SQL text and never touch a connection."""

    @property
    def hash(self) -> Hash:
        """The row hash that `row_hash` writes."""

    def quote(self, name: str) -> str:
        """The identifier quoted so that any name is safe."""

    def ref(self, table: Table) -> str:
        """The table as it stands after FROM (quoted, qualified)."""

    def form(self, column: Column) -> Form:
        """Which canonical form this side's source uses for the column."""

    def text(self, column: Column, form: Form) -> str:
        """SQL for the canonical text of the column in that form; NULL for NULL."""

    def row_hash(self, texts: list[str]) -> str:
        """SQL for the hash (integer) of the texts joined by U+001F, where NULL stands as U+001E."""

    def total(self, sql: str) -> str:
        """SQL for the exact sum, as text of decimal digits, of a non-negative integer expression of at
        most 64 bits over all rows; '0' for no rows."""

    def modulo(self, sql: str, buckets: int) -> str:
        """SQL for `sql mod buckets` of a non-negative integer expression."""


class SourceDialect(Dialect, Protocol):
    """A source's words."""

    @property
    def now(self) -> str:
        """SQL for the server's present time in UTC, as a value that the driver gives as a time or text."""

    def live(self, column: Column) -> str:
        """SQL for the rows that a column does not mark as deleted: it is false, zero, or no time."""

    def written_since(self, before: Mapping[str, str], now: Mapping[str, str]) -> str:
        """SQL for the rows that were inserted or updated by transactions that the snapshot at position
        `before` did not see, asked at position `now`; empty if the server cannot tell."""

    def behind(self, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """Whether the snapshot at position `now` is one of a replica that may not have applied all that a
        snapshot at position `before` of the same history saw."""


class EngineDialect(Dialect, Protocol):
    """An engine's words: it can compute the row hash of any source."""

    def with_hash(self, hash_: Hash) -> Dialect:
        """This dialect with another row hash."""
