"""Canonical texts and row hashes in DuckDB's SQL: the lake's side of a proof."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mainstem.contract.canonical import PLAINEST, Form, Hash
from mainstem.engine.functions import CRC32_BYTES, CRC32_TEXT, JENKINS_TEXT, MYSQL_DOUBLE
from mainstem.engine.views import quote
from mainstem.schema import RAW, Column, Kind, Table


@dataclass(frozen=True)
class ProofDialect:
    """See contract.canonical.Dialect. `hash` is the one of the source to compare with."""

    hash: Hash = Hash.CRC32

    def with_hash(self, hash_: Hash) -> ProofDialect:
        """The same dialect with another row hash."""
        return replace(self, hash=hash_)

    def quote(self, name: str) -> str:
        """See Dialect."""
        return quote(name)

    def ref(self, table: Table) -> str:
        """The attached view of the table (namespace raw)."""
        return f"{quote(RAW)}.{quote(table.name)}"

    def form(self, column: Column) -> Form:
        """The plainest exact form of the column's type."""
        return PLAINEST[column.type.kind]

    def text(self, column: Column, form: Form) -> str:
        """See Dialect."""
        x = quote(column.name)
        if form is Form.TEXT_HASH:
            return f"CAST({self._hashed(x)} AS VARCHAR)"
        if form is Form.BINARY_HASH:
            return f"CAST({self._hashed(x, binary=True)} AS VARCHAR)"
        return _text(x, column, form)

    def row_hash(self, texts: list[str]) -> str:
        """See Dialect."""
        filled = ", ".join(f"coalesce({text}, chr(30))" for text in texts)
        joined = f"concat_ws(chr(31), {filled})"
        return f"{JENKINS_TEXT}({joined})" if self.hash is Hash.JENKINS_64 else self._hashed(joined)

    def total(self, sql: str) -> str:
        """See Dialect. DuckDB sums 64-bit integers in 128 bits."""
        return f"CAST(coalesce(sum(CAST({sql} AS UBIGINT)), 0) AS VARCHAR)"

    def modulo(self, sql: str, buckets: int) -> str:
        """See Dialect."""
        return f"(({sql}) % {int(buckets)})"

    def _hashed(self, sql: str, *, binary: bool = False) -> str:
        if self.hash is Hash.CRC32:
            return f"{CRC32_BYTES if binary else CRC32_TEXT}({sql})"
        return f"CAST('0x' || substr(md5({sql}), 1, 16) AS UBIGINT)"


def _text(x: str, column: Column, form: Form) -> str:
    match form:
        case Form.TEXT if column.type.kind is Kind.STRING:
            return x
        case Form.BOOLEAN:
            return _boolean(x)
        case Form.INTEGER if column.type.kind is Kind.BOOLEAN:
            return _boolean(x)
        case Form.FIXED:
            return _fixed(x, column)
        case Form.HEX:
            return f"hex({x})"
        case Form.DATE:
            return _years(x, f"CAST({x} AS VARCHAR)", "%m-%d")
        case Form.TIMESTAMP_FIXED:
            return _years(x, f"strftime({x}, '%Y-%m-%d %H:%M:%S.%f')", "%m-%d %H:%M:%S.%f")
        case Form.EPOCH_MICROS:
            return f"CAST(epoch_us({x}) AS VARCHAR)"
        case Form.DOUBLE_BITS | Form.FLOAT_BITS:
            return _bits(x, "DOUBLE" if form is Form.DOUBLE_BITS else "FLOAT")
        case Form.DOUBLE_MYSQL:
            return f"{MYSQL_DOUBLE}(CAST({x} AS DOUBLE))"
    return f"CAST({x} AS VARCHAR)"


def _boolean(x: str) -> str:
    return f"CASE WHEN {x} THEN '1' WHEN NOT {x} THEN '0' END"


def _bits(x: str, kind: str) -> str:
    return f"hex(from_binary(CAST(CAST(CAST({x} AS {kind}) AS BIT) AS VARCHAR)))"


def _fixed(x: str, column: Column) -> str:
    """Decimal digits with the zero before the point that DuckDB leaves out when all digits are behind it."""
    if column.type.kind is not Kind.DECIMAL:
        return f"CAST({x} AS VARCHAR)"
    if column.type.scale < column.type.precision:
        return f"CAST({x} AS VARCHAR)"
    return rf"regexp_replace(CAST({x} AS VARCHAR), '^(-?)\.', '\10.')"


def _years(x: str, text: str, rest: str) -> str:
    """Years before 1, which DuckDB calls (BC), as numbers: 0000 is 1 BC."""
    year = f"CASE WHEN year({x}) < 0 THEN '-' ELSE '' END || printf('%04d', abs(year({x})))"
    return f"CASE WHEN {x} >= '0001-01-01' THEN {text} ELSE {year} || '-' || strftime({x}, '{rest}') END"
