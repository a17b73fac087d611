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

from cases.mysql import CASES, OUT_OF_RANGE
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
        return "v - ('" + exact[:400] + "' + 0e0)", "0"
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
