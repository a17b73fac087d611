"""PostgreSQL → lake → readers, value by value, against what psql prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rows import (
    LETTERS,
    Drawn,
    Round,
    answer,
    day,
    decimal,
    differences,
    duration,
    floating,
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
from cases.postgres import EXACT, REFUSED, SETUP, TYPES, TYPES_SETUP
from mainstem.errors import ValueNotExact
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.postgres import PostgresSource
from mainstem.source.postgres.decode import Choice
from servers.postgres import Postgres

GRIDS = grids(EXACT + TYPES)
LONGER = [grid for grid in GRIDS if grid.rows > 1]
OUTSIDE = Grid("outside", tuple(Typed(native, "string", (literal,)) for native, literal, _ in REFUSED))
# Whatever an administrator may have set, and a session must not follow.
HOSTILE = """
ALTER DATABASE cases SET TimeZone = 'Asia/Kolkata'; ALTER DATABASE cases SET DateStyle = 'SQL, DMY';
ALTER DATABASE cases SET IntervalStyle = 'iso_8601'; ALTER DATABASE cases SET extra_float_digits = -15;
ALTER DATABASE cases SET bytea_output = 'escape'; ALTER DATABASE cases SET client_encoding = 'LATIN1';
ALTER DATABASE cases SET standard_conforming_strings = off; ALTER DATABASE cases SET xmloption = 'document';
ALTER DATABASE cases SET quote_all_identifiers = on; ALTER DATABASE cases SET array_nulls = off;
"""
CLIENT = """
SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET quote_all_identifiers = off;
SET array_nulls = on;
"""
_HEX = "encode(convert_to({}::text, 'UTF8'), 'hex')"
RANDOM = (
    Drawn("boolean", "boolean", one_of("0", "1"), "{}::int::text"),
    Drawn("smallint", "int", integer(-(2**15), 2**15 - 1), "{}::text"),
    Drawn("integer", "int", integer(-(2**31), 2**31 - 1), "{}::text"),
    Drawn("bigint", "long", integer(-(2**63), 2**63 - 1), "{}::text"),
    Drawn("oid", "long", integer(0, 2**32 - 1), "{}::text"),
    Drawn("numeric(9,2)", "decimal(9,2)", decimal(9, 2), "{}::text"),
    Drawn("numeric(38,12)", "decimal(38,12)", decimal(38, 12), "{}::text"),
    Drawn("numeric(6,-2)", "decimal(8,0)", decimal(8, 0), "{}::text"),
    Drawn("numeric", "string", decimal(60, 30), _HEX),
    Drawn("real", "float", floating("<f"), "{}::text"),
    Drawn("double precision", "double", floating("<d"), "{}::text"),
    Drawn("date", "date", day(), "{}::text"),
    Drawn("timestamp", "timestamp", moment(6), "{}::text"),
    Drawn("timestamp(0)", "timestamp", moment(0), "{}::text"),
    Drawn("timestamptz", "timestamptz", moment(6), "regexp_replace({}::text, '[+]00$', '')"),
    Drawn("time", "long", duration(24, negative=False), "{}::text"),
    Drawn("char(12)", "string", text(LETTERS, 12), _HEX),
    Drawn("varchar(300)", "string", text(LETTERS, 40), _HEX),
    Drawn("text", "string", text(LETTERS, 120), _HEX),
    Drawn("mood", "string", one_of("", "so, so", "happy", "ärger"), _HEX),
    Drawn("integer[]", "string", one_of("{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[2:3]={7,8}"), _HEX),
    Drawn("interval", "string", one_of("1 mon", "-3 days", "04:05:06.7", "1 year -1 day"), _HEX),
    Drawn("bytea", "binary", lambda random: "\\x" + octets(100)(random), "encode({}, 'hex')"),
    Drawn("uuid", "string", lambda random: random.randbytes(16).hex(), _HEX),
)
DECODERS: list[Choice] = ["python", "compiled"]
Texts = dict[str, list[list[str | None]]]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as running:
        running.create_database("cases")
        tables = "".join(script(grid) for grid in [*GRIDS, OUTSIDE])
        running.execute(SETUP + TYPES_SETUP + tables, "cases")
        running.execute(HOSTILE)
        yield running


@pytest.fixture(scope="module")
def texts(server: Postgres) -> Texts:
    """What psql prints, by table, row and column."""
    return {grid.name: printed(server, grid) for grid in [*GRIDS, OUTSIDE]}


@pytest.fixture(scope="module")
def half(server: Postgres) -> Postgres:
    """The same server; its database `half` has half of each table."""
    server.execute("CREATE DATABASE half TEMPLATE cases;")
    server.execute("".join(map(halving, LONGER)), "half")
    return server


@pytest.fixture(scope="module", params=DECODERS)
def in_two(
    half: Postgres, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Arrived]:
    first, second = (
        PostgresSource.from_url(half.url(name), decoder=request.param) for name in ("half", "cases")
    )
    return arrive_in_two(first, second, [grid.name for grid in LONGER], tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module", params=DECODERS)
def arrived(
    server: Postgres, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Arrived]:
    source = PostgresSource.from_url(server.url("cases"), decoder=request.param)
    found = source.introspect()
    return arrive(source, [found.table(grid.name) for grid in GRIDS], tmp_path_factory.mktemp("lake"))


def printed(server: Postgres, grid: Grid) -> list[list[str | None]]:
    """Rows of psql's text: of texts and bytes their hexadecimal form."""
    columns = ", ".join(oracle(f"c{number}", column) for number, column in enumerate(grid.columns))
    sql = f"{CLIENT} SELECT {columns} FROM {grid.name} ORDER BY k;"
    rows = [line.split("\t") for line in server.execute(sql, "cases").splitlines()]
    return [[None if text == "~" else text for text in row] for row in rows]


def oracle(name: str, column: Typed) -> str:
    """The column's text as PostgreSQL writes it."""
    text = f"{name}::text"
    if column.lake == "string":
        text = f"encode(convert_to({text}, 'UTF8'), 'hex')"
    elif column.lake == "binary":
        text = f"encode({name}, 'hex')"
    elif column.native in ("money", "cents"):
        text = f"translate({text}, '$,', '')"
    elif column.lake == "timestamptz":
        text = f"regexp_replace({text}, '[+]00$', '')"
    return f"coalesce({text}, '~')"


@pytest.mark.parametrize("case", cases(GRIDS), ids=str)
def test_exact(case: Case, arrived: dict[str, Arrived], texts: Texts) -> None:
    check(case, arrived[case.grid.name], texts[case.grid.name])


@pytest.mark.parametrize("case", cases(LONGER), ids=str)
def test_exact_by_increments(case: Case, in_two: dict[str, Arrived], texts: Texts) -> None:
    check(case, in_two[case.grid.name], texts[case.grid.name])


def test_lake_types(server: Postgres) -> None:
    check_types(PostgresSource.from_url(server.url("cases")).introspect(), GRIDS, "int")


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("case", cases([OUTSIDE]), ids=str)
def test_refused(case: Case, decoder: Choice, server: Postgres, tmp_path: Path) -> None:
    source = PostgresSource.from_url(server.url("cases"), decoder=decoder)
    table = source.introspect().table(OUTSIDE.name)
    table = replace(table, columns=(table.column("k"), table.column(f"c{case.column}")))
    with pytest.raises(ValueNotExact, match=REFUSED[case.column][2]) as caught:
        arrive(source, [table], tmp_path)
    assert str(caught.value.where) == f"outside.c{case.column}"
    assert f"tables.outside.columns.c{case.column}.out_of_range: text" in caught.value.hint
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("decoder", DECODERS)
def test_refused_values_as_text(decoder: Choice, server: Postgres, tmp_path: Path, texts: Texts) -> None:
    choices = {(OUTSIDE.name, f"c{number}"): OutOfRange.TEXT for number in range(len(OUTSIDE.columns))}
    source = PostgresSource.from_url(
        server.url("cases"), SourceOptions(out_of_range=choices), decoder=decoder
    )
    found = arrive(source, [source.introspect().table(OUTSIDE.name)], tmp_path)[OUTSIDE.name]
    for case in cases([OUTSIDE]):
        check(case, found, texts[OUTSIDE.name])


@pytest.mark.parametrize("decoder", DECODERS)
def test_refused_values_as_null(decoder: Choice, server: Postgres, tmp_path: Path, texts: Texts) -> None:
    """Proven in full by `arrive`; all other values arrive as without the choice."""
    options = SourceOptions(others_out_of_range=OutOfRange.NULL)
    source = PostgresSource.from_url(server.url("cases"), options, decoder=decoder)
    found = source.introspect()
    arrived = arrive(source, [found.table(grid.name) for grid in [*GRIDS, OUTSIDE]], tmp_path)
    plain = [[bytes.fromhex(text).decode() for text in row if text] for row in texts[OUTSIDE.name]]
    check_beside(OUTSIDE, arrived[OUTSIDE.name], plain)
    check_untouched(GRIDS, arrived, texts)


@pytest.mark.parametrize("round_", rounds(), ids=lambda r: r.table)
def test_random_rows(round_: Round, server: Postgres, tmp_path: Path) -> None:
    """Drawn rows: what psql prints, row by row, is what both readers find."""
    fill(server, round_, tmp_path / "rows.tsv")
    decoder: Choice = "compiled" if round_.compiled else "python"
    source = PostgresSource.from_url(server.url("cases"), decoder=decoder)
    (arrived,) = arrive(source, [source.introspect().table(round_.table)], tmp_path / "lake").values()
    columns = ", ".join(
        f"coalesce({column.writing.format(f'c{number}')}, '~')" for number, column in enumerate(RANDOM)
    )
    sql = f"{CLIENT} SELECT {columns} FROM {round_.table} ORDER BY k;"
    wanted = answer(RANDOM, server.psql(sql.encode(), "cases"), "~")
    assert differences(RANDOM, arrived, wanted) == []
    server.execute(f"DROP TABLE {round_.table};", "cases")
    shutil.rmtree(tmp_path)  # ten million rows take gigabytes


def fill(server: Postgres, round_: Round, path: Path) -> None:
    write(RANDOM, round_, path)
    declared = ", ".join(f"c{number} {column.native}" for number, column in enumerate(RANDOM))
    sql = f"{CLIENT} CREATE TABLE {round_.table} (k INT PRIMARY KEY, {declared});\n"
    server.execute(f"{sql}\\copy {round_.table} from '{path}'\n", "cases")
    path.unlink()


def test_number_of_cases() -> None:
    assert len(cases([*GRIDS, OUTSIDE])) >= 350
