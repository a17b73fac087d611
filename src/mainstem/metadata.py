"""Iceberg's table metadata (spec v2, a JSON file) as values, read without pyiceberg."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstem.errors import LakeUnavailable, Where
from mainstem.schema import HISTORY, Column, TableName, Type

FILES = "mainstem.files"  # summary: the data files of the whole version, JSON, relative to the table's folder
STAMPS = "mainstem.stamps"  # summary: of each of them its stamp (lake.whole), JSON, in the same order
INPUTS = "mainstem.inputs"  # summary: the metadata files of the versions that a model's SQL read, as JSON
RUN = "mainstem.run"  # summary: the run that committed the version
ANEW = "restore .mainstem from a backup; without one, move it away: mainstem run then loads everything again"
GONE = "a data file is not in the lake any more"
NATIVE = "mainstem.native"  # table property: the source's words for the column types, JSON


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the table with its Iceberg field id, which outlives renames and moves."""

    id: int
    column: Column


@dataclass(frozen=True, slots=True)
class TableMetadata:
    """What one metadata file says of the table's current version. `files` is None if the version was not
    written by Mainstem: then only an Iceberg reader can tell them. `stamps` are their stamps, "" where none
    is known."""

    metadata_location: str
    location: Path
    last_field_id: int
    snapshot_id: int
    manifest_list: Path
    fields: tuple[Field, ...]
    summary: Mapping[str, str]
    files: tuple[Path, ...] | None
    stamps: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns without their ids."""
        return tuple(field.column for field in self.fields)


def load(location: str) -> TableMetadata:
    """Read a metadata file. LakeUnavailable if it is missing or damaged."""
    try:
        content = Path(location).read_bytes()
    except OSError as error:
        raise LakeUnavailable(
            f"the lake's file {location} cannot be read: {error.strerror}",
            hint=ANEW,
        ) from error
    try:
        document = json.loads(content)
    except ValueError as error:
        raise LakeUnavailable(f"the lake's file {location} is damaged: it is no JSON", hint=ANEW) from error
    return parse(location, document)


def parse(location: str, document: Any) -> TableMetadata:
    """The document as values. LakeUnavailable if it is not Iceberg table metadata of version 2."""
    try:
        if document["format-version"] != 2:
            raise ValueError("another format version")
        root = Path(document["location"])
        current = document["current-snapshot-id"]
        snapshot = next(s for s in document["snapshots"] if s["snapshot-id"] == current)
        summary = {str(key): str(value) for key, value in snapshot["summary"].items()}
        files = json.loads(summary[FILES]) if FILES in summary else None
        stamps = json.loads(summary.get(STAMPS, "null")) or [""] * len(files or ())
        if len(stamps) != len(files or ()):
            raise ValueError("not a stamp for every file")
        return TableMetadata(
            metadata_location=location,
            location=root,
            last_field_id=int(document["last-column-id"]),
            snapshot_id=int(current),
            manifest_list=Path(snapshot["manifest-list"]),
            fields=_fields(document),
            summary=summary,
            files=None if files is None else tuple(root / str(file) for file in files),
            stamps=tuple(map(str, stamps)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise LakeUnavailable(
            f"the lake's file {location} is damaged, or it is no table that Mainstem can read", hint=ANEW
        ) from error


def lost(name: TableName, what: str, path: Path) -> LakeUnavailable:
    """The error of a data file that is not what it was, with what to do about it."""
    hint = "restore it from a backup, or mainstem run --full-refresh reads and builds every table again"
    if name.namespace == HISTORY:
        hint = "restore it from a backup: the source does not know what was there before"
    return LakeUnavailable(f"{what}: {path}", where=Where(table=str(name)), hint=hint)


def _fields(document: Mapping[str, Any]) -> tuple[Field, ...]:
    schema = next(s for s in document["schemas"] if s["schema-id"] == document["current-schema-id"])
    native = json.loads(document.get("properties", {}).get(NATIVE, "{}"))
    return tuple(
        Field(
            int(field["id"]),
            Column(
                name=field["name"],
                type=Type.parse(field["type"].replace(" ", "")),
                nullable=not field["required"],
                native=native.get(field["name"], ""),
                comment=field.get("doc", ""),
            ),
        )
        for field in schema["fields"]
    )
