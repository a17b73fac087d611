"""Lakes for tests: columns of every type with their extremes, and short ways to fill a table."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from mainstem.arrow import schema_of
from mainstem.crash import VARIABLE
from mainstem.engine.session import load_iceberg
from mainstem.lake import Lake, TableVersion
from mainstem.schema import Column, Kind, TableName, Type

ORDERS = TableName("raw", "orders")
COLUMNS = (
    Column("id", Type(Kind.LONG), nullable=False, native="bigint(20)"),
    Column("note", Type(Kind.STRING), comment="what was said"),
)

_NINES = "9" * 38  # as text: Decimal's own minus rounds to 28 digits
# Per type: a column, and values that are hard to keep.
EXTREMES: tuple[tuple[Column, tuple[Any, ...]], ...] = (
    (Column("flag", Type(Kind.BOOLEAN)), (True, False, None)),
    (Column("small", Type(Kind.INT)), (-(2**31), 2**31 - 1, 0, None)),
    (Column("big", Type(Kind.LONG)), (-(2**63), 2**63 - 1, 0, None)),
    (
        Column("cents", Type(Kind.DECIMAL, 9, 2)),
        (Decimal("-9999999.99"), Decimal("9999999.99"), Decimal("0.01")),
    ),
    (Column("money", Type(Kind.DECIMAL, 18, 4)), (Decimal("-99999999999999.9999"), Decimal("0.0001"), None)),
    (
        Column("fraction", Type(Kind.DECIMAL, 4, 4)),
        (Decimal("-0.9999"), Decimal("0.0001"), Decimal("0.0000")),
    ),
    (Column("huge", Type(Kind.DECIMAL, 38, 0)), (Decimal(_NINES), Decimal(f"-{_NINES}"), None)),
    (Column("fine", Type(Kind.DECIMAL, 38, 38)), (Decimal(f"0.{_NINES}"), Decimal(f"-0.{_NINES}"), None)),
    (Column("single", Type(Kind.FLOAT)), (3.4028234663852886e38, -1.401298464324817e-45, math.nan, math.inf)),
    (
        Column("double", Type(Kind.DOUBLE)),
        (1.7976931348623157e308, -5e-324, -0.0, math.nan, -math.inf, 0.1, None),
    ),
    (
        Column("text", Type(Kind.STRING)),
        ("", "a\0b", "\U0001f600 ünï", "x" * 70_000, "\U0010ffff" * 20, "'\"\\;--", None),
    ),
    (Column("bytes", Type(Kind.BINARY)), (b"", b"\x00\xff" * 9, b"\xff" * 40, None)),
    (Column("day", Type(Kind.DATE)), (date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), None)),
    (
        Column("moment", Type(Kind.TIMESTAMP)),
        (
            datetime(1, 1, 1),
            datetime(9999, 12, 31, 23, 59, 59, 999999),
            datetime(1969, 12, 31, 23, 59, 59, 1),
        ),
    ),
    (
        Column("instant", Type(Kind.TIMESTAMPTZ)),
        (
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
        ),
    ),
)


def extremes() -> tuple[tuple[Column, ...], pa.Table]:
    """A table of all types: row i has the i-th value of each column, NULL when it has no more."""
    columns = (Column("row", Type(Kind.INT), nullable=False), *(column for column, _ in EXTREMES))
    rows = max(len(values) for _, values in EXTREMES)
    data: list[list[Any]] = [list(range(rows))]
    data += [[*values, *[None] * (rows - len(values))] for _, values in EXTREMES]
    schema = schema_of(columns)
    arrays = [pa.array(values, field.type) for values, field in zip(data, schema, strict=True)]
    return columns, pa.Table.from_arrays(arrays, schema=schema)


def batches(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> list[pa.RecordBatch]:
    """Rows as one batch."""
    return [pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=schema_of(columns))]


def orders(*numbers: int) -> list[pa.RecordBatch]:
    """Rows of ORDERS."""
    return batches(COLUMNS, [{"id": n, "note": f"note {n}"} for n in numbers])


def commit(lake: Lake, *numbers: int, name: TableName = ORDERS, run: str = "run-1") -> TableVersion:
    """Replace a table's rows by these."""
    return lake.commit(lake.stage(name, COLUMNS, orders(*numbers)), run=run, summary={})


@cache
def _session() -> duckdb.DuckDBPyConnection:
    session = duckdb.connect(config={"threads": 1})
    session.execute("SET GLOBAL TimeZone = 'UTC'")
    load_iceberg(session)
    return session


def iceberg_scan(version: TableVersion, where: str = "true", columns: str = "*") -> pa.Table:
    """What DuckDB's Iceberg reader finds, given nothing but the metadata file."""
    scan = f"SELECT {columns} FROM iceberg_scan('{version.metadata_location}') WHERE {where}"
    return _session().cursor().execute(scan).to_arrow_table()


def iceberg_ids(version: TableVersion) -> list[int]:
    """The ids of ORDERS, by the same reader."""
    return [int(str(n)) for n in iceberg_scan(version)["id"].to_pylist()]


def files(root: Path) -> set[Path]:
    """All files of a lake's tables."""
    return {path for path in (root / "lake").rglob("*") if path.is_file()}


def python(code: str, *arguments: object, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with tests/ on its path."""
    environment = {**os.environ, VARIABLE: crash_at, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def killed(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the process died by SIGKILL, as a crash point asks."""
    return done.returncode == -signal.SIGKILL
