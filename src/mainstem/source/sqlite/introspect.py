"""What a SQLite file holds, from its PRAGMAs. Tables only: views, virtual tables and their shadow
tables, and SQLite's own tables are left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from mainstem.errors import SourceRefused, Where
from mainstem.schema import Column, ForeignKey, Kind, Table, Type
from mainstem.source.guard import guard
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.sqlite.dialect import quote
from mainstem.source.sqlite.types import STORAGE_CLASSES, census_type, declared_type

_COUNTED_BYTES = 256 << 20  # up to this file size rows are counted, beyond it they are unknown


def tables_of(connection: sqlite3.Connection, options: SourceOptions) -> tuple[Table, ...]:
    """The tables that the options include, ordered by name."""
    kinds = connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    )
    without_rowid = {
        name: bool(wr) for name, wr in kinds if not name.startswith("sqlite_") and _included(name, options)
    }
    count_rows = _file_bytes(connection) <= _COUNTED_BYTES
    tables = [
        guard(_table(connection, name, without_rowid[name], options.out_of_range, count_rows), options, _any)
        for name in sorted(without_rowid)
    ]
    return tuple(replace(table, foreign_keys=_foreign_keys(connection, table, tables)) for table in tables)


def _any(column: Column) -> bool:
    """SQLite keeps any value in any column."""
    return True


def _included(name: str, options: SourceOptions) -> bool:
    return any(fnmatchcase(name, p) for p in options.include) and not any(
        fnmatchcase(name, p) for p in options.exclude
    )


def _pragma(connection: sqlite3.Connection, pragma: str, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT * FROM pragma_{pragma}(?)", (name,)).fetchall()


def _file_bytes(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


def _table(
    connection: sqlite3.Connection,
    name: str,
    without_rowid: bool,
    out_of_range: Mapping[tuple[str, str], OutOfRange],
    count_rows: bool,
) -> Table:
    found = [row for row in _pragma(connection, "table_xinfo", name) if row[6] != 1]  # 1: of a virtual table
    if not found:
        raise SourceRefused("its columns cannot be read", where=Where(table=name))
    key = tuple(row[1] for row in sorted((row for row in found if row[5]), key=lambda row: row[5]))
    never_null = _never_null(found, key, without_rowid)
    types = _types(connection, name, found, out_of_range)
    columns = tuple(
        Column(row[1], types[row[1]], nullable=not (row[3] or row[1] in never_null), native=row[2])
        for row in found
    )
    rows = -1
    if count_rows:
        (rows,) = connection.execute(f"SELECT count(*) FROM main.{quote(name)}").fetchone()
    return Table(
        name=name,
        columns=columns,
        primary_key=key,
        unique_keys=_unique_keys(connection, name),
        rows=rows,
        source_schema="main",
        source_name=name,
    )


def _never_null(found: Sequence[tuple[Any, ...]], key: tuple[str, ...], without_rowid: bool) -> set[str]:
    # A primary key of SQLite may hold NULL, unless it is the rowid itself or there is no rowid.
    if without_rowid:
        return set(key)
    return {row[1] for row in found if key == (row[1],) and str(row[2]).upper() == "INTEGER"}


def _types(
    connection: sqlite3.Connection,
    table: str,
    found: Sequence[tuple[Any, ...]],
    out_of_range: Mapping[tuple[str, str], OutOfRange],
) -> dict[str, Type]:
    types: dict[str, Type] = {}
    unknown: list[str] = []
    for row in found:
        name = row[1]
        declared = declared_type(row[2])
        if out_of_range.get((table, name)) is OutOfRange.TEXT:
            types[name] = Type(Kind.STRING)
        elif declared is None:
            unknown.append(name)
        else:
            types[name] = declared
    return types | _census(connection, table, unknown)


def _census(connection: sqlite3.Connection, table: str, columns: list[str]) -> dict[str, Type]:
    """The types of columns whose declaration says nothing, in one pass over the table."""
    if not columns:
        return {}
    questions = [
        f"max(typeof({quote(column)}) = '{storage}')" for column in columns for storage in STORAGE_CLASSES
    ]
    answers = iter(connection.execute(f"SELECT {', '.join(questions)} FROM main.{quote(table)}").fetchone())
    return {
        column: census_type({storage for storage in STORAGE_CLASSES if next(answers)}) for column in columns
    }


def _unique_keys(connection: sqlite3.Connection, table: str) -> tuple[tuple[str, ...], ...]:
    keys = []
    for _, index, unique, origin, partial in _pragma(connection, "index_list", table):
        if not unique or partial or origin == "pk":
            continue
        names = tuple(row[2] for row in _pragma(connection, "index_info", index))
        if None not in names:  # an index over an expression has no column name
            keys.append(names)
    return tuple(sorted(keys))


def _foreign_keys(
    connection: sqlite3.Connection, table: Table, tables: Sequence[Table]
) -> tuple[ForeignKey, ...]:
    by_name = {other.name.lower(): other for other in tables}
    grouped: dict[int, list[tuple[Any, ...]]] = {}
    for row in sorted(_pragma(connection, "foreign_key_list", table.name), key=lambda row: (row[0], row[1])):
        grouped.setdefault(row[0], []).append(row)
    keys = []
    for rows in grouped.values():
        other = by_name.get(rows[0][2].lower())
        if other is None:
            continue
        columns = _spelled(table, [row[3] for row in rows])
        referred = _spelled(other, [row[4] for row in rows]) if rows[0][4] else other.primary_key
        if columns and len(columns) == len(referred):
            keys.append(ForeignKey(columns, other.name, referred))
    return tuple(sorted(keys, key=lambda key: (key.columns, key.ref_table)))


def _spelled(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """The names as the table spells them (SQLite ignores case); empty if one is not there."""
    by_name = {column.name.lower(): column.name for column in table.columns}
    found = [by_name[name.lower()] for name in names if name.lower() in by_name]
    return tuple(found) if len(found) == len(names) else ()
