"""Every value comes back as it went in, by three readers that know nothing of our writer."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import BooleanExpression, EqualTo, IsNull
from pyiceberg.table import StaticTable

from lakes import COLUMNS, EXTREMES, ORDERS, batches, extremes, iceberg_scan
from mainstem.lake import Lake, TableVersion, bounds
from mainstem.lake import parquet as writer
from mainstem.schema import Column, Kind, Type


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, TableVersion, pa.Table]:
    columns, table = extremes()
    lake = Lake(tmp_path_factory.mktemp("values") / ".mainstem")
    version = lake.commit(lake.stage(ORDERS, columns, table.to_batches()), run="run-1", summary={})
    return lake, version, table


def sql_catalog(lake: Lake) -> SqlCatalog:
    return SqlCatalog("mainstem", uri=f"sqlite:///{lake.catalog.path}")


def bits(table: pa.Table) -> list[dict[str, Any]]:
    """Rows in order, with floats as text, so that NaN equals NaN and -0.0 is not 0.0."""
    rows = sorted(table.to_pylist(), key=lambda row: row["row"])
    return [{k: repr(v) if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def test_version_tells_the_columns(stored: tuple[Lake, TableVersion, pa.Table]) -> None:
    lake, version, table = stored
    assert lake.head(ORDERS) == version
    assert [c.type for c in version.columns[1:]] == [column.type for column, _ in EXTREMES]
    assert version.rows == table.num_rows


def test_pyiceberg_reads_them_through_its_own_catalog(stored: tuple[Lake, TableVersion, pa.Table]) -> None:
    lake, version, table = stored
    catalog = sql_catalog(lake)
    assert catalog.list_namespaces() == [("raw",)]
    assert catalog.list_tables("raw") == [("raw", "orders")]
    read = catalog.load_table("raw.orders").scan().to_arrow()
    assert bits(read) == bits(table)
    assert bits(StaticTable.from_metadata(version.metadata_location).scan().to_arrow()) == bits(table)
    catalog.close()


def test_duckdb_reads_them_as_iceberg(stored: tuple[Lake, TableVersion, pa.Table]) -> None:
    _, version, table = stored
    assert bits(iceberg_scan(version)) == bits(table)


@pytest.mark.parametrize("column", [column for column, _ in EXTREMES], ids=lambda c: str(c.type))
def test_no_reader_skips_a_row_by_its_statistics(
    stored: tuple[Lake, TableVersion, pa.Table], column: Column
) -> None:
    """Filters on each extreme find it: bounds in manifests and in Parquet never exclude too much."""
    _, version, table = stored
    scan = StaticTable.from_metadata(version.metadata_location)
    for row, value in zip(table["row"].to_pylist(), table[column.name].to_pylist(), strict=True):
        literal = _literal(column, value)
        test = f'"{column.name}" IS NULL' if value is None else f'"{column.name}" = {literal}'
        assert row in iceberg_scan(version, test)["row"].to_pylist()
        if value is not None:
            assert row in iceberg_scan(version, f'"{column.name}" >= {literal}')["row"].to_pylist()
            assert row in iceberg_scan(version, f'"{column.name}" <= {literal}')["row"].to_pylist()
        if column.type.kind in (Kind.BINARY, Kind.FLOAT) or (isinstance(value, float) and math.isnan(value)):
            continue  # pyiceberg has no literals for these, or no equality
        condition = _is_null(column.name) if value is None else _equal(column.name, value)
        found = scan.scan(condition, selected_fields=("row",))
        assert row in found.to_arrow()["row"].to_pylist()


def _is_null(name: str) -> BooleanExpression:
    return IsNull(name)  # type: ignore[call-arg, arg-type]


def _equal(name: str, value: Any) -> BooleanExpression:
    return EqualTo(name, value)  # type: ignore[call-arg, arg-type]


def _literal(column: Column, value: Any) -> str:
    if isinstance(value, bytes):
        return f"from_hex('{value.hex()}')"
    if isinstance(value, float):
        return f"CAST('{value!r}' AS {column.type.kind.value})"
    if isinstance(value, str):
        return " || chr(0) || ".join(f"'{part}'" for part in value.replace("'", "''").split("\0"))
    return f"'{value}'"


def test_nulls_are_counted_over_all_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may leave out a file that is said to have no NULL."""
    monkeypatch.setattr(writer, "GROUP_BYTES", 1)
    lake = Lake(tmp_path / ".mainstem")
    notes = [None, "a", None, "b", "c", None, "d"]
    rows = [batches(COLUMNS, [{"id": n, "note": note}])[0] for n, note in enumerate(notes)]
    staged = lake.stage(ORDERS, COLUMNS, rows)
    assert pq.read_metadata(staged.files[0]).num_row_groups == len(notes)
    version = lake.commit(staged, run="run-1", summary={})
    scan = StaticTable.from_metadata(version.metadata_location).scan()
    (counted,) = [task.file.null_value_counts for task in scan.plan_files()]
    assert sorted(counted.values()) == [0, 3]


@pytest.mark.parametrize(
    ("kind", "value", "least", "most"),
    [
        (Kind.STRING, "0123456789abcdefgh", b"0123456789abcdef", b"0123456789abcdeg"),
        (Kind.BINARY, b"\0" * 17, b"\0" * 16, b"\0" * 15 + b"\1"),
        (Kind.BINARY, b"\1" + b"\xff" * 17, b"\1" + b"\xff" * 15, b"\2"),
    ],
)
def test_a_bound_that_is_shortened_still_bounds(
    tmp_path: Path, kind: Kind, value: Any, least: bytes, most: bytes
) -> None:
    columns = (Column("x", Type(kind)),)
    lake = Lake(tmp_path / ".mainstem")
    staged = lake.stage(ORDERS, columns, batches(columns, [{"x": value}]))
    version = lake.commit(staged, run="run-1", summary={})
    (task,) = StaticTable.from_metadata(version.metadata_location).scan().plan_files()
    assert list(task.file.lower_bounds.values()) == [least]
    assert list(task.file.upper_bounds.values()) == [most]
    found = StaticTable.from_metadata(version.metadata_location).scan(row_filter=_equal("x", value))
    assert found.to_arrow().num_rows == 1


@pytest.mark.parametrize(
    ("most", "above"),
    [
        ("\ud7ff" * 16, "\ud7ff" * 16),
        ("\ud7ff" * 17, "\ud7ff" * 15 + "\ue000"),  # between them are numbers that are no characters
        ("a" + "\ud7ff" + "\U0010ffff" * 17, "a\ue000"),
        ("a" + "\U0010ffff" * 16, "b"),
        ("\U0010ffff" * 17, None),
        (b"\xff" * 17, None),
    ],
)
def test_the_next_text_of_characters(tmp_path: Path, most: Any, above: Any) -> None:
    assert bounds.above(most) == above
    assert above is None or above >= most
    columns = (Column("x", Type(Kind.STRING if isinstance(most, str) else Kind.BINARY)),)
    lake = Lake(tmp_path / ".mainstem")
    values = [f"{n}" if isinstance(most, str) else b"%d" % n for n in range(100)]  # short ones have bounds
    staged = lake.stage(ORDERS, columns, batches(columns, [{"x": value} for value in [*values, most]]))
    version = lake.commit(staged, run="run-1", summary={})
    (task,) = StaticTable.from_metadata(version.metadata_location).scan().plan_files()
    told = [above.encode() if isinstance(above, str) else above] if above else []
    assert list(task.file.upper_bounds.values()) == told


def test_nan_is_found_among_numbers(tmp_path: Path) -> None:
    """DuckDB orders NaN above all numbers, Parquet's statistics leave it out: so floats have none."""
    columns = (Column("x", Type(Kind.DOUBLE)),)
    lake = Lake(tmp_path / ".mainstem")
    staged = lake.stage(ORDERS, columns, batches(columns, [{"x": x} for x in (1.0, math.nan, 2.0)]))
    version = lake.commit(staged, run="run-1", summary={})
    assert iceberg_scan(version, "x > 5").num_rows == 1
    assert str(iceberg_scan(version, columns="max(x)").column(0).to_pylist()) == "[nan]"
    # The control: with pyarrow's own statistics the row is lost.
    pq.write_table(pq.read_table(staged.files[0]), tmp_path / "plain.parquet")
    with duckdb.connect() as session:
        lost = session.execute(f"SELECT count(*) FROM '{tmp_path}/plain.parquet' WHERE x > 5").fetchall()
    assert lost == [(0,)]


def test_pages_are_checksummed(tmp_path: Path) -> None:
    columns = (Column("x", Type(Kind.STRING)),)
    lake = Lake(tmp_path / ".mainstem")
    staged = lake.stage(ORDERS, columns, batches(columns, [{"x": str(i * i)} for i in range(1000)]))
    content = bytearray(staged.files[0].read_bytes())
    content[len(content) // 3] ^= 1
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(content)
    with pytest.raises(OSError, match=r"checksum|CRC"):
        pq.ParquetFile(broken, page_checksum_verification=True).read()


def test_encodings_are_chosen_by_the_values() -> None:
    table = pa.table(
        {
            "key": range(1000),
            "status": ["open", "shipped"] * 500,
            "comment": [f"comment {i}" for i in range(1000)],
            "price": pa.array([Decimal(i) for i in range(1000)], pa.decimal128(18, 2)),
            "wide": pa.array([Decimal(i) for i in range(1000)], pa.decimal128(19, 2)),
            "nothing": pa.nulls(1000, pa.int64()),
        }
    )
    chosen = writer.encodings(table)
    assert chosen.dictionary == ["status", "nothing"]
    assert chosen.delta == ["key", "price"]
    assert chosen.statistics == ["key", "comment", "price", "wide", "nothing"]


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_encodings_keep_every_type(tmp_path: Path, rows: int) -> None:
    """Distinct values in all columns: differences and plain encoding, over several row groups."""
    columns, table = extremes()
    repeated = [batch for _ in range(rows) for batch in table.slice(0, 3).to_batches()]
    lake = Lake(tmp_path / ".mainstem")
    version = lake.commit(lake.stage(ORDERS, columns, repeated), run="run-1", summary={})
    assert bits(iceberg_scan(version)) == bits(pa.Table.from_batches(repeated))
