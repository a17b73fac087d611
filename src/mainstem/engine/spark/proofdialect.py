"""Canonical texts and row hashes in Spark's SQL: the lake's side of a proof, computed by Spark. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mainstem.compile.query import view_name
from mainstem.contract.canonical import PLAINEST, Form, Hash
from mainstem.schema import RAW, Column, Kind, Table, TableName


def quote(name: str) -> str:
    """An identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class SparkProofDialect:
    """See contract.canonical.EngineDialect."""

    hash: Hash = Hash.CRC32
    view: Callable[[TableName], str] = view_name

    def with_hash(self, hash_: Hash) -> SparkProofDialect:
        """The same dialect with another row hash."""
        return replace(self, hash=hash_)

    def quote(self, name: str) -> str:
        """See Dialect."""
        return quote(name)

    def ref(self, table: Table) -> str:
        """The session's view of the table."""
        return quote(self.view(TableName(RAW, table.name)))

    def form(self, column: Column) -> Form:
        """The plainest exact form of the column's type."""
        return PLAINEST[column.type.kind]

    def text(self, column: Column, form: Form) -> str:
        """See Dialect."""
        x = quote(column.name)
        if form in (Form.TEXT_HASH, Form.BINARY_HASH):
            return f"CAST({self._hashed(x)} AS STRING)"
        return _text(x, column, form)

    def row_hash(self, texts: list[str]) -> str:
        """See Dialect."""
        filled = ", ".join(f"coalesce({text}, chr(30))" for text in texts)
        return self._hashed(f"concat_ws(chr(31), {filled})")

    def total(self, sql: str) -> str:
        """See Dialect."""
        return f"CAST(coalesce(sum(CAST({sql} AS DECIMAL(38, 0))), 0) AS STRING)"

    def modulo(self, sql: str, buckets: int) -> str:
        """See Dialect."""
        return f"(({sql}) % {int(buckets)})"

    def _hashed(self, sql: str) -> str:
        if self.hash is Hash.CRC32:
            return f"crc32(CAST({sql} AS BINARY))"
        return f"CAST(conv(substr(md5(CAST({sql} AS BINARY)), 1, 16), 16, 10) AS DECIMAL(20, 0))"


def _text(x: str, column: Column, form: Form) -> str:
    match form:
        case Form.TEXT if column.type.kind is Kind.STRING:
            return x
        case Form.BOOLEAN:
            return f"CASE WHEN {x} THEN '1' WHEN NOT {x} THEN '0' END"
        case Form.INTEGER if column.type.kind is Kind.BOOLEAN:
            return f"CASE WHEN {x} THEN '1' WHEN NOT {x} THEN '0' END"
        case Form.HEX:
            return f"hex({x})"
        case Form.TIMESTAMP_FIXED:
            return f"date_format({x}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')"
        case Form.EPOCH_MICROS:
            return f"CAST(unix_micros(CAST({x} AS TIMESTAMP_LTZ)) AS STRING)"
        case Form.DOUBLE_BITS:
            return f"mainstem_double_bits(CAST({x} AS DOUBLE))"
        case Form.FLOAT_BITS:
            return f"mainstem_float_bits(CAST({x} AS DOUBLE))"
        case Form.DOUBLE_MYSQL:
            return f"mainstem_mysql_double(CAST({x} AS DOUBLE))"
    return f"CAST({x} AS STRING)"
