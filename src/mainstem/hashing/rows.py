"""The sum of the row hashes of Arrow batches, as a proof wants it: compiled, where there is a compiler.

The canonical texts are those of `contract.canonical`; the engine's SQL gives the same sum (the tests hold
the two together) for three times the work, and serves where nothing is compiled or a form is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from mainstem.contract.canonical import Form, Hash
from mainstem.hashing.columns import mysql_double_text
from mainstem.schema import Column, Kind

try:
    from mainstem.hashing._kernel import hashes
except ImportError:  # no compiler where it was installed
    hashes = None  # type: ignore[assignment]

_MOMENTS = (Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
_INT, _LONG, _DECIMAL, _TEXT, _HASHED, _HEX, _BOOLEAN, _DATE, _MOMENT, _DOUBLE, _FLOAT = range(1, 12)
_KINDS = {
    (Kind.INT, Form.INTEGER): _INT,
    (Kind.LONG, Form.INTEGER): _LONG,
    (Kind.DECIMAL, Form.INTEGER): _DECIMAL,
    (Kind.DECIMAL, Form.FIXED): _DECIMAL,
    (Kind.STRING, Form.TEXT): _TEXT,
    (Kind.STRING, Form.TEXT_HASH): _HASHED,
    (Kind.BINARY, Form.BINARY_HASH): _HASHED,
    (Kind.BINARY, Form.HEX): _HEX,
    (Kind.BOOLEAN, Form.BOOLEAN): _BOOLEAN,
    (Kind.BOOLEAN, Form.INTEGER): _BOOLEAN,
    (Kind.DATE, Form.DATE): _DATE,
    (Kind.DOUBLE, Form.DOUBLE_BITS): _DOUBLE,
    (Kind.FLOAT, Form.FLOAT_BITS): _FLOAT,
    (Kind.DOUBLE, Form.DOUBLE_MYSQL): _TEXT,
    (Kind.FLOAT, Form.DOUBLE_MYSQL): _TEXT,
    **{(kind, Form.EPOCH_MICROS): _LONG for kind in _MOMENTS},
    **{(kind, Form.TIMESTAMP_FIXED): _MOMENT for kind in _MOMENTS},
}

_HASHES = {Hash.CRC32: 0, Hash.MD5_64: 1, Hash.JENKINS_64: 2}


class RowSum:
    """Adds up the row hashes of batches whose columns are `columns`, in their lake types."""

    def __init__(self, columns: Sequence[Column], forms: Sequence[Form], hash_: Hash) -> None:
        self._columns = [
            (_KINDS[column.type.kind, form], column.type.scale, form is Form.DOUBLE_MYSQL)
            for column, form in zip(columns, forms, strict=True)
        ]
        self._hash = _HASHES[hash_]

    @staticmethod
    def knows(columns: Sequence[Column], forms: Sequence[Form]) -> bool:
        """Whether it is compiled and has every form of these columns."""
        pairs = ((column.type.kind, form) for column, form in zip(columns, forms, strict=True))
        return hashes is not None and all(pair in _KINDS for pair in pairs)

    def of(self, batch: pa.RecordBatch) -> int:
        """The sum over the rows of one batch."""
        arrays = [
            mysql_double_text(values) if printed else values
            for values, (_, _, printed) in zip(batch.columns, self._columns, strict=True)
        ]
        columns = [
            _addresses(values, kind, scale)
            for values, (kind, scale, _) in zip(arrays, self._columns, strict=True)
        ]
        return hashes.sum_rows(columns, batch.num_rows, self._hash)


def _addresses(values: pa.Array[Any], kind: int, scale: int) -> tuple[int, int, int, int, int, int]:
    buffers = [buffer.address if buffer else 0 for buffer in values.buffers()]
    validity, *rest = buffers
    offsets, data = rest if kind in (_TEXT, _HASHED, _HEX) else (0, rest[0])
    return kind, scale, values.offset, validity if values.null_count else 0, data, offsets
