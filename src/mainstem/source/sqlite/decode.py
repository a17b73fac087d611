"""SQLite's values as Arrow arrays, exactly, or an error that names the column.

Checks go by whole columns: the set of Python types first, then Arrow's strict casts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.arrow import arrow_type
from mainstem.errors import ValueNotExact, Where
from mainstem.schema import Column, Kind, Table, Type

_CLASSES = {int: "integers", float: "reals", str: "texts", bytes: "blobs"}
_EXACT_INTEGERS = 1 << 53
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?$"


class _Misfit(Exception):
    """Why a column's values do not fit; `array` turns it into the user's error."""


def array(values: Sequence[Any], table: Table, column: Column, *, as_text: bool = False) -> pa.Array[Any]:
    """One column of a batch. `values` are as Python's sqlite3 gives them: int, float, str, bytes, None.

    `as_text` accepts every storage class for a string column. Raises ValueNotExact with table and
    column, never with a value.
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    where = Where(table=table.name, column=column.name)
    if not column.nullable and None in values:
        raise ValueNotExact("is declared NOT NULL, yet holds NULL", where=where, hint="repair the table")
    try:
        if as_text and column.type.kind is Kind.STRING:
            return _any_text(values, kinds)
        return _DECODERS[column.type.kind](values, kinds, column)
    except _Misfit as misfit:
        declared = f" (declared {column.native})" if column.native else ""
        message = f"holds {misfit}, which {column.type}{declared} cannot hold exactly"
        raise ValueNotExact(message, where=where, hint=_choices(table, column)) from None


def holds(type_: Type, value: Any) -> bool:
    """Whether a lake type can hold one value, as `array` decides."""
    kind = type(value)
    try:
        _DECODERS[type_.kind]([value], {kind}, Column("", type_))
    except _Misfit:
        return False
    return True


def _choices(table: Table, column: Column) -> str:
    option = f"tables.{table.name}.columns.{column.name}.out_of_range: text"
    choice = f"set {option} in mainstem.yml to take the column as text (null: such values alone)"
    return f"{choice}, or correct the values in the source"


def _only(kinds: set[type], *allowed: type) -> None:
    others = sorted(_CLASSES[kind] for kind in kinds if kind not in allowed)
    if others:
        raise _Misfit(" and ".join(others))


def _any_text(values: Sequence[Any], kinds: set[type]) -> pa.Array[Any]:
    if kinds <= {str}:
        return pa.array(values, pa.string())
    return pa.array([v if v is None or isinstance(v, str) else _literal(v) for v in values], pa.string())


def _literal(value: int | float | bytes) -> str:
    return "X'" + value.hex().upper() + "'" if isinstance(value, bytes) else repr(value)


def _long(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    _only(kinds, int)
    return pa.array(values, pa.int64())


def _boolean(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    _only(kinds, int)
    if set(values) - {0, 1, None}:
        raise _Misfit("integers other than 0 and 1")
    return pa.array(values, pa.int8()).cast(pa.bool_())


def _double(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    _only(kinds, int, float)
    if int in kinds:
        if any(isinstance(v, int) and int(float(v)) != v for v in values):
            raise _Misfit("integers beyond 2^53")
        values = [None if v is None else float(v) for v in values]
    return pa.array(values, pa.float64())


def _decimal(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    _only(kinds, int, float)
    target = arrow_type(column.type)
    try:
        if kinds <= {int}:
            return pa.array(values, pa.int64()).cast(pa.decimal128(19, 0)).cast(target)
        if int not in kinds or all(v is None or abs(v) <= _EXACT_INTEGERS for v in values):
            numbers = pa.array([None if v is None else float(v) for v in values], pa.float64())
            return numbers.cast(pa.string()).cast(target)
        return pa.array([None if v is None else Decimal(repr(v)) for v in values], target)
    except (pa.ArrowInvalid, InvalidOperation):
        raise _Misfit("a number with more digits") from None


def _string(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    _only(kinds, str)
    return pa.array(values, pa.string())


def _binary(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    _only(kinds, bytes)
    return pa.array(values, pa.binary())


def _date(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    return _iso(values, kinds, _DATE, pa.date32(), "YYYY-MM-DD")


def _timestamp(values: Sequence[Any], kinds: set[type], column: Column) -> pa.Array[Any]:
    return _iso(values, kinds, _TIMESTAMP, pa.timestamp("us"), "YYYY-MM-DD HH:MM:SS[.ffffff]")


def _iso(
    values: Sequence[Any], kinds: set[type], pattern: str, target: pa.DataType, shape: str
) -> pa.Array[Any]:
    _only(kinds, str)
    texts = pa.array(values, pa.string())
    if not pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py():
        raise _Misfit(f"texts that are not {shape}")
    if pc.any(pc.starts_with(texts, "0000"), min_count=0).as_py():
        raise _Misfit("dates of the year 0")
    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        raise _Misfit("dates that do not exist") from None


_DECODERS: dict[Kind, Callable[[Sequence[Any], set[type], Column], pa.Array[Any]]] = {
    Kind.BOOLEAN: _boolean,
    Kind.LONG: _long,
    Kind.DECIMAL: _decimal,
    Kind.DOUBLE: _double,
    Kind.STRING: _string,
    Kind.BINARY: _binary,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
}
