"""A load is proven before it is committed; what is unchanged is not read; a fault is named, and gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from mainstem.engine.duckdb import DuckDB
from mainstem.errors import ProofFailed, SourceUnavailable
from mainstem.ingest.load import Loader
from mainstem.ingest.state import (
    COLUMNS,
    FINGERPRINT,
    POSITION,
    PROOF,
    SOURCE,
    decode_columns,
    encode_columns,
)
from mainstem.ingest.values import Load, Loaded, Pending
from mainstem.project.config import ProofLevel
from mainstem.project.load import load_project
from mainstem.run import RunOptions
from mainstem.schema import Column, Kind, Table, TableName, Type
from mainstem.source.sqlite import SQLiteSource
from mainstem.wiring import open_lake
from sources import Reader, altering, through, unchanged
from support import Ran, ask, data_files, execute_sql, make_project, run

TABLES = ["customers", "order_lines", "orders"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Source tables alone, no model."""
    return make_project(tmp_path / "p", {})


def _reads(root: Path, options: RunOptions | None = None) -> list[str]:
    reads: list[str] = []
    assert not run(root, options=options, adapt=through(unchanged, reads)).messages
    return reads


def test_the_first_run_reads_everything_and_the_second_nothing(bare: Path) -> None:
    assert _reads(bare) == TABLES
    assert _reads(bare) == []


def test_a_changed_table_is_read_again_alone(bare: Path) -> None:
    _reads(bare)
    execute_sql(
        bare / "shop.db", "update order_lines set price = 136.01 where order_number = 10 and line_number = 1"
    )
    assert _reads(bare) == ["order_lines"]
    assert ask(bare, "select max(price) from raw.order_lines") == [(Decimal("167.06"),)]
    assert ask(bare, "select price from raw.order_lines where product = 'car' order by 1 desc limit 1") == [
        (Decimal("136.01"),)
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "update orders set comments = '' where order_number = 10",  # NULL and empty differ
        "update orders set comments = null where order_number = 11",
        "update orders set comments = 'LATE' where order_number = 12",
        "delete from orders where order_number = 14; delete from order_lines where order_number = 14",
        "insert into orders values (15, 1, '2006-01-01', null)",
    ],
)
def test_the_smallest_change_is_seen(bare: Path, sql: str) -> None:
    _reads(bare)
    execute_sql(bare / "shop.db", sql)
    assert "orders" in _reads(bare)


def test_a_renamed_column_is_read_again(bare: Path) -> None:
    # Its fingerprint is the same: names are in no checksum.
    _reads(bare)
    execute_sql(bare / "shop.db", "alter table customers rename column country to land")
    assert _reads(bare) == ["customers"]
    assert ask(bare, "select land from raw.customers order by 1 limit 1") == [("France",)]


def test_the_loader_itself_tells_names_apart(bare: Path) -> None:
    """Whatever the plan has said: equal rows under another name are not what stands."""
    _reads(bare)
    execute_sql(bare / "shop.db", "alter table customers rename column country to land")
    project = load_project(bare)
    lake, source = open_lake(project), SQLiteSource(bare / "shop.db")
    head = lake.head(TableName("raw", "customers"))
    now = source.introspect().table("customers")
    with source.snapshot() as snapshot, closing(DuckDB(bare / "tmp")) as engine:
        loader = Loader(source, snapshot, lake, engine, "run-2")
        begun = loader.begin(Load(now, "shop", ProofLevel.FULL, head, False), lambda rows: None)
        assert isinstance(begun, Pending)
        assert begun.staged.rows == 4
        done = loader.finish(begun)
        assert isinstance(done, Loaded)
        again = loader.begin(Load(now, "shop", ProofLevel.FULL, done.version, False), lambda rows: None)
    assert isinstance(again, Loaded)
    assert not again.changed


def test_a_full_refresh_reads_again(bare: Path) -> None:
    _reads(bare)
    assert _reads(bare, RunOptions(full_refresh=True)) == TABLES


@pytest.mark.parametrize("level", [ProofLevel.COUNT, ProofLevel.OFF])
def test_without_a_fingerprint_everything_is_read_each_time(bare: Path, level: ProofLevel) -> None:
    assert _reads(bare, RunOptions(proof=level)) == TABLES
    assert _reads(bare, RunOptions(proof=level)) == TABLES
    assert _reads(bare) == TABLES  # the first full proof cannot compare with an unproven load
    assert _reads(bare) == []


@pytest.mark.parametrize(
    ("level", "holds", "text"),
    [
        ("full", True, "5 rows, every cell equal the source"),
        ("count", True, "5 rows, as many as in the source"),
        ("off", False, "5 rows, not proven (proof: off)"),
    ],
)
def test_the_receipt_says_how_far_a_load_was_proven(
    tmp_path: Path, level: str, holds: bool, text: str
) -> None:
    root = make_project(tmp_path, {}, config=f"tables:\n  orders: {{proof: '{level}'}}")
    ran = run(root)
    entry = ran.table("raw.orders")
    assert (entry["proof"], entry["holds"], entry["text"]) == (level, holds, text)
    assert bool(entry["checksum"]) is (level == "full")
    assert ran.table("raw.customers")["proof"] == "full"


def test_a_load_remembers_where_it_stood(bare: Path) -> None:
    run(bare)
    head = open_lake(load_project(bare)).head(TableName("raw", "orders"))
    assert head is not None
    assert head.summary[SOURCE] == "shop"
    assert head.summary[PROOF] == "full"
    assert head.summary[FINGERPRINT].startswith("1:crc32:5:")
    assert json.loads(head.summary[POSITION])
    assert [column.name for column in decode_columns(head.summary[COLUMNS])] == [
        "order_number", "customer_number", "order_date", "comments",
    ]  # fmt: skip


def test_columns_survive_their_text() -> None:
    columns = (
        Column("a b", Type(Kind.DECIMAL, 38, 10), False, "decimal(38,10)"),
        Column("ü", Type(Kind.TIMESTAMPTZ), True, 'odd "type"'),
    )
    assert decode_columns(encode_columns(columns)) == columns


# Faults


def _refused(root: Path, reader: Reader, options: RunOptions | None = None) -> Ran:
    """A run with a faulty reader; asserts that it left nothing behind."""
    project = load_project(root)
    before, lake = data_files(project), open_lake(project)
    heads = {name: lake.head(name) for name in lake.tables()}
    release = lake.current_release()
    ran = run(root, options=options, adapt=through(reader), clean=False)
    assert ran.status == "failed"
    assert lake.current_release() == release
    name = TableName("raw", "order_lines")
    assert lake.head(name) == heads.get(name)
    assert not [path for path in data_files(project) - before if "order_lines" in str(path)]
    return ran


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        ("price", 2, Decimal("75.47")),
        ("product", 2, "Car"),
        ("product", 2, "car "),
        ("quantity", 2, 2),
    ],
)
def test_one_altered_cell_is_found_and_named(bare: Path, column: str, row: int, value: object) -> None:
    ran = _refused(bare, altering("order_lines", column, row, value))
    (error,) = ran.outcome.errors
    assert isinstance(error, ProofFailed)
    assert error.exit_code == 3
    assert f"columns that differ: {column}" in error.message
    assert "different: order_number=11, line_number=1" in error.message
    assert str(error.where) == "raw.order_lines"
    assert str(value) not in error.message.replace("line_number", "") or column == "quantity"
    assert ran.table("raw.order_lines")["status"] == "failed"
    assert ran.table("raw.orders")["status"] == "done"  # the others stand, ready for the next run
    assert run(bare).status == "published"


def test_a_null_in_the_place_of_a_value(bare: Path) -> None:
    ran = run(bare, adapt=through(altering("orders", "comments", 2, None)))
    assert "columns that differ: comments" in ran.messages
    ran = run(bare, adapt=through(altering("orders", "comments", 1, None)))  # an empty text
    assert "different: order_number=11" in ran.messages


def test_with_proof_count_an_altered_cell_goes_through_and_a_lost_row_does_not(bare: Path) -> None:
    # Negative control: it is the proof that finds the fault above, nothing else.
    options = RunOptions(proof=ProofLevel.COUNT)
    assert (
        run(bare, options=options, adapt=through(altering("order_lines", "quantity", 2, 2))).status
        == "published"
    )
    assert ask(bare, "select count(*) from raw.order_lines where quantity = 2") == [(1,)]

    ran = _refused(bare, _shortened, RunOptions(proof=ProofLevel.COUNT, full_refresh=True))
    assert "the source has 8 rows, 7 rows arrived" in ran.messages


def _shortened(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(1) if table.name == "order_lines" else batch


def _doubled(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        if table.name == "order_lines":
            yield batch.slice(0, 1)


def test_a_lost_and_a_doubled_row(bare: Path) -> None:
    ran = _refused(bare, _shortened)
    assert "the source has 8 rows, the lake 7 rows" in ran.messages
    assert "missing: order_number=10, line_number=1" in ran.messages
    ran = _refused(bare, _doubled)
    assert "too many: order_number=10, line_number=1" in ran.messages


def test_a_source_that_goes_away_midway_fails_what_is_left(bare: Path) -> None:
    def breaking(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
        if table.name == "order_lines":
            yield next(batches).slice(0, 1)
            raise SourceUnavailable("the server went away")
        yield from batches

    ran = _refused(bare, breaking)
    (error,) = ran.outcome.errors
    assert error.exit_code == 4
    entries = {entry.table: entry.status for entry in ran.outcome.receipt.tables}
    assert entries == {"raw.customers": "done", "raw.order_lines": "failed", "raw.orders": "failed"}
    assert run(bare).status == "published"


# No rows where there were some


def test_no_rows_where_there_were_some_is_refused(bare: Path) -> None:
    run(bare)
    execute_sql(bare / "shop.db", "delete from order_lines")
    for level in ProofLevel:
        ran = run(bare, options=RunOptions(proof=level))
        assert "raw.order_lines: there are no rows where the current release has 8" in ran.messages
        assert "order_lines: {allow_empty: true}" in ran.messages
        assert ran.outcome.exit_code == 3
    assert ask(bare, "select count(*) from raw.order_lines") == [(8,)]


def test_no_rows_are_well_where_that_is_allowed(bare: Path) -> None:
    run(bare)
    execute_sql(bare / "shop.db", "delete from order_lines")
    make_project(bare, {}, source="", config="tables:\n  order_lines: {allow_empty: true}")
    assert run(bare).status == "published"
    assert ask(bare, "select count(*) from raw.order_lines") == [(0,)]


def test_a_table_that_was_always_empty_is_well(tmp_path: Path) -> None:
    root = make_project(tmp_path, {}, source="create table t (a integer primary key, b text);")
    assert run(root).status == "published"
    assert run(root).status == "unchanged"
