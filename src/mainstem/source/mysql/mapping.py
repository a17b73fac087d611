"""A column's native type → its lake type, how it is selected, how its text is decoded. Pure.

| native | lake | note |
|---|---|---|
| TINYINT … INT, YEAR | int | TINYINT(1) too: it holds more than 0 and 1 |
| INT UNSIGNED, BIGINT | long | |
| BIGINT UNSIGNED, BIT(64) | decimal(20,0) | |
| BIT(1) / BIT(2..63) | boolean / long | |
| DECIMAL(p≤38,s) / wider | decimal(p,s) / string | |
| FLOAT / DOUBLE | float / double | a FLOAT is selected as `col*1e0`: its own text has six digits only |
| DATE / DATETIME / TIMESTAMP | date / timestamp / timestamptz | year 1..9999; others: OutOfRange |
| TIME | long | microseconds, negative too |
| CHAR … LONGTEXT, ENUM, SET, JSON, UUID, INET4/6 | string | |
| BINARY … LONGBLOB, spatial, VECTOR | binary | spatial: 4 bytes SRID, then WKB |
| anything else | string | the server's own text |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from mainstem.schema import Column, Kind, Type
from mainstem.source.guard import NATIVE, opening
from mainstem.source.port import OutOfRange


class Wire(IntEnum):
    """How a cell's text is decoded. The compiled kernel knows the same numbers."""

    BOOLEAN = 0
    INT = 1
    LONG = 2
    DECIMAL = 3
    FLOAT = 4
    DOUBLE = 5
    DATE = 6
    TIMESTAMP = 7
    TIME = 8  # to long, microseconds
    TEXT = 9
    BYTES = 10


@dataclass(frozen=True, slots=True)
class Native:
    """The parts of COLUMN_TYPE that matter: `int(10) unsigned zerofill`, `decimal(10,2)`."""

    word: str
    first: int = -1
    second: int = -1
    unsigned: bool = False
    zerofill: bool = False


# Introspection adds this and the name to the native type of a text column whose bytes are not UTF-8.
FOREIGN_CHARSET = " character set "
_UTF8_CHARSETS = ("utf8mb4", "utf8mb3", "utf8")

_NATIVE = re.compile(r"([a-z0-9_]+)(?:\((\d+)(?:,(\d+))?\))?(.*)", re.DOTALL | re.IGNORECASE)
_INTS = ("tinyint", "smallint", "mediumint", "int", "integer")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_SPATIAL = (
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection"),
)
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector", *_SPATIAL)
_SIMPLE = {
    "year": Kind.INT,
    "time": Kind.LONG,
    "float": Kind.FLOAT,
    "double": Kind.DOUBLE,
    "real": Kind.DOUBLE,
    "date": Kind.DATE,
    "datetime": Kind.TIMESTAMP,
    "timestamp": Kind.TIMESTAMPTZ,
}
_WIRE = {
    Kind.BOOLEAN: Wire.BOOLEAN,
    Kind.INT: Wire.INT,
    Kind.LONG: Wire.LONG,
    Kind.DECIMAL: Wire.DECIMAL,
    Kind.FLOAT: Wire.FLOAT,
    Kind.DOUBLE: Wire.DOUBLE,
    Kind.DATE: Wire.DATE,
    Kind.TIMESTAMP: Wire.TIMESTAMP,
    Kind.TIMESTAMPTZ: Wire.TIMESTAMP,
    Kind.STRING: Wire.TEXT,
    Kind.BINARY: Wire.BYTES,
}


def parse_native(text: str) -> Native:
    """COLUMN_TYPE, taken apart. An ENUM's or SET's labels are not looked at."""
    match = _NATIVE.match(text)
    if match is None:
        return Native(text.lower())
    word, first, second, rest = match.groups()
    numeric = word.lower() not in ("enum", "set")
    words = rest.lower().split() if numeric else []
    return Native(
        word.lower(),
        int(first) if first else -1,
        int(second) if second else -1,
        "unsigned" in words or "zerofill" in words,
        "zerofill" in words,
    )


def native_text(column_type: str, charset: str | None) -> str:
    """COLUMN_TYPE, with the character set where it matters."""
    if charset is None or charset in _UTF8_CHARSETS:
        return column_type
    return f"{column_type}{FOREIGN_CHARSET}{charset}"


def lake_type(text: str, policy: OutOfRange = OutOfRange.FAIL) -> Type:
    """The lake type of a native one. Under `OutOfRange.TEXT` all but bytes are text."""
    native = parse_native(text)
    if native.word in _BYTES:
        return Type(Kind.BINARY)
    if policy is OutOfRange.TEXT:
        return Type(Kind.STRING)
    if native.word in _INTS:
        wide = native.unsigned and native.word in ("int", "integer")
        return Type(Kind.LONG if wide else Kind.INT)
    if native.word == "bigint":
        return Type(Kind.DECIMAL, 20, 0) if native.unsigned else Type(Kind.LONG)
    if native.word == "bit":
        return _bits(native.first)
    if native.word in ("decimal", "numeric"):
        precision, scale = max(native.first, 1), max(native.second, 0)
        return Type(Kind.DECIMAL, precision, scale) if precision <= 38 else Type(Kind.STRING)
    return Type(_SIMPLE.get(native.word, Kind.STRING))


def _bits(width: int) -> Type:
    if width <= 1:
        return Type(Kind.BOOLEAN)
    return Type(Kind.LONG) if width < 64 else Type(Kind.DECIMAL, 20, 0)


def wire(column: Column) -> Wire:
    """How the text of a selected column is decoded."""
    if column.type.kind is Kind.LONG and parse_native(column.native).word == "time":
        return Wire.TIME
    return _WIRE[column.type.kind]


def quote(name: str) -> str:
    """An identifier in backticks; safe for every name, in every sql_mode."""
    return "`" + name.replace("`", "``") + "`"


def may_exceed(column: Column) -> bool:
    """Whether the server may hold values that the column's lake type cannot: days of no calendar."""
    return wire(column) in (Wire.DATE, Wire.TIMESTAMP)


def _in_calendar(column: Column) -> str:
    """SQL: whether a date is one of a calendar. Zero and partial dates have no day number, others (31
    February) not their own one; NULL is neither."""
    name = quote(column.name)
    return (
        f"({name} IS NULL OR "
        f"(YEAR({name}) >= 1 AND COALESCE(FROM_DAYS(TO_DAYS({name})) = CAST({name} AS DATE), 0)))"
    )


def _side(column: Column) -> str:
    """SQL for the side column: dates hold nothing that JSON escapes."""
    if not column.covers:
        return "NULL"
    quotation = _literal('"')
    outside = [f"NOT {_in_calendar(guarded)}" for guarded in column.covers]
    cells = [
        f"CASE WHEN {out} THEN CONCAT({_literal(opening(guarded))}, "
        f"CAST({quote(guarded.name)} AS CHAR CHARACTER SET utf8mb4), {quotation}) END"
        for out, guarded in zip(outside, column.covers, strict=True)
    ]
    listed = f"CONCAT_WS({_literal(', ')}, {', '.join(cells)})"
    return f"CASE WHEN {' OR '.join(outside)} THEN CONCAT({_literal('{')}, {listed}, {_literal('}')}) END"


def _literal(text: str) -> str:
    """A string constant of utf8mb4, whatever the session's character set and escapes are."""
    return f"_utf8mb4 X'{text.encode().hex()}'"


def value(column: Column) -> str:
    """The column as an expression without the server's presentation: no zero fill, no six-digit floats,
    bits as a number. What its type cannot hold is left out, if the user chose so."""
    if column.native == NATIVE:
        return _side(column)
    plain = _plain(column)
    return f"CASE WHEN {_in_calendar(column)} THEN {plain} END" if column.guarded else plain


def _plain(column: Column) -> str:
    native = parse_native(column.native)
    name = quote(column.name)
    if native.word in ("float", "double", "real"):
        return f"({name}*1e0)"
    if native.word in ("bit", "year") or native.zerofill:
        return f"({name}+0)"
    return name


def selected(column: Column) -> str:
    """The column as it stands in the SELECT list of a read."""
    native = parse_native(column.native)
    if column.type.kind is Kind.STRING and column.native.endswith(f"{FOREIGN_CHARSET}binary"):
        return f"CONVERT({value(column)} USING utf8mb4)"  # an ENUM's or SET's labels
    if column.type.kind is Kind.STRING and native.word not in _TEXTS:
        return f"CAST({value(column)} AS CHAR CHARACTER SET utf8mb4)"
    return quote(column.name) if native.word == "year" else value(column)


# MYSQL_TYPE_* codes of a result set's columns that a wire form may come from; a column that was altered
# since introspection arrives with another code. Text and bytes are told apart by their character set.
_INTEGER_CODES = frozenset((1, 2, 3, 8, 9, 13))
_CODES = {
    Wire.BOOLEAN: _INTEGER_CODES,
    Wire.INT: _INTEGER_CODES,
    Wire.LONG: _INTEGER_CODES,
    Wire.DECIMAL: frozenset((0, 3, 8, 246)),
    Wire.FLOAT: frozenset((5,)),
    Wire.DOUBLE: frozenset((5,)),
    Wire.DATE: frozenset((10, 14)),
    Wire.TIME: frozenset((11,)),
}
_BINARY_CHARSET = 63
_JSON_CODE = 245


def fits(column: Column, code: int, charset: int, scale: int) -> bool:
    """Whether a result set's column (MYSQL_TYPE code, collation id, decimals) is what introspection saw."""
    form = wire(column)
    if form is Wire.TEXT:
        return charset != _BINARY_CHARSET or code == _JSON_CODE
    if form is Wire.BYTES:
        return charset == _BINARY_CHARSET and code >= 242
    if form is Wire.TIMESTAMP:
        return code == (7 if column.type.kind is Kind.TIMESTAMPTZ else 12) or (column.guarded and code == 12)
    if form is Wire.DECIMAL and scale != column.type.scale:
        return False
    return code in _CODES[form]
