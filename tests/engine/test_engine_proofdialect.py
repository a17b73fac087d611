"""Canonical texts and hashes, executed by DuckDB and compared with Python's own."""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakes import batches
from mainstem.arrow import arrow_type
from mainstem.contract.canonical import Form, Hash
from mainstem.engine.duckdb import DuckDB
from mainstem.engine.proofdialect import ProofDialect
from mainstem.engine.session import Limits
from mainstem.hashing.jenkins import jenkins_64
from mainstem.lake import Lake
from mainstem.schema import Column, Kind, Table, TableName, Type

NAME = TableName("raw", 'odd "name"')
COLUMN = 'x"y'
D = Kind.DECIMAL


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDB]:
    with DuckDB(tmp_path_factory.mktemp("engine"), Limits(threads=1)) as engine:
        yield engine


def crc(data: str | bytes) -> str:
    return str(zlib.crc32(data.encode() if isinstance(data, str) else data))


def double_bits(x: float) -> str:
    return struct.pack(">d", x).hex().upper()


def float_bits(x: float) -> str:
    return struct.pack(">f", x).hex().upper()


CASES: list[tuple[Type, Form, dict[Any, str]]] = [
    (Type(Kind.INT), Form.INTEGER, {-(2**31): "-2147483648", 0: "0", 2**31 - 1: "2147483647"}),
    (Type(Kind.LONG), Form.INTEGER, {-(2**63): str(-(2**63)), 2**63 - 1: str(2**63 - 1)}),
    (Type(D, 20, 0), Form.INTEGER, {Decimal(2**64 - 1): "18446744073709551615"}),
    (Type(Kind.BOOLEAN), Form.INTEGER, {True: "1", False: "0"}),
    (Type(Kind.BOOLEAN), Form.BOOLEAN, {True: "1", False: "0"}),
    (Type(D, 5, 2), Form.FIXED, {Decimal("-0.5"): "-0.50", Decimal("123.4"): "123.40", Decimal(0): "0.00"}),
    (Type(D, 2, 2), Form.FIXED, {Decimal("-0.5"): "-0.50", Decimal("0.07"): "0.07", Decimal(0): "0.00"}),
    (
        Type(D, 38, 38),
        Form.FIXED,
        {Decimal("-0." + "9" * 38): "-0." + "9" * 38, Decimal("0.1"): "0.1" + "0" * 37},
    ),
    (Type(D, 38, 0), Form.FIXED, {Decimal("9" * 38): "9" * 38, Decimal(-7): "-7"}),
    (Type(Kind.STRING), Form.TEXT, {"": "", "a\0b\x1f\x1e": "a\0b\x1f\x1e", "ü😀": "ü😀"}),
    (
        Type(Kind.STRING),
        Form.TEXT_HASH,
        {"": "0", "ü😀": crc("ü😀"), "a\0b": crc("a\0b"), "x" * 99999: crc("x" * 99999)},
    ),
    (Type(Kind.BINARY), Form.BINARY_HASH, {b"": "0", b"\x00\xff": crc(b"\x00\xff")}),
    (Type(Kind.BINARY), Form.HEX, {b"": "", b"\x00\xab\xff": "00ABFF"}),
    (
        Type(Kind.DATE),
        Form.DATE,
        {date(1, 1, 1): "0001-01-01", date(999, 2, 3): "0999-02-03", date(9999, 12, 31): "9999-12-31"},
    ),
    (
        Type(Kind.TIMESTAMP),
        Form.TIMESTAMP_FIXED,
        {
            datetime(1, 1, 1): "0001-01-01 00:00:00.000000",
            datetime(1969, 12, 31, 23, 59, 59, 999999): "1969-12-31 23:59:59.999999",
            datetime(9999, 12, 31, 23, 59, 59, 1): "9999-12-31 23:59:59.000001",
        },
    ),
    (
        Type(Kind.TIMESTAMPTZ),
        Form.TIMESTAMP_FIXED,
        {datetime(2024, 10, 27, 0, 30, tzinfo=UTC): "2024-10-27 00:30:00.000000"},
    ),
    (Type(Kind.TIMESTAMP), Form.EPOCH_MICROS, {datetime(1969, 12, 31, 23, 59, 59, 999999): "-1"}),
    (Type(Kind.TIMESTAMPTZ), Form.EPOCH_MICROS, {datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC): "1000000"}),
    (
        Type(Kind.DOUBLE),
        Form.DOUBLE_BITS,
        {x: double_bits(x) for x in (0.1, -1.5, 1e308, 5e-324, math.inf, -math.inf, 0.0)},
    ),
    (Type(Kind.DOUBLE), Form.DOUBLE_BITS, {-0.0: "8000000000000000"}),
    (Type(Kind.FLOAT), Form.FLOAT_BITS, {x: float_bits(x) for x in (0.5, -1.5, 3.4028234663852886e38)}),
    (Type(Kind.DOUBLE), Form.DOUBLE_MYSQL, {0.1: "0.1", 1e20: "1e20", -1.5: "-1.5", 1e15: "1e15", 3.0: "3"}),
    (Type(Kind.FLOAT), Form.DOUBLE_MYSQL, {0.5: "0.5", 3.1415927410125732: "3.1415927410125732"}),
]


def attach(engine: DuckDB, lake: Path, columns: tuple[Column, ...], rows: list[dict[str, Any]]) -> Table:
    staged = Lake(lake).stage(NAME, columns, batches(columns, rows))
    engine.attach_files(NAME, staged.files, columns)
    return Table(NAME.name, columns)


@pytest.mark.parametrize(("type_", "form", "texts"), CASES, ids=lambda value: str(value)[:24])
def test_texts(engine: DuckDB, tmp_path: Path, type_: Type, form: Form, texts: dict[Any, str]) -> None:
    column = Column(COLUMN, type_)
    values = [*texts, None]
    table = attach(engine, tmp_path, (column,), [{COLUMN: value} for value in values])
    dialect = engine.dialect
    seen = engine.query(f"SELECT {dialect.text(column, form)} AS t FROM {dialect.ref(table)}")
    assert seen["t"].to_pylist() == [*texts.values(), None]


def test_years_before_the_first(engine: DuckDB, tmp_path: Path) -> None:
    """1 BC is the year 0000 there and nowhere "(BC)"."""
    column = Column(COLUMN, Type(Kind.DATE))
    days = pa.array([-719163, -719529], pa.int32()).cast(arrow_type(column.type))
    staged = Lake(tmp_path).stage(NAME, (column,), [pa.record_batch([days], names=[COLUMN])])
    engine.attach_files(NAME, staged.files, (column,))
    text = engine.dialect.text(column, Form.DATE)
    seen = engine.query(f"SELECT {text} AS t FROM raw.{engine.dialect.quote(NAME.name)}")
    assert seen["t"].to_pylist() == ["0000-12-31", "-0001-12-31"]


@pytest.mark.parametrize("kind", list(Kind))
def test_the_default_form_of_every_type(engine: DuckDB, tmp_path: Path, kind: Kind) -> None:
    column = Column(COLUMN, Type(kind, 9, 2) if kind is D else Type(kind))
    table = attach(engine, tmp_path, (column,), [{COLUMN: None}])
    text = engine.dialect.text(column, engine.dialect.form(column))
    assert engine.query(f"SELECT {text} AS t FROM {engine.dialect.ref(table)}")["t"].to_pylist() == [None]


COLUMNS = (Column("a", Type(Kind.STRING)), Column("b", Type(Kind.LONG)))
ROWS: list[dict[str, Any]] = [
    {"a": "x", "b": 1},
    {"a": None, "b": None},
    {"a": "", "b": 0},
    {"a": "ü\x1f", "b": -5},
    {"a": "x", "b": 1},
]


def expected(hash_: Hash, row: dict[str, Any]) -> int:
    text = "\x1f".join("\x1e" if value is None else str(value) for value in row.values()).encode()
    if hash_ is Hash.CRC32:
        return zlib.crc32(text)
    if hash_ is Hash.JENKINS_64:
        return jenkins_64(text)
    return int.from_bytes(hashlib.md5(text).digest()[:8], "big")


def numbers(engine: DuckDB, sql: str) -> list[int]:
    return [int(str(n)) for n in engine.query(sql)["n"].to_pylist()]


@pytest.mark.parametrize("hash_", list(Hash))
def test_row_hashes_their_sum_and_buckets(engine: DuckDB, tmp_path: Path, hash_: Hash) -> None:
    rows = ROWS * 1000
    table = attach(engine, tmp_path, COLUMNS, rows)
    dialect = engine.dialect.with_hash(hash_)
    assert dialect.hash is hash_
    row_hash = dialect.row_hash([dialect.text(c, dialect.form(c)) for c in COLUMNS])
    ref = dialect.ref(table)
    wanted = [expected(hash_, row) for row in rows]
    assert numbers(engine, f"SELECT {row_hash} AS n FROM {ref}") == wanted
    total = f"SELECT {dialect.total(row_hash)} AS t FROM {ref}"
    assert engine.query(total)["t"].to_pylist() == [str(sum(wanted))]
    assert engine.query(f"{total} WHERE false")["t"].to_pylist() == ["0"]
    buckets = numbers(engine, f"SELECT {dialect.modulo(row_hash, 97)} AS n FROM {ref}")
    assert buckets == [n % 97 for n in wanted]


def test_md5_hashes_of_single_values(engine: DuckDB, tmp_path: Path) -> None:
    columns = (Column("t", Type(Kind.STRING)), Column("b", Type(Kind.BINARY)))
    table = attach(engine, tmp_path, columns, [{"t": "ü", "b": b"\xff\x00"}, {"t": None, "b": None}])
    dialect = engine.dialect.with_hash(Hash.MD5_64)
    texts = [dialect.text(columns[0], Form.TEXT_HASH), dialect.text(columns[1], Form.BINARY_HASH)]
    seen = engine.query(f"SELECT {texts[0]} AS t, {texts[1]} AS b FROM {dialect.ref(table)}").to_pylist()
    wanted = [str(int.from_bytes(hashlib.md5(v).digest()[:8], "big")) for v in ("ü".encode(), b"\xff\x00")]
    assert seen == [{"t": wanted[0], "b": wanted[1]}, {"t": None, "b": None}]


def test_totals_do_not_overflow(engine: DuckDB) -> None:
    nine = "(SELECT 18446744073709551615::ubigint AS x FROM range(9))"
    sql = f"SELECT {ProofDialect().total('x')} AS t FROM {nine}"
    assert engine.query(sql)["t"].to_pylist() == [str(9 * (2**64 - 1))]
