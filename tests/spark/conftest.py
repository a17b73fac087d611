"""One Spark session for all tests of a process, jobs in it, and tables that both engines see."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainstem.engine.binder import Binder
from mainstem.engine.duckdb import DuckDB
from mainstem.engine.spark import session, settings
from mainstem.engine.spark.engine import Spark
from mainstem.job import launch
from mainstem.job import script as untyped
from mainstem.job.emit import EXTENSIONS
from mainstem.schema import TableName
from spark import expressions

Work = Callable[[dict[str, Any]], dict[str, Any]]
script: Any = untyped


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


@pytest.fixture
def worker(spark: Spark, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Runs a plan in a session of its own of this process, which costs no start of Java; runs on the target
    use it."""
    base = session.spark_session()

    def begun(plan: dict[str, Any]) -> Any:
        made = base.newSession()
        for name, value in plan["settings"].items():
            if name.startswith("spark.sql.") and name != "spark.sql.extensions":
                made.conf.set(name, value)
        return script.prepared(made, plan)

    def work(plan: dict[str, Any]) -> dict[str, Any]:
        plan = json.loads(json.dumps(plan))
        plan["settings"] |= {"spark.sql.shuffle.partitions": "1"}
        script.name_run(plan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # collect() leaves its sockets to the collector
            result, _ = script.work(plan)
            gc.collect()
        return json.loads(json.dumps(result))  # type: ignore[no-any-return]

    def run_job(job: launch.SparkJob, value: dict[str, Any], folder: Path) -> dict[str, Any]:
        value, logins = launch.prepared(job, value)
        for name, login in logins.items():
            monkeypatch.setenv(name, login)
        return work(value)

    monkeypatch.setattr(script, "session", begun)
    monkeypatch.setattr("mainstem.run.onspark.run_job", run_job)
    return work


def rows_of(table: pa.Table) -> list[tuple[object, ...]]:
    """The rows as Python values."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
