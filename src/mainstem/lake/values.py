"""What the lake hands out and takes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainstem.schema import Column, TableName


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One committed version of a table. `bytes` counts its data files; `summary` is the Iceberg
    snapshot's, with what the run put there (`mainstem.run`, the source's position)."""

    name: TableName
    snapshot_id: int
    metadata_location: str
    rows: int
    bytes: int
    columns: tuple[Column, ...]
    summary: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file as written: `nulls` by field id (all columns), `footer` is pyarrow's FileMetaData."""

    path: Path
    rows: int
    bytes: int
    nulls: Mapping[int, int]
    footer: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows written and durable, but in no table yet: `Lake.commit` makes them visible, `Lake.discard`
    deletes them. `base` is the version they were staged against (None: a new table); the commit is
    refused if somebody else has committed since. `field_ids` go with `columns`. `files` are new, `kept`
    those of the base that stay; `rows` and `bytes` count both. `journal` is the document to remove with the
    commit (`lake.journal`)."""

    name: TableName
    columns: tuple[Column, ...]
    files: tuple[Path, ...]
    rows: int
    bytes: int
    location: Path
    base: str | None
    field_ids: tuple[int, ...]
    data: tuple[DataFile, ...] = field(repr=False)
    kept: tuple[Path, ...] = ()
    journal: Path | None = None

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every data file of the version to be, kept ones first."""
        return self.kept + self.files


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What `Lake.clean` deleted: files, their bytes, releases forgotten."""

    files: int
    bytes: int
    releases: tuple[str, ...]
