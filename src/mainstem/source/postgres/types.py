"""Which lake type a PostgreSQL type becomes, and how a column is asked for.

Only types of `pg_catalog` whose binary form is known here travel in binary; whatever else there is
arrives as the server's own text.
"""

from __future__ import annotations

import re

from mainstem.schema import Column, Kind, Type

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


def wire(column: Column, quoted: str) -> str:
    """The column as COPY selects it: cast to the one type whose binary form the decoders know."""
    return quoted if is_time(column) or is_padded(column) else f"{quoted}::{_WIRE[column.type.kind]}"
