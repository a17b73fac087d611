"""The canonical texts computed once more, from Arrow values and by plain Python: what the proof expects
of both sides, without the code of either."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from mainstem.contract.canonical import Dialect, Form, Hash
from mainstem.hashing.jenkins import jenkins_64
from mainstem.schema import Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _hash(kind: Hash, data: bytes) -> int:
    if kind is Hash.CRC32:
        return zlib.crc32(data)
    return int.from_bytes(hashlib.md5(data).digest()[:8], "big")


def row_hash(kind: Hash, data: bytes) -> int:
    """The hash of a row's text. (PostgreSQL's own is held to the server in test_postgres_hash.py.)"""
    return jenkins_64(data) if kind is Hash.JENKINS_64 else _hash(kind, data)


def _micros(value: datetime) -> int:
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _timestamp(value: datetime) -> str:
    moment = value.astimezone(UTC) if value.tzinfo else value
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _fixed(value: Decimal) -> str:
    text = format(value, "f")
    return text.removeprefix("-") if value == 0 else text


def canonical(value: Any, form: Form, hash_kind: Hash) -> str | None:
    """The canonical text of one Python value as pyarrow gives it."""
    if value is None:
        return None
    texts: dict[Form, Callable[[Any], str]] = {
        Form.INTEGER: str,
        Form.FIXED: _fixed,
        Form.TEXT: str,
        Form.TEXT_HASH: lambda v: str(_hash(hash_kind, v.encode())),
        Form.BINARY_HASH: lambda v: str(_hash(hash_kind, v)),
        Form.HEX: lambda v: v.hex().upper(),
        Form.BOOLEAN: lambda v: "1" if v else "0",
        Form.DATE: date.isoformat,
        Form.TIMESTAMP_FIXED: _timestamp,
        Form.EPOCH_MICROS: lambda v: str(_micros(v)),
        Form.DOUBLE_BITS: lambda v: struct.pack(">d", v).hex().upper(),
        Form.FLOAT_BITS: lambda v: struct.pack(">f", v).hex().upper(),
    }
    return texts[form](value)


def checksum(dialect: Dialect, table: Table, batches: Sequence[pa.RecordBatch]) -> tuple[int, int]:
    """Rows, and the sum of the rows' hashes, of what was read."""
    rows = total = 0
    for batch in batches:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            texts = [
                canonical(value, dialect.form(column), dialect.hash)
                for value, column in zip(row, table.columns, strict=True)
            ]
            joined = "\x1f".join("\x1e" if text is None else text for text in texts)
            rows, total = rows + 1, total + row_hash(dialect.hash, joined.encode())
    return rows, total
