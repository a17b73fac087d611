"""Functions that proofs need and DuckDB has not: registered with a session when a query names one."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import ARROW

from mainstem import hashing

PREFIX = "mainstem_"
CRC32_TEXT = "mainstem_crc32_text"
CRC32_BYTES = "mainstem_crc32_bytes"
JENKINS_TEXT = "mainstem_jenkins_text"
MYSQL_DOUBLE = "mainstem_mysql_double"


def register(session: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the session and all its cursors. Imports NumPy (DuckDB's wish)."""
    # Lambdas: DuckDB evaluates the annotations of named functions, and Arrow's generics do not exist then.
    crc32, mysql_double = (lambda values: _crc32(values)), (lambda values: _mysql_double(values))
    session.create_function(CRC32_TEXT, crc32, ["VARCHAR"], "UINTEGER", type=ARROW)
    session.create_function(CRC32_BYTES, crc32, ["BLOB"], "UINTEGER", type=ARROW)
    session.create_function(JENKINS_TEXT, lambda values: _jenkins(values), ["VARCHAR"], "UBIGINT", type=ARROW)
    session.create_function(MYSQL_DOUBLE, mysql_double, ["DOUBLE"], "VARCHAR", type=ARROW)


def _crc32(values: pa.Array[Any]) -> pa.Array[Any]:
    return hashing.crc32_each(_one(values))


def _jenkins(values: pa.Array[Any]) -> pa.Array[Any]:
    return hashing.jenkins_each(_one(values))


def _mysql_double(values: pa.Array[Any]) -> pa.Array[Any]:
    return hashing.mysql_double_text(_one(values))


def _one(values: pa.Array[Any] | pa.ChunkedArray[Any]) -> pa.Array[Any]:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
