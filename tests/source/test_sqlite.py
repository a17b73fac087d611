"""SQLite as a source: introspection, one consistent view, clear refusals."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from oracle import checksum

from mainstem.errors import SourceRefused, SourceUnavailable, UsageError
from mainstem.schema import ForeignKey
from mainstem.source.port import SourceOptions
from mainstem.source.sqlite import SQLiteSource

SHOP = """
CREATE TABLE customers (
  id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, name TEXT,
  shouted TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL,
  stored TEXT AS (lower(name)) STORED
);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES CUSTOMERS, at DATETIME);
CREATE TABLE lines (
  "order" INT, "line no" INT, note ANY, PRIMARY KEY ("order", "line no"),
  FOREIGN KEY ("order") REFERENCES orders (ID)
) STRICT, WITHOUT ROWID;
CREATE TABLE loose (a TEXT PRIMARY KEY, b TEXT, gone INTEGER REFERENCES nowhere (x));
CREATE UNIQUE INDEX partly ON loose (b) WHERE b > 'm';
CREATE UNIQUE INDEX computed ON loose (lower(b));
CREATE VIEW names AS SELECT name FROM customers;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO customers (id, email, name) VALUES (1, 'a@b', 'Ann'), (2, 'c@d', NULL);
INSERT INTO orders VALUES (10, 1, '2024-01-02 03:04:05');
INSERT INTO lines VALUES (10, 1, 'x'), (10, 2, NULL);
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.executescript(SHOP)
    connection.close()
    return path


def _write(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path, timeout=0)
    connection.executescript(sql)
    connection.close()


def test_introspection(shop: Path) -> None:
    database = SQLiteSource(shop).introspect()
    assert (database.engine, database.name) == ("sqlite", "shop")
    assert [table.name for table in database.tables] == ["customers", "lines", "loose", "orders"]
    customers = database.table("customers")
    assert [column.name for column in customers.columns] == ["id", "email", "name", "shouted", "stored"]
    assert [column.nullable for column in customers.columns] == [False, False, True, True, True]
    assert (customers.primary_key, customers.unique_keys, customers.rows) == (("id",), (("email",),), 2)
    lines = database.table("lines")
    assert lines.primary_key == ("order", "line no")
    assert not lines.column("line no").nullable
    assert lines.foreign_keys == (ForeignKey(("order",), "orders", ("id",)),)
    assert database.table("orders").foreign_keys == (ForeignKey(("customer",), "customers", ("id",)),)
    loose = database.table("loose")
    assert (loose.unique_keys, loose.foreign_keys) == ((), ())
    assert loose.column("a").nullable  # a primary key of SQLite may hold NULL


def test_every_table_reads_and_is_proven(shop: Path) -> None:
    source = SQLiteSource(shop)
    with source.snapshot() as snapshot:
        for table in source.introspect().tables:
            batches = list(snapshot.read(table))
            hashes = source.dialect.row_hash(
                [source.dialect.text(c, source.dialect.form(c)) for c in table.columns]
            )
            sql = f"SELECT count(*), {source.dialect.total(hashes)} FROM {source.dialect.ref(table)}"
            rows, total = snapshot.select(sql)[0]
            assert (rows, int(total)) == checksum(source.dialect, table, batches)
        buckets = snapshot.select(f"SELECT {source.dialect.modulo('17', 10)}")
    assert buckets == [(7,)]


def test_generated_columns_are_read(shop: Path) -> None:
    source = SQLiteSource(shop)
    with source.snapshot() as snapshot:
        (batch,) = snapshot.read(source.introspect().table("customers"))
    assert batch.column("shouted").to_pylist() == ["ANN", None]
    assert batch.column("stored").to_pylist() == ["ann", None]


def test_include_and_exclude(shop: Path) -> None:
    options = SourceOptions(include=("o*", "l*"), exclude=("loose",))
    assert [t.name for t in SQLiteSource(shop, options).introspect().tables] == ["lines", "orders"]
    # A key into a table that is left out is left out, too.
    assert SQLiteSource(shop, options).introspect().table("orders").foreign_keys == ()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_view_does_not_see_later_commits(tmp_path: Path, journal: str) -> None:
    path = tmp_path / "t.db"
    _write(path, f"PRAGMA journal_mode = {journal}; CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
    source = SQLiteSource(path)
    table = source.introspect().table("t")
    writer = sqlite3.connect(path, timeout=0)
    with source.snapshot() as snapshot:
        if journal == "wal":
            writer.execute("INSERT INTO t VALUES (2)")
            writer.commit()
        else:  # a rollback journal makes the writer wait instead
            writer.execute("INSERT INTO t VALUES (2)")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                writer.commit()
        first = [v for batch in snapshot.read(table) for v in batch.column("a").to_pylist()]
        position = dict(snapshot.position)
    assert first == [1]
    if journal == "delete":
        writer.commit()
    with source.snapshot() as snapshot:
        assert [v for b in snapshot.read(table) for v in b.column("a").to_pylist()] == [1, 2]
        assert dict(snapshot.position) != position
    with source.snapshot() as snapshot:
        position = dict(snapshot.position)
    with source.snapshot() as snapshot:
        assert dict(snapshot.position) == position
    writer.close()


def test_committed_rows_of_the_write_ahead_log_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    writer = sqlite3.connect(path)
    writer.executescript("PRAGMA journal_mode = wal; CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
    source = SQLiteSource(path)
    with source.snapshot() as snapshot:
        (batch,) = snapshot.read(source.introspect().table("t"))
        assert batch.column("a").to_pylist() == [1]
        assert "wal_index" in snapshot.position
    writer.close()


def test_many_batches_hold_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
    _write(path, f"CREATE TABLE t AS {series} SELECT i, 'row ' || i AS s FROM n")
    source = SQLiteSource(path)
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(source.introspect().table("t"), batch_bytes=1 << 14))
    assert len(batches) > 10
    assert [v for batch in batches for v in batch.column("i").to_pylist()] == list(range(1, 20001))


def test_nasty_names(tmp_path: Path) -> None:
    path = tmp_path / "o'dd %41 ?#é.db"
    name, column = 'se"lect; DROP TABLE "x', "Größe [cm]`'\""
    _write(
        path, f"CREATE TABLE {quoted(name)} ({quoted(column)} TEXT); INSERT INTO {quoted(name)} VALUES ('v')"
    )
    source = SQLiteSource(path)
    table = source.introspect().table(name)
    with source.snapshot() as snapshot:
        (batch,) = snapshot.read(table)
        text = source.dialect.text(table.columns[0], source.dialect.form(table.columns[0]))
        assert snapshot.select(f"SELECT {text} FROM {source.dialect.ref(table)}") == [("v",)]
    assert batch.schema.names == [column]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_a_wide_table(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    columns = ", ".join(f"c{i} INTEGER" for i in range(1500))
    _write(path, f"CREATE TABLE t ({columns}); INSERT INTO t (c7) VALUES (7)")
    source = SQLiteSource(path)
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        texts = [source.dialect.text(c, source.dialect.form(c)) for c in table.columns]
        sql = f"SELECT {source.dialect.row_hash(texts)} FROM {source.dialect.ref(table)}"
        assert snapshot.select(sql) == [(checksum(source.dialect, table, batches)[1],)]


def test_a_dropped_column_is_no_string(shop: Path) -> None:
    source = SQLiteSource(shop)
    table = source.introspect().table("orders")
    _write(shop, "ALTER TABLE orders DROP COLUMN at")
    with source.snapshot() as snapshot, pytest.raises(SourceRefused, match="no longer") as caught:
        list(snapshot.read(table))
    assert str(caught.value.where) == "orders.at"


def test_a_dropped_table(shop: Path) -> None:
    source = SQLiteSource(shop)
    table = source.introspect().table("lines")
    _write(shop, "DROP TABLE lines")
    with source.snapshot() as snapshot, pytest.raises(SourceRefused, match="no longer"):
        list(snapshot.read(table))


def test_a_null_where_none_may_be(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    _write(
        path,
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (NULL); PRAGMA writable_schema = on;"
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a TEXT NOT NULL)' WHERE name = 't'",
    )
    source = SQLiteSource(path)
    with source.snapshot() as snapshot, pytest.raises(Exception, match="NOT NULL"):
        list(snapshot.read(source.introspect().table("t")))


def test_nothing_can_be_written(shop: Path) -> None:
    with SQLiteSource(shop).snapshot() as snapshot, pytest.raises(SourceRefused):
        snapshot.select("DELETE FROM orders")


def test_a_locked_file_is_waited_for_and_then_given_up(shop: Path) -> None:
    writer = sqlite3.connect(shop, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceUnavailable, match="locked"):
        SQLiteSource(shop, SourceOptions(timeout=0.05)).introspect()
    writer.execute("ROLLBACK")
    assert SQLiteSource(shop, SourceOptions(timeout=0.05)).introspect().tables
    writer.close()


def test_an_error_of_the_caller_stays_the_callers(shop: Path) -> None:
    with pytest.raises(OSError, match="disk full"), SQLiteSource(shop).snapshot():
        raise OSError("disk full")


def test_no_file(tmp_path: Path) -> None:
    source = SQLiteSource(tmp_path / "none.db")
    with pytest.raises(SourceRefused, match="no file"):
        source.introspect()
    assert [finding.level for finding in source.diagnose()] == ["error"]
    assert not (tmp_path / "none.db").exists()


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(SourceRefused, match="not a SQLite database"):
        SQLiteSource(path).introspect()


def test_a_damaged_database(shop: Path) -> None:
    data = bytearray(shop.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    shop.write_bytes(bytes(data))
    with pytest.raises(SourceRefused, match="damaged"):
        SQLiteSource(shop).introspect()
    assert "error" in [finding.level for finding in SQLiteSource(shop).diagnose()]


def test_an_empty_file_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    source = SQLiteSource(tmp_path / "empty.db")
    assert source.introspect().tables == ()
    with source.snapshot() as snapshot:
        assert snapshot.position["size"] == "0"


def test_diagnose(shop: Path) -> None:
    assert {finding.level for finding in SQLiteSource(shop).diagnose()} == {"ok"}


def test_close_twice(shop: Path) -> None:
    source = SQLiteSource(shop)
    with source.snapshot() as snapshot:
        source.close()
        source.close()
        with pytest.raises(SourceRefused):
            snapshot.select("SELECT 1")


def test_urls(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SQLiteSource.from_url(f"sqlite:///{shop}").introspect().tables
    assert SQLiteSource.from_url("sqlite:///shop.db", base=shop.parent).introspect().tables
    monkeypatch.chdir(shop.parent)
    assert SQLiteSource.from_url("sqlite:///shop.db").introspect().tables
    shop.rename(shop.with_name("a b?.db"))
    assert SQLiteSource.from_url("sqlite:///a%20b%3F.db").introspect().tables


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x.db",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=rw",
        "mysql:///x",
    ],
)
def test_wrong_urls(url: str) -> None:
    with pytest.raises(UsageError):
        SQLiteSource.from_url(url)
