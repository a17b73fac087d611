"""Files of the lake: names that are safe on any file system, and writes that survive a power cut."""

from __future__ import annotations

import errno
import os
import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mainstem.errors import LakeUnavailable, Where
from mainstem.schema import TableName


def slug(name: str) -> str:
    """A readable, lower-case ASCII stand-in of at most 40 characters; unique only with a suffix."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:40] or "table"


def new_location(lake: Path, name: TableName) -> Path:
    """A folder that no table has had before: names that differ only in case never share one."""
    return lake / slug(name.namespace) / f"{slug(name.name)}-{uuid.uuid4().hex[:12]}"


def make_folder(path: Path) -> None:
    """Create the folder and its parents, private to the user, each one durable in its parent."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)


def create(path: Path) -> int:
    """A descriptor of a new file that only the user may read. FileExistsError if it exists."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)


def write(path: Path, content: bytes) -> None:
    """A new file with that content, on the disk when this returns (its folder entry: `sync` the folder)."""
    descriptor = create(path)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Force a file's content, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(paths: Iterable[Path]) -> None:
    """Delete files that nothing refers to; one that cannot be deleted is left to `clean`."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            continue


@contextmanager
def mapped(name: TableName) -> Iterator[None]:
    """The file system's errors as LakeUnavailable, with the table they belong to."""
    try:
        yield
    except OSError as error:
        raise unavailable(error, name) from error


def unavailable(error: OSError, name: TableName | None = None) -> LakeUnavailable:
    """What an OSError means to a person."""
    where = Where(table=str(name)) if name else None
    code = error.errno
    if code in (errno.ENOSPC, errno.EDQUOT):
        return LakeUnavailable(
            "no space left on the lake's disk; nothing was changed",
            where=where,
            hint="free some space, then run again: the run removes what no release uses, and a smaller "
            "keep_releases more of it",
        )
    if code == errno.EFBIG:
        return LakeUnavailable(
            "a file of the lake would exceed the largest file size allowed here; nothing was changed",
            where=where,
            hint="raise the limit (ulimit -f), then run again",
        )
    reason = os.strerror(code) if code else str(error)
    path = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return LakeUnavailable(f"the lake cannot be read or written: {reason}{path}", where=where)
