"""A table that another engine has written into the lake's folder becomes a version of ours: made durable, its
snapshot told what the run knows of it. The metadata is written anew beside the other one (Iceberg's
specification lets any writer do so); data files and manifests stay as they are."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainstem import metadata
from mainstem.errors import LakeUnavailable, Where
from mainstem.lake import storage
from mainstem.schema import TableName


def prepare(name: TableName, location: str, lake: Path, summary: Mapping[str, str]) -> metadata.TableMetadata:
    """The version that the metadata file describes, with `summary` in its snapshot's, on the disk. Raises
    LakeUnavailable for a table outside the lake's folder or one that cannot be read."""
    with storage.mapped(name):
        path, folder = Path(location).resolve(), lake.resolve()
        if not path.is_relative_to(folder):
            raise LakeUnavailable("the table is not in the lake's folder", where=Where(table=str(name)))
        path = lake / path.relative_to(folder)  # spelled as every path of the lake is
        table = metadata.load(str(path))
        document: dict[str, Any] = json.loads(path.read_bytes())
        snapshot = next(s for s in document["snapshots"] if s["snapshot-id"] == table.snapshot_id)
        snapshot["summary"].update(summary)
        document.setdefault("metadata-log", []).append(
            {"metadata-file": str(path), "timestamp-ms": document["last-updated-ms"]}
        )
        _settle(table.location)
        made = path.with_name(f"{len(document['metadata-log']):05d}-{uuid.uuid4()}.metadata.json")
        storage.write(made, json.dumps(document).encode())
        storage.sync(made.parent)
        return metadata.parse(str(made), document)


def _settle(folder: Path) -> None:
    """Force every file of a table to the disk; what Hadoop keeps beside them for itself goes."""
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") and path.suffix == ".crc":
            path.unlink()
        elif path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        storage.sync(path)
