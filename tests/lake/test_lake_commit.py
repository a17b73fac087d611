"""Staging, committing, releasing: what is visible when, and to whom."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable

from lakes import COLUMNS, ORDERS, batches, commit, files, iceberg_ids, iceberg_scan, orders, python
from mainstem import metadata
from mainstem.errors import LakeUnavailable, SourceUnavailable, UsageError, ValueNotExact
from mainstem.lake import Lake, TableVersion, parquet, versions
from mainstem.schema import Column, Kind, TableName, Type

INT, LONG, TEXT = Type(Kind.INT), Type(Kind.LONG), Type(Kind.STRING)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / ".mainstem")


def ids(version: TableVersion) -> list[int]:
    """What DuckDB's Iceberg reader and pyiceberg both see."""
    seen = sorted(iceberg_ids(version))
    scanned = StaticTable.from_metadata(version.metadata_location).scan().to_arrow()
    assert sorted(map(str, scanned["id"].to_pylist())) == sorted(map(str, seen))
    return seen


def test_making_a_lake_and_asking_it_touches_nothing(lake: Lake) -> None:
    assert lake.head(ORDERS) is None
    assert lake.tables() == []
    assert lake.current_release() is None
    assert not lake.root.exists()


def test_staged_rows_are_in_no_table(lake: Lake) -> None:
    staged = lake.stage(ORDERS, COLUMNS, orders(1, 2))
    assert (staged.rows, len(staged.files)) == (2, 1)
    assert pq.read_table(staged.files[0])["id"].to_pylist() == [1, 2]
    assert lake.head(ORDERS) is None
    lake.discard(staged)
    assert files(lake.root) == set()


def test_a_commit_replaces_the_rows(lake: Lake) -> None:
    first = commit(lake, 1, 2)
    staged = lake.stage(ORDERS, COLUMNS, orders(3))
    second = lake.commit(staged, run="run-2", summary={"position.gtid": "0-1-77"})
    assert ids(first) == [1, 2]
    assert ids(second) == [3]
    assert lake.head(ORDERS) == second
    assert lake.at(ORDERS, first.metadata_location) == first
    assert second.columns == COLUMNS
    assert second.summary["mainstem.run"] == "run-2"
    assert second.summary["position.gtid"] == "0-1-77"
    assert (second.rows, second.bytes) == (1, staged.bytes)
    document = json.loads(Path(second.metadata_location).read_text())
    assert [s["snapshot-id"] for s in document["snapshots"]] == [first.snapshot_id, second.snapshot_id]
    assert document["snapshots"][1]["summary"]["deleted-records"] == "2"


def test_pyiceberg_goes_on_from_our_table(lake: Lake) -> None:
    """Leaving is cheap: pyiceberg appends through its own catalog, and our head follows."""
    commit(lake, 1, 2)
    catalog = SqlCatalog("mainstem", uri=f"sqlite:///{lake.catalog.path}")
    catalog.load_table("raw.orders").append(pa.Table.from_batches(orders(3)))
    catalog.close()
    head = lake.head(ORDERS)
    assert head is not None
    assert (head.rows, ids(head)) == (3, [1, 2, 3])
    assert ids(commit(lake, 4)) == [4]


def test_no_rows(lake: Lake) -> None:
    empty = lake.commit(lake.stage(ORDERS, COLUMNS, []), run="run-1", summary={})
    assert (empty.rows, ids(empty)) == (0, [])
    assert ids(commit(lake, 1)) == [1]
    nothing = lake.commit(lake.stage(ORDERS, COLUMNS, orders()), run="run-1", summary={})
    assert (nothing.rows, ids(nothing)) == (0, [])


def test_large_tables_have_several_files_and_row_groups(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1000)
    monkeypatch.setattr(parquet, "FILE_BYTES", 1500)
    told: list[int] = []
    rows = (batch for start in range(0, 1000, 50) for batch in orders(*range(start, start + 50)))
    staged = lake.stage(ORDERS, COLUMNS, rows, told.append)
    assert told == list(range(50, 1001, 50))
    assert len(staged.files) > 2
    assert max(data.footer.num_row_groups for data in staged.data) > 1
    assert ids(lake.commit(staged, run="run-1", summary={})) == list(range(1000))


def test_files_are_small_while_a_table_is(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"GROUP_BYTES": 1, "FILE_BYTES": 12_000, "FIRST_BYTES": 3_000, "SHARE": 4, "AGAIN": 20_000}
    for name, value in limits.items():
        monkeypatch.setattr(parquet, name, value)
    chosen: list[int] = []
    real = parquet.encodings

    def noted(table: pa.Table) -> parquet.Encodings:
        chosen.append(len(table))
        return real(table)

    monkeypatch.setattr(parquet, "encodings", noted)
    rows = (batch for start in range(0, 6000, 50) for batch in orders(*range(start, start + 50)))
    staged = lake.stage(ORDERS, COLUMNS, rows)
    sizes = [data.bytes for data in staged.data[:-1]]
    assert 3_000 <= sizes[0] < 6_000
    assert 12_000 <= sizes[-1] < 18_000
    assert 1 < len(chosen) < len(staged.files)  # encodings are chosen again after so many bytes
    assert ids(lake.commit(staged, run="run-1", summary={})) == list(range(6000))


def test_an_error_of_the_source_leaves_no_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 100)

    def broken() -> Iterator[pa.RecordBatch]:
        for number in range(5):
            yield orders(number)[0]
        raise SourceUnavailable("the server went away")

    with pytest.raises(SourceUnavailable):
        lake.stage(ORDERS, COLUMNS, broken())
    assert files(lake.root) == set()
    assert lake.head(ORDERS) is None


def test_null_where_none_may_be(lake: Lake) -> None:
    loose = (Column("id", LONG), COLUMNS[1])
    rows = batches(loose, [{"id": 1, "note": "n"}, {"id": None, "note": "secret"}])
    with pytest.raises(ValueNotExact, match=r"raw\.orders\.id: NULL in a column") as caught:
        lake.stage(ORDERS, COLUMNS, rows)
    assert "secret" not in str(caught.value)
    assert files(lake.root) == set()


@pytest.mark.parametrize("names", [["a", "A"], ["x", "x"], ["straße", "STRASSE"], [""], []])
def test_columns_that_no_engine_can_address(lake: Lake, names: list[str]) -> None:
    with pytest.raises(UsageError):
        lake.stage(ORDERS, [Column(name, LONG) for name in names], [])


def test_who_was_overtaken_changes_nothing(lake: Lake) -> None:
    """A process that slept through another run (a zombie) cannot put its old rows over the new ones."""
    stale = lake.stage(ORDERS, COLUMNS, orders(1))
    commit(lake, 2)
    before = files(lake.root)
    with pytest.raises(LakeUnavailable, match="another run has committed this table"):
        lake.commit(stale, run="run-0", summary={})
    assert files(lake.root) == before
    head = lake.head(ORDERS)
    assert head is not None
    assert ids(head) == [2]


def test_overtaken_at_the_last_moment(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, 1)
    stale, rival = lake.stage(ORDERS, COLUMNS, orders(2)), lake.stage(ORDERS, COLUMNS, orders(3))
    swap = lake.catalog.swap
    won: list[TableVersion] = []

    def late(name: TableName, expected: str | None, new: str) -> bool:
        monkeypatch.setattr(lake.catalog, "swap", swap)
        won.append(lake.commit(rival, run="rival", summary={}))
        return swap(name, expected, new)

    monkeypatch.setattr(lake.catalog, "swap", late)
    with pytest.raises(LakeUnavailable, match="another run has committed"):
        lake.commit(stale, run="stale", summary={})
    assert lake.head(ORDERS) == won[0]
    assert ids(won[0]) == [3]


@pytest.mark.parametrize("landed", [True, False])
def test_a_commit_of_unknown_outcome(lake: Lake, monkeypatch: pytest.MonkeyPatch, *, landed: bool) -> None:
    """The catalog's answer is lost. Landed: the commit counts. Not landed: the old version stays."""
    first = commit(lake, 1)
    swap = lake.catalog.swap

    def lossy(name: TableName, expected: str | None, new: str) -> bool:
        if landed:
            swap(name, expected, new)
        raise LakeUnavailable("the answer was lost")

    monkeypatch.setattr(lake.catalog, "swap", lossy)
    if landed:
        assert ids(commit(lake, 2)) == [2]
    else:
        with pytest.raises(LakeUnavailable, match="the answer was lost"):
            commit(lake, 2)
        assert lake.head(ORDERS) == first
        assert ids(first) == [1]


@pytest.mark.parametrize("landed", [True, False])
def test_a_commit_that_nobody_can_tell_of(lake: Lake, monkeypatch: pytest.MonkeyPatch, landed: bool) -> None:
    """The answer is lost, and then the catalog cannot be read either: who made the rows gives them up, and
    yet no file goes to which the catalog may refer. Later runs and the housekeeping see what is so."""
    first = commit(lake, 1)
    swap = lake.catalog.swap
    lake.catalog.wait = 0.05
    other = sqlite3.connect(lake.catalog.path, isolation_level=None)

    def lossy(name: TableName, expected: str | None, new: str) -> bool:
        if landed:
            swap(name, expected, new)
        other.execute("begin exclusive")
        raise LakeUnavailable("the answer was lost")

    staged = lake.stage(ORDERS, COLUMNS, orders(2))
    monkeypatch.setattr(lake.catalog, "swap", lossy)
    with pytest.raises(LakeUnavailable, match="locked"):
        lake.commit(staged, run="run-2", summary={})
    lake.discard(staged)
    other.close()
    monkeypatch.undo()
    head = lake.head(ORDERS)
    assert head is not None
    assert ids(head) == ([2] if landed else [1])
    assert (head == first) is not landed
    again = lake.stage(ORDERS, COLUMNS, orders(3))
    assert ids(lake.commit(again, run="run-3", summary={})) == [3]
    Lake(lake.root).clean(older_than=timedelta(0))
    assert not staged.files[0].exists()


def test_a_commit_that_landed_cannot_be_discarded(lake: Lake) -> None:
    """Whatever happens to the run after it, an interruption for one."""
    staged = lake.stage(ORDERS, COLUMNS, orders(1))
    version = lake.commit(staged, run="run-1", summary={})
    lake.discard(staged)
    assert ids(version) == [1]


def test_eight_threads_commit_eight_tables(lake: Lake) -> None:
    def work(number: int) -> list[int]:
        name = TableName("raw", f"t{number}")
        for round_ in range(5):
            version = commit(lake, number, round_ + 100, name=name)
        return ids(version)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[n, 104] for n in range(8)]
    assert len(lake.tables()) == 8


HOSTILE = ["Orders", "orders", "order details", "../../etc", "a/b\\c", "'; DROP TABLE x; --", 'say "hi"',
           "größe 表 😀", "x" * 200, ".", "con", "a.b", "%2e%2e", "-rf", "new\nline"]  # fmt: skip


def test_any_name_is_a_table(lake: Lake) -> None:
    for number, text in enumerate(HOSTILE):
        commit(lake, number, name=TableName("raw", text))
    assert {name.name for name in lake.tables()} == set(HOSTILE)
    for number, text in enumerate(HOSTILE):
        head = lake.head(TableName("raw", text))
        assert head is not None
        assert ids(head) == [number]
    assert {path.parents[2] for path in files(lake.root)} == {lake.root / "lake" / "raw"}


def test_files_are_private_and_data_is_read_only(lake: Lake) -> None:
    before = os.umask(0)
    try:
        commit(lake, 1)
    finally:
        os.umask(before)
    for path in files(lake.root):
        assert stat.S_IMODE(path.stat().st_mode) == (0o400 if path.suffix == ".parquet" else 0o600)
    folders = [path for path in (lake.root, *lake.root.rglob("*")) if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_no_code_comes_out_of_metadata(lake: Lake, tmp_path: Path) -> None:
    """`py-io-impl` in a table's metadata names a class that pyiceberg's catalogs import and run."""
    (tmp_path / "evil_io.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass IO: pass\n")
    version = commit(lake, 1)
    path = Path(version.metadata_location)
    document = json.loads(path.read_text())
    document["properties"]["py-io-impl"] = "evil_io.IO"
    path.write_text(json.dumps(document))
    code = """
import sys; sys.path.insert(0, sys.argv[2])
from datetime import timedelta
from pathlib import Path
from lakes import ORDERS, commit
from mainstem.lake import Lake
if sys.argv[3] == "ours":
    print(commit(Lake(Path(sys.argv[1])), 7).rows)
else:
    from pyiceberg.catalog.sql import SqlCatalog
    SqlCatalog("mainstem", uri=f"sqlite:///{sys.argv[1]}/catalog.db").load_table("raw.orders")
"""
    done = python(code, lake.root, tmp_path, "ours")
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert not (tmp_path / "ran").exists()
    # The control: pyiceberg's own catalog does run it.
    path.write_text(json.dumps(document))
    python(code, lake.root, tmp_path, "theirs")
    assert (tmp_path / "ran").exists()


def test_only_a_commit_imports_pyiceberg(lake: Lake) -> None:
    version = commit(lake, 1)
    lake.publish("run-1", {ORDERS: version}, {})
    code = """
import sys
from datetime import timedelta
from pathlib import Path
from lakes import COLUMNS, ORDERS, orders
from mainstem.lake import Lake
lake = Lake(Path(sys.argv[1]))
lake.head(ORDERS); lake.current_release(); lake.discard(lake.stage(ORDERS, COLUMNS, orders(1))); lake.clean()
print([name for name in sys.modules if name.partition(".")[0] in ("pyiceberg", "sqlalchemy")])
"""
    assert python(code, lake.root).stdout == "[]\n"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"format-version": 1}', '{"format-version": 2}', "\xff"]
)
def test_damaged_metadata_is_said_so(lake: Lake, content: str) -> None:
    version = commit(lake, 1)
    Path(version.metadata_location).write_text(content)
    with pytest.raises(LakeUnavailable, match=r"(?s)damaged.*restore \.mainstem from a backup"):
        lake.head(ORDERS)
    with pytest.raises(LakeUnavailable, match="damaged"):
        commit(lake, 2)


def test_a_damaged_manifest_list_is_said_so(lake: Lake) -> None:
    version = commit(lake, 1)
    before = files(lake.root)
    metadata.load(version.metadata_location).manifest_list.write_bytes(b"Obj\x01 and no more")
    with pytest.raises(LakeUnavailable):
        commit(lake, 2)
    assert lake.head(ORDERS) == version
    assert len(files(lake.root) - before) == 1  # the staged file, which the caller may discard


# Schema evolution


def column(name: str, type_: Type, *, nullable: bool = True) -> Column:
    return Column(name, type_, nullable)


D = Kind.DECIMAL


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        (column("a", INT), column("a", LONG), True),
        (column("a", LONG), column("a", INT), False),
        (column("a", Type(Kind.FLOAT)), column("a", Type(Kind.DOUBLE)), True),
        (column("a", Type(Kind.DOUBLE)), column("a", Type(Kind.FLOAT)), False),
        (column("a", Type(D, 9, 2)), column("a", Type(D, 12, 2)), True),
        (column("a", Type(D, 12, 2)), column("a", Type(D, 9, 2)), False),
        (column("a", Type(D, 9, 2)), column("a", Type(D, 12, 3)), False),
        (column("a", INT, nullable=False), column("a", INT), True),
        (column("a", INT), column("a", INT, nullable=False), False),
        (column("a", INT), column("a", TEXT), False),
        (column("a", INT), column("b", INT), False),
    ],
)
def test_a_column_keeps_its_id_only_if_it_means_the_same(old: Column, new: Column, *, kept: bool) -> None:
    assert versions.evolve([metadata.Field(5, old)], 9, [new]) == ((5,) if kept else (10,))


def test_a_table_through_its_schemas(lake: Lake) -> None:
    """Added, widened, moved, dropped, narrowed, swapped: every reader sees the right values, and every old
    version stays as it was."""
    shapes: list[tuple[tuple[Column, ...], dict[str, object], list[int]]] = [
        ((column("a", INT), column("b", TEXT)), {"a": 1, "b": "b1"}, [1, 2]),
        (
            (column("c", INT), column("b", TEXT), column("a", LONG)),
            {"c": 9, "b": "b2", "a": 2**40},
            [3, 2, 1],
        ),
        ((column("a", INT), column("c", TEXT)), {"a": 3, "c": "c3"}, [4, 5]),
        ((column("a", TEXT), column("c", INT)), {"a": "a4", "c": 4}, [6, 7]),
        ((column("a", TEXT), column("c", INT)), {"a": "a5", "c": 5}, [6, 7]),
    ]
    made = []
    for columns, row, _ in shapes:
        staged = lake.stage(ORDERS, columns, batches(columns, [row]))
        made.append(lake.commit(staged, run="run-1", summary={}))
    for (columns, row, field_ids), version in zip(shapes, made, strict=True):
        table = metadata.load(version.metadata_location)
        assert [field.id for field in table.fields] == field_ids
        assert lake.at(ORDERS, version.metadata_location).columns == columns
        assert StaticTable.from_metadata(version.metadata_location).scan().to_arrow().to_pylist() == [row]
        assert iceberg_scan(version).to_pylist() == [row]


# Releases


def test_a_release_pins_versions(lake: Lake) -> None:
    first = commit(lake, 1)
    one = lake.publish("run-1", {ORDERS: first}, {"proven": True})
    second = commit(lake, 2)
    current = lake.current_release()
    assert current == one
    assert current.tables[ORDERS].metadata_location == first.metadata_location
    two = lake.publish("run-2", {ORDERS: second}, {})
    assert [r.id for r in lake.releases()] == [two.id, one.id]
    assert lake.rollback("r0001") == one
    assert lake.current_release() == one
    assert lake.release("r0002") == two
    assert lake.head(ORDERS) == second
    with pytest.raises(UsageError):
        lake.release("r0009")


def test_a_version_that_is_gone_is_not_published(lake: Lake) -> None:
    version = commit(lake, 1)
    Path(version.metadata_location).unlink()
    with pytest.raises(LakeUnavailable, match="no longer in the lake"):
        lake.publish("run-1", {ORDERS: version}, {})
    assert lake.current_release() is None


def test_history_is_bounded_by_the_releases(lake: Lake) -> None:
    """A table committed every minute does not carry all its snapshots for ever: those of releases stay."""
    for number in range(12):
        version = commit(lake, number)
        if number == 3:
            lake.publish("run-3", {ORDERS: version}, {})
    snapshots = json.loads(Path(version.metadata_location).read_text())["snapshots"]
    assert [s["sequence-number"] for s in snapshots] == [4, 11, 12]


@pytest.mark.parametrize("key", ["columns", "key", "position", "cursor", "proofs", "tally"])
def test_what_a_version_remembers_is_damaged(lake: Lake, key: str) -> None:
    """A bit has flipped in the summary: told as damage, not as a defect of ours."""
    staged = lake.stage(ORDERS, COLUMNS, orders(1))
    with pytest.raises(LakeUnavailable, match=f"damaged: what it says of mainstem.{key}"):
        lake.commit(staged, run="run-1", summary={f"mainstem.{key}": '{"a": 1'})


def test_a_part_is_in_order_whoever_encodes_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two groups of each part take longer than those that another thread encodes beside them: the first, and
    the last one, after which the part is told."""
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    real = parquet._Writer.group

    def slow(writer: parquet._Writer, batches: list[pa.RecordBatch]) -> None:
        if batches[0]["id"][0].as_py() % 100 in (0, 29):
            time.sleep(0.05)
        real(writer, batches)

    monkeypatch.setattr(parquet._Writer, "group", slow)
    journal = lake.journal(ORDERS, COLUMNS, "one", lambda: ["id < 100", "id >= 100"])
    assert journal is not None
    items: list[tuple[int, pa.RecordBatch | None]] = []
    for part in (0, 1):
        items += [(part, batch) for n in range(30) for batch in orders(100 * part + n)]
        items.append((part, None))
    staged = lake.stage_parts(journal, COLUMNS, items)
    found = [pq.read_table(path)["id"].to_pylist() for path in staged.files]
    assert found == [list(range(30)), list(range(100, 130))]
