"""Every type of MariaDB × the values that other tools get wrong: by both decoders, against the `mariadb`
client's own text, and in the proof's canonical text."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from mainstem.contract.canonical import Form
from mainstem.errors import ValueNotExact
from mainstem.hashing import mysql_double_text
from mainstem.schema import Column, Database
from mainstem.source.mysql import MySQLSource
from mainstem.source.mysql.dialect import MySQLDialect
from mainstem.source.mysql.reading import COMPILED
from mainstem.source.mysql.snapshot import MySQLSnapshot
from mainstem.source.port import OutOfRange, SourceOptions
from servers.mariadb import MariaDB

NINES = "9" * 38
LONG = "x" * 70_000

# declaration, SQL literal, lake type, the value in Arrow (as Python), the client's text (None: see `oracle`)
CASES: list[tuple[str, str, str, Any]] = [
    ("tinyint", "-128", "int", -128),
    ("tinyint", "127", "int", 127),
    ("tinyint(1)", "2", "int", 2),
    ("tinyint(1)", "-5", "int", -5),
    ("boolean", "TRUE", "int", 1),
    ("tinyint unsigned", "255", "int", 255),
    ("smallint", "-32768", "int", -32768),
    ("smallint unsigned", "65535", "int", 65535),
    ("mediumint", "-8388608", "int", -8388608),
    ("mediumint unsigned", "16777215", "int", 16777215),
    ("int", "-2147483648", "int", -2147483648),
    ("int", "2147483647", "int", 2147483647),
    ("int", "0", "int", 0),
    ("int", "NULL", "int", None),
    ("int unsigned", "4294967295", "long", 4294967295),
    ("int(10) unsigned zerofill", "42", "long", 42),
    ("int(5) zerofill", "0", "long", 0),
    ("bigint", "-9223372036854775808", "long", -9223372036854775808),
    ("bigint", "9223372036854775807", "long", 9223372036854775807),
    ("bigint unsigned", "18446744073709551615", "decimal(20,0)", Decimal(18446744073709551615)),
    ("bigint unsigned", "9223372036854775808", "decimal(20,0)", Decimal(9223372036854775808)),
    ("bigint(20) unsigned zerofill", "7", "decimal(20,0)", Decimal(7)),
    ("bit(1)", "b'1'", "boolean", True),
    ("bit(1)", "b'0'", "boolean", False),
    ("bit(1)", "NULL", "boolean", None),
    ("bit(2)", "b'11'", "long", 3),
    ("bit(8)", "b'10000001'", "long", 129),
    ("bit(63)", "9223372036854775807", "long", 9223372036854775807),
    ("bit(64)", "18446744073709551615", "decimal(20,0)", Decimal(18446744073709551615)),
    ("bit(64)", "0", "decimal(20,0)", Decimal(0)),
    ("decimal(10,2)", "-0.50", "decimal(10,2)", Decimal("-0.50")),
    ("decimal(10,2)", "12345678.90", "decimal(10,2)", Decimal("12345678.90")),
    ("decimal(10,2)", "-0.001", "decimal(10,2)", Decimal("0.00")),
    ("decimal(2,2)", "0.07", "decimal(2,2)", Decimal("0.07")),
    ("decimal(5,0)", "-99999", "decimal(5,0)", Decimal("-99999")),
    ("decimal(18,4)", "-12345678901234.5678", "decimal(18,4)", Decimal("-12345678901234.5678")),
    ("decimal(30,15)", "123456789012345.123456789012345", "decimal(30,15)",
     Decimal("123456789012345.123456789012345")),
    ("decimal(38,20)", "-123456789012345678.00000000000000000001", "decimal(38,20)",
     Decimal("-123456789012345678.00000000000000000001")),
    ("decimal(38,0)", NINES, "decimal(38,0)", Decimal(NINES)),
    ("decimal(38,0)", "-" + NINES, "decimal(38,0)", Decimal("-" + NINES)),
    ("decimal(38,38)", "0." + NINES, "decimal(38,38)", Decimal("0." + NINES)),
    ("decimal(39,0)", NINES + "9", "string", NINES + "9"),
    ("decimal(65,30)", "-12345.000000000000000000000000000001", "string",
     "-12345.000000000000000000000000000001"),
    ("decimal(65,0)", "9" * 65, "string", "9" * 65),
    ("decimal(10,2) zerofill", "5.5", "decimal(10,2)", Decimal("5.50")),
    ("decimal(50,2) zerofill", "5.5", "string", "5.50"),
    ("float", "16777215", "float", 16777215.0),
    ("float", "3.1415927", "float", 3.1415927410125732),
    ("float", "-3.4028234663852886e38", "float", -3.4028234663852886e38),
    ("float", "1.401298464324817e-45", "float", 1.401298464324817e-45),
    ("float", "0.1", "float", 0.10000000149011612),
    ("float", "NULL", "float", None),
    ("float(7,3)", "1234.567", "float", 1234.5670166015625),
    ("float zerofill", "1.5", "float", 1.5),
    ("float(53)", "0.1", "double", 0.1),
    ("double", "0.1", "double", 0.1),
    ("double", "1.7976931348623157e308", "double", 1.7976931348623157e308),
    ("double", "2.2250738585072014e-308", "double", 2.2250738585072014e-308),
    ("double", "5e-324", "double", 5e-324),
    ("double", "9007199254740993e0", "double", 9007199254740992.0),
    ("double", "1000000000000000.1e0", "double", 1000000000000000.1),
    ("double", "123456789012345680e0", "double", 123456789012345680.0),
    ("double", "1e22", "double", 1e22),
    ("double", "1e23", "double", 1e23),
    ("double", "-0e0", "double", 0.0),
    ("double", "0.1e0+0.2e0", "double", 0.30000000000000004),
    ("double(20,2)", "123456789012345678", "double", 123456789012345680.0),
    ("double unsigned zerofill", "1.25", "double", 1.25),
    ("date", "'2024-02-29'", "date", date(2024, 2, 29)),
    ("date", "'0001-01-01'", "date", date(1, 1, 1)),
    ("date", "'9999-12-31'", "date", date(9999, 12, 31)),
    ("date", "'1969-12-31'", "date", date(1969, 12, 31)),
    ("date", "'1582-10-10'", "date", date(1582, 10, 10)),
    ("date", "'2000-02-29'", "date", date(2000, 2, 29)),
    ("date", "NULL", "date", None),
    ("datetime", "'2024-10-27 02:30:00'", "timestamp", datetime(2024, 10, 27, 2, 30)),
    ("datetime", "'1000-01-01 00:00:00'", "timestamp", datetime(1000, 1, 1)),
    ("datetime", "'9999-12-31 23:59:59'", "timestamp", datetime(9999, 12, 31, 23, 59, 59)),
    ("datetime(1)", "'2024-01-01 00:00:00.5'", "timestamp", datetime(2024, 1, 1, 0, 0, 0, 500_000)),
    ("datetime(3)", "'1969-12-31 23:59:59.001'", "timestamp", datetime(1969, 12, 31, 23, 59, 59, 1000)),
    ("datetime(6)", "'0001-01-01 00:00:00.000001'", "timestamp", datetime(1, 1, 1, 0, 0, 0, 1)),
    ("datetime(6)", "'9999-12-31 23:59:59.999999'", "timestamp", datetime(9999, 12, 31, 23, 59, 59, 999_999)),
    ("timestamp null", "'2024-10-27 00:30:00'", "timestamptz", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
    ("timestamp null", "'2024-10-27 01:30:00'", "timestamptz", datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
    ("timestamp(6) null", "'2038-01-19 03:14:07.999999'", "timestamptz",
     datetime(2038, 1, 19, 3, 14, 7, 999_999, tzinfo=UTC)),
    ("timestamp null", "'1970-01-01 00:00:01'", "timestamptz", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ("timestamp null", "NULL", "timestamptz", None),
    ("time", "'838:59:59'", "long", 3_020_399_000_000),
    ("time", "'-838:59:59'", "long", -3_020_399_000_000),
    ("time", "'00:00:00'", "long", 0),
    ("time(6)", "'-01:02:03.000004'", "long", -3_723_000_004),
    ("time(6)", "'838:59:59.999999'", "long", 3_020_399_999_999),
    ("time(6)", "'-00:00:00.000001'", "long", -1),
    ("time(3)", "'100:00:00.123'", "long", 360_000_123_000),
    ("time", "NULL", "long", None),
    ("year", "0", "int", 0),
    ("year", "1901", "int", 1901),
    ("year", "2155", "int", 2155),
    ("char(5)", "'ab   '", "string", "ab"),
    ("char(5)", "''", "string", ""),
    ("char(5)", "NULL", "string", None),
    ("varchar(20)", "'Norway  '", "string", "Norway  "),
    ("varchar(20)", "'NULL'", "string", "NULL"),
    ("varchar(20)", "'a\\0b'", "string", "a\0b"),
    ("varchar(20)", "'a\\nb\\tc\\\\d'", "string", "a\nb\tc\\d"),
    ("varchar(20)", "'😀é漢'", "string", "😀é漢"),
    ("varchar(20)", "_utf8mb4 X'F48FBFBF'", "string", "\U0010ffff"),
    ("varchar(20) character set latin1", "'Müller €'", "string", "Müller €"),
    ("varchar(20) character set latin1", "_latin1 X'81'", "string", "\x81"),
    ("varchar(20) character set latin1", "'Ã©'", "string", "Ã©"),
    ("varchar(20) character set utf8mb3", "'Größe'", "string", "Größe"),
    ("varchar(20) character set ucs2", "'Größe'", "string", "Größe"),
    ("varchar(20) character set utf16", "'😀'", "string", "😀"),
    ("varchar(20) character set utf32", "'😀'", "string", "😀"),
    ("varchar(20) character set gbk", "'漢字'", "string", "漢字"),
    ("varchar(20) character set sjis", "'表示'", "string", "表示"),
    ("varchar(20) character set koi8r", "'Привет'", "string", "Привет"),
    ("varchar(20) character set ascii", "'plain'", "string", "plain"),
    ("varchar(250) character set utf8mb4 collate utf8mb4_bin", "REPEAT('é', 250)", "string", "é" * 250),
    ("varchar(300)", "REPEAT('x', 251)", "string", "x" * 251),
    ("tinytext", "'tiny'", "string", "tiny"),
    ("text", "REPEAT('x', 65535)", "string", "x" * 65535),
    ("mediumtext", "REPEAT('x', 70000)", "string", LONG),
    ("longtext character set latin1", "REPEAT('é', 1000)", "string", "é" * 1000),
    ("text", "NULL", "string", None),
    ("enum('a','b,c','É','character set')", "'b,c'", "string", "b,c"),
    ("enum('a','É') character set latin1", "'É'", "string", "É"),
    ("enum('a','b')", "0", "string", ""),
    ("enum('a','')", "''", "string", ""),
    ("enum('a','b')", "NULL", "string", None),
    ("set('x','y','z')", "'z,x'", "string", "x,z"),
    ("set('x','y')", "''", "string", ""),
    ("set('x','é') character set latin1", "'é,x'", "string", "x,é"),
    ("json", """'{"a":1,"a":1e400, "b":[1.0]}'""", "string", '{"a":1,"a":1e400, "b":[1.0]}'),
    ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "string", "123e4567-e89b-12d3-a456-426655440000"),
    ("uuid", "NULL", "string", None),
    ("inet6", "'2001:db8::ff00:42:8329'", "string", "2001:db8::ff00:42:8329"),
    ("inet6", "'::ffff:192.0.2.1'", "string", "::ffff:192.0.2.1"),
    ("inet4", "'192.0.2.1'", "string", "192.0.2.1"),
    ("binary(4)", "X'61620000'", "binary", b"ab\0\0"),
    ("binary(4)", "'ab'", "binary", b"ab\0\0"),
    ("varbinary(10)", "X'FF00FE'", "binary", b"\xff\x00\xfe"),
    ("varbinary(10)", "''", "binary", b""),
    ("varbinary(1000)", "REPEAT(X'FE', 1000)", "binary", b"\xfe" * 1000),
    ("varchar(10) character set binary", "X'80'", "binary", b"\x80"),
    ("tinyblob", "X'00'", "binary", b"\0"),
    ("blob", "X'FB'", "binary", b"\xfb"),
    ("mediumblob", "REPEAT(X'00FF', 100000)", "binary", b"\0\xff" * 100_000),
    ("longblob", "NULL", "binary", None),
    ("point", "ST_GeomFromText('POINT(1 2)', 4326)", "binary",
     bytes.fromhex("E61000000101000000000000000000F03F0000000000000040")),
    ("geometry", "NULL", "binary", None),
    ("linestring", "ST_GeomFromText('LINESTRING(0 0,1 1)')", "binary",
     bytes.fromhex("0000000001020000000200000000000000000000000000000000000000000000000000F03F000000000000F03F")),
]  # fmt: skip

OUT_OF_RANGE = [  # declaration, SQL literal, the server's own text
    ("date", "'0000-00-00'", "0000-00-00"),
    ("date", "'2023-00-15'", "2023-00-15"),
    ("date", "'2023-02-31'", "2023-02-31"),
    ("date", "'2023-01-00'", "2023-01-00"),
    ("date", "'0000-01-01'", "0000-01-01"),
    ("date", "'1900-02-29'", "1900-02-29"),
    ("datetime", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00"),
    ("datetime(3)", "'2023-02-30 12:00:00.5'", "2023-02-30 12:00:00.500"),
    ("timestamp null", "0", "0000-00-00 00:00:00"),
]

DECODERS = [pytest.param(False, id="python"), pytest.param(True, id="compiled")]


def test_the_kernel_is_compiled_here() -> None:
    assert COMPILED, "build the kernels: pip install -e ."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("mariadb"), ["default-time-zone=+05:30"]) as running:
        running.execute("SET GLOBAL max_allowed_packet = 64 * 1024 * 1024")
        running.create_database("cases")
        lines = ["SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';"]
        for number, (declaration, literal, *_) in enumerate(CASES):
            lines += [
                f"CREATE TABLE c{number} (v {declaration});",
                f"INSERT INTO c{number} VALUES ({literal});",
            ]
        for number, (declaration, literal, _) in enumerate(OUT_OF_RANGE):
            lines += [
                f"CREATE TABLE o{number} (v {declaration});",
                f"INSERT INTO o{number} VALUES ({literal});",
            ]
        running.execute("\n".join(lines), "cases")
        yield running


@pytest.fixture(scope="module")
def database(server: MariaDB) -> Database:
    return source(server, False).introspect()


@pytest.fixture(scope="module")
def snapshots(server: MariaDB) -> Iterator[dict[bool, MySQLSnapshot]]:
    with source(server, False).snapshot() as python, source(server, True).snapshot() as compiled:
        yield {False: python, True: compiled}


def source(server: MariaDB, compiled: bool, options: SourceOptions | None = None) -> MySQLSource:
    return MySQLSource(
        server.host, server.port, server.user, server.password, "cases", options=options, compiled=compiled
    )


def value_of(batch: pa.RecordBatch) -> Any:
    """The only cell; timestamps in UTC as the standard library writes them."""
    value = batch.column(0)[0].as_py()
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo else value


def oracle(declaration: str, value: Any) -> tuple[str, str]:
    """An expression for the client, and what it must print if the column holds `value`."""
    word = declaration.split("(")[0].split()[0]
    if word == "time" and value is not None:
        sign, rest = ("-", -value) if value < 0 else ("", value)
        seconds, micros = divmod(rest, 1_000_000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}"
        return "CAST(CAST(v AS TIME(6)) AS CHAR)", sign + clock
    if value is None:
        return "v", "NULL"
    if isinstance(value, bytes):
        return "HEX(v)", value.hex().upper()
    if isinstance(value, datetime):
        return "CAST(CAST(v AS DATETIME(6)) AS CHAR)", f"{value:%Y}".rjust(
            4, "0"
        ) + f"{value:-%m-%d %H:%M:%S.%f}"
    if isinstance(value, bool):
        return "v + 0", str(int(value))
    if isinstance(value, str) and word not in ("decimal", "uuid", "inet4", "inet6"):
        return "HEX(CONVERT(v USING utf8mb4))", value.encode().hex().upper()
    if isinstance(value, float):
        exact = f"{Decimal(value):f}"
        return "v - CAST('" + exact[:400] + "' AS DOUBLE)", "0"
    return ("v" if isinstance(value, date) or word in ("uuid", "inet4", "inet6") else "v + 0"), f"{value}"


@pytest.fixture(scope="module")
def printed(server: MariaDB) -> list[str]:
    """What the client prints for each case, in a session of its own."""
    lines = ["SET time_zone = '+00:00';"]
    for number, (declaration, _, _, value) in enumerate(CASES):
        lines.append(f"SELECT {oracle(declaration, value)[0]} FROM c{number};")
    return server.execute("\n".join(lines), "cases").splitlines()


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{c[0]}={c[1][:30]}" for c in CASES])
def test_a_value_arrives_as_it_is(
    number: int,
    compiled: bool,
    database: Database,
    snapshots: dict[bool, MySQLSnapshot],
    printed: list[str],
) -> None:
    declaration, _, lake_type, expected = CASES[number]
    table = database.table(f"c{number}")
    assert str(table.columns[0].type) == lake_type
    (batch,) = snapshots[compiled].read(table)
    batch.validate(full=True)
    assert value_of(batch) == expected
    assert printed[number] == oracle(declaration, expected)[1], "the client prints something else"


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{c[0]}={c[1][:30]}" for c in CASES])
def test_the_proof_text_is_the_same_from_the_lake(
    number: int, database: Database, snapshots: dict[bool, MySQLSnapshot]
) -> None:
    table = database.table(f"c{number}")
    column = table.columns[0]
    dialect = MySQLDialect()
    form = dialect.form(column)
    text, hashed = snapshots[True].select(
        f"SELECT {dialect.text(column, form)}, {dialect.row_hash([dialect.text(column, form)])} "
        f"FROM {dialect.ref(table)}"
    )[0]
    (batch,) = snapshots[True].read(table)
    wanted = canonical(column, form, batch.column(0)[0])
    assert text == wanted
    assert hashed == zlib.crc32(b"\x1e" if wanted is None else wanted.encode())


def canonical(column: Column, form: Form, cell: Any) -> str | None:
    """The canonical text of a cell that stands in the lake: `contract/canonical.py`, in plain Python."""
    value = cell.as_py()
    if value is None:
        return None
    doubles = pa.array([float(value)] if form is Form.DOUBLE_MYSQL else [], pa.float64())
    texts: dict[Form, Callable[[], object]] = {
        Form.INTEGER: lambda: f"{value}",
        Form.FIXED: lambda: f"{value:.{column.type.scale}f}",
        Form.TEXT: lambda: value,
        Form.TEXT_HASH: lambda: f"{zlib.crc32(value.encode())}",
        Form.BINARY_HASH: lambda: f"{zlib.crc32(value)}",
        Form.HEX: lambda: value.hex().upper(),
        Form.BOOLEAN: lambda: "1" if value else "0",
        Form.DATE: lambda: value.isoformat(),
        Form.EPOCH_MICROS: lambda: f"{cell.cast(pa.int64()).as_py()}",
        Form.DOUBLE_MYSQL: lambda: mysql_double_text(doubles, compiled=False).to_pylist()[0],
    }
    return str(texts[form]())


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("number", range(len(OUT_OF_RANGE)), ids=[f"{c[0]}={c[1]}" for c in OUT_OF_RANGE])
def test_a_date_outside_the_calendar_fails_loudly(number: int, compiled: bool, server: MariaDB) -> None:
    opened = source(server, compiled)
    table = opened.introspect().table(f"o{number}")
    with opened.snapshot() as snapshot, pytest.raises(ValueNotExact) as caught:
        list(snapshot.read(table))
    message = str(caught.value)
    assert message.startswith(f"o{number}.v: ")
    assert "out_of_range: text" in message
    assert OUT_OF_RANGE[number][2] not in message, "a message never shows a row's value"


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("number", range(len(OUT_OF_RANGE)), ids=[f"{c[0]}={c[1]}" for c in OUT_OF_RANGE])
def test_a_date_outside_the_calendar_as_text(number: int, compiled: bool, server: MariaDB) -> None:
    options = SourceOptions(out_of_range={(f"o{number}", "v"): OutOfRange.TEXT})
    opened = source(server, compiled, options)
    table = opened.introspect().table(f"o{number}")
    column = table.columns[0]
    assert str(column.type) == "string"
    text = opened.dialect.text(column, opened.dialect.form(column))
    with opened.snapshot() as snapshot:
        (batch,) = snapshot.read(table)
        proven = snapshot.select(f"SELECT {text} FROM {opened.dialect.ref(table)}")
    assert value_of(batch) == OUT_OF_RANGE[number][2] == proven[0][0]
