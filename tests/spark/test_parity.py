"""The drafted models of every sample on both engines; and that a difference of one cell is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from e2e.conftest import PASSWORD, READER, SAMPLES, Workplace, begin, load_mariadb, url_of
from e2e.test_samples import load_postgres
from mainstem import wiring
from mainstem.arrow import type_of
from mainstem.engine.duckdb import DuckDB
from mainstem.engine.port import Engine
from mainstem.engine.spark.engine import Spark
from mainstem.parity import ModelParity, compare, lines, parity
from mainstem.project.load import load_project
from mainstem.schema import Column, TableName
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import run
from sweeps import sweep, swept


def both_engines(root: Path, spark: Spark) -> list[ModelParity]:
    """Run the project locally, then compare its models over that release."""
    done = run(root)
    assert done.status == "published", done.messages
    project = load_project(root)
    lake = wiring.open_lake(project)
    engines: Mapping[str, Callable[[], Engine]] = {
        "duckdb": wiring.engine_named(project, "duckdb"),
        "spark": lambda: _Kept(spark),
    }
    release = wiring.current_release(lake)
    return parity(project, lake, release, engines, wiring.engine_named(project, "duckdb"))


class _Kept:
    """The session's engine, which outlives this comparison."""

    def __init__(self, inner: Spark) -> None:
        self.dialect = inner.dialect
        self.attach = inner.attach
        self.attach_files = inner.attach_files
        self.query = inner.query
        self.stream = inner.stream
        self.describe = inner.describe

    def close(self) -> None:
        """Nothing: the owner closes it."""


def holds(found: list[ModelParity]) -> None:
    assert found
    assert [line for one in found for line in lines(one)] == []
    assert all(one.holds for one in found)


def drafted(place: Workplace, url: str) -> Path:
    variable = next(iter(place.env))
    (place.root / ".env").write_text(f"{variable}={url}\n")
    return place.root


# Classicmodels, as a release that Spark has made: test_job.


@sweep
@pytest.mark.parametrize(
    ("dump", "name"), [("classicmodels.mysql.sql", "classicmodels"), ("sakila.mysql.sql", "sakila")]
)
def test_a_sample_of_mariadb(mariadb: MariaDB, spark: Spark, tmp_path: Path, dump: str, name: str) -> None:
    load_mariadb(mariadb, dump, name)
    url = url_of(mariadb, name)
    holds(both_engines(drafted(begin(tmp_path, name, url), url), spark))


@sweep
def test_chinook_in_mariadb(mariadb: MariaDB, spark: Spark, tmp_path: Path) -> None:
    mariadb.client((SAMPLES / "chinook.mysql.sql").read_bytes())
    mariadb.create_user(READER, PASSWORD, ["SELECT ON *.*"])
    url = url_of(mariadb, "Chinook")
    holds(both_engines(drafted(begin(tmp_path, "Chinook", url), url), spark))


@pytest.mark.parametrize("name", swept(["chinook", "northwind"], "northwind"))
def test_a_sample_of_postgres(postgres: Postgres, spark: Spark, tmp_path: Path, name: str) -> None:
    load_postgres(postgres, f"{name}.pg.sql", name)
    url = url_of(postgres, name)
    holds(both_engines(drafted(begin(tmp_path, name, url), url), spark))


def test_the_demo(shop: Path, spark: Spark) -> None:
    holds(both_engines(shop, spark))


# That it would be seen


def seen(tmp_path: Path, left: pa.Table, right: pa.Table, *, inexact: bool = False) -> ModelParity:
    """Two results, compared."""
    with DuckDB(tmp_path / "tmp") as engine:
        for side, table in (("a", left), ("b", right)):
            file = tmp_path / f"{side}.parquet"
            pq.write_table(table, file)
            columns = [Column(field.name, type_of(field.type)) for field in table.schema]
            engine.attach_files(TableName(side, "m"), [file], columns)
        return compare(engine, "m", ("a", "b"), inexact=inexact)


BASE = {"k": [1, 2, 3], "s": ["x", "y", None], "f": [0.1, 0.2, 0.3]}


@pytest.mark.parametrize(
    ("changed", "columns"),
    [
        ({"s": ["x", "z", None]}, ("s",)),
        ({"s": ["x", "y", ""]}, ("s",)),
        ({"k": [1, 2, 4]}, ("k",)),
        ({"f": [0.1, 0.2, 0.30000000000000004]}, ("f",)),
        ({"s": ["y", "x", None]}, ("(rows)",)),
        ({"k": [1.0, 2.0, 3.0]}, ("k",)),
    ],
)
def test_a_difference_of_one_cell_is_found(
    tmp_path: Path, changed: dict[str, list[object]], columns: tuple[str, ...]
) -> None:
    found = seen(tmp_path, pa.table(BASE), pa.table({**BASE, **changed}))
    assert not found.holds
    assert found.differing == columns
    assert list(lines(found))


def test_rows_too_many(tmp_path: Path) -> None:
    double = pa.concat_tables([pa.table(BASE), pa.table(BASE)])
    assert not seen(tmp_path, pa.table(BASE), double).holds


def test_floating_sums_may_differ_in_the_last_digit(tmp_path: Path) -> None:
    other = pa.table({**BASE, "f": [0.1, 0.2, 0.30000000000000004]})
    found = seen(tmp_path, pa.table(BASE), other, inexact=True)
    assert found.holds
    assert [column.name for column in found.columns if column.near] == ["f"]
    far = pa.table({**BASE, "f": [0.1, 0.2, 0.3001]})
    assert not seen(tmp_path, pa.table(BASE), far, inexact=True).holds
    zero, minus = pa.table({"f": [0.0]}), pa.table({"f": [-0.0]})
    assert seen(tmp_path, zero, minus).holds or seen(tmp_path, zero, minus).differing == ("f",)
