"""COPY's text, in the form of CSV, as Arrow by Arrow's own parser: what runs where there was no compiler.

Cells are text as the pinned session writes it (ISO dates, shortest exact floats, bytes in hexadecimal). NULL
is an empty cell, the empty text a quoted one. A constant stands before the columns, so that no row is an
empty line, and no piece begins with what a parser takes for a byte order mark.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mainstem.arrow import arrow_type, schema_of
from mainstem.schema import Column, Kind, Table
from mainstem.source.postgres.misfit import Misfit, Reason
from mainstem.source.postgres.types import is_padded, is_time

_LEAD = "lead"
_READ = "1"
_PARSE = pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


class TextDecoder:
    """Each piece holds whole rows: libpq hands COPY's stream over row by row."""

    form, lead = "CSV", f"{_READ}, "
    done = True  # the end is libpq's to see: it gives an error for a stream that breaks off

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self._schema = schema_of(table.columns)
        self._columns = table.columns
        self._names = [str(index) for index in range(len(table.columns))]
        self._types = {
            name: _parsed_type(column) for name, column in zip(self._names, table.columns, strict=True)
        }
        self._pieces: list[pa.Table] = []

    def feed(self, data: bytes) -> None:
        """See `Decoder`."""
        if not data:
            return
        if not data.endswith(b"\n"):
            raise Misfit(0, Reason.MALFORMED)
        try:
            found = self._read(data, self._types)
            arrays = [
                _finished(column, texts.combine_chunks())
                for column, texts in zip(self._columns, found.columns, strict=True)
            ]
        except pa.ArrowInvalid:
            raise self._misfit(data) from None
        for index, (column, array) in enumerate(zip(self._columns, arrays, strict=True)):
            if array.null_count and not column.nullable:
                raise Misfit(index, Reason.NULL)
        self._pieces.append(pa.Table.from_arrays(arrays, schema=self._schema))
        self.rows += found.num_rows

    def take(self) -> pa.RecordBatch:
        """See `Decoder`."""
        table = pa.concat_tables(self._pieces) if self._pieces else self._schema.empty_table()
        self._pieces, self.rows = [], 0
        arrays = [column.combine_chunks() for column in table.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _read(self, data: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """Some columns of the rows, by number."""
        return pyarrow.csv.read_csv(
            pa.BufferReader(data),
            pyarrow.csv.ReadOptions(
                use_threads=False, column_names=[_LEAD, *self._names], block_size=len(data)
            ),
            _PARSE,
            pyarrow.csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _misfit(self, data: bytes) -> Misfit:
        """Which column is not what it should be, and why: the first one by its place in the table."""
        for index, column in enumerate(self._columns):
            name = self._names[index]
            try:
                _finished(column, self._read(data, {name: self._types[name]})[name].combine_chunks())
            except pa.ArrowInvalid:
                return Misfit(index, self._why(data, name, column))
        return Misfit(0, Reason.MALFORMED)

    def _why(self, data: bytes, name: str, column: Column) -> Reason:
        try:
            cells = self._read(data, {name: pa.binary()})[name].to_pylist()
        except pa.ArrowInvalid:  # these are no rows of a COPY
            return Reason.MALFORMED
        reasons = (_reason(column, cell) for cell in cells if cell is not None)
        return next((reason for reason in reasons if reason), Reason.MALFORMED)


def _parsed_type(column: Column) -> pa.DataType:
    if column.type.kind is Kind.BINARY or is_time(column):
        return pa.string()
    return arrow_type(column.type)


def _finished(column: Column, values: pa.Array[Any]) -> pa.Array[Any]:
    """What the parser leaves to be done. Raises ArrowInvalid."""
    if is_padded(column):
        return pc.utf8_rtrim(values, " ")
    if is_time(column):
        return _micros(values)
    if column.type.kind is Kind.DECIMAL:
        values.validate(full=True)
    if column.type.kind is Kind.BINARY:
        try:
            return pa.array(
                [None if text is None else _octets(text) for text in values.to_pylist()], pa.binary()
            )
        except ValueError as error:
            raise pa.ArrowInvalid from error
    return values


def _octets(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise ValueError
    return bytes.fromhex(text[2:])


_TIME = r"^[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$"


def _micros(texts: pa.Array[Any]) -> pa.Array[Any]:
    """`24:00:00.5` → microseconds."""
    if pc.all(pc.match_substring_regex(texts, _TIME)).as_py() is False:
        raise pa.ArrowInvalid

    def number(start: int, stop: int) -> pa.Array[Any]:
        return pc.utf8_slice_codeunits(texts, start, stop).cast(pa.int64())

    fraction = pc.ascii_rpad(pc.utf8_slice_codeunits(texts, 9, 15), 6, "0").cast(pa.int64())
    seconds = pc.add(pc.multiply(pc.add(pc.multiply(number(0, 2), 60), number(3, 5)), 60), number(6, 8))
    return pc.add(pc.multiply(seconds, 1_000_000), fraction)


_NUMBER = re.compile(rb"-?0*(\d*)(?:\.(\d*?)0*)?")
_DATE = re.compile(rb"(\d{4,})-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?(\+00)?)?( BC)?")


def _reason(column: Column, cell: bytes) -> Reason | None:
    """Why a cell cannot be held; None if it can, as far as is known here."""
    match column.type.kind:
        case Kind.DECIMAL:
            return _digits_reason(cell, column.type.precision, column.type.scale)
        case Kind.DATE | Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            if cell in (b"infinity", b"-infinity"):
                return Reason.INFINITE_DATE
            found = _DATE.fullmatch(cell)
            return Reason.DATE_RANGE if found and (found[5] or len(found[1]) > 4) else None
        case Kind.STRING:
            try:
                cell.decode()
            except UnicodeDecodeError:
                return Reason.ENCODING
    return None


def _digits_reason(cell: bytes, precision: int, scale: int) -> Reason | None:
    if cell in (b"NaN", b"Infinity", b"-Infinity"):
        return Reason.NOT_FINITE
    found = _NUMBER.fullmatch(cell)
    if found is None:
        return None
    fits = len(found[1]) <= precision - scale and len(found[2] or b"") <= scale
    return None if fits else Reason.DIGITS
