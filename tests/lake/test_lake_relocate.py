"""A lake that was moved or copied tells so, becomes one of its own, and never touches the other."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import StaticTable

from lakes import COLUMNS, ORDERS, commit, files, iceberg_ids, killed, orders, python
from mainstem.catalog.local import LocalCatalog
from mainstem.errors import LakeRefused, LakeUnavailable
from mainstem.lake import Lake, TableVersion, avro, journal
from mainstem.metadata import INPUTS
from mainstem.schema import TableName
from support import files_of

ITEMS = TableName("raw", "items")
NOW = timedelta(0)
POINTS = [
    "relocate.manifest",
    "relocate.list:2",
    "relocate.metadata:2",
    "relocate.synced",
    "relocate.journals",
    "relocate.swap",
    "relocate.done",
]
WORK = """
import sys
from pathlib import Path
from mainstem.lake import Lake
Lake(Path(sys.argv[1])).relocate()
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three releases of two tables, the middle one current; a head that no release has."""
    lake = Lake(tmp_path / "one" / ".mainstem")
    items = commit(lake, 50, 51, name=ITEMS)
    for number in range(3):
        first = lake.stage(ORDERS, COLUMNS, orders(*range(number + 1)))
        inputs = json.dumps({"raw.items": items.metadata_location, "raw.gone": f"{lake.root}/lake/gone"})
        version = lake.commit(first, run=f"run-{number}", summary={INPUTS: inputs})
        lake.publish(f"run-{number}", {ORDERS: version, ITEMS: items}, {})
    lake.rollback("r0002")
    commit(lake, 7)
    return lake


@pytest.fixture
def copy(lake: Lake, tmp_path: Path) -> Lake:
    """A copy of it, as `cp -a` makes it."""
    shutil.copytree(lake.root.parent, tmp_path / "two", symlinks=True)
    return Lake(tmp_path / "two" / ".mainstem")


def seen(lake: Lake) -> dict[str, list[int]]:
    """What readers that know nothing of Mainstem find in each release, and at each table's head."""
    pins = {f"{one.id} {name}": pin for one in lake.releases() for name, pin in one.tables.items()}
    found = {name: sorted(iceberg_ids(lake.at(ORDERS, pin.metadata_location))) for name, pin in pins.items()}
    return found | {str(name): sorted(iceberg_ids(head(lake, name))) for name in lake.tables()}


def head(lake: Lake, name: TableName) -> TableVersion:
    found = lake.head(name)
    assert found is not None
    return found


SEEN = {
    "r0001 raw.orders": [0],
    "r0002 raw.orders": [0, 1],
    "r0003 raw.orders": [0, 1, 2],
    **{f"{release} raw.items": [50, 51] for release in ("r0001", "r0002", "r0003")},
    "raw.orders": [7],
    "raw.items": [50, 51],
}


def named(lake: Lake) -> set[str]:
    """Every path that pyiceberg finds from the catalog's pointers, over all snapshots."""
    found: set[str] = set()
    for location in lake.catalog.pointers():
        table = StaticTable.from_metadata(location)
        found |= {location, table.location(), *(one.metadata_file for one in table.metadata.metadata_log)}
        for snapshot in table.snapshots():
            manifests: list[ManifestFile] = snapshot.manifests(table.io)
            found |= {snapshot.manifest_list, *(one.manifest_path for one in manifests)}
            assert all(one.manifest_length == Path(one.manifest_path).stat().st_size for one in manifests)
            for manifest in manifests:
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=False)
                found |= {entry.data_file.file_path for entry in entries}
    return found


def reachable(lake: Lake) -> set[Path]:
    """The files that those paths name."""
    return {Path(path) for path in named(lake) if Path(path).is_file()}


# Away


CALLS: list[Callable[[Lake], object]] = [
    lambda lake: lake.head(ORDERS),
    lambda lake: lake.tables(),
    lambda lake: lake.current_release(),
    lambda lake: lake.releases(),
    lambda lake: lake.rollback("r0001"),
    lambda lake: lake.clean(older_than=NOW),
    lambda lake: lake.drop(ORDERS),
    lambda lake: lake.stage(ORDERS, COLUMNS, orders(1)),
    lambda lake: lake.publish("run", {}, {}),
    lambda lake: list(lake.faults(None)),
    lambda lake: lake.journal(ORDERS, COLUMNS, "", lambda: ["a", "b"]),
]


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_away_from_home_nothing_is_told_but_that(lake: Lake, tmp_path: Path, how: str) -> None:
    if how == "moved":
        lake.root.parent.rename(tmp_path / "two")
    else:
        shutil.copytree(lake.root.parent, tmp_path / "two")
    other = Lake(tmp_path / "two" / ".mainstem")
    before = files_of(tmp_path)
    for call in CALLS:
        with pytest.raises(LakeRefused) as caught:
            call(other)
        assert str(lake.root) in caught.value.message
        assert "mainstem relocate" in caught.value.hint
        assert caught.value.exit_code == 4
    assert files_of(tmp_path) == before


def test_at_home_nothing_is_relocated(lake: Lake) -> None:
    before = files_of(lake.root)
    assert lake.relocate() is None
    assert Lake(lake.root.parent / "none" / ".mainstem").relocate() is None
    assert files_of(lake.root) == before


def test_another_name_of_the_same_folder_is_home(lake: Lake, tmp_path: Path) -> None:
    """By a link, or a second mount: paths go on as they began, so that cleaning knows them."""
    (tmp_path / "link").symlink_to(lake.root.parent)
    other = Lake(tmp_path / "link" / ".mainstem")
    assert other.relocate() is None
    made = commit(other, 1, name=TableName("raw", "new"))
    assert made.metadata_location.startswith(f"{lake.root}/lake/raw/new-")
    assert other.clean(older_than=NOW).releases == ()
    assert seen(other) == {**SEEN, "raw.new": [1]}


# Relocated


def test_a_copy_is_whole_without_the_other(lake: Lake, copy: Lake) -> None:
    done = copy.relocate()
    assert done is not None
    assert (done.home, done.versions) == (lake.root, 5)
    shutil.rmtree(lake.root.parent)
    assert seen(copy) == SEEN
    assert all(path.startswith(f"{copy.root}/") for path in named(copy))
    current = copy.current_release()
    assert current is not None
    assert current.id == "r0002"
    assert list(copy.faults(current, all_of_it=True)) == []
    assert copy.relocate() is None


def test_a_lake_that_was_moved_and_moved_back(lake: Lake, tmp_path: Path) -> None:
    home = lake.root.parent
    for place in (tmp_path / "two", tmp_path / "three ä%20", home):
        home = home.rename(place)
        other = Lake(place / ".mainstem")
        assert other.relocate()
        assert seen(other) == SEEN
        assert all(path.startswith(f"{other.root}/") for path in named(other))


def test_time_travel(lake: Lake, copy: Lake) -> None:
    """The head's metadata still names the snapshots of the releases that are kept, and shows them."""
    before = StaticTable.from_metadata(head(lake, ORDERS).metadata_location)
    copy.relocate()
    shutil.rmtree(lake.root.parent)
    table = StaticTable.from_metadata(head(copy, ORDERS).metadata_location)
    assert [one.snapshot_id for one in table.snapshots()] == [one.snapshot_id for one in before.snapshots()]
    assert [
        sorted(table.scan(snapshot_id=one.snapshot_id).to_arrow()["id"].to_pylist())
        for one in table.snapshots()
    ] == [[0], [0, 1], [0, 1, 2], [7]]
    assert table.metadata.current_schema_id == before.metadata.current_schema_id
    assert table.metadata.snapshot_log == before.metadata.snapshot_log


def test_a_model_knows_its_inputs_by_their_new_names(copy: Lake) -> None:
    copy.relocate()
    release = copy.release("r0003")
    known = copy.at(ORDERS, release.tables[ORDERS].metadata_location).summary[INPUTS]
    assert json.loads(known) == {"raw.items": release.tables[ITEMS].metadata_location}


def life(lake: Lake) -> None:
    """All that changes or deletes files."""
    commit(lake, 1, 2, 3)
    lake.discard(lake.stage(ORDERS, COLUMNS, orders(4)))
    lake.rollback("r0001")
    lake.publish("later", {ORDERS: commit(lake, 5, name=ORDERS)}, {})
    lake.drop(ITEMS)
    lake.clean(keep_releases=1, older_than=NOW)


def test_a_copy_never_changes_a_file_of_the_other(lake: Lake, copy: Lake) -> None:
    before = files_of(lake.root)
    copy.relocate()
    life(copy)
    assert files_of(lake.root) == before
    assert seen(lake) == SEEN


def test_the_control_without_a_home(lake: Lake, copy: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog that does not know where it was made: the copy writes into the other lake."""
    before = files_of(lake.root)
    monkeypatch.setattr(LocalCatalog, "_is_here", lambda self, home: True)
    assert copy.relocate() is None
    life(copy)
    assert files_of(lake.root) != before


def test_cleaning_leaves_what_followed_and_nothing_else(copy: Lake) -> None:
    copy.relocate()
    copy.clean(keep_releases=10, older_than=NOW)
    assert seen(copy) == SEEN
    assert files(copy.root) == reachable(copy)


# A load half done


def half_done(lake: Lake, name: TableName) -> Path:
    """The first of two parts of a table's next version."""
    found = lake.journal(name, COLUMNS, "shop", lambda: ["id < 5", "id >= 5"])
    assert found is not None
    with pytest.raises(KeyboardInterrupt):
        lake.stage_parts(found, COLUMNS, interrupted())
    (file,) = found.files
    return file


def interrupted() -> Iterator[tuple[int, pa.RecordBatch | None]]:
    yield from ((0, batch) for batch in orders(1, 2))
    yield 0, None
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", [ORDERS, TableName("raw", "new")], ids=str)
def test_a_load_half_done_goes_on_in_the_copy(lake: Lake, tmp_path: Path, name: TableName) -> None:
    file = half_done(lake, name)
    shutil.copytree(lake.root.parent, tmp_path / "two")
    before = files_of(lake.root)
    copy = Lake(tmp_path / "two" / ".mainstem")
    copy.relocate()
    found = copy.journal(name, COLUMNS, "shop", lambda: pytest.fail("it is known"))
    assert found is not None
    assert found.files == {copy.root / file.relative_to(lake.root)}
    copy.clean(older_than=NOW)
    staged = copy.stage_parts(found, COLUMNS, [*((1, batch) for batch in orders(8)), (1, None)])
    version = copy.commit(staged, run="run-9", summary={})
    assert sorted(iceberg_ids(version)) == [1, 2, 8]
    assert files_of(lake.root) == before


def test_a_first_load_half_done_before_there_is_a_catalog(tmp_path: Path) -> None:
    """Nothing but the journal names the files then."""
    lake = Lake(tmp_path / "one" / ".mainstem")
    file = half_done(lake, ORDERS)
    assert not lake.catalog.path.exists()
    shutil.copytree(lake.root.parent, tmp_path / "two")
    before = files_of(lake.root)
    copy = Lake(tmp_path / "two" / ".mainstem")
    found = copy.journal(ORDERS, COLUMNS, "shop", lambda: pytest.fail("it is known"))
    assert found is not None
    assert found.files == {copy.root / file.relative_to(lake.root)}
    found.forget(0)
    assert files_of(lake.root) == before


# Killed, damaged


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(lake: Lake, tmp_path: Path, point: str) -> None:
    """The old state or the new one: at home again all is as it was, and a second try does what was left."""
    half_done(lake, ORDERS)
    home, place = lake.root.parent, tmp_path / "two"
    home.rename(place)
    assert killed(python(WORK, place / ".mainstem", crash_at=point)), "the fault did not fire"
    other = Lake(place / ".mainstem")
    if point == "relocate.done":
        assert seen(other) == SEEN
    else:
        place.rename(home)
        assert seen(lake) == SEEN
        home.rename(place)
        assert other.relocate()
    assert seen(other) == SEEN
    assert all(path.startswith(f"{other.root}/") for path in named(other))
    found = other.journal(ORDERS, COLUMNS, "shop", lambda: pytest.fail("it is known"))
    assert found is not None
    assert len(found.files) == 1
    found.remove()
    other.clean(older_than=NOW)
    assert files(other.root) == reachable(other)


def test_a_second_try_writes_the_same(copy: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LocalCatalog, "relocate", lambda *_: (_ for _ in ()).throw(LakeUnavailable("no")))
        with pytest.raises(LakeUnavailable):
            copy.relocate()
    once = {path: path.read_bytes() for path in files(copy.root)}
    copy.relocate()
    assert {path: path.read_bytes() for path in files(copy.root)} == once


def test_metadata_that_is_lost_or_damaged_stops_it(lake: Lake, copy: Lake) -> None:
    before = copy.catalog.path.read_bytes()
    location = Path(head(lake, ORDERS).metadata_location)
    place = copy.root / location.relative_to(lake.root)
    kept = place.read_bytes()
    for damage in (b"{", b"{}", kept.replace(b'"manifest-list"', b'"manifest-lost"')):
        place.write_bytes(damage)
        with pytest.raises(LakeUnavailable):
            copy.relocate()
    place.write_bytes(kept)
    manifests = place.with_name(Path(json.loads(kept)["snapshots"][-1]["manifest-list"]).name)
    for damage in (manifests.read_bytes()[:-3], b"Obj\x01"):
        manifests.write_bytes(damage)
        with pytest.raises(LakeUnavailable, match="is damaged"):
            copy.relocate()
    manifests.unlink()
    with pytest.raises(LakeUnavailable, match="No such file"):
        copy.relocate()
    assert copy.catalog.path.read_bytes() == before


def test_a_snapshot_that_was_cleaned_is_left_out(lake: Lake, tmp_path: Path) -> None:
    lake.rollback("r0003")
    lake.clean(keep_releases=1, older_than=NOW)
    shutil.copytree(lake.root.parent, tmp_path / "two")
    copy = Lake(tmp_path / "two" / ".mainstem")
    copy.relocate()
    assert {k: SEEN[k] for k in seen(copy)} == seen(copy)
    assert all(path.startswith(f"{copy.root}/") for path in named(copy))


def test_a_catalog_that_both_have_is_refused(lake: Lake, tmp_path: Path) -> None:
    """`cp -al`: SQLite would write the original's catalog through the link."""
    shutil.copytree(lake.root.parent, tmp_path / "two", copy_function=os.link)
    copy = Lake(tmp_path / "two" / ".mainstem")
    before = files_of(lake.root)
    for name in ("catalog.db", "catalog.db-journal"):  # SQLite writes both
        with pytest.raises(LakeRefused, match=f"{name} is a hard link"):
            copy.relocate()
        shutil.copyfile(copy.root / name, copy.root / "own")
        (copy.root / "own").rename(copy.root / name)
    assert copy.relocate()
    life(copy)
    assert files_of(lake.root) == before
    assert seen(lake) == SEEN


def test_a_pointer_that_moves_meanwhile(lake: Lake, copy: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody without the run lock, pyiceberg say."""
    rebase = journal.rebase

    def meddle(*arguments: object) -> None:
        rebase(*arguments)  # type: ignore[arg-type]
        with sqlite3.connect(copy.catalog.path) as db:
            db.execute("UPDATE iceberg_tables SET metadata_location = metadata_location || 'x'")

    monkeypatch.setattr(journal, "rebase", meddle)
    with pytest.raises(LakeUnavailable, match="was changed while"):
        copy.relocate()
    assert copy.catalog.home() == lake.root


def test_a_catalog_of_version_1(lake: Lake, tmp_path: Path) -> None:
    """It did not say where it was made; its tables do."""
    for statement in ("DROP TABLE mainstem_home", "PRAGMA user_version = 1"):
        with sqlite3.connect(lake.catalog.path) as db:
            db.execute(statement)
    assert lake.catalog.home() == lake.root
    shutil.copytree(lake.root.parent, tmp_path / "two")
    commit(lake, 7)
    assert lake.catalog.home() == lake.root
    copy = Lake(tmp_path / "two" / ".mainstem")
    with pytest.raises(LakeRefused):
        copy.tables()
    copy.relocate()
    assert seen(copy) == SEEN


# Other writers


def test_versions_of_another_writer(lake: Lake, tmp_path: Path) -> None:
    """With several manifests, one of them shared by two snapshots."""
    catalog = SqlCatalog("mainstem", uri=f"sqlite:///{lake.catalog.path}")
    table = catalog.load_table("raw.orders")
    for _ in range(2):
        table.append(table.scan().to_arrow())
    catalog.close()
    shutil.copytree(lake.root.parent, tmp_path / "two")
    copy = Lake(tmp_path / "two" / ".mainstem")
    copy.relocate()
    shutil.rmtree(lake.root.parent)
    assert seen(copy)["raw.orders"] == [7, 7, 7, 7]
    assert all(path.startswith(f"{copy.root}/") for path in named(copy))
    again = SqlCatalog("mainstem", uri=f"sqlite:///{copy.catalog.path}")
    again.load_table("raw.orders").delete("id = 7")
    again.close()
    assert seen(copy)["raw.orders"] == []


def test_an_adopted_version_is_spelled_as_the_lake_is(tmp_path: Path) -> None:
    """`.mainstem` on another disk, by a link: cleaning takes nothing away, and the version can follow."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ".mainstem").symlink_to(tmp_path / "disk")
    lake = Lake(tmp_path / "one" / ".mainstem")
    made = commit(lake, 1, 2)
    adopted = lake.adopt(ITEMS, str(Path(made.metadata_location).resolve()), {})
    assert adopted.metadata_location.startswith(f"{lake.root}/lake/")
    lake.drop(ORDERS)
    lake.clean(older_than=NOW)
    assert sorted(iceberg_ids(head(lake, ITEMS))) == [1, 2]


def test_rows_deleted_by_path_are_refused(lake: Lake, copy: Lake) -> None:
    """A file of positions names data files in its rows. (pyiceberg writes none: its manifest is told so.)"""
    before = copy.catalog.path.read_bytes()
    manifest = next((copy.root / "lake").rglob("*-m0.avro"))
    found = avro.load(manifest.read_bytes())
    found.records[0]["data_file"]["content"] = 1
    manifest.write_bytes(avro.dump(found))
    with pytest.raises(LakeRefused, match="deleted rows by the paths"):
        copy.relocate()
    assert copy.catalog.path.read_bytes() == before
