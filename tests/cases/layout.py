"""Few tables for many cases: one column a type, its values below each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DEFAULT = "DEFAULT"


@dataclass(frozen=True)
class Typed:
    """A column and its values: native declaration, lake type, SQL literals."""

    native: str
    lake: str
    literals: tuple[str, ...]

    @property
    def never_null(self) -> bool:
        return "not null" in self.native.lower() or self.native == "label" or DEFAULT in self.literals


@dataclass(frozen=True)
class Grid:
    """A table `name` with the key `k` and the columns `c0` … of these types."""

    name: str
    columns: tuple[Typed, ...]

    @property
    def rows(self) -> int:
        return max(len(column.literals) for column in self.columns)

    def literal(self, column: Typed, row: int) -> str:
        """What stands there: a column that has no more values holds NULL, or its last value again."""
        if row < len(column.literals):
            return column.literals[row]
        return column.literals[-1] if column.never_null else "NULL"


@dataclass(frozen=True)
class Case:
    """One value: where it stands, and what it is."""

    grid: Grid
    column: int
    row: int

    @property
    def typed(self) -> Typed:
        return self.grid.columns[self.column]

    def __str__(self) -> str:
        return f"{self.typed.native}={self.typed.literals[self.row][:30]}"


def grids(types: Iterable[tuple[str, str, Sequence[str]]], width: int = 24) -> list[Grid]:
    """Tables of `width` columns that hold all values; lines of the same type share a column."""
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for native, lake, literals in types:
        merged.setdefault((native, lake), {}).update(dict.fromkeys(literals))
    columns = [Typed(native, lake, tuple(literals)) for (native, lake), literals in merged.items()]
    columns.sort(key=lambda column: len(column.literals))
    return [Grid(f"g{number}", tuple(part)) for number, part in enumerate(_parts(columns, width))]


def cases(of: Iterable[Grid]) -> list[Case]:
    """Every value of every column."""
    return [
        Case(grid, column, row)
        for grid in of
        for column, typed in enumerate(grid.columns)
        for row in range(len(typed.literals))
    ]


def script(grid: Grid, key: str = "k INT PRIMARY KEY") -> str:
    """CREATE TABLE and one INSERT a row."""
    names = [f"c{number}" for number in range(len(grid.columns))]
    declared = [f"{name} {column.native}" for name, column in zip(names, grid.columns, strict=True)]
    lines = [f"CREATE TABLE {grid.name} ({key}, {', '.join(declared)});"]
    for row in range(grid.rows):
        given = [(name, grid.literal(column, row)) for name, column in zip(names, grid.columns, strict=True)]
        kept = [(name, literal) for name, literal in given if literal != DEFAULT]
        into = ", ".join(["k", *(name for name, _ in kept)])
        values = ", ".join([str(row), *(literal for _, literal in kept)])
        lines.append(f"INSERT INTO {grid.name} ({into}) VALUES ({values});")
    return "\n".join(lines) + "\n"


def halving(grid: Grid) -> str:
    """Takes away the second half of a table's rows, but not its first row."""
    return f"DELETE FROM {grid.name} WHERE k >= {max(1, grid.rows // 2)};\n"


def _parts(columns: Sequence[Typed], width: int) -> list[Sequence[Typed]]:
    return [columns[at : at + width] for at in range(0, len(columns), width)]
