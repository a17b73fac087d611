"""Stamps of data files. Parquet's footer has no checksum of its own: a bit of each of its bytes is tried."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakes import COLUMNS, ORDERS, commit, orders
from mainstem import metadata
from mainstem.errors import LakeUnavailable
from mainstem.lake import Lake, TableVersion, whole


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / ".mainstem")


def only_file(version: TableVersion) -> Path:
    (path,) = metadata.load(version.metadata_location).files or ()
    path.chmod(0o600)
    return path


def found(lake: Lake, *, all_of_it: bool = False) -> list[str]:
    return [str(fault) for fault in lake.faults(lake.current_release(), all_of_it=all_of_it)]


def test_every_byte_of_a_footer_counts(lake: Lake) -> None:
    """And the control: readers of Parquet notice many of them, and get something else of others."""
    path = only_file(commit(lake, *range(500)))
    content = path.read_bytes()
    rows, described = pq.read_table(path), str(pq.read_metadata(path))
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    silent = 0
    for at in range(footer, len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        assert found(lake), at
        silent += reads_otherwise(path, rows, described)
    path.write_bytes(content)
    assert not found(lake)
    assert silent > 20, "without the stamp nobody would know"


def reads_otherwise(path: Path, rows: pa.Table, described: str) -> bool:
    """Whether a reader gets other rows or another description than was written, and no error."""
    try:
        footer = pq.ParquetFile(path, page_checksum_verification=True)
        read = footer.read()
        read.validate(full=True)
        return str(footer.metadata) != described or not read.equals(rows)
    except (OSError, ValueError, MemoryError, pa.ArrowException):
        return False


def test_every_byte_is_verified_when_asked(lake: Lake) -> None:
    path = only_file(commit(lake, *range(500)))
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert bool(found(lake)) is (at >= footer)
        assert [ORDERS.name in text and str(path) in text for text in found(lake, all_of_it=True)] == [True]


def test_a_stamp_goes_with_the_file_from_version_to_version(lake: Lake) -> None:
    """Files that stay keep the stamp they were written with: one that is no longer so is not taken over."""
    first = commit(lake, 1, 2)
    path = only_file(first)
    stamps = json.loads(first.summary[metadata.STAMPS])
    assert stamps == [whole.stamp(path)]
    second = lake.commit(lake.stage(ORDERS, COLUMNS, orders(3), keep=[path]), run="run-2", summary={})
    assert json.loads(second.summary[metadata.STAMPS])[0] == stamps[0]
    content = path.read_bytes()
    staged = lake.stage(ORDERS, COLUMNS, orders(4), keep=[path])
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(LakeUnavailable, match="not as it was written"):
        lake.commit(staged, run="run-3", summary={})
    assert lake.head(ORDERS) == second


def test_a_version_without_stamps_is_read_as_ever(lake: Lake) -> None:
    """Of an older Mainstem: its files have to be there, and get their stamps with the next version."""
    version = commit(lake, 1)
    location, path = Path(version.metadata_location), only_file(version)
    document = json.loads(location.read_bytes())
    del document["snapshots"][0]["summary"][metadata.STAMPS]
    location.chmod(0o600)
    location.write_text(json.dumps(document))
    assert not found(lake)
    second = lake.commit(lake.stage(ORDERS, COLUMNS, orders(2), keep=[path]), run="run-2", summary={})
    assert json.loads(second.summary[metadata.STAMPS])[0] == whole.stamp(path)
    path.unlink()
    assert "not in the lake any more" in found(lake)[0]


def test_a_long_footer_is_read_whole(lake: Lake, tmp_path: Path) -> None:
    """One that is longer than what is read at first, and a file too short to have any."""
    wide = tmp_path / "wide.parquet"
    pq.write_table(pa.table({f"a column with a long name, number {n}": [n] for n in range(1000)}), wide)
    content = wide.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    assert length > 64 << 10
    before = whole.stamp(wide)
    wide.write_bytes(content[: -length - 4] + bytes([content[-length - 4] ^ 1]) + content[-length - 3 :])
    assert whole.stamp(wide) != before
    wide.write_bytes(b"PAR1")
    assert whole.stamp(wide).startswith("4:")
