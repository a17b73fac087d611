"""Which parts of a table's next version are written already: what a load that was stopped has left.

A document beside the lake, replaced whole after each part, whose files are on the disk by then. It names
files and the conditions by which the source was asked; whether those rows still are what the source has is
for the reader to find out (`ingest.parts`). Its paths are relative to the lake's home, so that a copy of it
names the copy's files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from mainstem.lake import storage
from mainstem.schema import TableName

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class PartFile:
    """A Parquet file of a part: `nulls` by field id."""

    path: Path
    rows: int
    bytes: int
    nulls: Mapping[int, int]


@dataclass(slots=True)
class Journal:
    """`parts` are conditions in the source's SQL, each row of the table fulfils exactly one; `done` has the
    files of those that are written. `identity` is the source and its columns, `base` the version of the
    table that they are to replace, `home` the folder of the lake and its catalog."""

    path: Path
    home: Path
    name: TableName
    identity: str
    base: str | None
    location: Path
    field_ids: tuple[int, ...]
    parts: tuple[str, ...]
    done: dict[int, tuple[PartFile, ...]] = field(default_factory=dict)

    def record(self, part: int, files: Sequence[PartFile]) -> None:
        """A part is written; durable when this returns."""
        self.done[part] = tuple(files)
        self._save()

    def forget(self, part: int) -> None:
        """A part is not what the source has: its files go."""
        files = self.done.pop(part)
        self._save()
        storage.remove(file.path for file in files)

    def remove(self) -> None:
        """The table is committed, or its files are gone. Files stay: `Lake.clean` knows which are used."""
        storage.remove([self.path])

    @property
    def files(self) -> set[Path]:
        """All files of the parts that are done."""
        return {file.path for files in self.done.values() for file in files}

    def _save(self) -> None:
        value = {
            "format": _FORMAT,
            "table": list(self.name),
            "identity": self.identity,
            "base": self._below(self.base) if self.base else None,
            "location": self._below(self.location),
            "field_ids": self.field_ids,
            "parts": self.parts,
            "done": {str(part): [self._value(file) for file in files] for part, files in self.done.items()},
        }
        with storage.mapped(self.name):
            _write(self.path, value)

    def _value(self, file: PartFile) -> list[Any]:
        nulls = {str(key): number for key, number in file.nulls.items()}
        return [self._below(file.path), file.rows, file.bytes, nulls]

    def _below(self, path: Path | str) -> str:
        path = Path(path)
        return (path.relative_to(self.home) if path.is_relative_to(self.home) else path).as_posix()


def _write(path: Path, value: Mapping[str, Any]) -> None:
    storage.make_folder(path.parent)
    written = path.with_name(f"{path.name}.{os.getpid()}.part")
    storage.remove([written])
    storage.write(written, json.dumps(value, ensure_ascii=False).encode())
    written.replace(path)
    storage.sync(path.parent)


def journal_path(folder: Path, name: TableName) -> Path:
    """Where a table's journal is: names that differ only in case never share one."""
    return folder / f"{storage.slug(name.name)}-{sha256(str(name).encode()).hexdigest()[:12]}.json"


def load(path: Path, home: Path) -> Journal | None:
    """The journal of a lake at `home`, without the parts whose files are not all there as they were written;
    None if there is none that can be read."""
    try:
        value = json.loads(path.read_bytes())
        return _journal(path, home, value) if value["format"] == _FORMAT else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def rebase(folder: Path, moved: Mapping[str, str]) -> None:
    """Let the journals of a folder follow their tables' versions to other metadata files (old → new, relative
    to the lake's home). OSError if one cannot be written; done twice it is done once."""
    for path in sorted(folder.glob("*.json")):
        try:
            value = json.loads(path.read_bytes())
            base = value["base"]
        except (ValueError, LookupError, TypeError):
            continue  # `load` will not read it either
        if base in moved:
            _write(path, {**value, "base": moved[base]})


def _journal(path: Path, home: Path, value: Mapping[str, Any]) -> Journal:
    done = {int(part): tuple(_file(home, file) for file in files) for part, files in value["done"].items()}
    return Journal(
        path=path,
        home=home,
        name=TableName(*value["table"]),
        identity=value["identity"],
        base=str(home / value["base"]) if value["base"] else None,
        location=home / value["location"],
        field_ids=tuple(value["field_ids"]),
        parts=tuple(value["parts"]),
        done={part: files for part, files in done.items() if all(map(_stands, files))},
    )


def _file(home: Path, value: Sequence[Any]) -> PartFile:
    path, rows, size, nulls = value
    return PartFile(home / path, int(rows), int(size), {int(key): int(n) for key, n in nulls.items()})


def _stands(file: PartFile) -> bool:
    try:
        return file.path.stat().st_size == file.bytes
    except OSError:
        return False
