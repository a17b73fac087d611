"""Writes Iceberg (format version 2): manifest, manifest list, table metadata, through pyiceberg.

pyiceberg's values and file formats are used, its transactions are not: they do not force files to the
disk, delete files when a commit's outcome is unknown, and import what a table's metadata names
(`py-io-impl`). Here the files are written and synchronised in order, nothing is deleted unless the catalog
said no, and every file goes through `files.Files`.
"""

from __future__ import annotations

import json
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pyiceberg.conversions import to_bytes
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DataFile as IcebergDataFile,
)
from pyiceberg.manifest import (
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil, new_table_metadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import (
    AddSchemaUpdate,
    AddSnapshotUpdate,
    RemoveSnapshotsUpdate,
    SetCurrentSchemaUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
    update_table_metadata,
)
from pyiceberg.typedef import Record
from pyiceberg.types import NestedField, PrimitiveType

from mainstem import crash, metadata
from mainstem.errors import LakeUnavailable, Where
from mainstem.lake import bounds, storage, whole
from mainstem.lake.files import Files, LocalFiles
from mainstem.lake.values import DataFile, Staged
from mainstem.lake.versions import NO_METADATA
from mainstem.metadata import FILES, NATIVE, STAMPS
from mainstem.schema import Column, Kind

FORMAT_VERSION: Any = 2
COMPRESSION: Any = "deflate"
PROPERTIES = {
    "write.metadata.previous-versions-max": "20",
    "write.parquet.compression-codec": "zstd",
}


# What pyiceberg raises on bytes that are no Avro or no table metadata.
_DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    SystemError,
    TypeError,
    ValueError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Change:
    """The next version of a table, wherever its files are: `location` is the table's folder, `base` the
    metadata file it follows, `files` all data files relative to the folder, of which `kept` (whole paths)
    stay and `added` are new; `rows` and `bytes` count all; `stamps` are the files' stamps."""

    columns: Sequence[Column]
    field_ids: Sequence[int]
    location: str
    base: str | None
    files: Sequence[str]
    kept: frozenset[str]
    added: Callable[[Schema], Sequence[IcebergDataFile]]
    rows: int
    bytes: int
    stamps: Sequence[str] = ()


class Prepared:
    """A commit that stands on the disk, complete, and that nothing refers to yet."""

    def __init__(self, location: Path, table: metadata.TableMetadata, files: Sequence[Path]) -> None:
        self.location = location
        self.table = table
        self.files = files


def prepare(staged: Staged, summary: Mapping[str, str], keep: Iterable[int]) -> Prepared:
    """Write every file of the commit and force it to the disk. Of the table's older snapshots the history
    keeps the present one and those in `keep`. Raises LakeUnavailable; then nothing is left behind."""
    io = LocalFiles()
    try:
        with storage.mapped(staged.name):
            storage.make_folder(staged.location / "metadata")
            location, table = write_commit(io, _change(staged), summary, set(keep))
            document = metadata.parse(location, json.loads(table.model_dump_json()))
            return Prepared(Path(location), document, [Path(file) for file in io.written])
    except BaseException as error:
        storage.remove(Path(file) for file in io.written)
        if isinstance(error, _DAMAGED):
            raise LakeUnavailable(
                "the table's metadata in the lake is damaged: its present version cannot be replaced",
                where=Where(table=str(staged.name)),
                hint=NO_METADATA,
            ) from error
        raise


def _change(staged: Staged) -> Change:
    return Change(
        columns=staged.columns,
        field_ids=staged.field_ids,
        location=str(staged.location),
        base=staged.base,
        files=[path.relative_to(staged.location).as_posix() for path in staged.all_files],
        kept=frozenset(str(path) for path in staged.kept),
        added=lambda schema: [_data_file(data, schema) for data in staged.data],
        rows=staged.rows,
        bytes=staged.bytes,
        stamps=_stamps(staged),
    )


def _stamps(staged: Staged) -> list[str]:
    """The stamps of all files. Those that stay have to be as they were written."""
    base = metadata.load(staged.base) if staged.base else None
    known = dict(zip(base.files or (), base.stamps, strict=True)) if base else {}
    for path in staged.kept:
        whole.require(staged.name, path, known.get(path, ""))
    return [known.get(path) or whole.stamp(path) for path in staged.all_files]


def write_commit(
    io: Files, change: Change, summary: Mapping[str, str], keep: set[int]
) -> tuple[str, TableMetadata]:
    """Write manifest, manifest list and table metadata; where the metadata file is, and what it says."""
    base = load(io, change.base) if change.base else None
    table = _evolved(base, change)
    parent = base.current_snapshot() if base else None
    snapshot = _snapshot(io, table, parent, change, summary)
    updates: list[TableUpdate] = [
        AddSnapshotUpdate(snapshot=snapshot),
        SetSnapshotRefUpdate.model_validate(
            {"ref-name": MAIN_BRANCH, "type": SnapshotRefType.BRANCH, "snapshot-id": snapshot.snapshot_id}
        ),
    ]
    if parent:
        keep.add(parent.snapshot_id)
    dropped = [s.snapshot_id for s in table.snapshots if s.snapshot_id not in keep]
    if dropped:
        updates.append(RemoveSnapshotsUpdate.model_validate({"snapshot-ids": dropped}))
    table = update_table_metadata(table, tuple(updates), metadata_location=change.base)
    folder = f"{change.location}/metadata"
    location = f"{folder}/{_next_number(change.base):05d}-{uuid.uuid4()}.metadata.json"
    io.write(location, table.model_dump_json().encode())
    crash.point("commit.metadata")
    io.settle(folder)
    crash.point("commit.synced")
    return location, table


def load(io: Files, location: str) -> TableMetadata:
    """A metadata file."""
    return TableMetadataUtil.parse_raw(io.read(location).decode())


def _next_number(base: str | None) -> int:
    return int(base.rpartition("/")[2].partition("-")[0]) + 1 if base else 0


# Schema


def _evolved(base: TableMetadata | None, staged: Change) -> TableMetadata:
    """The metadata with the staged columns as its current schema."""
    fields = [
        NestedField(field_id, c.name, str(c.type), required=not c.nullable, doc=c.comment or None)
        for field_id, c in zip(staged.field_ids, staged.columns, strict=True)
    ]
    native = json.dumps({c.name: c.native for c in staged.columns if c.native}, ensure_ascii=False)
    if base is None:
        properties = {**PROPERTIES, "format-version": str(FORMAT_VERSION), NATIVE: native}
        return new_table_metadata(
            Schema(*fields),
            UNPARTITIONED_PARTITION_SPEC,
            UNSORTED_SORT_ORDER,
            staged.location,
            properties,
        )
    updates: list[TableUpdate] = []
    if tuple(fields) != base.schema().fields:
        same = next((s for s in base.schemas if s.fields == tuple(fields)), None)
        if same:
            updates.append(SetCurrentSchemaUpdate.model_validate({"schema-id": same.schema_id}))
        else:
            new_id = max(s.schema_id for s in base.schemas) + 1
            updates.append(AddSchemaUpdate(schema=Schema(*fields, schema_id=new_id)))
            updates.append(SetCurrentSchemaUpdate.model_validate({"schema-id": new_id}))
    if base.properties.get(NATIVE) != native:
        updates.append(SetPropertiesUpdate(updates={NATIVE: native}))
    return update_table_metadata(base, tuple(updates)) if updates else base


# Snapshot


def _snapshot(
    io: Files, table: TableMetadata, parent: Snapshot | None, change: Change, extra: Mapping[str, str]
) -> Snapshot:
    folder = f"{change.location}/metadata"
    snapshot_id = table.new_snapshot_id()
    commit = uuid.uuid4()
    old = live_entries(io, parent) if parent else []
    added = change.added(table.schema())
    manifests = []
    if added or old:
        path = f"{folder}/{commit}-m0.avro"
        with write_manifest(
            FORMAT_VERSION, table.spec(), table.schema(), io.new_output(path), snapshot_id, COMPRESSION
        ) as manifest:
            for data_file in added:
                manifest.add(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.ADDED,
                        snapshot_id=snapshot_id,
                        sequence_number=None,
                        file_sequence_number=None,
                        data_file=data_file,
                    )
                )
            for entry in old:
                if entry.data_file.file_path in change.kept:
                    manifest.existing(entry)
                else:
                    manifest.delete(entry)
        manifests.append(manifest.to_manifest_file())
    crash.point("commit.manifest")
    path = f"{folder}/snap-{snapshot_id}-0-{commit}.avro"
    sequence = table.next_sequence_number()
    parent_id = parent.snapshot_id if parent else None
    with write_manifest_list(
        FORMAT_VERSION, io.new_output(path), snapshot_id, parent_id, sequence, COMPRESSION
    ) as manifest_list:
        manifest_list.add_manifests(manifests)
    crash.point("commit.manifest_list")
    return Snapshot.model_validate(
        {
            "snapshot-id": snapshot_id,
            "parent-snapshot-id": parent_id,
            "sequence-number": sequence,
            "timestamp-ms": max(int(time.time() * 1000), table.last_updated_ms),
            "manifest-list": path,
            "summary": _summary(change, added, parent, old, extra),
            "schema-id": table.current_schema_id,
        }
    )


def live_entries(io: FileIO, snapshot: Snapshot) -> list[ManifestEntry]:
    """The data files of a snapshot."""
    manifests: list[ManifestFile] = snapshot.manifests(io)
    return [
        entry for manifest in manifests for entry in manifest.fetch_manifest_entry(io, discard_deleted=True)
    ]


def _summary(
    change: Change,
    added: Sequence[IcebergDataFile],
    parent: Snapshot | None,
    old: Sequence[ManifestEntry],
    extra: Mapping[str, str],
) -> Summary:
    old = [entry for entry in old if entry.data_file.file_path not in change.kept]
    counts = {
        "added-data-files": len(added),
        "added-records": sum(one.record_count for one in added),
        "added-files-size": sum(one.file_size_in_bytes for one in added),
        "deleted-data-files": len(old),
        "deleted-records": sum(entry.data_file.record_count for entry in old),
        "removed-files-size": sum(entry.data_file.file_size_in_bytes for entry in old),
    }
    totals = {
        "total-data-files": len(change.files),
        "total-records": change.rows,
        "total-files-size": change.bytes,
        "total-delete-files": 0,
        "total-position-deletes": 0,
        "total-equality-deletes": 0,
    }
    numbers = {key: str(value) for key, value in counts.items() if value}
    numbers.update((key, str(value)) for key, value in totals.items())
    operation = Operation.OVERWRITE if parent else Operation.APPEND
    listed = {FILES: json.dumps(list(change.files)), STAMPS: json.dumps(list(change.stamps))}
    return Summary(operation, **{**extra, **listed, **numbers})


# Data files


def _data_file(data: DataFile, schema: Schema) -> IcebergDataFile:
    sizes: dict[int, int] = {}
    offsets = []
    ids = [field.field_id for field in schema.fields]
    for number in range(data.footer.num_row_groups):
        group = data.footer.row_group(number)
        first = group.column(0)
        offsets.append(first.dictionary_page_offset if first.has_dictionary_page else first.data_page_offset)
        for position, field_id in enumerate(ids):
            sizes[field_id] = sizes.get(field_id, 0) + group.column(position).total_compressed_size
    lower, upper = _bounds(data, schema)
    return IcebergDataFile.from_args(
        content=DataFileContent.DATA,
        file_path=str(data.path),
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=data.rows,
        file_size_in_bytes=data.bytes,
        column_sizes=sizes,
        value_counts=dict.fromkeys(ids, data.rows),
        null_value_counts=dict(data.nulls),
        nan_value_counts={},
        lower_bounds=lower,
        upper_bounds=upper,
        key_metadata=None,
        split_offsets=offsets,
        equality_ids=None,
        sort_order_id=None,
        spec_id=0,
    )


def moved(data: IcebergDataFile, path: str) -> IcebergDataFile:
    """The same file at another place."""
    kept = ("record_count", "file_size_in_bytes", "column_sizes", "value_counts", "null_value_counts")
    more = ("nan_value_counts", "lower_bounds", "upper_bounds", "key_metadata", "split_offsets")
    return IcebergDataFile.from_args(
        content=data.content,
        file_path=path,
        file_format=data.file_format,
        partition=Record(),
        **{name: getattr(data, name) for name in (*kept, *more)},
        equality_ids=None,
        sort_order_id=data.sort_order_id,
        spec_id=0,
    )


_BOUNDED = frozenset({"int", "long", "date", "string", "binary"})


def _bounds(data: DataFile, schema: Schema) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Smallest and largest value of a column, where Parquet has them for every row group and they are
    plain: whole numbers, dates, texts and bytes (shortened, the upper one rounded up)."""
    lower: dict[int, bytes] = {}
    upper: dict[int, bytes] = {}
    for position, field in enumerate(schema.fields):
        if str(field.field_type) not in _BOUNDED:
            continue
        groups = [data.footer.row_group(n).column(position) for n in range(data.footer.num_row_groups)]
        filled = [g for g in groups if not (g.is_stats_set and g.statistics.null_count == g.num_values)]
        if not filled or not all(g.is_stats_set and g.statistics.has_min_max for g in filled):
            continue
        kind = cast("PrimitiveType", field.field_type)
        lower[field.field_id] = to_bytes(kind, bounds.below(min(g.statistics.min for g in filled)))
        most = bounds.above(max(g.statistics.max for g in filled))
        if most is not None:
            upper[field.field_id] = to_bytes(kind, most)
    return lower, upper


assert {kind.value for kind in (Kind.INT, Kind.LONG, Kind.DATE, Kind.STRING, Kind.BINARY)} == _BOUNDED
