"""Functions that proofs need and DuckDB has not: registered with a session when a query names one."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import ARROW

CRC32_TEXT = "mainstem_crc32_text"
CRC32_BYTES = "mainstem_crc32_bytes"
MYSQL_DOUBLE = "mainstem_mysql_double"
PREFIX = "mainstem_"


def _crc32(values: pa.Array[Any]) -> pa.Array[Any]:
    from mainstem import hashing

    return hashing.crc32_each(_one(values)).cast(pa.int64())


def _mysql_double(values: pa.Array[Any]) -> pa.Array[Any]:
    from mainstem import hashing

    return hashing.mysql_double_text(_one(values))


def _one(values: pa.Array[Any] | pa.ChunkedArray[Any]) -> pa.Array[Any]:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def register(session: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the session and all its cursors. Imports NumPy (DuckDB's wish)."""
    session.create_function(CRC32_TEXT, _crc32, ["VARCHAR"], "BIGINT", type=ARROW)
    session.create_function(CRC32_BYTES, _crc32, ["BLOB"], "BIGINT", type=ARROW)
    session.create_function(MYSQL_DOUBLE, _mysql_double, ["DOUBLE"], "VARCHAR", type=ARROW)
