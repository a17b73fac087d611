"""Cleaning deletes what nobody can reach, and nothing else."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakes import COLUMNS, ORDERS, commit, files, iceberg_ids, iceberg_scan, orders, python
from mainstem.errors import LakeUnavailable
from mainstem.lake import Lake, Release
from mainstem.schema import TableName

NOW = timedelta(0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / ".mainstem")


def released(lake: Lake, *numbers: int) -> Release:
    return lake.publish(f"run-{numbers}", {ORDERS: commit(lake, *numbers)}, {})


def seen(lake: Lake, release: Release) -> list[int]:
    pin = release.tables[ORDERS]
    return sorted(iceberg_ids(lake.at(ORDERS, pin.metadata_location)))


def test_nothing_to_clean(lake: Lake) -> None:
    assert lake.clean(older_than=NOW).files == 0
    assert not lake.root.exists()
    released(lake, 1)
    assert lake.clean(older_than=NOW).files == 0


def test_what_releases_and_heads_refer_to_stays(lake: Lake) -> None:
    kept = [released(lake, number) for number in range(3)]
    commit(lake, 10)  # never released, soon overwritten
    head = commit(lake, 11)
    lake.stage(ORDERS, COLUMNS, orders(99))  # of a run that died
    report = lake.clean(keep_releases=3, older_than=NOW)
    assert report.releases == ()
    assert report.files == 5  # the version 10: data, manifest, list, metadata; and the staged file
    assert report.bytes > 0
    assert [seen(lake, release) for release in kept] == [[0], [1], [2]]
    assert lake.head(ORDERS) == head
    assert iceberg_scan(head)["id"].to_pylist() == [11]
    assert len(files(lake.root)) == 16


def test_old_releases_are_forgotten(lake: Lake) -> None:
    made = [released(lake, number) for number in range(5)]
    report = lake.clean(keep_releases=2, older_than=NOW)
    assert report.releases == ("r0003", "r0002", "r0001")
    assert lake.releases() == [made[4], made[3]]
    assert [seen(lake, release) for release in made[3:]] == [[3], [4]]
    assert not Path(made[0].tables[ORDERS].metadata_location).exists()
    assert seen(lake, released(lake, 6)) == [6]


def test_the_current_release_stays_even_if_it_is_old(lake: Lake) -> None:
    first = released(lake, 1)
    for number in range(2, 5):
        released(lake, number)
    lake.rollback(first.id)
    lake.clean(keep_releases=1, older_than=NOW)
    assert [r.id for r in lake.releases()] == ["r0004", "r0001"]
    assert seen(lake, first) == [1]


def test_files_of_a_moment_ago_stay(lake: Lake) -> None:
    staged = lake.stage(ORDERS, COLUMNS, orders(1))
    assert lake.clean().files == 0
    assert staged.files[0].exists()


def test_a_dropped_table_goes_when_no_release_has_it(lake: Lake) -> None:
    one = released(lake, 1)
    lake.drop(ORDERS)
    lake.clean(older_than=NOW)
    assert seen(lake, one) == [1]
    lake.publish("run-2", {}, {})
    lake.clean(keep_releases=1, older_than=NOW)
    assert files(lake.root) == set()
    assert not (lake.root / "lake" / "raw").exists()


def test_unreadable_metadata_stops_it_before_anything_is_deleted(lake: Lake) -> None:
    released(lake, 1)
    other = commit(lake, 2, name=TableName("raw", "items"))
    lake.stage(ORDERS, COLUMNS, orders(3))
    Path(other.metadata_location).write_text("{}")
    before = files(lake.root)
    with pytest.raises(LakeUnavailable):
        lake.clean(older_than=NOW)
    assert files(lake.root) == before
    assert len(lake.releases()) == 1


def test_what_dead_engines_spilled_goes(lake: Lake) -> None:
    dead = int(python("import os; print(os.getpid())").stdout)
    spilled = [lake.root / "tmp" / f"duckdb-{process}-7f00" for process in (dead, os.getpid())]
    for folder in spilled:
        folder.mkdir(parents=True)
        (folder / "duckdb_temp_storage-0.tmp").write_text("x")
    lake.clean()
    assert [folder.exists() for folder in spilled] == [False, True]


def test_a_table_with_another_writers_version_is_left_alone(lake: Lake) -> None:
    commit(lake, 1)
    commit(lake, 1, 2)
    orphan = commit(lake, 5, name=TableName("raw", "items"))
    commit(lake, 6, name=TableName("raw", "items"))
    catalog = SqlCatalog("mainstem", uri=f"sqlite:///{lake.catalog.path}")
    catalog.load_table("raw.orders").delete("id = 2")
    catalog.close()
    before = files(lake.root)
    lake.clean(older_than=NOW)
    head = lake.head(ORDERS)
    assert head is not None
    assert iceberg_ids(head) == [1]
    assert {path for path in before - files(lake.root) if "orders" in str(path.parent)} == set()
    assert not Path(orphan.metadata_location).exists()
