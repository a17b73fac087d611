"""SQLite's words for the proof, and the functions that SQLite itself lacks.

Integers, texts and dates are rendered by SQLite; bits of a double, the shortest text of a double and
CRC-32 are functions of ours, registered on each connection and given SQLite's own values: none of this
passes through the reader.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from mainstem.contract.canonical import PLAINEST, Form, Hash
from mainstem.schema import Column, Kind, Table, Type
from mainstem.source.guard import NATIVE, opening
from mainstem.source.sqlite.decode import holds

_FORMS = {**PLAINEST, Kind.FLOAT: Form.DOUBLE_BITS, Kind.BINARY: Form.BINARY_HASH}
# printf() is exact up to 15 significant digits; beyond that the digits are made from the shortest text.
_PRINTF_DIGITS = 15
_REMEMBERED = 64  # bytes: longer texts would fill the memory


def quote(name: str) -> str:
    """The identifier in double quotes; a quote inside is doubled."""
    return '"' + name.replace('"', '""') + '"'


class SQLiteDialect:
    """`Dialect` for SQLite. `hash` is CRC-32, as zlib computes it."""

    hash = Hash.CRC32
    now = "strftime('%Y-%m-%d %H:%M:%S', 'now')"

    def behind(self, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """A file has no replica."""
        return False

    def written_since(self, before: Mapping[str, str], now: Mapping[str, str]) -> str:
        """SQLite's rows do not say when they were written."""
        return ""

    def live(self, column: Column) -> str:
        """See SourceDialect."""
        sql = read_sql(column)
        marks = column.type.kind in (Kind.DATE, Kind.TIMESTAMP)
        return f"({sql}) IS NULL" if marks else f"coalesce({sql}, 0) = 0"

    def quote(self, name: str) -> str:
        return quote(name)

    def ref(self, table: Table) -> str:
        return f"main.{quote(table.source_name)}"

    def form(self, column: Column) -> Form:
        return _FORMS[column.type.kind]

    def text(self, column: Column, form: Form) -> str:
        if column.guarded or column.native == NATIVE:
            return self._guarded(column, form)
        return self._text(quote(column.name), column, form)

    def _guarded(self, column: Column, form: Form) -> str:
        if column.native == NATIVE:
            return side(column)
        return f"CASE WHEN {fits(column)} THEN {self._text(quote(column.name), column, form)} END"

    def _text(self, name: str, column: Column, form: Form) -> str:
        if form is Form.TEXT:
            return f"CASE WHEN typeof({name}) IN ('text', 'null') THEN {name} ELSE mainstem_text({name}) END"
        if form is Form.FIXED:
            return _fixed(name, column.type.scale)
        return {
            Form.INTEGER: f"CAST({name} AS TEXT)",
            Form.BOOLEAN: f"CAST({name} AS TEXT)",
            Form.DATE: name,
            Form.DOUBLE_BITS: _only(name, ("real", "integer"), f"mainstem_bits({name})"),
            Form.BINARY_HASH: _only(name, ("blob",), f"CAST(mainstem_crc32({name}) AS TEXT)"),
            Form.TEXT_HASH: f"CAST(mainstem_crc32({name}) AS TEXT)",
            Form.HEX: f"CASE WHEN {name} IS NOT NULL THEN hex({name}) END",
            Form.TIMESTAMP_FIXED: _timestamp(name),
        }[form]

    def row_hash(self, texts: list[str]) -> str:
        parts = [f"coalesce({text}, char(30))" for text in texts]
        # As bytes: a text that is not UTF-8 would end the query; the reader is to refuse it, with words.
        return f"mainstem_row(CAST({_concatenated(parts)} AS BLOB))"

    def total(self, sql: str) -> str:
        return f"coalesce(mainstem_total({sql}), '0')"

    def modulo(self, sql: str, buckets: int) -> str:
        return f"(({sql}) % {buckets})"


def fits(column: Column) -> str:
    """SQL: whether the column's lake type can hold the value; NULL for NULL. What SQLite itself can tell
    it tells; the rest is asked of the decoder."""
    name = quote(column.name)
    asked = f"mainstem_fits('{column.type}', CAST({name} AS BLOB), typeof({name}))"
    whole = f"typeof({name}) = 'integer'"
    held = {
        Kind.BINARY: f"typeof({name}) = 'blob'",
        Kind.LONG: whole,
        Kind.BOOLEAN: f"{whole} AND {name} IN (0, 1)",
        Kind.DOUBLE: f"typeof({name}) = 'real' OR {whole} AND mainstem_fits('double', {name}, 'integer')",
        Kind.DECIMAL: f"typeof({name}) IN ('integer', 'real') "
        f"AND mainstem_fits('{column.type}', {name}, typeof({name}))",
    }.get(column.type.kind, f"typeof({name}) = 'text' AND {asked}")
    return f"({name} IS NOT NULL AND ({held}))"


def read_sql(column: Column) -> str:
    """The column as it stands in the SELECT list of a read."""
    if column.native == NATIVE:
        return side(column)
    name = quote(column.name)
    return f"CASE WHEN {fits(column)} THEN {name} END" if column.guarded else name


def side(column: Column) -> str:
    """SQL for the side column: a JSON object of what does not fit, NULL if everything does."""
    if not column.covers:
        return "NULL"
    outside = [f"({quote(one.name)} IS NOT NULL AND NOT {fits(one)})" for one in column.covers]
    cells = [
        f"CASE WHEN {out} THEN {_literal(', ' + opening(one, ''))} || mainstem_json("
        f"CASE typeof({quote(one.name)}) WHEN 'text' THEN CAST({quote(one.name)} AS BLOB) "
        f"ELSE {quote(one.name)} END, typeof({quote(one.name)})) ELSE '' END"
        for out, one in zip(outside, column.covers, strict=True)
    ]
    return f"CASE WHEN {' OR '.join(outside)} THEN '{{' || substr({_joined(cells)}, 3) || '}}' END"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _joined(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_joined(parts[:half])} || {_joined(parts[half:])})"


def _concatenated(parts: list[str]) -> str:
    # A balanced tree: SQLite limits the depth of an expression to 1000, and tables may be wide.
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_concatenated(parts[:half])} || char(31) || {_concatenated(parts[half:])})"


def _only(name: str, classes: tuple[str, ...], sql: str) -> str:
    """Values of other storage classes, which the reader refuses, reach none of our functions."""
    allowed = ", ".join(f"'{storage}'" for storage in (*classes, "null"))
    return f"CASE WHEN typeof({name}) IN ({allowed}) THEN {sql} ELSE typeof({name}) END"


def _fixed(name: str, scale: int) -> str:
    if scale > _PRINTF_DIGITS:
        return f"mainstem_fixed({name}, {scale})"
    return (
        f"CASE WHEN abs({name}) < 1e{_PRINTF_DIGITS - scale} THEN printf('%.{scale}f', {name} + 0.0) "
        f"ELSE mainstem_fixed({name}, {scale}) END"
    )


def _timestamp(name: str) -> str:
    # Fills up what the text leaves out: '2024-01-02', '2024-01-02T03:04', '2024-01-02 03:04:05.5'.
    rest = f"substr(' 00:00:00.000000', max(length({name}) - 9, 2))"
    return f"(substr({name}, 1, 10) || ' ' || substr({name}, 12) || {rest})"


def _crc32(value: str | bytes | None) -> int | None:
    if value is None:
        return None
    return zlib.crc32(value.encode() if isinstance(value, str) else value)


def _row_hash(encoding: str) -> Callable[[bytes], int]:
    """CRC-32 of the UTF-8 form of a text that stands in the database's own encoding."""
    if encoding == "UTF-8":
        return zlib.crc32
    codec = encoding.lower()
    return lambda value: zlib.crc32(value.decode(codec, "replace").encode())


def _bits(value: float | None) -> str | None:
    return None if value is None else struct.pack(">d", value).hex().upper()


def _text(value: str | bytes | float | None) -> str | None:
    """Any value as text: numbers shortest and exact, a BLOB as SQLite's literal X'…'."""
    if value is None or isinstance(value, str):
        return value
    return f"X'{value.hex().upper()}'" if isinstance(value, bytes) else repr(value)


def _fixed_text(value: float | None, scale: int) -> str | None:
    """A number with exactly `scale` decimals, from its shortest text; more decimals are kept, so that
    they show as a difference."""
    if value is None:
        return None
    mantissa, _, exponent = repr(value).partition("e")
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    shift = int(exponent or 0)
    if shift >= 0:
        fraction = fraction.ljust(shift, "0")
        whole, fraction = whole + fraction[:shift], fraction[shift:]
    else:
        whole = whole.rjust(1 - shift, "0")
        whole, fraction = whole[:shift], whole[shift:] + fraction
    fraction = fraction.rstrip("0").ljust(scale, "0")
    text = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return sign + text if text.strip("0.") else text


def _fits(encoding: str) -> Callable[[str, Any, str], bool]:
    """Whether the decoder takes a value for a lake type; a text is given as its bytes in the database's
    encoding."""
    codec = encoding.lower()

    def asked(type_: str, value: Any, storage: str) -> bool:
        if storage == "text":
            try:
                value = value.decode(codec)
            except UnicodeDecodeError:
                return False
        return holds(Type.parse(type_), value)

    remembered = lru_cache(maxsize=1 << 16)(asked)

    def answered(type_: str, value: Any, storage: str) -> bool:
        long = isinstance(value, bytes) and len(value) > _REMEMBERED
        return (asked if long else remembered)(type_, value, storage)

    return answered


def _json(encoding: str) -> Callable[[Any, str], str]:
    """A value's text (`_text`) as a JSON string; a text that is none in its encoding as a literal X'…'."""
    codec = encoding.lower()

    def rendered(value: Any, storage: str) -> str:
        if storage == "text":
            with suppress(UnicodeDecodeError):
                value = value.decode(codec)
        return json.dumps(_text(value), ensure_ascii=False)

    return rendered


class _Total:
    """Aggregate: the exact sum of integers, as text; NULLs count as nothing."""

    def __init__(self) -> None:
        self.sum = 0

    def step(self, value: int | None) -> None:
        self.sum += value or 0

    def finalize(self) -> str:
        return str(self.sum)


def register(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that the dialect's SQL calls."""
    connection.create_function("mainstem_crc32", 1, _crc32, deterministic=True)
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    connection.create_function("mainstem_row", 1, _row_hash(encoding), deterministic=True)
    connection.create_function("mainstem_fits", 3, _fits(encoding), deterministic=True)
    connection.create_function("mainstem_json", 2, _json(encoding), deterministic=True)
    connection.create_function("mainstem_bits", 1, _bits, deterministic=True)
    connection.create_function("mainstem_text", 1, _text, deterministic=True)
    connection.create_function("mainstem_fixed", 2, _fixed_text, deterministic=True)
    connection.create_aggregate("mainstem_total", 1, _Total)  # type: ignore[arg-type]
