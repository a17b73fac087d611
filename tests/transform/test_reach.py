"""Files are passed over only where their footers say that no row of the keys is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mainstem.engine.duckdb import DuckDB
from mainstem.lake import Lake, parquet
from mainstem.schema import Column, Kind, TableName, Type
from mainstem.transform import reach

COLUMNS = (Column("k", Type(Kind.LONG)), Column("t", Type(Kind.STRING)), Column("x", Type(Kind.DOUBLE)))
FACT, KEYS = TableName("mart", "fact"), TableName("part", "keys")
ROWS: list[list[tuple[Any, ...]]] = [
    [(1, "a", 1.0), (5, "c", 1.0)],
    [(5, "d", 1.0), (9, "f", 1.0)],
    [(None, "g", 1.0), (20, "h", 1.0)],
]


class World:
    """A table of three files, and keys."""

    def __init__(self, folder: Path, engine: DuckDB) -> None:
        self.engine = engine
        self.lake = Lake(folder)
        self.files = self.stage(ROWS)

    def stage(self, files: list[list[tuple[Any, ...]]]) -> tuple[Path, ...]:
        types = [pa.int64(), pa.string(), pa.float64()]
        schema = pa.schema([(c.name, type_) for c, type_ in zip(COLUMNS, types, strict=True)])
        batches = [
            pa.RecordBatch.from_arrays(
                [
                    pa.array(values, type_)
                    for values, type_ in zip(zip(*rows, strict=True), types, strict=True)
                ],
                schema=schema,
            )
            for rows in files
        ]
        return self.lake.stage(FACT, COLUMNS, batches).files

    def within(self, keys: list[tuple[Any, ...]], columns: tuple[Column, ...] = COLUMNS) -> list[int]:
        """The numbers of the files that may have one of the keys."""
        self.engine.attach_files(KEYS, self.stage([keys]) if keys else (), COLUMNS)
        wanted = reach.bounds(self.engine, KEYS, columns)
        return [self.files.index(file) for file in reach.within(self.lake, FACT, self.files, wanted)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 0)
    monkeypatch.setattr(parquet, "FILE_BYTES", 0)
    with DuckDB(tmp_path / "tmp") as engine:
        yield World(tmp_path, engine)


KEY = COLUMNS[:1]


def test_files_between_the_bounds(world: World) -> None:
    assert world.within([(5, "", 0.0)], KEY) == [0, 1]
    assert world.within([(6, "", 0.0), (7, "", 0.0)], KEY) == [1]
    assert world.within([(10, "", 0.0), (19, "", 0.0)], KEY) == []


def test_every_column_of_a_key_tells(world: World) -> None:
    assert world.within([(5, "d", 0.0)]) == [1]
    assert world.within([(5, "b", 0.0)], COLUMNS[1:2]) == [0]


def test_a_null_may_be_in_any_file(world: World) -> None:
    assert world.within([(None, "", 0.0), (5, "", 0.0)], KEY) == [0, 1, 2]


def test_floating_point_tells_nothing(world: World) -> None:
    assert world.within([(5, "d", 7.0)], COLUMNS[2:]) == [0, 1, 2]


def test_no_key_is_in_no_file(world: World) -> None:
    assert world.within([], KEY) == []
