"""A large fact stays in the lake: the served file reads its files, those alone, and never writes them."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mainstem.errors import ProofFailed, UsageError
from mainstem.serve.bundle import build
from mainstem.serve.config import Limits
from mainstem.serve.console import SqlRequest, answer
from mainstem.serve.lakefiles import name_of
from mainstem.serve.lakesystem import LakeFiles, Reader
from mainstem.serve.served import open_protected

from . import laid, shop
from .attempts import ATTEMPTS
from .test_console import furnish

LIMITS = Limits(memory="200MB", threads=2)
NAME = name_of(laid.FACT, 0)

WRITES = [
    f"copy (select 1) to '{NAME}' (format parquet, use_tmp_file false)",
    f"copy (select 1) to '{NAME}' (format parquet)",
    "copy (select 1) to 'lake://mart.fact_orders/new.parquet' (format parquet)",
    "copy (select 1) to 'lake://x.csv'",
    "copy (select 1 as x) to 'lake://part' (format parquet, partition_by (x), write_partition_columns true)",
    "export database 'lake://export'",
    "attach 'lake://x.db' as x",
    f"attach '{NAME}' as x (type duckdb)",
]
READS = [
    "from 'lake://{path}'",
    "from read_parquet('lake://{path}')",
    "from read_parquet('lake://./{path}')",
    "from read_parquet('lake://mart.fact_orders/../../{path}')",
    "from read_text('lake://{path}')",
    "from read_parquet('lake:{path}')",
    "from read_parquet('{state}/{path}')",
    "from read_parquet('lake://*/*.parquet')",
    "from read_parquet('lake://**')",
]
OTHERS = [laid.RAW, *laid.FILES, "serve/x.json"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return shop.state(tmp_path)


@pytest.fixture
def served(state: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    con = open_protected(laid.publish(state).path, LIMITS)
    yield con
    con.close()


def digests(state: Path) -> dict[str, str]:
    files = [path for path in state.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused(con: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether a statement fails, or finds no file."""
    cursor = con.cursor()
    try:
        return not cursor.execute(sql).fetchall()
    except duckdb.Error:
        return True
    finally:
        cursor.close()


def totals(con: duckdb.DuckDBPyConnection) -> Any:
    return con.execute("select count(*), sum(amount) from fact_orders").fetchone()


def test_a_large_fact_is_a_view_and_its_cube_is_made_all_the_same(state: Path) -> None:
    built = laid.publish(state)
    assert built.rows == 400 + 5 + 732
    assert [(cube.cells, cube.proofs[0].holds) for cube in built.cubes] == [(400, True)]
    con = open_protected(built.path, LIMITS)
    assert totals(con) == (400, Decimal("25605.30"))
    tables = con.execute("select table_name from duckdb_tables() where schema_name = 'mart' order by 1")
    assert tables.fetchall() == [("dim_customers",), ("dim_dates",)]
    words = con.execute(
        "select comment from duckdb_views() where view_name = 'fact_orders' and comment <> ''"
    )
    assert words.fetchall() == [("Orders, one row each.",)]
    column = "select comment from duckdb_columns() where column_name = 'status' and schema_name = 'mart'"
    assert con.execute(column).fetchall() == [("How far it is.",)]
    joined = "select count(*) from fact_orders join dim_customers using (customer_key)"
    assert con.execute(joined).fetchone() == (400,)
    con.close()
    assert not list((state / "serve").glob("*.wal"))


def test_nothing_of_this_machine_is_in_it_and_a_moved_project_is_read(state: Path) -> None:
    built = laid.publish(state)
    assert str(state).encode() not in built.path.read_bytes()
    moved = state.parent / "elsewhere"
    shutil.move(state, moved)
    con = open_protected(moved / "serve" / built.path.name, LIMITS)
    assert totals(con) == (400, Decimal("25605.30"))
    con.close()


def test_files_outside_of_the_project_are_copied(state: Path, tmp_path: Path) -> None:
    lake = laid.lay(tmp_path / "other")
    built = build(state, laid.spec(), shop.marts(), lake=lake)
    shutil.rmtree(tmp_path / "other")
    con = open_protected(built.path, LIMITS)
    assert totals(con) == (400, Decimal("25605.30"))
    con.close()


def test_the_open_file_refuses_every_attempt(
    served: duckdb.DuckDBPyConnection, state: Path, tmp_path: Path
) -> None:
    machine = furnish(tmp_path)
    before = digests(state)
    asked = [machine(sql) for sql in ATTEMPTS] + WRITES
    asked += [sql.format(path=path, state=state) for sql in READS for path in OTHERS]
    assert [sql for sql in asked if not refused(served, sql)] == []
    assert digests(state) == before
    assert list((tmp_path / "out").iterdir()) == []
    assert totals(served) == (400, Decimal("25605.30"))


@pytest.mark.parametrize("sql", [*WRITES, f"from read_parquet('{NAME}')", f"from '{NAME}' where false"])
def test_the_prompt_refuses_in_words(served: duckdb.DuckDBPyConnection, sql: str, state: Path) -> None:
    if sql.endswith("where false"):
        # The listed name itself is what the view reads: the same rows.
        assert b"order_number" in answer(served.cursor(), SqlRequest(sql=sql), LIMITS)
        return
    with pytest.raises(UsageError) as told:
        answer(served.cursor(), SqlRequest(sql=sql), LIMITS)
    assert str(state) not in str(told.value)


def test_control_a_lake_that_could_be_written_would_be(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(self: LakeFiles, path: str, mode: str = "rb", **_: Any) -> io.FileIO:
        return Reader(self._path(path), mode)

    monkeypatch.setattr(LakeFiles, "open", opened)
    con = open_protected(laid.publish(state).path, LIMITS)
    before = digests(state)
    con.execute(WRITES[0])
    assert digests(state) != before
    con.close()


def test_control_without_the_list_a_source_table_would_be_read(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def anything(self: LakeFiles, name: str) -> Path:
        return self._root / self._files.get(name, name.removeprefix("lake://"))

    monkeypatch.setattr(LakeFiles, "_path", anything)
    monkeypatch.setattr(LakeFiles, "glob", lambda _self, path, **_: [path])
    con = open_protected(laid.publish(state).path, LIMITS)
    assert not refused(con, READS[0].format(path=laid.RAW))
    con.close()


def test_a_file_that_is_gone_is_told_without_its_place(
    served: duckdb.DuckDBPyConnection, state: Path
) -> None:
    (state / laid.FILES[0]).unlink()
    with pytest.raises(UsageError) as told:
        answer(served.cursor(), SqlRequest(sql="select sum(amount) from fact_orders"), LIMITS)
    assert "no longer in the lake" in told.value.message
    assert str(state) not in str(told.value)


def test_files_without_all_rows_are_not_published(state: Path) -> None:
    lake = {laid.FACT: laid.lay(state)[laid.FACT][:1]}
    with pytest.raises(ProofFailed, match=r"200 rows of mart\.fact_orders, the release 400"):
        build(state, laid.spec(), shop.marts(), lake=lake)
