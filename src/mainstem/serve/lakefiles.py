"""The lake's files as a served file reads them: those it lists, under names of their own, never to write.

A large table is not copied into the served file; there it is a view on `lake://TABLE/0.parquet`. What that
name stands for is listed in the file itself, relative to the project's `.mainstem`, so that nothing of this
machine is in a view and a project that was moved can be read. DuckDB asks for every such name here; it has
no other way to a file, and this one knows no writing, whoever runs it and whatever the files' modes are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import duckdb

from mainstem.schema import TableName

PROTOCOL = "lake"
PREFIX = f"{PROTOCOL}://"
LISTED = "mainstem.files"
"""The served file's table of names and paths."""


def name_of(table: TableName, number: int) -> str:
    """The name of a table's data file in the served file's SQL: no character of it means a pattern."""
    return f"{PREFIX}{table.namespace}.{quote(table.name, safe='')}/{number}.parquet"


def listed(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Name → path of the lake's files that the open served file reads."""
    return dict(con.execute(f"select name, path from {LISTED}").fetchall())


def attach(con: duckdb.DuckDBPyConnection, state: Path, files: Mapping[str, str]) -> None:
    """Let the database of this connection read these files of the project's `.mainstem`."""
    from mainstem.serve.lakesystem import LakeFiles  # fsspec: only where a file is on the lake

    con.register_filesystem(LakeFiles(state, files))
