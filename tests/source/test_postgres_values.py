"""Type × value: what arrives in the lake against what psql prints, by both decoders. One line a type, its
values behind it; each value is a case of its own."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from oracle import checksum

from mainstem.contract.reconcile import Side, fingerprint, forms
from mainstem.errors import ValueNotExact
from mainstem.schema import Database
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.postgres import PostgresSource
from mainstem.source.postgres.decode import Choice
from servers.postgres import Postgres

SETUP = r"""
CREATE EXTENSION citext; CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('', 'so, so', 'happy', 'ärger');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN price AS numeric(12,2) CHECK (value >= 0);
CREATE DOMAIN cost AS price;
CREATE DOMAIN label AS varchar(20) NOT NULL;
CREATE DOMAIN number_of AS oid;
"""

# native type, lake type, SQL literals (NULL is added to each)
EXACT: list[tuple[str, str, list[str]]] = [
    ("boolean", "boolean", ["true", "false"]),
    ("smallint", "int", ["0", "-32768", "32767"]),
    ("integer", "int", ["0", "-1", "-2147483648", "2147483647"]),
    ("bigint", "long", ["0", "-1", "-9223372036854775808", "9223372036854775807"]),
    ("oid", "long", ["0", "4294967295", "2147483648"]),
    ("number_of", "long", ["4294967295"]),
    ("numeric(10,2)", "decimal(10,2)", ["0", "-0.5", "1.10", "99999999.99", "-99999999.99", "0.01", "10000"]),
    ("numeric(5,-2)", "decimal(7,0)", ["12345", "9999900", "-100", "0"]),
    ("numeric(3,5)", "decimal(5,5)", ["0.00123", "-0.00999", "0"]),
    ("numeric(38,0)", "decimal(38,0)", ["9" * 38, "-" + "9" * 38, "1", "1" + "0" * 37]),
    ("numeric(38,38)", "decimal(38,38)", ["0." + "9" * 38, "-0." + "0" * 37 + "1"]),
    ("numeric(38,19)", "decimal(38,19)", ["1234567890123456789.1234567890123456789", "0.0000000001"]),
    ("numeric(1,0)", "decimal(1,0)", ["9", "-9"]),
    ("numeric(12,4)", "decimal(12,4)", ["1", "10000.0001", "0.0001", "12345678.9"]),
    ("numeric(20,3)", "decimal(20,3)", ["99999999999999999.999", "0.001", "1000000000000"]),
    ("numeric(39,0)", "string", ["9" * 39]),
    ("numeric(60,30)", "string", ["1.5", "'NaN'"]),
    ("numeric", "string", ["1e100", "1e-51", "1.10", "0.000", "'NaN'", "'Infinity'", "-1" + "0" * 200]),
    ("money", "decimal(19,2)", ["1234.56", "-0.01", "'92233720368547758.07'", "'-92233720368547758.08'"]),
    ("price", "decimal(12,2)", ["0.99", "9999999999.99"]),
    ("cost", "decimal(12,2)", ["7"]),
    ("real", "float", ["0", "'-0'", "1.1", "3.1415927", "16777215", "1e-45", "3.4028235e38"]),
    ("real", "float", ["'NaN'", "'Infinity'", "'-Infinity'"]),
    ("double precision", "double", ["0", "'-0'", "1.1", "pi()", "0.1::float8 + 0.2::float8", "5e-324"]),
    ("double precision", "double", ["'NaN'", "'Infinity'", "'-Infinity'", "1.7976931348623157e308"]),
    ("text", "string", ["''", "'a'", "'é中😀'", "E'tab\\t\\\\n line\\nend'", "' pad '", "'NULL'", "chr(1)"]),
    ("text", "string", ["chr(30)", "chr(31)", "repeat('x', 100000)", "chr(1114109)"]),
    ("varchar(20)", "string", ["'ab '", "''"]),
    ("label", "string", ["'domain'"]),
    ("char(5)", "string", ["'ab'", "''", "'ab   '", "'  ab'"]),
    ("bpchar", "string", ["'ab  '"]),
    ('"char"', "string", ["'x'", "''"]),
    ("name", "string", ["'pg_class'"]),
    ("citext", "string", ["'MiXed'"]),
    ("json", "string", ["'{\"a\": 1, \"a\" :2}'", "'1e400'", "'12345678901234567890.10'", "'null'"]),
    ("jsonb", "string", ["'{\"b\":1,\"a\":[1,null]}'", "'\"é\"'", "'1.0000000000000000000000001'"]),
    ("jsonpath", "string", ["'$.a[*]'"]),
    ("xml", "string", ["'<a b=\"1\">é</a>'", "''"]),
    ("uuid", "string", ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]),
    ("mood", "string", ["''", "'so, so'", "'ärger'"]),
    ("mood[]", "string", ["'{happy,\"so, so\",NULL}'"]),
    ("inet", "string", ["'192.168.0.1/24'", "'::1'"]),
    ("cidr", "string", ["'10.0.0.0/8'"]),
    ("macaddr", "string", ["'08:00:2b:01:02:03'"]),
    ("macaddr8", "string", ["'08:00:2b:01:02:03:04:05'"]),
    ("bytea", "binary", ["''", "'\\x00ff5c27'", "decode(repeat('00', 70000), 'hex')"]),
    ("date", "date", ["'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'1970-01-01'", "'1969-12-31'"]),
    ("timestamp", "timestamp", ["'2024-01-02 03:04:05'", "'2024-01-02 03:04:05.000001'"]),
    ("timestamp", "timestamp", ["'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.9'"]),
    ("timestamp(3)", "timestamp", ["'2024-01-02 03:04:05.6789'"]),
    ("timestamptz", "timestamptz", ["'2024-07-01 12:00+02'", "'2024-01-02 03:04:05.999999+00'"]),
    ("timestamptz", "timestamptz", ["'0001-01-01 00:00+00'", "'9999-12-31 23:59:59.999999+00'"]),
    ("timestamptz(0)", "timestamptz", ["'1999-12-31 23:59:59.5-05'"]),
    ("time", "long", ["'00:00'", "'24:00:00'", "'23:59:59.999999'", "'12:34:56.7'"]),
    ("time(0)", "long", ["'01:02:03'"]),
    ("timetz", "string", ["'24:00:00-15:59'", "'12:00:00.5+02'"]),
    ("interval", "string", ["'1 year 2 mons -3 days 04:05:06.7'", "'-00:00:00.000001'", "'0'"]),
    ("interval", "string", ["'178000000 years'"]),
    ("bit(3)", "string", ["B'101'"]),
    ("varbit", "string", ["B''", "B'0001'"]),
    ("integer[]", "string", ["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'", "'[2:3]={7,8}'"]),
    ("text[]", "string", ["'{\"\",NULL,\"NULL\",\"a,b\",\"q\\\"\"}'"]),
    ("numeric[]", "string", ["'{1.10,NaN}'"]),
    ("double precision[]", "string", ["'{0.1,NaN,-0,1e308}'"]),
    ("bytea[]", "string", ["ARRAY['\\x00ff'::bytea]"]),
    ("timestamptz[]", "string", ["'{2024-07-01 12:00+02,infinity}'"]),
    ("date[]", "string", ["'{0044-03-15 BC}'"]),
    ("int4range", "string", ["'empty'", "'[1,5)'", "'(,)'"]),
    ("numrange", "string", ["'(1.10,2.20]'"]),
    ("tstzrange", "string", ["'[2024-07-01 12:00+02,)'"]),
    ("int4multirange", "string", ["'{[1,2),[5,9)}'", "'{}'"]),
    ("pair", "string", ["ROW(1, 'a \"q\"')", "ROW(NULL, '')"]),
    ("hstore", "string", ["'a=>1, b=>NULL, \"c d\"=>\"\"'"]),
    ("point", "string", ["'(0.1,-2)'"]),
    ("line", "string", ["'{1,2,3}'"]),
    ("lseg", "string", ["'[(0,0),(1,1)]'"]),
    ("box", "string", ["'(1,1),(0,0)'"]),
    ("path", "string", ["'[(0,0),(1,1)]'"]),
    ("polygon", "string", ["'((0,0),(1,1),(2,0))'"]),
    ("circle", "string", ["'<(0,0),1.5>'"]),
    ("tsvector", "string", ["'a:1 fat:2A'"]),
    ("tsquery", "string", ["'fat & !rat'"]),
    ("pg_lsn", "string", ["'16/B374D848'"]),
    ("regclass", "string", ["'pg_class'"]),
    ("xid8", "string", ["'18446744073709551615'"]),
    ("tid", "string", ["'(42,7)'"]),
    ("int2vector", "string", ["'1 2 3'"]),
]  # fmt: skip

# native type, literal, a word of the message
REFUSED: list[tuple[str, str, str]] = [
    ("numeric(10,2)", "'NaN'", "NaN or infinity"),
    ("price", "'NaN'", "NaN or infinity"),
    ("date", "'infinity'", "holds infinity"),
    ("date", "'-infinity'", "holds infinity"),
    ("date", "'0044-03-15 BC'", "before the year 1"),
    ("date", "'0001-12-31 BC'", "before the year 1"),
    ("date", "'10000-01-01'", "after the year 9999"),
    ("date", "'5874897-12-31'", "after the year 9999"),
    ("date", "'4713-01-01 BC'", "before the year 1"),
    ("timestamp", "'infinity'", "holds infinity"),
    ("timestamp", "'-infinity'", "holds infinity"),
    ("timestamp", "'4713-01-01 BC'", "before the year 1"),
    ("timestamp", "'0001-12-31 23:59:59.999999 BC'", "before the year 1"),
    ("timestamp", "'10000-01-01 00:00:00'", "after the year 9999"),
    ("timestamp", "'294276-12-31 23:59:59.999999'", "after the year 9999"),
    ("timestamptz", "'infinity'", "holds infinity"),
    ("timestamptz", "'-infinity'", "holds infinity"),
    ("timestamptz", "'9999-12-31 23:59:59-01'", "after the year 9999"),
    ("timestamptz", "'294276-12-31 23:59:59+00'", "after the year 9999"),
    ("timestamptz", "'4714-11-24 00:00:00+00 BC'", "before the year 1"),
]  # fmt: skip

DECODERS: list[Choice] = ["python", "compiled"]
CASES = [(table, row) for table, (_, _, values) in enumerate(EXACT) for row in range(len(values) + 1)]
_NULL = "~"


def _is_not_null(native: str) -> bool:
    return native == "label"


class Values:
    """All cases in one database, what psql prints of them, and what both decoders read."""

    def __init__(self, server: Postgres) -> None:
        server.create_database("values")
        script = [SETUP]
        for i, (native, _, values) in enumerate(EXACT):
            values = values if _is_not_null(native) else [*values, "NULL"]
            script.append(f"CREATE TABLE t{i} (k serial PRIMARY KEY, v {native});")
            script += [f"INSERT INTO t{i} (v) VALUES ({value});" for value in values]
        for i, (native, value, _) in enumerate(REFUSED):
            script.append(f"CREATE TABLE r{i} (k serial, v {native}); INSERT INTO r{i} (v) VALUES ({value});")
        server.psql("\n".join(script).encode(), "values")
        self.server = server
        names = [f"t{i}" for i in range(len(EXACT))] + [f"r{i}" for i in range(len(REFUSED))]
        self.texts = self._texts(names)
        self.url = server.url("values")
        self.database = PostgresSource.from_url(self.url).introspect()
        self.read: dict[tuple[Choice, str], list[pa.RecordBatch]] = {}
        for decoder in DECODERS:
            source = PostgresSource.from_url(self.url, decoder=decoder)
            with source.snapshot() as snapshot:
                for name in names[: len(EXACT)]:
                    self.read[decoder, name] = list(snapshot.read(self.database.table(name)))

    def _texts(self, names: list[str]) -> dict[str, list[str | None]]:
        """What psql prints for each value, by table."""
        code = "coalesce(encode(convert_to(v::text, 'UTF8'), 'hex'), '{1}')"
        query = f"SELECT '{{0}} ' || {code} FROM {{0}} ORDER BY k;"
        lines = "SET TimeZone = 'UTC';" + "".join(query.format(name, _NULL) for name in names)
        found: dict[str, list[str | None]] = {name: [] for name in names}
        for line in self.server.execute(lines, "values").splitlines():
            name, _, code = line.partition(" ")
            found[name].append(None if code == _NULL else bytes.fromhex(code).decode())
        return found


@pytest.fixture(scope="module")
def values() -> Iterator[Values]:
    with Postgres() as server:
        yield Values(server)


def _micros(text: str) -> int:
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 10**6 + int(fraction.ljust(6, "0") or 0)


def _moment(text: str) -> datetime:
    day, _, clock = text.removesuffix("+00").partition(" ")
    return datetime.fromisoformat(day) + (datetime.min.resolution * _micros(clock))


def _bits(shape: str, text: str) -> bytes:
    return struct.pack(shape, float(text))


def _wanted(native: str, lake: str, text: str) -> Any:
    """psql's text as the value that the lake must hold."""
    if lake.startswith("decimal"):
        number = Decimal(text.replace("$", "").replace(",", ""))
        return format(number, f".{lake.partition(',')[2].rstrip(')')}f") if number else "0"
    if lake == "long" and native.startswith("time"):
        return _micros(text)
    conversions: dict[str, Callable[[], Any]] = {
        "boolean": lambda: text == "true",
        "int": lambda: int(text),
        "long": lambda: int(text),
        "float": lambda: _bits(">f", text),
        "double": lambda: _bits(">d", text),
        "string": lambda: text,
        "binary": lambda: bytes.fromhex(text.removeprefix("\\x")),
        "date": lambda: date.fromisoformat(text),
        "timestamp": lambda: _moment(text),
        "timestamptz": lambda: _moment(text).replace(tzinfo=UTC),
    }
    return conversions[lake]()


def _shown(lake: str, value: Any) -> Any:
    """A value of Arrow, comparable: floats by their bits, decimals by their digits."""
    if lake in ("float", "double"):
        return struct.pack(">f" if lake == "float" else ">d", value)
    return (format(value, "f") if value else "0") if isinstance(value, Decimal) else value


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("table", "row"), CASES)
def test_exact(values: Values, table: int, row: int, decoder: Choice) -> None:
    native, lake, _ = EXACT[table]
    texts = values.texts[f"t{table}"]
    if _is_not_null(native):
        row = min(row, len(texts) - 1)
    got = [v for batch in values.read[decoder, f"t{table}"] for v in batch.column("v").to_pylist()]
    assert len(got) == len(texts)
    text = texts[row]
    if text is None:
        assert got[row] is None
    else:
        assert _shown(lake, got[row]) == _wanted(native, lake, text)


@pytest.mark.parametrize("table", range(len(EXACT)))
def test_the_proof_holds(values: Values, table: int) -> None:
    """The server's checksum is the one computed, by other code, from what was read."""
    found = values.database.table(f"t{table}")
    assert str(found.column("v").type) == EXACT[table][1]
    source = PostgresSource.from_url(values.url)
    with source.snapshot() as snapshot:
        server = fingerprint(Side(source.dialect, snapshot.select), found, forms(source.dialect, found))
    for decoder in DECODERS:
        batches = values.read[decoder, f"t{table}"]
        assert (server.rows, server.checksum) == checksum(source.dialect, found, batches)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_refused(values: Values, index: int, decoder: Choice) -> None:
    source = PostgresSource.from_url(values.url, decoder=decoder)
    table = values.database.table(f"r{index}")
    with source.snapshot() as snapshot:
        with pytest.raises(ValueNotExact, match=REFUSED[index][2]) as caught:
            list(snapshot.read(table))
        assert snapshot.select("SELECT 1") == [(1,)]  # the view is still there
    assert str(caught.value.where) == f"r{index}.v"
    assert f"tables.r{index}.columns.v.out_of_range: text" in caught.value.hint
    literal = REFUSED[index][1].strip("'")
    assert not literal[-1].isdigit() or literal not in str(caught.value)


@pytest.fixture(scope="module")
def as_text(values: Values) -> tuple[PostgresSource, Database]:
    names = [f"{kind}{i}" for kind, cases in (("t", EXACT), ("r", REFUSED)) for i in range(len(cases))]
    options = SourceOptions(out_of_range={(name, "v"): OutOfRange.TEXT for name in names})
    source = PostgresSource.from_url(values.url, options)
    return source, source.introspect()


@pytest.mark.parametrize(
    "name", [f"r{i}" for i in range(len(REFUSED))] + [f"t{i}" for i in range(len(EXACT))]
)
def test_as_text(values: Values, as_text: tuple[PostgresSource, Database], name: str) -> None:
    source, database = as_text
    table = database.table(name)
    assert str(table.column("v").type) == "string"
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        server = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    assert [v for batch in batches for v in batch.column("v").to_pylist()] == values.texts[name]
    assert (server.rows, server.checksum) == checksum(source.dialect, table, batches)


def test_numbers_of_cases() -> None:
    assert sum(len(cases) for _, _, cases in EXACT) + len(REFUSED) >= 150
