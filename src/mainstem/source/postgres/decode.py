"""COPY's stream as Arrow, exactly: binary by the compiled kernel, or, where there was no compiler, text by
Arrow's own parser (`textual.py`). Both give the same values and the same refusals.

Binary format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". Values: the `*send`
functions of the server; numeric as in numeric.c, `numeric_send`.
"""

from __future__ import annotations

import struct
from typing import Any, Literal, Protocol

import pyarrow as pa

from mainstem.arrow import schema_of
from mainstem.errors import UsageError
from mainstem.schema import Column, Kind, Table
from mainstem.source.postgres.misfit import Misfit, Reason
from mainstem.source.postgres.textual import TextDecoder
from mainstem.source.postgres.types import is_padded

try:
    from mainstem.source._kernel import pgcopy
except ImportError:  # no compiler when it was installed: the server's texts give the same values
    pgcopy = None  # type: ignore[assignment]

Choice = Literal["auto", "python", "compiled"]

SIGNATURE = b"PGCOPY\n\xff\r\n\0"


class Decoder(Protocol):
    """Takes the stream in pieces, gives record batches. Raises Misfit."""

    form: str
    """COPY's format."""
    lead: str
    """What stands before the columns in COPY's SELECT."""
    rows: int
    """Rows decoded since the last `take`."""
    done: bool
    """Has the end of the data been seen?"""

    def feed(self, data: bytes) -> None:
        """Decode what is complete, keep the rest."""

    def take(self) -> pa.RecordBatch:
        """The rows decoded since the last time."""


def decoder_of(table: Table, choice: Choice = "auto") -> Decoder:
    """The decoder for a table's columns; `compiled` raises UsageError where there is none."""
    if choice == "compiled" and pgcopy is None:
        raise UsageError("the compiled decoder is not installed", hint="install with a C compiler present")
    if choice == "python" or pgcopy is None:
        return TextDecoder(table)
    return CompiledDecoder(table)


class CompiledDecoder:
    """The kernel of `_kernel/pgcopy.pyx`; pieces may end anywhere."""

    form, lead = "BINARY", ""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self.done = False
        self._rest = b""
        self._started = False
        self._schema = schema_of(table.columns)
        self._kernel = pgcopy.Kernel(
            [
                (_kernel_code(column), column.type.precision, column.type.scale, column.nullable)
                for column in table.columns
            ]
        )

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
        position, column, reason = self._kernel.decode(data, position)
        if reason:
            raise Misfit(column, Reason(reason))
        self.rows, self.done = self._kernel.rows, self._kernel.done
        return position

    def take(self) -> pa.RecordBatch:
        """See `Decoder`."""
        rows, self.rows = self.rows, 0
        arrays: list[pa.Array[Any]] = []
        for index, (field, buffers) in enumerate(zip(self._schema, self._kernel.take(), strict=True)):
            array = pa.Array.from_buffers(field.type, rows, buffers)
            if pa.types.is_string(field.type):
                _require_utf8(array, index)
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _kernel_code(column: Column) -> int:
    return PADDED_CODE if is_padded(column) else KERNEL_CODES[column.type.kind]


PADDED_CODE = 10
KERNEL_CODES = {
    Kind.BOOLEAN: 0,
    Kind.INT: 1,
    Kind.LONG: 2,
    Kind.DECIMAL: 3,
    Kind.FLOAT: 4,
    Kind.DOUBLE: 5,
    Kind.STRING: 6,
    Kind.BINARY: 7,
    Kind.DATE: 8,
    Kind.TIMESTAMP: 9,
    Kind.TIMESTAMPTZ: 9,
}


def header_length(data: bytes) -> int | None:
    """The length of the stream's header; None while it is not complete."""
    if not SIGNATURE.startswith(data[: len(SIGNATURE)]):
        raise Misfit(0, Reason.MALFORMED)
    if len(data) < len(SIGNATURE) + 8:
        return None
    flags, extension = struct.unpack_from(">II", data, len(SIGNATURE))
    if flags & 0xFFFF0000:  # critical flags: the format is another one
        raise Misfit(0, Reason.MALFORMED)
    length = len(SIGNATURE) + 8 + int(extension)
    return length if len(data) >= length else None


def _require_utf8(array: pa.Array[Any], index: int) -> None:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raise Misfit(index, Reason.ENCODING) from None
