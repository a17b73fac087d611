"""One Spark session for all tests of a process, and tables that both engines see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainstem.engine.binder import Binder
from mainstem.engine.duckdb import DuckDB
from mainstem.engine.spark import settings
from mainstem.engine.spark.engine import Spark
from mainstem.job.emit import EXTENSIONS
from mainstem.schema import TableName
from spark import expressions


@dataclass
class Both:
    """The two engines over the same table `raw.t`, and DuckDB's binder."""

    duckdb: DuckDB
    spark: Spark
    binder: Binder


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """An engine on the process's Spark session, which ends with the process and knows Iceberg's SQL."""
    settings.LOCAL["spark.sql.extensions"] = EXTENSIONS
    with Spark(tmp_path_factory.mktemp("spark"), "local[2]", "1g") as engine:
        yield engine


@pytest.fixture(scope="session")
def both(spark: Spark, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both engines, attached to the expressions' table."""
    file: Path = tmp_path_factory.mktemp("table") / "t.parquet"
    pq.write_table(expressions.table(), file)
    name = TableName("raw", "t")
    with DuckDB(file.parent / "tmp") as duckdb, Binder() as binder:
        binder.add_table(name, expressions.COLUMNS)
        for engine in (duckdb, spark):
            engine.attach_files(name, [file], expressions.COLUMNS)
        yield Both(duckdb, spark, binder)


def rows_of(table: pa.Table) -> list[tuple[object, ...]]:
    """The rows as Python values."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
