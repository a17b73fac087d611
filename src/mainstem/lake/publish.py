"""A proven release, copied to S3 and committed to a catalog there, table by table.

Data files go up first, then each table's metadata, and its pointer moves last. There is no transaction over
tables in Glue: a reader of several of them may see one run's beside another's for as long as the pointers
take to move (they are moved together, at the end). `releases/ID.json` is written after all of them; a reader
who needs one moment reads the versions it names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyiceberg.manifest import DataFile as IcebergDataFile

from mainstem import crash, metadata
from mainstem.catalog.glue import GlueCatalog, Shown
from mainstem.catalog.port import Release
from mainstem.errors import LakeUnavailable, UsageError, Where
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
    local = metadata.load(location)
    if local.files is None:
        raise LakeUnavailable("its version was not written by Mainstem", where=Where(table=str(name)))
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
    here = LocalFiles()
    table = iceberg.load(here, location)
    snapshot = table.current_snapshot()
    names = {str(root / path): f"{folder}/{path}" for path in wanted}
    for entry in iceberg.live_entries(here, snapshot) if snapshot else ():
        if entry.data_file.file_path in names:
            yield iceberg.moved(entry.data_file, names[entry.data_file.file_path])


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
