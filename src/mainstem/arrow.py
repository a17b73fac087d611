"""Lake types as Arrow types: the one mapping that readers, writers and engines share."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from mainstem.schema import Column, Kind, Type

_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INT: pa.int32(),
    Kind.LONG: pa.int64(),
    Kind.FLOAT: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.STRING: pa.string(),
    Kind.BINARY: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
}


def arrow_type(type_: Type) -> pa.DataType:
    """The Arrow type in which values of a lake type travel."""
    if type_.kind is Kind.DECIMAL:
        return pa.decimal128(type_.precision, type_.scale)
    return _ARROW[type_.kind]


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of a table's columns, in their order."""
    return pa.schema([pa.field(c.name, arrow_type(c.type), nullable=c.nullable) for c in columns])


def type_of(arrow: pa.DataType) -> Type:
    """The lake type that holds every value of an Arrow type exactly (a model's result, say).

    Raises ValueError where there is none (unsigned 64 bits becomes decimal(20,0), nested types have
    none).
    """
    for kind, candidate in _ARROW.items():
        if arrow == candidate:
            return Type(kind)
    if pa.types.is_decimal(arrow) and arrow.precision <= 38:
        return Type(Kind.DECIMAL, arrow.precision, arrow.scale)
    return _widened(arrow)


def _widened(arrow: pa.DataType) -> Type:
    if (
        pa.types.is_int8(arrow)
        or pa.types.is_int16(arrow)
        or pa.types.is_uint8(arrow)
        or pa.types.is_uint16(arrow)
    ):
        return Type(Kind.INT)
    if pa.types.is_uint32(arrow):
        return Type(Kind.LONG)
    if pa.types.is_uint64(arrow):
        return Type(Kind.DECIMAL, 20, 0)
    if pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow) or pa.types.is_null(arrow):
        return Type(Kind.STRING)
    if pa.types.is_large_binary(arrow) or pa.types.is_binary_view(arrow):
        return Type(Kind.BINARY)
    if pa.types.is_timestamp(arrow) and arrow.unit in ("s", "ms"):
        return Type(Kind.TIMESTAMPTZ if arrow.tz else Kind.TIMESTAMP)
    raise ValueError(f"no lake type holds {arrow} exactly")
