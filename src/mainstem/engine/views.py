"""SQL of the views through which the engine sees the lake. Pure, but for reading metadata files.

A version that Mainstem wrote names its data files in its metadata: DuckDB then reads just those Parquet
files (about 0.6 ms a view). For any other version DuckDB's Iceberg reader is asked (12 to 50 ms a view,
and 0.1 s once to load it). Both give the same rows: `tests/engine/test_engine_duckdb.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mainstem import metadata
from mainstem.schema import Column, Kind, TableName, Type

_SQL_TYPES = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "FLOAT",
    Kind.DOUBLE: "DOUBLE",
    Kind.STRING: "VARCHAR",
    Kind.BINARY: "BLOB",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMPTZ",
}


@dataclass(frozen=True, slots=True)
class View:
    """A view's query and the files it reads; `location` is the metadata file if the Iceberg reader is
    needed, else empty."""

    name: TableName
    query: str
    files: tuple[Path, ...]
    location: str = ""

    @property
    def iceberg(self) -> bool:
        """Whether DuckDB's Iceberg extension has to be loaded first."""
        return bool(self.location)

    @property
    def statement(self) -> str:
        """CREATE VIEW, in place of an older one."""
        return f"CREATE OR REPLACE VIEW {quote(self.name.namespace)}.{quote(self.name.name)} AS {self.query}"


def quote(name: str) -> str:
    """An identifier that means itself, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string constant."""
    return "'" + text.replace("'", "''") + "'"


def sql_type(type_: Type) -> str:
    """DuckDB's word for a lake type."""
    if type_.kind is Kind.DECIMAL:
        return f"DECIMAL({type_.precision},{type_.scale})"
    return _SQL_TYPES[type_.kind]


def of_version(name: TableName, location: str) -> View:
    """The view on the version that a metadata file describes."""
    table = metadata.load(location)
    if table.files is None:
        return View(name, f"SELECT * FROM iceberg_scan({literal(location)})", (), location)
    return of_files(name, table.files, table.columns)


def of_files(name: TableName, files: Sequence[Path], columns: Sequence[Column]) -> View:
    """The view on Parquet files that all have these columns; without files it has no rows."""
    if not files:
        nulls = ", ".join(f"CAST(NULL AS {sql_type(c.type)}) AS {quote(c.name)}" for c in columns)
        return View(name, f"SELECT {nulls} WHERE false", ())
    names = ", ".join(quote(c.name) for c in columns)
    paths = ", ".join(literal(no_glob(str(file))) for file in files)
    # Off: reading columns out of folder names such as /home/me/year=2024/shop.
    return View(name, f"SELECT {names} FROM read_parquet([{paths}], hive_partitioning=false)", tuple(files))


def require(view: View) -> None:
    """LakeUnavailable for a view on a file that is not there: it says which table, as DuckDB does not."""
    for file in view.files:
        if not file.is_file():
            raise metadata.lost(view.name, metadata.GONE, file)


def no_glob(path: str) -> str:
    """A path whose *, ? and [ mean themselves."""
    return "".join(f"[{c}]" if c in "[*?" else c for c in path)
