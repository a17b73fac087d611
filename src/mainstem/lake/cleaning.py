"""Deletes what nobody can reach any more. Reachable: what a kept release or a table's head refers to."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path

from mainstem import metadata
from mainstem.catalog.local import LocalCatalog
from mainstem.lake import journal, storage
from mainstem.lake.values import CleanReport

_STAGED = timedelta(days=7)  # for which a stopped load waits to be taken up


def clean(
    catalog: LocalCatalog,
    folder: Path,
    keep_releases: int,
    older_than: timedelta,
    staged: Collection[Path] = (),
) -> CleanReport:
    """See `Lake.clean`; `staged` are files to keep as well. Reads every metadata document first: one that
    cannot be read stops it before anything is deleted."""
    before = time.time() - older_than.total_seconds()
    kept, dropped = _split(catalog, max(1, keep_releases), before)
    locations = set(catalog.tables().values()) | kept
    reachable = {path for location in locations for path in _reachable(location)}.union(staged)
    if dropped:
        catalog.forget(dropped)
    files = size = 0
    for path in _files(folder):
        status = path.stat()
        if path in reachable or status.st_mtime > before:
            continue
        storage.remove([path])
        files += 1
        size += status.st_size
    _remove_empty_folders(folder)
    return CleanReport(files, size, tuple(dropped))


def staged(folder: Path, catalog: LocalCatalog, home: Path) -> set[Path]:
    """The files that the next load of a table may take over. Journals that are a week old, that cannot be
    read, or whose table has moved on are deleted."""
    kept: set[Path] = set()
    for path in folder.glob("*.json*"):
        found = journal.load(path, home) if path.suffix == ".json" else None
        fresh = path.stat().st_mtime > time.time() - _STAGED.total_seconds()
        if found and fresh and catalog.location(found.name) == found.base:
            kept |= found.files
        elif path.suffix == ".json" or not fresh:
            storage.remove([path])
    return kept


def clean_sessions(folder: Path) -> None:
    """Delete what engines of dead processes spilled (`duckdb-PROCESS-…`)."""
    for path in folder.glob("duckdb-*"):
        process = path.name.split("-")[1]
        if process.isdigit() and _is_dead(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives, as another user
    return False


def _split(catalog: LocalCatalog, keep: int, before: float) -> tuple[set[str], list[str]]:
    """Metadata files of the releases that stay, and the names of those that go: not those that were the
    newest after `before`, which a reader may have open."""
    current = catalog.current()
    stay: set[str] = set()
    go = []
    replaced = math.inf
    for number, release in enumerate(catalog.releases()):
        read = replaced > before
        replaced = release.published.timestamp()
        if number < keep or read or (current and release.id == current.id):
            stay.update(pin.metadata_location for pin in release.tables.values())
        else:
            go.append(release.id)
    return stay, go


def _reachable(location: str) -> Iterator[Path]:
    """The metadata file, and the files of its current snapshot."""
    table = metadata.load(location)
    yield Path(location)
    if table.files is None:  # another writer's version: only an Iceberg reader could tell its files
        yield from _files(table.location)
        return
    yield table.manifest_list
    # Written by one commit, a snapshot's manifest has the name of its manifest list.
    commit = table.manifest_list.name.removesuffix(".avro").split("-", 3)[3]
    yield table.manifest_list.with_name(f"{commit}-m0.avro")
    yield from table.files


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file())


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), key=lambda p: len(p.parts), reverse=True):
        if path.is_dir():
            try:
                path.rmdir()
            except OSError:
                continue  # not empty
