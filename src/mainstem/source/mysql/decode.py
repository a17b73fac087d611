"""Cells of the text protocol → Arrow, in plain Python: the reference for the compiled kernel, and what
runs where there is no compiler. A cell is the server's text, or None for NULL."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.arrow import arrow_type
from mainstem.errors import ValueNotExact, Where
from mainstem.schema import Column, Table
from mainstem.source.mysql.mapping import Wire, wire

Cells = Sequence[bytes | None]


class Problem(IntEnum):
    """Why a cell cannot be held exactly. The compiled kernel knows the same numbers."""

    CALENDAR = 1
    RANGE = 2
    UTF8 = 3
    NULL = 4
    CHARSET = 5  # found before the read, by the server (`charsets.py`)


_REASONS = {
    Problem.CALENDAR: (
        "holds a date that no calendar has (zero, partial, invalid, or before the year 1)",
        "set out_of_range: text for this column in mainstem.yml to keep the server's own text "
        "(null: that of such values alone, beside NULL), or repair the rows in the source",
    ),
    Problem.RANGE: (
        "holds a value outside the type that introspection saw",
        "run again if the table was altered; otherwise set out_of_range: text for it in mainstem.yml",
    ),
    Problem.UTF8: (
        "holds text that is not valid in its own character set",
        "repair the rows in the source, or change the column to a binary type",
    ),
    Problem.NULL: (
        "holds NULL although it is declared NOT NULL",
        "run again if the table was altered; otherwise repair the rows in the source",
    ),
    Problem.CHARSET: (
        "holds characters that Unicode does not have: the server would send question marks in their place",
        "repair the rows in the source, or change the column to a binary type",
    ),
}


def not_exact(table: Table, column: Column, problem: Problem) -> ValueNotExact:
    """The error for a cell of that column; it names no value."""
    message, hint = _REASONS[problem]
    return ValueNotExact(message, where=Where(table=table.name, column=column.name), hint=hint)


class _Inexact(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.name)
        self.problem = problem


def split_row(data: bytes, width: int) -> list[bytes | None]:
    """The cells of a text protocol row: length-encoded strings, 0xfb for NULL
    (MySQL internals, "ProtocolText::ResultsetRow")."""
    cells: list[bytes | None] = []
    at = 0
    for _ in range(width):
        length = data[at]
        at += 1
        if length == 0xFB:
            cells.append(None)
            continue
        if length > 0xFB:
            size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[length]
            length = int.from_bytes(data[at : at + size], "little")
            at += size
        cells.append(data[at : at + length])
        at += length
    return cells


def decode_batch(table: Table, columns: Sequence[Cells], schema: pa.Schema) -> pa.RecordBatch:
    """Cells by column → one batch, or ValueNotExact for the first column that has a problem."""
    arrays = []
    for column, cells in zip(table.columns, columns, strict=True):
        try:
            arrays.append(decode_column(column, cells))
        except _Inexact as error:
            raise not_exact(table, column, error.problem) from None
    return pa.record_batch(arrays, schema=schema)


def decode_column(column: Column, cells: Cells) -> pa.Array[Any]:
    """Cells of one column → an Arrow array of its lake type."""
    form = wire(column)
    target = arrow_type(column.type)
    quick = _parsed(form, column.type.scale, cells, target)
    if quick is not None and (column.nullable or not quick.null_count):
        return quick
    if not column.nullable and any(cell is None for cell in cells):
        raise _Inexact(Problem.NULL)
    if form is Wire.BYTES:
        return pa.array(cells, target)
    values = [None if cell is None else _DECODE[form](cell) for cell in cells]
    if form is Wire.DECIMAL:
        return _decimals(values, column.type.scale, target)
    if form is Wire.FLOAT:
        return _floats(values)
    physical = _PHYSICAL.get(form, target)
    try:
        return pa.array(values, physical).view(target)
    except (pa.ArrowInvalid, OverflowError):
        raise _Inexact(Problem.RANGE) from None


# What the functions below take, as RE2 knows it, and what Arrow's parser gives.
_PLAIN = {
    Wire.INT: (r"^-?[0-9]{1,19}$", None),
    Wire.LONG: (r"^-?[0-9]{1,19}$", None),
    Wire.DECIMAL: (r"^-?[0-9]+(\.[0-9]{1,SCALE})?$", None),
    Wire.DATE: (r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", pa.int32()),
    Wire.TIMESTAMP: (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$",
        pa.int64(),
    ),
    Wire.TEXT: ("", None),
}


def _parsed(form: Wire, scale: int, cells: Cells, target: pa.DataType) -> pa.Array[Any] | None:
    """The cells by Arrow's own parsers, for a tenth of the time; None for a form that they do not have, and
    where a cell is not as it should be: the functions below say why."""
    if form not in _PLAIN:
        return None
    pattern, physical = _PLAIN[form]
    pattern = pattern.replace("SCALE", str(scale)) if scale else pattern.replace(r"(\.[0-9]{1,SCALE})?", "")
    try:
        texts = pa.array(cells, pa.binary()).cast(pa.string())
        if not pattern:
            return texts
        if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:
            return None
        if physical is None:
            return texts.cast(target)
        parsed = texts.cast(pa.date32() if form is Wire.DATE else pa.timestamp("us"))
        first = pc.min(pc.year(parsed)).as_py()
        if first is not None and first < 1:
            return None
        return parsed.view(physical).view(target)
    except pa.ArrowInvalid:
        return None


_PHYSICAL = {Wire.DATE: pa.int32(), Wire.TIMESTAMP: pa.int64()}
_DATE = re.compile(rb"(\d{4})-(\d\d)-(\d\d)")
_TIMESTAMP = re.compile(rb"(\d{4}-\d\d-\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_INTEGER = re.compile(rb"-?\d{1,19}")
_DECIMAL = re.compile(rb"-?(\d+\.?\d*|\.\d+)")
_DOUBLE = re.compile(rb"-?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?")
_TIME = re.compile(rb"(-?)(\d{2,3}):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_EPOCH = date(1970, 1, 1).toordinal()


def _boolean(cell: bytes) -> bool:
    if cell not in (b"0", b"1"):
        raise _Inexact(Problem.RANGE)
    return cell == b"1"


def _integer(cell: bytes) -> int:
    if _INTEGER.fullmatch(cell) is None:
        raise _Inexact(Problem.RANGE)
    return int(cell)


def _decimal(cell: bytes) -> Decimal:
    if _DECIMAL.fullmatch(cell) is None:
        raise _Inexact(Problem.RANGE)
    return Decimal(cell.decode("ascii"))


def _double(cell: bytes) -> float:
    value = float(cell) if _DOUBLE.fullmatch(cell) else math.inf
    if not math.isfinite(value):
        raise _Inexact(Problem.RANGE)
    return value


def _days(cell: bytes) -> int:
    match = _DATE.fullmatch(cell)
    if match is None:
        raise _Inexact(Problem.CALENDAR)
    year, month, day = map(int, match.groups())
    try:
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        raise _Inexact(Problem.CALENDAR) from None


def _clock(problem: Problem, hours: bytes, minutes: bytes, seconds: bytes, fraction: bytes | None) -> int:
    """Microseconds."""
    if int(minutes) > 59 or int(seconds) > 59:
        raise _Inexact(problem)
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1_000_000 + (int(fraction.ljust(6, b"0")) if fraction else 0)


def _micros(cell: bytes) -> int:
    match = _TIMESTAMP.fullmatch(cell)
    if match is None:
        raise _Inexact(Problem.CALENDAR)
    day, *clock = match.groups()
    if int(clock[0]) > 23:
        raise _Inexact(Problem.CALENDAR)
    return _days(day) * 86_400_000_000 + _clock(Problem.CALENDAR, *clock)


def _duration(cell: bytes) -> int:
    match = _TIME.fullmatch(cell)
    if match is None:
        raise _Inexact(Problem.RANGE)
    sign, *clock = match.groups()
    micros = _clock(Problem.RANGE, *clock)
    return -micros if sign else micros


def _text(cell: bytes) -> str:
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError:
        raise _Inexact(Problem.UTF8) from None


_DECODE: dict[Wire, Callable[[bytes], Any]] = {
    Wire.BOOLEAN: _boolean,
    Wire.INT: _integer,
    Wire.LONG: _integer,
    Wire.DECIMAL: _decimal,
    Wire.FLOAT: _double,
    Wire.DOUBLE: _double,
    Wire.DATE: _days,
    Wire.TIMESTAMP: _micros,
    Wire.TIME: _duration,
    Wire.TEXT: _text,
}


def _decimals(values: list[Decimal | None], scale: int, target: pa.DataType) -> pa.Array[Any]:
    if any(value is not None and -int(value.as_tuple().exponent) > scale for value in values):
        raise _Inexact(Problem.RANGE)
    try:
        return pa.array(values, target)
    except pa.ArrowInvalid:
        raise _Inexact(Problem.RANGE) from None


def _floats(values: list[float | None]) -> pa.Array[Any]:
    """A FLOAT selected as DOUBLE is a float's value to the bit, so that narrowing loses nothing."""
    wide = pa.array(values, pa.float64())
    narrow = wide.cast(pa.float32())
    if not narrow.cast(pa.float64()).equals(wide):
        raise _Inexact(Problem.RANGE)
    return narrow
