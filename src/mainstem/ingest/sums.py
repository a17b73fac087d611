"""What each data file adds to its table's fingerprint, remembered in the snapshot's summary.

A fingerprint is a sum over rows, so it is one over files, too, and a file is never written again: what a
proof has read in it once holds for the next proof, which reads only files that are new. A file is known again
by its path, its size and the time of its last change; the canonical form (columns, forms, hash) must be the
same. What is missing or not known is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mainstem.contract import reconcile
from mainstem.contract.canonical import Dialect
from mainstem.contract.reconcile import Fingerprint, Side
from mainstem.engine.port import Engine
from mainstem.ingest.lakeside import lake_fingerprint
from mainstem.ingest.state import FORM
from mainstem.schema import Table, TableName

Sums = Mapping[Path, Fingerprint]


def of_files(
    engine: Engine, lake: Side, source: Dialect, table: Table, files: tuple[TableName, Sequence[Path], Sums]
) -> dict[Path, Fingerprint]:
    """The fingerprint of each file: the known ones as given, the others read. `files`: the name that they
    are attached by, all of them, what is known."""
    name, paths, known = files
    found = {}
    for path in paths:
        if path in known:
            found[path] = known[path]
            continue
        engine.attach_files(name, [path], table.columns)
        found[path] = lake_fingerprint(engine, lake, source, table)
    return found


def total(table: Table, sums: Sums) -> Fingerprint:
    """The fingerprint of all files together."""
    nulls = {column.name: 0 for column in table.columns if column.nullable}
    for one in sums.values():
        for name, number in one.nulls:
            nulls[name] += number
    rows = sum(one.rows for one in sums.values())
    return Fingerprint(rows, tuple(nulls.items()), sum(one.checksum for one in sums.values()))


def encode(source: Dialect, table: Table, location: Path, sums: Sums) -> str:
    """As the snapshot's summary has it; `location` is the table's folder."""
    files = {}
    for path, one in sums.items():
        status = path.stat()
        nulls = [number for _, number in one.nulls]
        files[path.relative_to(location).as_posix()] = [
            *(status.st_size, status.st_mtime_ns, one.rows, str(one.checksum)),
            nulls if any(nulls) else [],
        ]
    return json.dumps({"form": _form(source, table), "files": files}, separators=(",", ":"))


def decode(text: str, source: Dialect, table: Table, location: Path) -> dict[Path, Fingerprint]:
    """What is known of the files that are as they were then; nothing if the form is another one."""
    nullable = [column.name for column in table.columns if column.nullable]
    found = {}
    try:
        document = json.loads(text) if text else {}
        if document.get("form") != _form(source, table):
            return {}
        for name, (size, changed, rows, checksum, listed) in document["files"].items():
            status = (location / name).stat()
            if (status.st_size, status.st_mtime_ns) == (size, changed):
                nulls = zip(nullable, listed or [0] * len(nullable), strict=True)
                found[location / name] = Fingerprint(int(rows), tuple(nulls), int(checksum))
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}  # then every file is read
    return found


def _form(source: Dialect, table: Table) -> str:
    by = reconcile.forms(source, table)
    parts = [[c.name, str(c.type), c.nullable, by[c.name].value] for c in table.columns]
    return f"{FORM}:{source.hash.value}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}"
