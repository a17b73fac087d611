"""MariaDB → lake → readers, value by value, against what the `mariadb` client prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rows import (
    LATIN1,
    LETTERS,
    Drawn,
    Round,
    answer,
    day,
    decimal,
    differences,
    duration,
    floating,
    instants,
    integer,
    moment,
    octets,
    one_of,
    rounds,
    text,
    write,
)
from way import Arrived, arrive, arrive_in_two, check, check_beside, check_types, check_untouched

from cases.layout import Case, Grid, Typed, cases, grids, halving, script
from cases.mysql import CASES, NO_UNICODE, OUT_OF_RANGE, TYPES
from mainstem.errors import ValueNotExact
from mainstem.schema import Table
from mainstem.source.mysql import MySQLSource
from mainstem.source.port import OutOfRange, SourceOptions
from servers.mariadb import MariaDB

GRIDS = grids([*((native, lake, [literal]) for native, literal, lake, _ in CASES), *TYPES])
LONGER = [grid for grid in GRIDS if grid.rows > 1]
REFUSED = Grid("refused", tuple(Typed(native, "string", (literal,)) for native, literal, _ in OUT_OF_RANGE))
LOST = Grid("lost", tuple(Typed(native, "string", (literal,)) for native, literal in NO_UNICODE))
# Whatever an administrator may have set, and a session must not follow.
SERVER = ["default-time-zone=+05:30", "max-allowed-packet=64M", "init-connect=SET div_precision_increment=0"]
HOSTILE = "SET GLOBAL sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'"
_DOUBLE = "CAST({} * 1e0 AS CHAR)"
_TEXT = "HEX(CONVERT({} USING utf8mb4))"
_NUMBER = "CAST({} AS UNSIGNED)"
_BYTES = ("HEX({})", "UNHEX({})")
RANDOM = (
    Drawn("tinyint", "int", integer(-128, 127), "{}"),
    Drawn("smallint unsigned", "int", integer(0, 65535), "{}"),
    Drawn("int", "int", integer(-(2**31), 2**31 - 1), "{}"),
    Drawn("int unsigned", "long", integer(0, 2**32 - 1), "{}"),
    Drawn("bigint", "long", integer(-(2**63), 2**63 - 1), "{}"),
    Drawn("bigint unsigned", "decimal(20,0)", integer(0, 2**64 - 1), "{}"),
    Drawn("bit(1)", "boolean", integer(0, 1), _NUMBER, _NUMBER),
    Drawn("bit(64)", "decimal(20,0)", integer(0, 2**64 - 1), _NUMBER, _NUMBER),
    Drawn("decimal(9,2)", "decimal(9,2)", decimal(9, 2), "{}"),
    Drawn("decimal(38,12)", "decimal(38,12)", decimal(38, 12), "{}"),
    Drawn("decimal(65,30)", "string", decimal(65, 30), "HEX(CAST({} AS CHAR))"),
    Drawn("float", "float", floating("<f"), _DOUBLE),
    Drawn("double", "double", floating("<d"), _DOUBLE),
    Drawn("date", "date", day(), "{}"),
    Drawn("datetime(6)", "timestamp", moment(6), "{}"),
    Drawn("datetime", "timestamp", moment(0), "{}"),
    Drawn("timestamp(6) null", "timestamptz", moment(6, instants()), "{}"),
    Drawn("time(6)", "long", duration(838, negative=True), "{}"),
    Drawn("year", "int", integer(1901, 2155), "{}"),
    Drawn("char(12)", "string", text(LETTERS, 12), _TEXT),
    Drawn("varchar(300)", "string", text(LETTERS, 40), _TEXT),
    Drawn("varchar(60) character set latin1", "string", text(LATIN1, 60), _TEXT),
    Drawn("text", "string", text(LETTERS, 120), _TEXT),
    Drawn("enum('a','é','')", "string", one_of("a", "é", ""), _TEXT),
    Drawn("set('x','y','z')", "string", one_of("", "x", "z,x", "y", "x,y,z"), _TEXT),
    Drawn("binary(8)", "binary", octets(8), *_BYTES),
    Drawn("varbinary(60)", "binary", octets(60), *_BYTES),
    Drawn("blob", "binary", octets(100), *_BYTES),
)
_NO_TEXT = "characters that Unicode does not have|text that is not valid in its own character set"
DECODERS = [pytest.param(False, id="python"), pytest.param(True, id="compiled")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("mariadb"), SERVER) as running:
        running.create_database("cases")
        lines = "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';\n"
        running.execute(lines + "".join(script(grid) for grid in [*GRIDS, REFUSED, LOST]), "cases")
        running.execute(HOSTILE)
        yield running


@pytest.fixture(scope="module")
def texts(server: MariaDB) -> dict[str, list[list[str | None]]]:
    """What the client prints, by table, row and column."""
    return {grid.name: printed(server, grid) for grid in [*GRIDS, REFUSED]}


@pytest.fixture(scope="module")
def half(server: MariaDB) -> MariaDB:
    """The same server; its database `half` has half of each table."""
    server.create_database("half")
    lines = "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';\n"
    server.execute(lines + "".join(script(grid) + halving(grid) for grid in LONGER), "half")
    return server


@pytest.fixture(scope="module", params=DECODERS)
def in_two(
    half: MariaDB, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Arrived]:
    login = (half.host, half.port, half.user, half.password, "half")
    first = MySQLSource(*login, compiled=request.param)
    names = [grid.name for grid in LONGER]
    return arrive_in_two(first, source(half, compiled=request.param), names, tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module", params=DECODERS)
def arrived(
    server: MariaDB, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Arrived]:
    opened = source(server, compiled=request.param)
    found = opened.introspect()
    return arrive(opened, [found.table(grid.name) for grid in GRIDS], tmp_path_factory.mktemp("lake"))


def source(server: MariaDB, *, compiled: bool = True, options: SourceOptions | None = None) -> MySQLSource:
    login = (server.host, server.port, server.user, server.password, "cases")
    return MySQLSource(*login, options=options, compiled=compiled)


def printed(server: MariaDB, grid: Grid) -> list[list[str | None]]:
    """Rows of the client's text, none of which holds a tab or a line's end."""
    columns = ", ".join(oracle(f"c{number}", column) for number, column in enumerate(grid.columns))
    sql = f"SET time_zone = '+00:00', sql_mode = ''; SELECT {columns} FROM {grid.name} ORDER BY k;"
    rows = [line.split("\t") for line in server.execute(sql, "cases").splitlines()]
    return [[None if text == "NULL" else text for text in row] for row in rows]


def oracle(name: str, column: Typed) -> str:
    """What the client is asked for: the column itself, without the loss that MariaDB's display of some types
    has by design (six digits of a FLOAT, zero fill, bits as characters)."""
    word = column.native.split("(")[0].split()[0]
    if column.lake in ("float", "double"):
        return _DOUBLE.format(name)
    if column.lake == "binary":
        return f"HEX({name})"
    if word == "bit":
        return f"CAST({name} AS UNSIGNED)"
    plain = f"CAST({name} AS DECIMAL(65,2))" if "zerofill" in column.native and word == "decimal" else name
    if column.lake == "string":
        return f"HEX(CONVERT(CAST({plain} AS CHAR) USING utf8mb4))"
    return (
        f"CAST({name} AS SIGNED)" if "zerofill" in column.native and column.lake != "decimal(10,2)" else plain
    )


def alone(table: Table, column: int) -> Table:
    """The table as if it had its key and this column only."""
    return replace(table, columns=(table.column("k"), table.column(f"c{column}")))


@pytest.mark.parametrize("case", cases(GRIDS), ids=str)
def test_exact(case: Case, arrived: dict[str, Arrived], texts: dict[str, list[list[str | None]]]) -> None:
    check(case, arrived[case.grid.name], texts[case.grid.name])


@pytest.mark.parametrize("case", cases(LONGER), ids=str)
def test_exact_by_increments(
    case: Case, in_two: dict[str, Arrived], texts: dict[str, list[list[str | None]]]
) -> None:
    check(case, in_two[case.grid.name], texts[case.grid.name])


def test_lake_types(server: MariaDB) -> None:
    check_types(source(server).introspect(), GRIDS, "int")


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("case", cases([REFUSED]), ids=str)
def test_refused(case: Case, compiled: bool, server: MariaDB, tmp_path: Path) -> None:
    opened = source(server, compiled=compiled)
    table = alone(opened.introspect().table(REFUSED.name), case.column)
    with pytest.raises(ValueNotExact, match=r"holds a date that no calendar has") as caught:
        arrive(opened, [table], tmp_path)
    assert str(caught.value.where) == f"refused.c{case.column}"
    assert "out_of_range: text" in caught.value.hint
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("compiled", DECODERS)
def test_refused_values_as_text(
    compiled: bool, server: MariaDB, tmp_path: Path, texts: dict[str, list[list[str | None]]]
) -> None:
    choices = {(REFUSED.name, f"c{number}"): OutOfRange.TEXT for number in range(len(REFUSED.columns))}
    opened = source(server, compiled=compiled, options=SourceOptions(out_of_range=choices))
    found = arrive(opened, [opened.introspect().table(REFUSED.name)], tmp_path)[REFUSED.name]
    for case in cases([REFUSED]):
        check(case, found, texts[REFUSED.name])


@pytest.mark.parametrize("compiled", DECODERS)
def test_refused_values_as_null(
    compiled: bool, server: MariaDB, tmp_path: Path, texts: dict[str, list[list[str | None]]]
) -> None:
    """Proven in full by `arrive`; all other values arrive as without the choice."""
    opened = source(server, compiled=compiled, options=SourceOptions(others_out_of_range=OutOfRange.NULL))
    found = opened.introspect()
    arrived = arrive(opened, [found.table(grid.name) for grid in [*GRIDS, REFUSED]], tmp_path)
    plain = [[bytes.fromhex(text).decode() for text in row if text] for row in texts[REFUSED.name]]
    check_beside(REFUSED, arrived[REFUSED.name], plain)
    check_untouched(GRIDS, arrived, texts)


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("case", cases([LOST]), ids=str)
def test_text_without_unicode_is_refused(case: Case, compiled: bool, server: MariaDB, tmp_path: Path) -> None:
    """The server would send a question mark in its place, and compute its proof from that, too."""
    opened = source(server, compiled=compiled)
    table = alone(opened.introspect().table(LOST.name), case.column)
    with pytest.raises(ValueNotExact, match=_NO_TEXT) as caught:
        arrive(opened, [table], tmp_path)
    assert str(caught.value.where) == f"lost.c{case.column}"
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("round_", rounds(), ids=lambda r: r.table)
def test_random_rows(round_: Round, server: MariaDB, tmp_path: Path) -> None:
    """Drawn rows: what the client prints, row by row, is what both readers find."""
    fill(server, round_, tmp_path / "rows.tsv")
    opened = source(server, compiled=round_.compiled)
    (arrived,) = arrive(opened, [opened.introspect().table(round_.table)], tmp_path).values()
    columns = ", ".join(column.writing.format(f"c{number}") for number, column in enumerate(RANDOM))
    sql = f"SET sql_mode = '', time_zone = '+00:00'; SELECT {columns} FROM {round_.table} ORDER BY k;"
    wanted = answer(RANDOM, server.client(sql.encode(), "cases"), "NULL")
    assert differences(RANDOM, arrived, wanted) == []
    server.execute(f"DROP TABLE {round_.table};", "cases")
    shutil.rmtree(tmp_path)  # ten million rows take gigabytes


def fill(server: MariaDB, round_: Round, path: Path) -> None:
    write(RANDOM, round_, path)
    declared = ", ".join(f"c{number} {column.native}" for number, column in enumerate(RANDOM))
    given = ", ".join(f"@c{number}" for number in range(len(RANDOM)))
    values = ", ".join(f"c{n} = {column.reading.format(f'@c{n}')}" for n, column in enumerate(RANDOM))
    sql = (
        "SET sql_mode = '', time_zone = '+00:00', sql_log_bin = 0;"
        f"CREATE TABLE {round_.table} (k INT PRIMARY KEY, {declared}) CHARACTER SET utf8mb4;"
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {round_.table} CHARACTER SET utf8mb4 "
        f"(k, {given}) SET {values};"
    )
    server.client(sql.encode(), "cases", "--local-infile=1")
    path.unlink()


def test_number_of_cases() -> None:
    assert len(cases([*GRIDS, REFUSED, LOST])) >= 300
