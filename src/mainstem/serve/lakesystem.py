"""The file system by which DuckDB reads a served file's lake files (`lakefiles`); fsspec is its protocol."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from mainstem.serve.lakefiles import PROTOCOL


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
