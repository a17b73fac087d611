"""The compiled row sums against the engine's SQL: every form, values at their limits, each hash."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainstem.arrow import schema_of
from mainstem.contract.canonical import Form, Hash
from mainstem.engine.duckdb import DuckDB
from mainstem.hashing import RowSum
from mainstem.schema import RAW, Column, Kind, TableName, Type

EPOCH = datetime(1970, 1, 1)
WORDS = ["", "a", "Größe", "𝄞", "x" * 300, "\x1f", "\x1e", "tab\tline\n", "0"]
DOUBLES = [0.0, -0.0, 1.5, -2.5e-20, 1e300, 5e-324, float("inf"), float("-inf"), 1e15, 1000000000000000.1]
DAYS = [date(1, 1, 1), date(1, 2, 28), date(1582, 10, 15), date(1969, 12, 31), date(2000, 2, 29)]
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)
MOMENTS = [EPOCH, EPOCH - timedelta(microseconds=1), datetime(1, 1, 1), LAST]
CASES: list[tuple[str, Form, list[Any]]] = [
    ("int", Form.INTEGER, [0, -1, 2**31 - 1, -(2**31)]),
    ("long", Form.INTEGER, [0, -1, 2**63 - 1, -(2**63)]),
    ("decimal(20,0)", Form.INTEGER, [Decimal(2**64 - 1), Decimal(0), Decimal(-7)]),
    ("decimal(15,2)", Form.FIXED, [Decimal(text) for text in ("0.05", "-0.50", "9999999999999.99", "7")]),
    (
        "decimal(38,0)",
        Form.FIXED,
        [Decimal(10**38 - 1), Decimal(1 - 10**38), Decimal(10**19), Decimal(10**37)],
    ),
    ("decimal(38,38)", Form.FIXED, [Decimal("0." + "9" * 38), Decimal("-0." + "0" * 37 + "1"), Decimal(0)]),
    ("decimal(4,4)", Form.FIXED, [Decimal("0.0001"), Decimal("-0.9999")]),
    ("string", Form.TEXT, WORDS),
    ("string", Form.TEXT_HASH, WORDS),
    ("binary", Form.BINARY_HASH, [b"", b"\x00\xff", bytes(range(256))]),
    ("binary", Form.HEX, [b"", b"\x00\xff", bytes(range(256))]),
    ("boolean", Form.BOOLEAN, [True, False]),
    ("boolean", Form.INTEGER, [True, False]),
    ("date", Form.DATE, [*DAYS, date(9999, 12, 31)]),
    ("timestamp", Form.EPOCH_MICROS, MOMENTS),
    ("timestamp", Form.TIMESTAMP_FIXED, MOMENTS),
    ("timestamptz", Form.TIMESTAMP_FIXED, [moment.replace(tzinfo=UTC) for moment in MOMENTS]),
    ("timestamptz", Form.EPOCH_MICROS, [moment.replace(tzinfo=UTC) for moment in MOMENTS]),
    ("double", Form.DOUBLE_BITS, DOUBLES),
    ("float", Form.FLOAT_BITS, DOUBLES),
    ("double", Form.DOUBLE_MYSQL, [x for x in DOUBLES if abs(x) != float("inf")]),
    ("float", Form.DOUBLE_MYSQL, [0.1, -1.5, 3e38]),
]
IDS = [f"{type_}-{form}" for type_, form, _ in CASES]


def sums(
    tmp_path: Path, columns: Sequence[Column], forms: Sequence[Form], rows: pa.Table, hash_: Hash
) -> tuple[int, int]:
    """The sum by the engine's SQL over a Parquet file, and by the kernel over the same table's batches."""
    name = TableName(RAW, "t")
    file = tmp_path / "t.parquet"
    pq.write_table(rows, file, store_schema=False)
    with DuckDB(tmp_path / "tmp") as engine:
        engine.attach_files(name, [file], columns)
        dialect = engine.dialect.with_hash(hash_)
        texts = [dialect.text(column, form) for column, form in zip(columns, forms, strict=True)]
        total = dialect.total(dialect.row_hash(texts))
        expected = engine.query(f'select {total} as s from raw."t"').column("s")[0].as_py()
    row_sum = RowSum(columns, forms, hash_)
    # Slices: batches whose arrays begin in the middle of a byte of their null bits.
    batches = [rows.slice(at, 5).to_batches() for at in range(0, rows.num_rows, 5)]
    return int(expected), sum(row_sum.of(batch) for group in batches for batch in group)


@pytest.mark.parametrize("hash_", list(Hash))
@pytest.mark.parametrize(("type_", "form", "values"), CASES, ids=IDS)
def test_each_form_sums_as_in_sql(
    tmp_path: Path, type_: str, form: Form, values: list[Any], hash_: Hash
) -> None:
    columns = [Column("c", Type.parse(type_))]
    assert RowSum.knows(columns, [form])
    schema = schema_of(columns)
    rows = pa.Table.from_arrays([pa.array([*values, None], schema.field(0).type)], schema=schema)
    expected, found = sums(tmp_path, columns, [form], rows, hash_)
    assert found == expected != 0


@pytest.mark.parametrize("hash_", list(Hash))
def test_wide_rows_sum_as_in_sql(tmp_path: Path, hash_: Hash) -> None:
    random.seed(7)
    columns = [Column(f"c{at}", Type.parse(type_)) for at, (type_, _, _) in enumerate(CASES)]
    forms = [form for _, form, _ in CASES]
    drawn = [[random.choice([*values, None]) for _ in range(400)] for _, _, values in CASES]
    arrays = [pa.array(values, field.type) for values, field in zip(drawn, schema_of(columns), strict=True)]
    rows = pa.Table.from_arrays(arrays, schema=schema_of(columns))
    expected, found = sums(tmp_path, columns, forms, rows, hash_)
    assert found == expected


def test_a_moved_separator_and_a_doubled_row_show() -> None:
    columns = [Column("a", Type(Kind.STRING)), Column("b", Type(Kind.STRING))]
    row_sum = RowSum(columns, [Form.TEXT, Form.TEXT], Hash.CRC32)

    def total(*rows: tuple[str | None, str | None]) -> int:
        arrays = [pa.array([row[at] for row in rows], pa.string()) for at in range(2)]
        return row_sum.of(pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns)))

    assert total(("ab", "c")) == zlib.crc32(b"ab\x1fc")
    assert total(("ab", "c")) != total(("a", "bc"))
    assert total((None, "c")) == zlib.crc32(b"\x1e\x1fc") != total(("", "c"))
    assert total(("a", "b"), ("a", "b")) == 2 * total(("a", "b"))


def test_a_form_that_is_not_compiled_is_left_to_sql() -> None:
    assert not RowSum.knows([Column("c", Type(Kind.DOUBLE))], [Form.TEXT])
