"""The lake's files as a served file reads them: those it lists, under names of their own, never to write.

A large table is not copied into the served file; there it is a view on `lake://TABLE/0.parquet`. What that
name stands for is listed in the file itself, relative to the project's `.mainstem`, so that nothing of this
machine is in a view and a project that was moved can be read. DuckDB asks for every such name here; it has
no other way to a file, and this one knows no writing, whoever runs it and whatever the files' modes are.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
from fsspec import AbstractFileSystem

from mainstem.schema import TableName

PROTOCOL = "lake"
PREFIX = f"{PROTOCOL}://"
LISTED = "mainstem.files"
"""The served file's table of names and paths."""


def name_of(table: TableName, number: int) -> str:
    """The name of a table's data file in the served file's SQL: no character of it means a pattern."""
    return f"{PREFIX}{table.namespace}.{quote(table.name, safe='')}/{number}.parquet"


class Reader(io.FileIO):
    """A file that closes itself: DuckDB drops it without closing, which Python would complain about."""

    def __del__(self) -> None:
        self.close()


class LakeFiles(AbstractFileSystem):  # type: ignore[misc]
    """Read-only: `files` by name (`name_of`), as paths relative to `root`. Anything else is not there."""

    protocol = PROTOCOL
    cachable = False  # one for each open database

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        super().__init__()
        self._root = root
        self._files = files

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def _path(self, name: str) -> Path:
        if name not in self._files:
            raise FileNotFoundError("a file of this release is no longer in the lake")
        return self._root / self._files[name]

    def open(self, path: str, mode: str = "rb", **_: Any) -> io.FileIO:
        """An open file; PermissionError for any way but reading."""
        if mode != "rb":
            raise PermissionError("the lake cannot be written from here")
        try:
            return Reader(self._path(path))
        except FileNotFoundError:
            raise FileNotFoundError("a file of this release is no longer in the lake") from None

    def glob(self, path: str, **_: Any) -> list[str]:
        """The name itself, if there is one: patterns match nothing."""
        return [path] if path in self._files else []

    def exists(self, path: str, **_: Any) -> bool:
        """Whether the name is listed."""
        return path in self._files

    def isfile(self, path: str) -> bool:
        """Whether the name is listed."""
        return path in self._files

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Size and kind, as fsspec has them."""
        return {"name": path, "size": self._path(path).stat().st_size, "type": "file"}

    def modified(self, path: str) -> datetime:
        """When the file was written."""
        return datetime.fromtimestamp(self._path(path).stat().st_mtime, UTC)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Nothing: there are no folders."""
        return []

    def _refused(self, *_: Any, **__: Any) -> None:
        raise PermissionError("the lake cannot be written from here")

    mkdir = makedirs = rmdir = rm = rm_file = mv = cp_file = touch = pipe_file = _refused


def listed(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Name → path of the lake's files that the open served file reads."""
    return dict(con.execute(f"select name, path from {LISTED}").fetchall())


def attach(con: duckdb.DuckDBPyConnection, state: Path, files: Mapping[str, str]) -> None:
    """Let the database of this connection read these files of the project's `.mainstem`."""
    con.register_filesystem(LakeFiles(state, files))
