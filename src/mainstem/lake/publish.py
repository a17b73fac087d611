"""A proven release, copied to S3 and committed to a catalog there, table by table.

Data files go up first, then each table's metadata, and its pointer moves last. There is no transaction over
tables in Glue: a reader of several of them may see one run's beside another's for as long as the pointers
take to move (they are moved together, at the end). `releases/ID.json` is written after all of them; a reader
who needs one moment reads the versions it names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pyiceberg.manifest import DataFile as IcebergDataFile
from pyiceberg.manifest import DataFileContent

from mainstem import crash, metadata
from mainstem.catalog.glue import GlueCatalog, Shown
from mainstem.catalog.port import Release
from mainstem.errors import LakeRefused, LakeUnavailable, UsageError, Where
from mainstem.lake import iceberg, storage, whole
from mainstem.lake.files import Files, LocalFiles
from mainstem.lake.s3 import S3Files
from mainstem.schema import TableName

SOURCE = "mainstem.source-snapshot"  # summary: the snapshot of the local lake that this one is a copy of


@dataclass(frozen=True, slots=True)
class Published:
    """A table as it stands there; `uploaded` counts bytes; unchanged ones were there already."""

    name: TableName
    metadata_location: str
    rows: int
    files: int
    uploaded: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Remote:
    """Another place for the lake. `files` makes the files of one commit; `renew` says that this publisher
    still is the only one (LakeUnavailable if not)."""

    warehouse: str
    catalog: GlueCatalog
    files: Callable[[], S3Files]
    renew: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A table whose files stand there, and whose pointer has not moved."""

    table: Published
    base: str | None
    files: S3Files
    shown: Shown


def publish(
    release: Release, remote: Remote, on_table: Callable[[Published], None] = lambda _: None
) -> list[Published]:
    """Copy the release. Only new files are uploaded. LakeUnavailable if another publisher was quicker with
    a table: then it stands as that one left it, and a second try goes on from there."""
    _distinct(release.tables)
    ready = []
    for name in _ordered(release.tables):
        remote.renew()
        ready.append(_prepared(name, release.tables[name].metadata_location, release, remote))
    for one in ready:
        _moved(one, remote)
        on_table(one.table)
    files = remote.files()
    document = {
        "release": release.id,
        "run": release.run,
        "published": release.published.isoformat(),
        "tables": {str(one.table.name): one.table.metadata_location for one in ready},
    }
    place = f"{remote.warehouse}/releases/{release.id}-{release.run}.json"
    if any(one.table.changed for one in ready):
        files.write(place, json.dumps(document, indent=1).encode())
    return [one.table for one in ready]


def _distinct(names: Mapping[TableName, object]) -> None:
    seen: dict[str, TableName] = {}
    for name in names:
        twin = seen.setdefault(str(name).lower(), name)
        if twin != name:
            message = f"{twin} and {name} differ only in case; Glue cannot tell them apart"
            raise UsageError(
                message, where=Where(table=str(name)), hint="exclude one of them in mainstem.yml"
            )


def _ordered(names: Mapping[TableName, object]) -> list[TableName]:
    """raw before mart: a model is never newer than what it was made from."""
    return sorted(names, key=lambda name: (name.namespace != "raw", name))


def _prepared(name: TableName, location: str, release: Release, remote: Remote) -> _Ready:
    local = _listed(name, metadata.load(location))
    assert local.files is not None
    files = remote.files()
    base = remote.catalog.location(name)
    standing = _standing(files, base)
    rows = int(local.summary["total-records"])
    shown = Shown(local.columns, standing.folder or _new_folder(remote.warehouse, name))
    if base and standing.source == str(local.snapshot_id):
        return _Ready(Published(name, base, rows, len(local.files), 0, False), base, files, shown)
    relative = [file.relative_to(local.location).as_posix() for file in local.files]
    missing = [path for path in relative if path not in standing.files]
    uploaded = 0
    for path, known in zip(relative, local.stamps, strict=True):
        if path in missing:
            whole.require(name, local.location / path, known)
    for path in missing:
        files.upload(local.location / path, f"{shown.folder}/{path}")
        uploaded += (local.location / path).stat().st_size
    change = iceberg.Change(
        columns=local.columns,
        field_ids=[field.id for field in local.fields],
        location=shown.folder,
        base=base,
        files=relative,
        kept=frozenset(f"{shown.folder}/{path}" for path in relative if path in standing.files),
        added=lambda _: list(_copied(location, local.location, shown.folder, missing)),
        rows=rows,
        bytes=int(local.summary["total-files-size"]),
        stamps=local.stamps,
    )
    summary = {
        metadata.RUN: release.run,
        "mainstem.release": release.id,
        SOURCE: str(local.snapshot_id),
    }
    new, _ = iceberg.write_commit(files, change, summary, set())
    files.verify()
    return _Ready(Published(name, new, rows, len(relative), uploaded, True), base, files, shown)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands there: the table's folder, its data files, the snapshot it is a copy of."""

    folder: str = ""
    files: frozenset[str] = frozenset()
    source: str = ""


def _standing(files: Files, base: str | None) -> _Standing:
    if base is None:
        return _Standing()
    document = json.loads(files.read(base))
    current = document["current-snapshot-id"]
    summary = next(s["summary"] for s in document["snapshots"] if s["snapshot-id"] == current)
    listed = json.loads(summary.get(metadata.FILES, "[]"))
    return _Standing(document["location"], frozenset(listed), summary.get(SOURCE, ""))


def _new_folder(warehouse: str, name: TableName) -> str:
    folder = storage.new_location(Path("/"), name).as_posix()
    return f"{warehouse}{folder}"


def _copied(location: str, root: Path, folder: str, wanted: Sequence[str]) -> Iterator[IcebergDataFile]:
    """The local version's entries of these files, at their new places."""
    names = {root / path: f"{folder}/{path}" for path in wanted}
    for data in _data_files(location):
        if _local(data.file_path) in names:
            yield iceberg.moved(data, names[_local(data.file_path)])


def _data_files(location: str) -> Iterator[IcebergDataFile]:
    """What the manifests of a local version list."""
    here = LocalFiles()
    snapshot = iceberg.load(here, location).current_snapshot()
    for entry in iceberg.live_entries(here, snapshot) if snapshot else ():
        yield entry.data_file


def _local(path: str) -> Path:
    """A path as Spark (`file:/…`) or Mainstem spells it."""
    return Path(path.removeprefix("file://").removeprefix("file:"))


def _listed(name: TableName, table: metadata.TableMetadata) -> metadata.TableMetadata:
    """The same with its data files and their stamps, if another engine has written it (Spark, say): its
    manifests list them. LakeRefused for what is no plain set of files below the table's folder."""
    if table.files is not None:
        return table
    with storage.mapped(name):
        found = list(_data_files(table.metadata_location))
        files = tuple(_local(data.file_path) for data in found)
        plain = all(data.content is DataFileContent.DATA and not len(data.partition) for data in found)
        if not plain or not all(file.is_relative_to(table.location) for file in files):
            raise LakeRefused(
                "another writer has deleted rows from it, partitioned it, or put files elsewhere",
                where=Where(table=str(name)),
                hint=f"mainstem run --full-refresh --select {name} writes it anew",
            )
        return replace(table, files=files, stamps=tuple(whole.stamp(file) for file in files))


def _moved(ready: _Ready, remote: Remote) -> None:
    if not ready.table.changed:
        return
    crash.point("remote.pointer")
    name, new = ready.table.name, ready.table.metadata_location
    # An error leaves the files: the pointer may have moved all the same.
    if not remote.catalog.swap(name, ready.base, new, ready.shown):
        ready.files.remove()
        raise LakeUnavailable(
            "another publisher has committed this table meanwhile",
            where=Where(table=str(name)),
            hint="run again",
        )
    if remote.catalog.location(name) != new:
        message = "the version is not there that the catalog said it shows"
        raise LakeUnavailable(message, where=Where(table=str(name)), hint="publish again")
