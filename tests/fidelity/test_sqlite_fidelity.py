"""SQLite → lake → readers, value by value, against what SQLite itself prints."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from way import Arrived, arrive, arrive_in_two, check, check_beside, check_types

from cases.layout import Case, Grid, Typed, cases, grids, halving, script
from cases.sqlite import AS_TEXT, EXACT, REFUSED, TYPES
from mainstem.errors import ValueNotExact
from mainstem.schema import RAW_OUT_OF_RANGE
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.sqlite import SQLiteSource

GRIDS = grids([*((native, lake, literals) for native, literals, lake, _ in EXACT), *TYPES])
LONGER = [grid for grid in GRIDS if grid.rows > 1]
OUTSIDE = [Grid(f"r{n}", (Typed(native, "string", (sql,)),)) for n, (native, sql, _) in enumerate(REFUSED)]
Texts = dict[str, list[list[str | None]]]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "cases.db"
    with closing(sqlite3.connect(path)) as connection:
        tables = [script(grid, "k INTEGER PRIMARY KEY") for grid in [*GRIDS, *OUTSIDE]]
        connection.executescript("BEGIN;" + "".join(tables) + "COMMIT;")
    return path


@pytest.fixture(scope="module")
def texts(file: Path) -> Texts:
    """What SQLite prints, by table, row and column."""
    with closing(sqlite3.connect(file)) as connection:
        return {grid.name: printed(connection, grid) for grid in [*GRIDS, *OUTSIDE]}


@pytest.fixture(scope="module")
def arrived(file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Arrived]:
    source = SQLiteSource(file)
    found = source.introspect()
    return arrive(source, [found.table(grid.name) for grid in GRIDS], tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def in_two(file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Arrived]:
    half = tmp_path_factory.mktemp("half") / "cases.db"
    shutil.copyfile(file, half)
    with closing(sqlite3.connect(half)) as connection:
        connection.executescript("".join(map(halving, LONGER)))
    names = [grid.name for grid in LONGER]
    return arrive_in_two(SQLiteSource(half), SQLiteSource(file), names, tmp_path_factory.mktemp("lake"))


def printed(connection: sqlite3.Connection, grid: Grid) -> list[list[str | None]]:
    """Rows of SQLite's own text: of texts and bytes their hexadecimal form."""
    columns = ", ".join(oracle(f"c{number}", column) for number, column in enumerate(grid.columns))
    return [list(row) for row in connection.execute(f"SELECT {columns} FROM {grid.name} ORDER BY k")]


def oracle(name: str, column: Typed) -> str:
    """The column's text as SQLite writes it; of reals all digits that it has, of decimals the 15 that count,
    or what is printed shortest."""
    if column.lake in ("string", "binary"):
        return f"CASE WHEN {name} IS NOT NULL THEN hex({name}) END"
    if column.lake == "double":
        return f"CASE WHEN {name} IS NOT NULL THEN replace(printf('%!.20g', {name}), 'Inf', 'inf') END"
    if column.lake.startswith("decimal"):
        short, long = f"printf('%!.15g', {name})", f"printf('%!.17g', {name})"
        real = f"CASE WHEN {name} = {short} + 0.0 THEN {short} ELSE {long} END"
        return f"CASE typeof({name}) WHEN 'real' THEN {real} ELSE CAST({name} AS TEXT) END"
    if column.lake == "timestamp":
        filled = f"replace({name}, 'T', ' ') || substr(' 00:00:00', max(length({name}) - 9, 1))"
        return f"substr({filled}, 1, max(19, length({name})))"
    return f"CAST({name} AS TEXT)"


@pytest.mark.parametrize("case", cases(GRIDS), ids=str)
def test_exact(case: Case, arrived: dict[str, Arrived], texts: Texts) -> None:
    check(case, arrived[case.grid.name], texts[case.grid.name])


@pytest.mark.parametrize("case", cases(LONGER), ids=str)
def test_exact_by_increments(case: Case, in_two: dict[str, Arrived], texts: Texts) -> None:
    check(case, in_two[case.grid.name], texts[case.grid.name])


def test_lake_types(file: Path) -> None:
    check_types(SQLiteSource(file).introspect(), GRIDS, "long")


@pytest.mark.parametrize("case", cases(OUTSIDE), ids=str)
def test_refused(case: Case, file: Path, tmp_path: Path) -> None:
    source = SQLiteSource(file)
    word = REFUSED[int(case.grid.name[1:])][2]
    with pytest.raises(ValueNotExact, match=word.replace("^", r"\^")) as caught:
        arrive(source, [source.introspect().table(case.grid.name)], tmp_path)
    assert str(caught.value.where) == f"{case.grid.name}.c0"
    assert caught.value.hint
    assert not list(tmp_path.rglob("*.parquet"))


def test_refused_values_as_text(tmp_path: Path) -> None:
    grid = Grid("texts", tuple(Typed(native, "string", (literal,)) for native, literal, _ in AS_TEXT))
    with closing(sqlite3.connect(tmp_path / "texts.db")) as connection:
        connection.executescript(script(grid, "k INTEGER PRIMARY KEY"))
    choices = {("texts", f"c{number}"): OutOfRange.TEXT for number in range(len(AS_TEXT))}
    source = SQLiteSource(tmp_path / "texts.db", SourceOptions(out_of_range=choices))
    found = arrive(source, [source.introspect().table("texts")], tmp_path / "lake")["texts"]
    for reader in found.readers:
        assert list(reader.to_pylist()[0].values())[1:] == [text for _, _, text in AS_TEXT]


def test_refused_values_as_null(file: Path, tmp_path: Path, texts: Texts) -> None:
    """Proven in full by `arrive`; all other values arrive as without the choice. Texts by SQLite's own
    `quote()`: integers and texts as they are, reals to 17 digits, bytes as X'…'."""
    source = SQLiteSource(file, SourceOptions(others_out_of_range=OutOfRange.NULL))
    found = source.introspect()
    arrived = arrive(source, [found.table(grid.name) for grid in [*GRIDS, *OUTSIDE]], tmp_path)
    with closing(sqlite3.connect(file)) as connection:
        for grid in OUTSIDE:
            ((kind, value),) = connection.execute(
                f"SELECT typeof(c0), CASE typeof(c0) WHEN 'text' THEN hex(c0) WHEN 'blob' THEN quote(c0) "
                f"ELSE c0 END FROM {grid.name}"
            )
            if kind == "text":
                raw = bytes.fromhex(value)
                value = raw.decode() if raw != b"\xffA" else "X'FF41'"
            check_beside(grid, arrived[grid.name], [[str(value)]])
    for case in cases(GRIDS):
        check(case, arrived[case.grid.name], texts[case.grid.name])
        assert not any(arrived[case.grid.name].by_duckdb[RAW_OUT_OF_RANGE].to_pylist())


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_every_encoding_of_a_file_is_proven(encoding: str, tmp_path: Path) -> None:
    texts = ["", "é漢😀", "\x1e\x1f", None, "a\0b"]
    with closing(sqlite3.connect(tmp_path / "encoded.db")) as connection:
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)")
        connection.executemany("INSERT INTO t (v) VALUES (?)", [(text,) for text in texts])
        connection.commit()
    source = SQLiteSource(tmp_path / "encoded.db")
    found = arrive(source, [source.introspect().table("t")], tmp_path / "lake")["t"]
    for reader in found.readers:
        assert reader["v"].to_pylist() == texts


def test_number_of_cases() -> None:
    assert len(cases([*GRIDS, *OUTSIDE])) >= 60
