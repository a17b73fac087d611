"""Which parts of a table's next version are written already: what a load that was stopped has left.

A document beside the lake, replaced whole after each part, whose files are on the disk by then. It names
files and the conditions by which the source was asked; whether those rows still are what the source has is
for the reader to find out (`ingest.parts`).
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

_FORMAT = 1


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
    table that they are to replace."""

    path: Path
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
            "base": self.base,
            "location": str(self.location),
            "field_ids": self.field_ids,
            "parts": self.parts,
            "done": {str(part): [_value(file) for file in files] for part, files in self.done.items()},
        }
        with storage.mapped(self.name):
            storage.make_folder(self.path.parent)
            written = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
            storage.remove([written])
            storage.write(written, json.dumps(value, ensure_ascii=False).encode())
            written.replace(self.path)
            storage.sync(self.path.parent)


def journal_path(folder: Path, name: TableName) -> Path:
    """Where a table's journal is: names that differ only in case never share one."""
    return folder / f"{storage.slug(name.name)}-{sha256(str(name).encode()).hexdigest()[:12]}.json"


def load(path: Path) -> Journal | None:
    """The journal, without the parts whose files are not all there as they were written; None if there is
    none that can be read."""
    try:
        value = json.loads(path.read_bytes())
        return _journal(path, value) if value["format"] == _FORMAT else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _journal(path: Path, value: Mapping[str, Any]) -> Journal:
    done = {int(part): tuple(map(_file, files)) for part, files in value["done"].items()}
    return Journal(
        path=path,
        name=TableName(*value["table"]),
        identity=value["identity"],
        base=value["base"],
        location=Path(value["location"]),
        field_ids=tuple(value["field_ids"]),
        parts=tuple(value["parts"]),
        done={part: files for part, files in done.items() if all(map(_stands, files))},
    )


def _value(file: PartFile) -> list[Any]:
    return [str(file.path), file.rows, file.bytes, {str(key): n for key, n in file.nulls.items()}]


def _file(value: Sequence[Any]) -> PartFile:
    path, rows, size, nulls = value
    return PartFile(Path(path), int(rows), int(size), {int(key): int(n) for key, n in nulls.items()})


def _stands(file: PartFile) -> bool:
    try:
        return file.path.stat().st_size == file.bytes
    except OSError:
        return False
