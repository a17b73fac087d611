"""A session for people reads the release and can reach nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakes import ORDERS, commit, files
from mainstem.engine.connect import connect
from mainstem.errors import LakeUnavailable, UsageError
from mainstem.lake import Lake
from mainstem.schema import TableName

ITEMS = TableName("mart", "items")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "a [b] *" / ".mainstem")


def test_mart_needs_no_schema(lake: Lake) -> None:
    tables = {name: commit(lake, 1, 2, name=name).metadata_location for name in (ORDERS, ITEMS)}
    with connect(tables) as session:
        assert session.execute("SELECT count(*) FROM items").fetchall() == [(2,)]
        assert session.execute("SELECT sum(id) FROM mart.items JOIN raw.orders USING (id)").fetchall() == [
            (3,)
        ]
        with pytest.raises(duckdb.CatalogException):
            session.execute("FROM orders")


def test_without_any_table(tmp_path: Path) -> None:
    with connect({}) as session:
        assert session.execute("SELECT 1").fetchall() == [(1,)]
        with pytest.raises(duckdb.Error):
            session.execute("FROM '/etc/passwd'")


FORBIDDEN = [
    "COPY (SELECT 1) TO '{data}'",
    "COPY (SELECT 1) TO '{root}/new.parquet'",
    "COPY (SELECT 1) TO '{root}/catalog.db' (FORMAT csv)",
    "EXPORT DATABASE '{root}/dump'",
    "SELECT * FROM read_text('{root}/catalog.db')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_parquet('{data}/../{name}')",
    "SELECT * FROM 'https://example.invalid/x.parquet'",
    "ATTACH '{root}/x.duckdb'",
    "ATTACH '{root}/catalog.db' (TYPE sqlite)",
    "COPY items FROM '/etc/passwd'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD iceberg",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET memory_limit = '1TB'",
    "SET TimeZone = 'Europe/Vienna'",
    "RESET lock_configuration",
    "PRAGMA temp_directory = '/tmp'",
    "CREATE SECRET (TYPE s3)",
    "INSERT INTO items VALUES (1, 'x')",
    "DELETE FROM raw.orders",
    "WITH x AS (INSERT INTO items VALUES (1, 'x') RETURNING id) SELECT * FROM x",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_nothing_else_is_within_reach(lake: Lake, statement: str) -> None:
    tables = {name: commit(lake, 1, name=name).metadata_location for name in (ORDERS, ITEMS)}
    before = {path: path.read_bytes() for path in files(lake.root)}
    data = next(path for path in before if path.suffix == ".parquet")
    sql = statement.format(root=lake.root, data=data, name=data.name)
    with connect(tables) as session, pytest.raises(duckdb.Error):
        session.execute(sql).fetchall()
    assert {path: path.read_bytes() for path in files(lake.root)} == before
    assert not (lake.root / "x.duckdb").exists()


def test_the_control_an_open_session_may_write(lake: Lake) -> None:
    with duckdb.connect() as session:
        lake.root.mkdir(parents=True)
        session.execute("COPY (SELECT 1) TO '" + str(lake.root / "new.parquet") + "'")
    assert (lake.root / "new.parquet").exists()


def test_versions_of_other_writers(lake: Lake) -> None:
    commit(lake, 1, 2)
    catalog = SqlCatalog("mainstem", uri=f"sqlite:///{lake.catalog.path}")
    catalog.load_table("raw.orders").delete("id = 2")
    catalog.close()
    head = lake.head(ORDERS)
    assert head is not None
    with connect({ORDERS: head.metadata_location}) as session:
        assert session.execute("SELECT id FROM raw.orders").fetchall() == [(1,)]


def test_names_and_files_that_do_not_work(lake: Lake) -> None:
    shout = TableName("raw", "ORDERS")
    tables = {name: commit(lake, 1, name=name).metadata_location for name in (ORDERS, shout)}
    with pytest.raises(UsageError, match="differ only in case"):
        connect(tables)
    with pytest.raises(LakeUnavailable):
        connect({ORDERS: str(lake.root / "nosuch.json")})
