"""Whether a version's data files are as they were written: there, of their size, bit by bit.

Parquet's pages carry checksums, which readers may verify. Its footer and the pages' headers have none: a bit
that flips there can change a count, a bound or a place without anybody noticing. So a version's summary keeps
a stamp of each file: its size, the CRC-32 of its footer (with the footer's length and the magic word at the
end), which is read in no time, and the CRC-32 of all of it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mainstem import metadata
from mainstem.errors import LakeUnavailable
from mainstem.lake import storage
from mainstem.metadata import GONE, TableMetadata
from mainstem.schema import TableName

CHANGED = "a data file is not as it was written"
_TAIL = 8  # bytes: the footer's length, PAR1
_LIKELY = 64 << 10  # bytes that mostly hold the footer: one read
_BLOCK = 1 << 20


def stamp(path: Path) -> str:
    """A data file's stamp, `SIZE:FOOTER:ALL`. OSError if it cannot be read."""
    with path.open("rb") as file:
        begin = _beginning(file)
        file.seek(0)
        total = 0
        while block := file.read(_BLOCK):
            total = zlib.crc32(block, total)
    return f"{begin}:{total:08x}"


def _beginning(file: BinaryIO) -> str:
    """The stamp's first two parts."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - _LIKELY))
    end = file.read()
    length = int.from_bytes(end[-_TAIL:-4], "little") + _TAIL
    if len(end) < length <= size:
        file.seek(size - length)
        end = file.read()
    return f"{size}:{zlib.crc32(end[-length:]):08x}"


def require(name: TableName, path: Path, known: str, *, all_of_it: bool = False) -> None:
    """LakeUnavailable if the file is not there, or has another size or footer than its stamp says; with
    `all_of_it` every bit of it is read. `known` is empty for a file that was never stamped."""
    with storage.mapped(name):
        if not path.is_file():
            raise metadata.lost(name, GONE, path)
        if not known:
            return
        if all_of_it:
            same = stamp(path) == known
        else:
            with path.open("rb") as file:
                same = _beginning(file) == known.rpartition(":")[0]
        if not same:
            raise metadata.lost(name, CHANGED, path)


def require_sizes(name: TableName, table: TableMetadata) -> None:
    """LakeUnavailable for a file that is missing or of another size: one call to the system a file."""
    for path, known in zip(table.files or (), table.stamps, strict=True):
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise metadata.lost(name, GONE, path) from None
        except OSError as error:
            raise storage.unavailable(error, name) from error
        if known and size != int(known.partition(":")[0]):
            raise metadata.lost(name, CHANGED, path)


def faults(name: TableName, table: TableMetadata, *, all_of_it: bool) -> Iterator[LakeUnavailable]:
    """What is wrong with the files of a version; see `require`."""
    for path, known in zip(table.files or (), table.stamps, strict=True):
        try:
            require(name, path, known, all_of_it=all_of_it)
        except LakeUnavailable as error:
            yield error
