"""The engine: what it sees of the lake, how results arrive, and what its errors say."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakes import COLUMNS, ORDERS, commit, extremes, iceberg_scan, orders, python
from mainstem.arrow import schema_of
from mainstem.engine import session, views
from mainstem.engine.duckdb import DuckDB
from mainstem.engine.session import Limits
from mainstem.errors import EngineFailed, LakeUnavailable, MainstemError, UsageError
from mainstem.lake import Lake
from mainstem.schema import TableName

ITEMS = TableName("mart", "items")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / ".mainstem")


@pytest.fixture
def engine(tmp_path: Path) -> DuckDB:
    return DuckDB(tmp_path / ".mainstem" / "tmp", Limits(threads=1))


def test_views_show_what_iceberg_readers_see(lake: Lake, engine: DuckDB) -> None:
    columns, table = extremes()
    version = lake.commit(lake.stage(ORDERS, columns, table.to_batches()), run="run-1", summary={})
    engine.attach({ORDERS: version.metadata_location})
    seen = engine.query("SELECT * FROM raw.orders ORDER BY row")
    assert seen.schema.types == schema_of(columns).types
    assert repr(seen.to_pylist()) == repr(table.to_pylist())  # repr: NaN equals NaN, -0.0 is not 0.0
    expected = iceberg_scan(version).sort_by("row")
    assert repr(seen.to_pylist()) == repr(expected.to_pylist())
    assert not views.of_version(ORDERS, version.metadata_location).iceberg


def test_a_view_moves_with_its_version(lake: Lake, engine: DuckDB) -> None:
    first, second = commit(lake, 1), commit(lake, 2, 3)
    for version, count in ((first, 1), (second, 2), (first, 1)):
        engine.attach({ORDERS: version.metadata_location})
        assert engine.query("SELECT count(*) AS n FROM raw.orders").to_pylist() == [{"n": count}]


def test_a_version_of_another_writer_is_read_as_iceberg(lake: Lake, engine: DuckDB) -> None:
    """pyiceberg deletes a row of ours: the files of the version before would still show it."""
    commit(lake, 1, 2, 3)
    catalog = SqlCatalog("mainstem", uri=f"sqlite:///{lake.catalog.path}")
    catalog.load_table("raw.orders").delete("id = 2")
    catalog.close()
    head = lake.head(ORDERS)
    assert head is not None
    assert views.of_version(ORDERS, head.metadata_location).iceberg
    engine.attach({ORDERS: head.metadata_location})
    assert engine.query("SELECT id FROM raw.orders ORDER BY id")["id"].to_pylist() == [1, 3]


def test_staged_files_are_seen_before_the_commit(lake: Lake, engine: DuckDB) -> None:
    staged = lake.stage(ORDERS, COLUMNS, orders(4, 5))
    engine.attach_files(ORDERS, staged.files, staged.columns)
    assert engine.query("SELECT sum(id) AS s FROM raw.orders").to_pylist() == [{"s": Decimal(9)}]
    assert lake.head(ORDERS) is None


def test_no_rows_have_types(lake: Lake, engine: DuckDB) -> None:
    columns, _ = extremes()
    engine.attach_files(ORDERS, (), columns)
    empty = engine.query("SELECT * FROM raw.orders")
    assert (empty.num_rows, empty.schema.types) == (0, schema_of(columns).types)
    version = lake.commit(lake.stage(ITEMS, columns, []), run="run-1", summary={})
    engine.attach({ITEMS: version.metadata_location})
    assert engine.describe("FROM mart.items").types == schema_of(columns).types


@pytest.mark.parametrize("folder", ["year=2024", "a[b]c", "st*r", "wh?t", "it's", "größe", "{a,b}", "#1 %20"])
def test_any_folder_holds_a_project(tmp_path: Path, folder: str) -> None:
    lake = Lake(tmp_path / folder / ".mainstem")
    with DuckDB(lake.root / "tmp") as engine:
        engine.attach({ORDERS: commit(lake, 1).metadata_location})
        assert engine.query("SELECT * FROM raw.orders").to_pylist() == [{"id": 1, "note": "note 1"}]


def test_names_that_need_quoting(lake: Lake, engine: DuckDB) -> None:
    name = TableName("raw", 'a"b.c; DROP VIEW x --')
    engine.attach({name: commit(lake, 1, name=name).metadata_location})
    quoted = engine.dialect.quote(name.name)
    assert engine.query(f"SELECT id FROM raw.{quoted}")["id"].to_pylist() == [1]


def test_names_that_differ_in_case_are_refused(lake: Lake, engine: DuckDB) -> None:
    engine.attach({ORDERS: commit(lake, 1).metadata_location})
    shout = TableName("raw", "ORDERS")
    with pytest.raises(UsageError, match="differ only in case"):
        engine.attach({shout: commit(lake, 2, name=shout).metadata_location})
    assert engine.query("SELECT id FROM raw.orders")["id"].to_pylist() == [1]


# Results


@pytest.mark.parametrize(
    ("sql", "arrow", "value"),
    [
        ("1::tinyint", pa.int32(), 1),
        ("1::usmallint", pa.int32(), 1),
        ("4000000000::uinteger", pa.int64(), 4000000000),
        ("18446744073709551615::ubigint", pa.decimal128(20, 0), Decimal(2**64 - 1)),
        ("sum(9223372036854775807::bigint)", pa.decimal128(38, 0), Decimal(2**63 - 1)),
        ("'a'::enum('a', 'b')", pa.string(), "a"),
        ("'2ee9b7a5-0000-0000-0000-000000000001'::uuid", pa.string(), "2ee9b7a5-0000-0000-0000-000000000001"),
        ("'{\"a\": 1}'::json", pa.string(), '{"a": 1}'),
        ("NULL", pa.int32(), None),
        ("avg(1)", pa.float64(), 1.0),
        ("'x'::blob", pa.binary(), b"x"),
    ],
)
def test_results_arrive_in_lake_types(engine: DuckDB, sql: str, arrow: pa.DataType, value: object) -> None:
    schema, batches = engine.stream(f"SELECT {sql} AS x -- a comment")
    assert schema == engine.describe(f"SELECT {sql} AS x;") == pa.schema([("x", arrow)])
    assert pa.Table.from_batches(batches, schema).to_pylist() == [{"x": value}]


@pytest.mark.parametrize(
    "sql", ["time '10:00'", "interval 1 day", "[1]", "{'a': 1}", "'101'::bit", "timestamp_ns '2020-01-01'"]
)
def test_what_the_lake_cannot_hold_is_refused_with_the_columns_name(engine: DuckDB, sql: str) -> None:
    for call in (engine.stream, engine.describe):
        with pytest.raises(EngineFailed, match=r"^odd: no type of the lake holds"):
            call(f"SELECT {sql} AS odd")
    assert engine.query(f"SELECT {sql} AS odd").num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "170141183460469231731687303715884105727::hugeint",
        "'infinity'::date",
        "'-infinity'::timestamp",
        "'infinity'::timestamptz",
    ],
)
def test_values_that_the_type_cannot_hold_are_loud(engine: DuckDB, sql: str) -> None:
    _, batches = engine.stream(f"SELECT {sql} AS x")
    with pytest.raises(EngineFailed, match=r"^x: "):
        list(batches)
    with pytest.raises(EngineFailed, match=r"^x: "):
        engine.query(f"SELECT {sql} AS x")


def test_streams_are_bounded_and_independent(engine: DuckDB) -> None:
    _, one = engine.stream("SELECT range AS x FROM range(100000)", batch_rows=1000)
    _, two = engine.stream("SELECT range AS x FROM range(100000)", batch_rows=1000)
    sizes = [(a.num_rows, b.num_rows) for a, b in zip(one, two, strict=True)]
    assert max(max(pair) for pair in sizes) <= 2048
    assert sum(a for a, _ in sizes) == 100_000


def test_a_union_arrives_as_it_is_described(engine: DuckDB) -> None:
    for sql in (
        "select 1 as a, 2 as a union all select 3, 4",
        "select 1 as a, null as b union select 1, null",
    ):
        schema, batches = engine.stream(sql)
        assert engine.describe(sql) == schema
        assert {batch.schema for batch in batches} == {schema}


def test_threads_share_an_engine(lake: Lake, engine: DuckDB) -> None:
    engine.attach({ORDERS: commit(lake, *range(1000)).metadata_location})

    def ask(n: int) -> object:
        return engine.query(f"SELECT count(*) AS n FROM raw.orders WHERE id < {n}").to_pylist()[0]["n"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(0, 1000, 20))) == list(range(0, 1000, 20))


# Errors


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT nosuch FROM raw.orders", 'Referenced column "nosuch" not found'),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT 1; SELECT 2", "one SELECT is expected, not 2 statements"),
        ("-- nothing", "one SELECT is expected, not 0 statements"),
        ("DROP VIEW raw.orders", "a SELECT is expected, not DROP"),
        ("SELECT id, note AS ID FROM raw.orders", "two columns of the result are called"),
        ("SELECT CAST(note AS INTEGER) FROM raw.orders", "Could not convert string"),
        ("SELECT CAST(id + 1000 AS TINYINT) FROM raw.orders", "out of range"),
        ("SELECT id + 9223372036854775807 FROM raw.orders", "Overflow in addition"),
        ("SELECT CAST(note || '1.25' AS DECIMAL(4,2)) FROM raw.orders", "Could not convert string"),
        ("SELECT CAST(id * 1000 AS DECIMAL(4,2)) FROM raw.orders", "Could not cast"),
    ],
)
def test_errors_are_ours_and_show_no_value(lake: Lake, engine: DuckDB, sql: str, says: str) -> None:
    engine.attach({ORDERS: commit(lake, 77).metadata_location})
    with pytest.raises(EngineFailed) as caught:
        engine.query(sql)
    text = str(caught.value)
    assert says in text
    assert "77" not in text.replace(sql, "")
    assert "note 77" not in text
    assert "Error:" not in text
    assert engine.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


@pytest.mark.parametrize(
    "value",
    [
        "hidden",
        "O'hidden",
        'a "hidden',
        "'hidden'",
        "b' hidden",
        'c" hidden',
        "d'\n'hidden",
        'e"s "b" hidden\'s',
    ],
)
@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("cast({} as integer)", "Could not convert string"),
        ("cast({} as timestamp)", "invalid timestamp"),
        ("strptime({}, '%d')", "Could not parse string"),
        ("json_extract('{{\"' || {}, '$.a')", "Malformed JSON"),
        ("regexp_matches('', {} || '(')", "missing )"),
        ("repeat('x', 1000 + length({})) ::integer", "Could not convert string"),
    ],
)
def test_no_part_of_a_text_is_shown(engine: DuckDB, value: str, expression: str, says: str) -> None:
    text = "'" + value.replace("'", "''") + "'"
    with pytest.raises(EngineFailed, match=re.escape(says)) as caught:
        engine.query(
            f"select {expression.format('v')} from (values ({text}), ({text})) as t(v) where v <> ''"
        )
    message = caught.value.message.partition("LINE")[0]
    assert "hidden" not in message
    assert "xx" not in message


def test_an_error_in_the_middle_of_a_stream(lake: Lake, engine: DuckDB) -> None:
    engine.attach({ORDERS: commit(lake, *[100_000] * 200_000, 5).metadata_location})
    wide = "SELECT repeat('x', 1000) AS t, CAST(100000 - id AS UTINYINT) AS x FROM raw.orders"
    _, stream = engine.stream(wide, batch_rows=2048)
    assert next(stream).num_rows == 2048
    with pytest.raises(EngineFailed, match="out of range"):
        list(stream)


def test_a_file_that_is_gone(lake: Lake, engine: DuckDB) -> None:
    staged = lake.stage(ORDERS, COLUMNS, orders(1))
    version = lake.commit(staged, run="run-1", summary={})
    engine.attach({ORDERS: version.metadata_location})
    staged.files[0].unlink()
    with pytest.raises(LakeUnavailable, match="cannot be read"):
        engine.query("FROM raw.orders")
    with pytest.raises(LakeUnavailable, match=r"^raw\.orders: .* not in the lake any more"):
        engine.attach({ORDERS: version.metadata_location})


# Limits


BIG = "SELECT md5(range::varchar) AS x, md5(x) || md5(x || 'y') AS y FROM range(600000) GROUP BY ALL"


def test_a_query_beyond_its_memory_spills(tmp_path: Path) -> None:
    temp = tmp_path / ".mainstem" / "tmp"
    with DuckDB(temp, Limits(memory_bytes=80 << 20, threads=1)) as engine:
        _, stream = engine.stream(BIG)
        rows = next(stream).num_rows
        assert any(path.stat().st_size for path in temp.rglob("*") if path.is_file()), "nothing was spilled"
        assert rows + sum(batch.num_rows for batch in stream) == 600_000
    assert list(temp.iterdir()) == []


@pytest.mark.parametrize("limits", [Limits(80 << 20, 1, 1 << 20), Limits(30 << 20, 1)])
def test_a_query_beyond_its_limits_says_so(tmp_path: Path, limits: Limits) -> None:
    with DuckDB(tmp_path, limits) as engine:
        with pytest.raises(EngineFailed, match="more memory or temporary space"):
            list(engine.stream(BIG)[1])
        assert engine.query("SELECT 1 AS one").num_rows == 1
        engine.close()
        engine.close()


def test_the_machines_time_zone_does_not_matter(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from mainstem.engine.connect import connect
from mainstem.engine.duckdb import DuckDB
sql = "SELECT timestamptz '2024-10-27 00:30:00+00' AS t, current_setting('TimeZone') AS z"
with DuckDB(Path(sys.argv[1])) as engine:
    print(engine.describe(sql).field("t").type, engine.query(sql)["z"][0])
print(connect({}).execute("SELECT current_setting('TimeZone')").fetchall())
"""
    done = python(f"import os, time; os.environ['TZ'] = 'Europe/Vienna'; time.tzset()\n{code}", tmp_path)
    assert (done.stdout, done.stderr) == ("timestamp[us, tz=UTC] UTC\n[('UTC',)]\n", "")


def test_settings(engine: DuckDB) -> None:
    def setting(name: str) -> str:
        return str(engine.query(f"SELECT current_setting('{name}') AS x")["x"][0])

    assert setting("TimeZone") == "UTC"
    assert setting("threads") == "1"
    names = ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions")
    assert [setting(name) for name in names] == ["False"] * 3
    assert 0 < session.memory_limit() < 2**45
    with pytest.raises(MainstemError):
        engine.query("SELECT * FROM read_parquet('https://example.invalid/x.parquet')")


def test_extensions_come_from_their_wheels() -> None:
    assert session.extension("iceberg").is_file()
    with pytest.raises(EngineFailed, match="is not installed"):
        session.extension("nosuch")
    with duckdb.connect() as connection:
        session.load_iceberg(connection)
