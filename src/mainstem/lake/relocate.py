"""A lake that was moved or copied becomes one of its own where it is.

Iceberg's paths are absolute. So every version that a release or a table's head refers to gets a new metadata
file, with new manifests, beside the old ones; data files stay as they are, and so do snapshots' names. The
catalog's pointers follow last, all in one transaction: killed before it, the lake is as it was (and at home
where it was made). New files have names that follow from the old ones and the place, so that a second try
writes the same. Only files below the lake's folder are read, and none outside of it is written.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstem import crash, metadata
from mainstem.catalog.local import LocalCatalog
from mainstem.errors import LakeRefused, LakeUnavailable
from mainstem.lake import avro, journal, storage

_POSITIONS = 1  # content of a data file: rows to be left out, by the path of their file
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, zlib.error, RecursionError)


@dataclass(frozen=True, slots=True)
class Relocated:
    """What was done: the folder in which the lake was at home, and how many versions of tables followed."""

    home: Path
    versions: int


def relocate(catalog: LocalCatalog, root: Path) -> Relocated | None:
    """Make the lake at `root` at home there; None if it is. Call it under the run lock. LakeUnavailable if a
    version's metadata is not there or damaged, LakeRefused for a table that cannot follow; then nothing has
    changed."""
    home = catalog.away()
    if home is None:
        return None
    _own(catalog.path)
    move = _Move(str(home), str(root))
    wanted = [location for location in catalog.pointers() if move.inside(location)]
    moved = {location: move.name(location) for location in wanted}
    try:
        for location in wanted:
            move.version(location, moved)
        for folder in sorted({Path(location).parent for location in moved.values()}):
            storage.sync(folder)
        crash.point("relocate.synced")
        journal.rebase(root / "staging", {_below(home, old): _below(root, new) for old, new in moved.items()})
    except OSError as error:
        raise storage.unavailable(error) from error
    crash.point("relocate.journals")
    catalog.relocate(home, moved)
    crash.point("relocate.done")
    return Relocated(home, len(moved))


def _own(path: Path) -> None:
    """SQLite writes in place: a catalog that is the other folder's as well, by a hard link, would be changed
    there too."""
    for file in (path, path.with_name(f"{path.name}-journal")):
        if file.exists() and file.stat().st_nlink > 1:
            raise LakeRefused(
                f"{file} is a hard link: another folder's catalog would be changed with it",
                hint="copy the project without hard links: cp -a",
            )


def _below(root: Path, location: str) -> str:
    return Path(location).relative_to(root).as_posix()


class _Move:
    """From one root to another; `lists` are the manifest lists that are done."""

    def __init__(self, old: str, new: str) -> None:
        self._old = old
        self._new = new
        self._lists: dict[str, str] = {}

    # Names

    def inside(self, path: str) -> bool:
        """Whether a path is of the old root."""
        return self.text(path) != path

    def text(self, path: str) -> str:
        """The path below the new root; one that is not of the old root as it is."""
        for scheme in ("", "file:", "file://"):
            begin = f"{scheme}{self._old}/"
            if path.startswith(begin):
                return f"{scheme}{self._new}/{path[len(begin) :]}"
        return path

    def here(self, path: str) -> Path:
        """Where a file of the old root is now. LakeRefused for one that is not of it."""
        moved = self.text(path)
        if moved == path:
            raise LakeRefused(
                f"a table of the lake keeps a manifest elsewhere: {path}",
                hint="move the project back, and let the table's writer keep all of it in one folder",
            )
        return Path(moved.removeprefix("file://").removeprefix("file:"))

    def name(self, location: str) -> str:
        """The metadata file that takes a metadata file's place."""
        place = self.here(location)
        digits = place.name.partition("-")[0]
        number = int(digits) + 1 if digits.isdigit() else 0
        return str(place.with_name(f"{number:05d}-{self._made_from(location)}.metadata.json"))

    def _made_from(self, path: str) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{path}\n{self._new}")

    # Files

    def version(self, location: str, moved: Mapping[str, str]) -> None:
        """Write a version's metadata anew."""
        place = self.here(location)
        metadata.load(str(place))  # its errors
        with _readable(place):
            document = self._document(json.loads(place.read_bytes()), moved)
        crash.point("relocate.metadata")
        _write(Path(moved[location]), json.dumps(document).encode())

    def _document(self, document: dict[str, Any], moved: Mapping[str, str]) -> dict[str, Any]:
        document["location"] = self.text(document["location"])
        document["metadata-log"] = []  # nothing leads to the other folder
        self._snapshots(document, moved)
        texts = document.get("properties", {})
        texts.update({key: self.text(value) for key, value in texts.items()})
        for key in ("statistics", "partition-statistics"):
            for one in document.get(key) or ():
                one["statistics-path"] = self.text(one["statistics-path"])
        return document

    def _snapshots(self, document: dict[str, Any], moved: Mapping[str, str]) -> None:
        """The present one, and those before it of which all is there: what `clean` has taken is left out."""
        kept = []
        for snapshot in document["snapshots"]:
            try:
                snapshot["manifest-list"] = self._list(snapshot["manifest-list"], snapshot["snapshot-id"])
            except FileNotFoundError:
                if snapshot["snapshot-id"] != document["current-snapshot-id"]:
                    continue
                raise
            _inputs(snapshot.get("summary", {}), moved)
            kept.append(snapshot)
        ids = {snapshot["snapshot-id"] for snapshot in kept}
        document["snapshots"] = kept
        log = document.get("snapshot-log") or []
        document["snapshot-log"] = [one for one in log if one["snapshot-id"] in ids]
        refs = document.get("refs") or {}
        document["refs"] = {name: ref for name, ref in refs.items() if ref["snapshot-id"] in ids}

    def _list(self, path: str, snapshot: int) -> str:
        """A manifest list with its manifests: the name of the new one."""
        if path not in self._lists:
            commit = self._made_from(path)
            place = self.here(path)
            with _readable(place):
                found = avro.load(place.read_bytes())
                for number, record in enumerate(found.records):
                    old, name = record["manifest_path"].decode(), f"{commit}-m{number}.avro"
                    record["manifest_length"] = self._manifest(old, name)
                    record["manifest_path"] = _renamed(self.text(old), name).encode()
            made = place.with_name(f"snap-{snapshot}-0-{commit}.avro")
            crash.point("relocate.list")
            _write(made, avro.dump(found))
            self._lists[path] = _renamed(self.text(path), made.name)
        return self._lists[path]

    def _manifest(self, path: str, name: str) -> int:
        """A manifest; the size of the new one."""
        place = self.here(path)
        with _readable(place):
            found = avro.load(place.read_bytes())
            for record in found.records:
                file = record["data_file"]
                if file.get("content") == _POSITIONS:
                    raise LakeRefused(
                        f"a table of the lake has deleted rows by the paths of their files ({place})",
                        hint="move the project back, and let the table's writer rewrite its files",
                    )
                file["file_path"] = self.text(file["file_path"].decode()).encode()
            content = avro.dump(found)
        crash.point("relocate.manifest")
        _write(place.with_name(name), content)
        return len(content)


def _inputs(summary: dict[str, Any], moved: Mapping[str, str]) -> None:
    """The versions that a model was built from: those that follow. Without the others it is built in full."""
    if metadata.INPUTS in summary:
        known = json.loads(summary[metadata.INPUTS]).items()
        followed = {name: moved[location] for name, location in known if location in moved}
        summary[metadata.INPUTS] = json.dumps(followed, separators=(",", ":"), ensure_ascii=False)


def _renamed(path: str, name: str) -> str:
    return f"{path.rpartition('/')[0]}/{name}"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise LakeUnavailable(
            f"the lake's file {path} is damaged", hint="restore it from a backup"
        ) from error


def _write(path: Path, content: bytes) -> None:
    """A file of ours; one of a try that was stopped makes room."""
    storage.remove([path])
    storage.write(path, content)
