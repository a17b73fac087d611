"""Type × value: what a SQLite value becomes in the lake, or that it is refused. One line a case."""

from __future__ import annotations

import math
import sqlite3
import struct
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from oracle import checksum

from mainstem.contract.reconcile import Side, fingerprint, forms
from mainstem.errors import ValueNotExact
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.sqlite import SQLiteSource

# declared type, SQL literals of the rows, lake type, values expected
EXACT: list[tuple[str, list[str], str, list[Any]]] = [
    ("INTEGER", ["1", "-1", "NULL"], "long", [1, -1, None]),
    ("INTEGER", ["9223372036854775807", "-9223372036854775808"], "long", [2**63 - 1, -(2**63)]),
    ("INT", ["'42'"], "long", [42]),  # SQLite's own affinity makes it an integer
    ("BIGINT UNSIGNED", ["7"], "long", [7]),
    ("TINYINT(1)", ["-5", "2"], "long", [-5, 2]),
    ("REAL", ["1.5", "0.1", "1"], "double", [1.5, 0.1, 1.0]),
    ("REAL", ["1e308", "-1e-308", "5e-324"], "double", [1e308, -1e-308, 5e-324]),
    ("REAL", ["9e999", "-9e999"], "double", [math.inf, -math.inf]),
    ("REAL", ["0.1 + 0.2"], "double", [0.1 + 0.2]),
    ("DOUBLE PRECISION", ["3.141592653589793"], "double", [math.pi]),
    ("FLOAT", ["16777217"], "double", [16777217.0]),
    ("FLOATING POINT", ["2.5", "3"], "double", [2.5, 3.0]),
    ("NUMERIC", ["1", "2.5"], "double", [1.0, 2.5]),
    ("DECIMAL", ["19.99"], "double", [19.99]),
    ("DECIMAL(10,2)", ["1.1", "1.10", "0", "-0.5"], "decimal(10,2)", ["1.10", "1.10", "0.00", "-0.50"]),
    ("DECIMAL(10,2)", ["99999999.99", "-99999999.99"], "decimal(10,2)", ["99999999.99", "-99999999.99"]),
    ("DECIMAL(10, 2)", ["'12.34'"], "decimal(10,2)", ["12.34"]),
    ("NUMERIC(10,2)", ["5", "NULL"], "decimal(10,2)", ["5.00", None]),
    ("NUMBER(12,4)", ["0.0001", "1e-4"], "decimal(12,4)", ["0.0001", "0.0001"]),
    ("DECIMAL(18,0)", ["999999999999999999"], "decimal(18,0)", ["999999999999999999"]),
    ("DECIMAL(9)", ["123456789"], "decimal(9,0)", ["123456789"]),
    ("DECIMAL(38,3)", ["12345678901234.566"], "decimal(38,3)", ["12345678901234.566"]),
    ("DECIMAL(38,18)", ["0.12345678901234568"], "decimal(38,18)", ["0.123456789012345680"]),
    ("DECIMAL(30,2)", ["9007199254740993", "0.5"], "decimal(30,2)", ["9007199254740993.00", "0.50"]),
    ("DECIMAL(30,0)", ["1e20", "-3"], "decimal(30,0)", ["100000000000000000000", "-3"]),
    ("DECIMAL(10,2)", ["-0.0"], "decimal(10,2)", ["0.00"]),
    ("DECIMAL(60,10)", ["1.5"], "double", [1.5]),
    ("TEXT", ["'a'", "''", "NULL"], "string", ["a", "", None]),
    ("TEXT", ["'é中😀'", "'it''s'"], "string", ["é中😀", "it's"]),
    ("TEXT", ["'a' || char(0) || 'b'"], "string", ["a\0b"]),
    ("TEXT", ["char(30)", "char(31)", "char(10)"], "string", ["\x1e", "\x1f", "\n"]),
    ("TEXT", ["12"], "string", ["12"]),  # affinity makes it a text
    ("VARCHAR(20)", ["'  pad '"], "string", ["  pad "]),
    ("NVARCHAR(5)", ["'longer than five'"], "string", ["longer than five"]),
    ("CHARACTER(3)", ["'ab'"], "string", ["ab"]),
    ("CLOB", ["'x'"], "string", ["x"]),
    ("BLOB", ["x'00FF'", "x''", "NULL"], "binary", [b"\x00\xff", b"", None]),
    ("BOOLEAN", ["1", "0", "TRUE", "NULL"], "boolean", [True, False, True, None]),
    ("BOOL", ["0"], "boolean", [False]),
    ("DATE", ["'2024-02-29'", "'0001-01-01'"], "date", [date(2024, 2, 29), date(1, 1, 1)]),
    ("DATE", ["'9999-12-31'", "NULL"], "date", [date(9999, 12, 31), None]),
    ("DATETIME", ["'2024-01-02 03:04:05'"], "timestamp", [datetime(2024, 1, 2, 3, 4, 5)]),
    ("DATETIME", ["'2024-01-02T03:04:05.5'"], "timestamp", [datetime(2024, 1, 2, 3, 4, 5, 500000)]),
    ("DATETIME(6)", ["'2024-01-02 03:04:05.000001'"], "timestamp", [datetime(2024, 1, 2, 3, 4, 5, 1)]),
    ("TIMESTAMP", ["'2024-01-02 03:04'"], "timestamp", [datetime(2024, 1, 2, 3, 4)]),
    ("TIMESTAMP", ["'2024-01-02'", "NULL"], "timestamp", [datetime(2024, 1, 2), None]),
    ("TIMESTAMP", ["'0001-01-01 00:00:00'"], "timestamp", [datetime(1, 1, 1)]),
    ("TIMESTAMP", ["'9999-12-31 23:59:59.999'"], "timestamp", [datetime(9999, 12, 31, 23, 59, 59, 999000)]),
    ("TIME", ["'24:00:00'"], "string", ["24:00:00"]),
    ("", ["1", "2"], "long", [1, 2]),
    ("", ["1", "2.5"], "double", [1.0, 2.5]),
    ("", ["'a'"], "string", ["a"]),
    ("", ["x'61'"], "binary", [b"a"]),
    ("", ["NULL"], "string", [None]),
    ("JSON", ["'{\"a\":1,\"a\":2}'"], "string", ['{"a":1,"a":2}']),
    ("UUID", ["'0e37df36-f698-11e6-8dd4-cb9ced3df976'"], "string", ["0e37df36-f698-11e6-8dd4-cb9ced3df976"]),
    ("POINT", ["3"], "long", [3]),
]  # fmt: skip

# declared type, literal, a word of the message
REFUSED: list[tuple[str, str, str]] = [
    ("INTEGER", "1.5", "reals"),
    ("INTEGER", "'abc'", "texts"),
    ("INTEGER", "x'01'", "blobs"),
    ("INTEGER", "9223372036854775808", "reals"),
    ("REAL", "'n/a'", "texts"),
    ("REAL", "x'00'", "blobs"),
    ("NUMERIC", "9007199254740993", "beyond 2^53"),
    ("DECIMAL(10,2)", "1.125", "more digits"),
    ("DECIMAL(10,2)", "0.1 + 0.2", "more digits"),
    ("DECIMAL(10,2)", "100000000", "more digits"),
    ("DECIMAL(10,2)", "9e999", "more digits"),
    ("DECIMAL(10,2)", "'free'", "texts"),
    ("TEXT", "x'6162'", "blobs"),
    ("BLOB", "'word'", "texts"),
    ("BLOB", "1", "integers"),
    ("BOOLEAN", "2", "other than 0 and 1"),
    ("BOOLEAN", "'true'", "texts"),
    ("BOOLEAN", "0.5", "reals"),
    ("DATE", "'2024-02-30'", "do not exist"),
    ("DATE", "'2024-1-2'", "YYYY-MM-DD"),
    ("DATE", "'2024-01-02 00:00:00'", "YYYY-MM-DD"),
    ("DATE", "'0000-00-00'", "year 0"),
    ("DATE", "''", "YYYY-MM-DD"),
    ("DATE", "1704153600", "integers"),
    ("DATE", "2460311.5", "reals"),
    ("DATETIME", "1704153600", "integers"),
    ("DATETIME", "'2024-01-02 24:00:00'", "do not exist"),
    ("DATETIME", "'2024-01-02 03:04:05Z'", "YYYY-MM-DD"),
    ("DATETIME", "'2024-01-02 03:04:05+02:00'", "YYYY-MM-DD"),
    ("DATETIME", "'2024-01-02 03'", "YYYY-MM-DD"),
    ("DATETIME", "'2024-01-02 03:04:05.1234567'", "YYYY-MM-DD"),
    ("DATETIME", "'2024-01-02 03:04:05' || char(10)", "YYYY-MM-DD"),
    ("DATETIME", "'now'", "YYYY-MM-DD"),
    ("TEXT", "CAST(x'ff41' AS TEXT)", "not UTF-8"),
]  # fmt: skip

# declared type, literal, the text it becomes under `out_of_range: text`
AS_TEXT: list[tuple[str, str, str | None]] = [
    ("INTEGER", "1.5", "1.5"),
    ("INTEGER", "7", "7"),
    ("DECIMAL(10,2)", "0.1 + 0.2", "0.30000000000000004"),
    ("REAL", "9e999", "inf"),
    ("DATE", "'0000-00-00'", "0000-00-00"),
    ("DATETIME", "1704153600", "1704153600"),
    ("BOOLEAN", "'true'", "true"),
    ("TEXT", "x'00ff'", "X'00FF'"),
    ("BLOB", "'text'", "text"),
    ("DATE", "NULL", None),
]


def _database(folder: Path, declared: str, literals: list[str]) -> Path:
    path = folder / "values.db"
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE t (k INTEGER PRIMARY KEY, v {declared})")
    for literal in literals:
        connection.execute(f"INSERT INTO t (v) VALUES ({literal})")
    connection.commit()
    connection.close()
    return path


def _bits(value: Any) -> Any:
    return struct.pack(">d", value) if isinstance(value, float) else value


@pytest.mark.parametrize(("declared", "literals", "lake", "values"), EXACT)
def test_exact(tmp_path: Path, declared: str, literals: list[str], lake: str, values: list[Any]) -> None:
    source = SQLiteSource(_database(tmp_path, declared, literals))
    table = source.introspect().table("t")
    assert str(table.column("v").type) == lake
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        found = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    got = [value for batch in batches for value in batch.column("v").to_pylist()]
    wanted = [Decimal(v) if lake.startswith("decimal") and v is not None else v for v in values]
    assert [_bits(v) for v in got] == [_bits(v) for v in wanted]
    assert [str(v) for v in got] == [str(v) for v in wanted]
    assert (found.rows, found.checksum) == checksum(source.dialect, table, batches)


@pytest.mark.parametrize(("declared", "literal", "word"), REFUSED)
def test_refused(tmp_path: Path, declared: str, literal: str, word: str) -> None:
    source = SQLiteSource(_database(tmp_path, declared, [literal]))
    table = source.introspect().table("t")
    with (
        source.snapshot() as snapshot,
        pytest.raises(ValueNotExact, match=word.replace("^", r"\^")) as caught,
    ):
        list(snapshot.read(table))
    assert (caught.value.where and str(caught.value.where)) == "t.v"
    assert caught.value.hint
    assert literal.strip("'") not in str(caught.value) or len(literal) < 4


def test_mixed_classes_of_an_undeclared_column_are_refused(tmp_path: Path) -> None:
    source = SQLiteSource(_database(tmp_path, "", ["1", "'a'"]))
    table = source.introspect().table("t")
    with source.snapshot() as snapshot, pytest.raises(ValueNotExact, match="integers"):
        list(snapshot.read(table))


@pytest.mark.parametrize(("declared", "literal", "text"), AS_TEXT)
def test_as_text(tmp_path: Path, declared: str, literal: str, text: str | None) -> None:
    options = SourceOptions(out_of_range={("t", "v"): OutOfRange.TEXT})
    source = SQLiteSource(_database(tmp_path, declared, [literal]), options)
    table = source.introspect().table("t")
    assert str(table.column("v").type) == "string"
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        found = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    assert [v for batch in batches for v in batch.column("v").to_pylist()] == [text]
    assert (found.rows, found.checksum) == checksum(source.dialect, table, batches)
