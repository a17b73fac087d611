"""The oracle of the compiled decoder: binary COPY in plain Python, one object a value."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

from mainstem.arrow import arrow_type, schema_of
from mainstem.schema import Column, Kind, Table
from mainstem.source.postgres.decode import header_length
from mainstem.source.postgres.misfit import Misfit, Reason
from mainstem.source.postgres.types import is_padded

DAYS_TO_2000 = 10_957
MICROS_TO_2000 = 946_684_800_000_000
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days of 1970
DAY_MICROS = 86_400_000_000
_LENGTH = struct.Struct(">i")
_WIDE = Context(prec=80)  # more digits than any number here has: nothing is rounded


class Reference:
    """With the face of a decoder."""

    form, lead = "BINARY", ""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self.done = False
        self._rest = b""
        self._started = False
        self._schema = schema_of(table.columns)
        self._columns = table.columns
        self._decode = [_decoder_of(column) for column in table.columns]
        self._values: list[list[Any]] = [[] for _ in table.columns]

    def feed(self, data: bytes) -> None:
        """See `Decoder`."""
        data = self._rest + data if self._rest else data
        position: int | None = 0
        if not self._started:
            position = header_length(data)
            self._started = position is not None
        if position is not None and not self.done:
            position = self._rows(data, position)
        self._rest = data[position or 0 :]
        if self.done and self._rest:
            raise Misfit(0, Reason.MALFORMED)

    def _rows(self, data: bytes, position: int) -> int:
        while not self.done:
            after = self._tuple(data, position)
            if after is None:
                break
            position = after
        return position

    def take(self) -> pa.RecordBatch:
        """See `Decoder`."""
        arrays = [
            _array(values, column, index)
            for index, (values, column) in enumerate(zip(self._values, self._columns, strict=True))
        ]
        self._values = [[] for _ in self._columns]
        self.rows = 0
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _tuple(self, data: bytes, position: int) -> int | None:
        """Decode the row at `position`; where the next one begins, or None if this one is not complete."""
        if len(data) < position + 2:
            return None
        (fields,) = struct.unpack_from(">h", data, position)
        position += 2
        if fields == -1:
            self.done = True
            return position
        if fields != len(self._columns):
            raise Misfit(0, Reason.MALFORMED)
        found: list[bytes | None] = []
        size, length_at = len(data), _LENGTH.unpack_from
        for _ in range(fields):
            begin = position + 4
            if size < begin:
                return None
            (length,) = length_at(data, position)
            if length >= 0:
                position = begin + length
                if size < position:
                    return None
                found.append(data[begin:position])
            elif length == -1:
                position = begin
                found.append(None)
            else:
                raise Misfit(0, Reason.MALFORMED)
        self._take_row(found)
        return position

    def _take_row(self, found: list[bytes | None]) -> None:
        index = 0
        try:
            for index, (values, decode, field) in enumerate(
                zip(self._values, self._decode, found, strict=True)
            ):
                if field is not None:
                    values.append(decode(field))
                elif self._columns[index].nullable:
                    values.append(None)
                else:
                    raise Misfit(index, Reason.NULL)
        except Misfit as misfit:
            raise Misfit(index, misfit.reason) from None
        except struct.error:
            raise Misfit(index, Reason.MALFORMED) from None
        self.rows += 1


def _array(values: Sequence[Any], column: Column, index: int) -> pa.Array[Any]:
    kind = column.type.kind
    if kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DATE):
        width = pa.int32() if kind is Kind.DATE else pa.int64()
        return pa.array(values, width).cast(arrow_type(column.type))
    if kind is Kind.STRING:
        try:
            return pa.array(values, pa.binary()).cast(pa.string())
        except pa.ArrowInvalid:
            raise Misfit(index, Reason.ENCODING) from None
    return pa.array(values, arrow_type(column.type))


def _decoder_of(column: Column) -> Callable[[bytes], Any]:
    if column.type.kind is Kind.DECIMAL:
        precision, scale = column.type.precision, column.type.scale
        return lambda field: _numeric(field, precision, scale)
    if is_padded(column):
        return lambda field: field.rstrip(b" ")
    return _DECODERS[column.type.kind]


def _unpacked(shape: str) -> Callable[[bytes], Any]:
    unpack = struct.Struct(shape).unpack
    return lambda field: unpack(field)[0]


def _numeric(field: bytes, precision: int, scale: int) -> Decimal:
    count, weight, sign, _ = struct.unpack_from(">hhHH", field)
    if sign in (0xC000, 0xD000, 0xF000):
        raise Misfit(0, Reason.NOT_FINITE)
    if sign not in (0, 0x4000) or len(field) != 8 + 2 * count:
        raise Misfit(0, Reason.MALFORMED)
    number = 0
    for digit in struct.unpack_from(f">{count}H", field, 8):
        number = number * 10_000 + digit
    exponent = (weight - count + 1) * 4 + scale
    if exponent >= 0:
        number *= 10**exponent
    else:
        number, rest = divmod(number, 10**-exponent)
        if rest:
            raise Misfit(0, Reason.DIGITS)
    if number >= 10**precision:
        raise Misfit(0, Reason.DIGITS)
    return _WIDE.scaleb(Decimal(-number if sign else number), -scale)


def _date(field: bytes) -> int:
    (days,) = struct.unpack(">i", field)
    if days in (-(2**31), 2**31 - 1):
        raise Misfit(0, Reason.INFINITE_DATE)
    if not FIRST_DAY <= days + DAYS_TO_2000 <= LAST_DAY:
        raise Misfit(0, Reason.DATE_RANGE)
    return int(days) + DAYS_TO_2000


def _timestamp(field: bytes) -> int:
    (micros,) = struct.unpack(">q", field)
    if micros in (-(2**63), 2**63 - 1):
        raise Misfit(0, Reason.INFINITE_DATE)
    if not FIRST_DAY * DAY_MICROS <= micros + MICROS_TO_2000 < (LAST_DAY + 1) * DAY_MICROS:
        raise Misfit(0, Reason.DATE_RANGE)
    return int(micros) + MICROS_TO_2000


_DECODERS: dict[Kind, Callable[[bytes], Any]] = {
    Kind.BOOLEAN: _unpacked(">?"),
    Kind.INT: _unpacked(">i"),
    Kind.LONG: _unpacked(">q"),
    Kind.FLOAT: _unpacked(">f"),
    Kind.DOUBLE: _unpacked(">d"),
    Kind.STRING: bytes,
    Kind.BINARY: bytes,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMPTZ: _timestamp,
}
