"""Which lake type a PostgreSQL type becomes, and how a column is asked for.

Only types of `pg_catalog` whose binary form is known here travel in binary; whatever else there is
arrives as the server's own text.
"""

from __future__ import annotations

import re

from mainstem.schema import Column, Kind, Type
from mainstem.source.guard import NATIVE, opening

_PLAIN = {
    "bool": Kind.BOOLEAN,
    "int2": Kind.INT,
    "int4": Kind.INT,
    "int8": Kind.LONG,
    "oid": Kind.LONG,
    "float4": Kind.FLOAT,
    "float8": Kind.DOUBLE,
    "bytea": Kind.BINARY,
    "date": Kind.DATE,
    "timestamp": Kind.TIMESTAMP,
    "timestamptz": Kind.TIMESTAMPTZ,
    "time": Kind.LONG,  # microseconds: 24:00:00 has no place in any type of a time of day
}
_WIRE = {
    Kind.BOOLEAN: "bool",
    Kind.INT: "int4",
    Kind.LONG: "int8",
    Kind.DECIMAL: "numeric",
    Kind.FLOAT: "float4",
    Kind.DOUBLE: "float8",
    Kind.STRING: "text",
    Kind.BINARY: "bytea",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz",
}
_TRAVELS = {  # as format_type writes them; a type of the user's has its schema in front
    Kind.BOOLEAN: "boolean",
    Kind.INT: "integer",
    Kind.LONG: "bigint",
    Kind.DECIMAL: r"numeric\(\d+,\d+\)",
    Kind.FLOAT: "real",
    Kind.DOUBLE: "double precision",
    Kind.STRING: r"text|character varying(\(\d+\))?",
    Kind.BINARY: "bytea",
    Kind.DATE: "date",
    Kind.TIMESTAMP: r"timestamp(\(\d\))? without time zone",
    Kind.TIMESTAMPTZ: r"timestamp(\(\d\))? with time zone",
}
_MONEY_DIGITS = 19  # money is a 64-bit count of the smallest unit
_MAX_PRECISION = 38


def lake_type(name: str, typmod: int, money_scale: int) -> Type:
    """The lake type of a type of `pg_catalog` (`name` as in pg_type, empty for any other schema's).

    `money_scale`: decimals of the server's `lc_monetary`.
    """
    if name in _PLAIN:
        return Type(_PLAIN[name])
    if name == "money":
        return Type(Kind.DECIMAL, _MONEY_DIGITS, money_scale)
    if name == "numeric" and typmod >= 0:
        return _numeric(typmod)
    return Type(Kind.STRING)


def _numeric(typmod: int) -> Type:
    # The scale is a signed number of 11 bits (numeric.c, make_numeric_typmod).
    precision = ((typmod - 4) >> 16) & 0xFFFF
    scale = (((typmod - 4) & 0x7FF) ^ 1024) - 1024
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    return Type(Kind.DECIMAL, precision, scale) if precision <= _MAX_PRECISION else Type(Kind.STRING)


def is_time(column: Column) -> bool:
    """Is it a time of day without zone, held as microseconds?"""
    return column.type.kind is Kind.LONG and column.native.startswith("time")


def is_padded(column: Column) -> bool:
    """Is it a char(n)? It travels with its blanks, which the decoders take off: the server's own cast to
    text does the same, for a tenth of the time of a read."""
    return column.type.kind is Kind.STRING and bool(
        re.fullmatch(r"character(\(\d+\))?|bpchar", column.native)
    )


def quote(name: str) -> str:
    """The identifier in double quotes; a quote inside is doubled."""
    return '"' + name.replace('"', '""') + '"'


def wire(column: Column) -> str:
    """The column as COPY selects it: of the one type whose binary form the decoders know. A cast that changes
    nothing is left out all the same: the server hands a table's own rows on, and need not form others."""
    sql = value(column)
    kind = column.type.kind
    known = is_time(column) or is_padded(column) or re.fullmatch(_TRAVELS[kind], column.native)
    return sql if known else f"{sql}::{_WIRE[kind]}"


def may_exceed(column: Column) -> bool:
    """Whether the server may hold values that the column's lake type cannot."""
    finite = column.type.kind is Kind.DECIMAL and column.native.startswith("numeric")
    return finite or column.type.kind in _RANGES


_RANGES = {
    Kind.DATE: "{0} BETWEEN '0001-01-01' AND '9999-12-31'",
    Kind.TIMESTAMP: "{0} >= '0001-01-01' AND {0} < '10000-01-01'",
    Kind.TIMESTAMPTZ: "{0} >= '0001-01-01 00:00:00+00' AND {0} < '10000-01-01 00:00:00+00'",
}
_FINITE = "{0}::text NOT IN ('NaN', 'Infinity', '-Infinity')"


def _fits(column: Column) -> str:
    """SQL: whether the lake's type can hold the value; NULL for NULL."""
    return f"({_RANGES.get(column.type.kind, _FINITE).format(quote(column.name))})"


def value(column: Column) -> str:
    """The column as an expression; what its type cannot hold is left out, if the user chose so."""
    if column.native == NATIVE:
        return f"({_side(column)})"
    name = quote(column.name)
    return f"(CASE WHEN {_fits(column)} THEN {name} END)" if column.guarded else name


def _side(column: Column) -> str:
    """SQL for the side column: numbers and dates hold nothing that JSON escapes."""
    if not column.covers:
        return "NULL::text"
    outside = [f"NOT {_fits(guarded)}" for guarded in column.covers]
    cells = [
        f"CASE WHEN {out} THEN {_literal(opening(guarded))} || {quote(guarded.name)}::text || '\"' END"
        for out, guarded in zip(outside, column.covers, strict=True)
    ]
    return f"CASE WHEN {' OR '.join(outside)} THEN '{{' || concat_ws(', ', {', '.join(cells)}) || '}}' END"


def _literal(text: str) -> str:
    """A string constant, whatever standard_conforming_strings is."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
