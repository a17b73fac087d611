"""Killed, out of space, or without power: the last committed version stays, whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import StaticTable

from lakes import ORDERS, commit, files, iceberg_ids, killed, python
from mainstem.errors import LakeUnavailable
from mainstem.lake import Lake, TableVersion, storage
from mainstem.schema import TableName

NOW = timedelta(0)

WORK = """
import sys
from pathlib import Path
from lakes import ORDERS, commit
from mainstem.lake import Lake
lake = Lake(Path(sys.argv[1]))
version = commit(lake, *range(int(sys.argv[2])))
lake.publish("run-2", {ORDERS: version}, {})
"""

BEFORE = [
    "stage.group",
    "stage.written",
    "stage.synced",
    "commit.manifest",
    "commit.manifest_list",
    "commit.metadata",
    "commit.synced",
    "commit.before_swap",
    "catalog.swap",
]
AFTER = ["commit.after_swap", "publish.before", "catalog.publish"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / ".mainstem")


def ids(version: TableVersion | None) -> list[int]:
    assert version is not None
    return sorted(iceberg_ids(version))


@pytest.mark.parametrize("point", [*BEFORE, *AFTER, "publish.after"])
def test_killed_at(lake: Lake, point: str) -> None:
    first = commit(lake, 100)
    one = lake.publish("run-1", {ORDERS: first}, {})
    assert killed(python(WORK, lake.root, 5, crash_at=point)), "the fault did not fire"
    assert ids(lake.head(ORDERS)) == ([100] if point in BEFORE else [0, 1, 2, 3, 4])
    current = lake.current_release()
    assert current is not None
    assert (current.id == one.id) == (point != "publish.after")
    assert ids(lake.at(ORDERS, current.tables[ORDERS].metadata_location)) in ([100], [0, 1, 2, 3, 4])
    # The next run goes on as if nothing had been, and cleaning leaves what the two releases need.
    again = commit(lake, 7)
    two = lake.publish("run-3", {ORDERS: again}, {})
    assert ids(again) == [7]
    lake.clean(keep_releases=1, older_than=NOW)
    assert files(lake.root) == reachable(lake.head(ORDERS))
    assert lake.current_release() == two


def test_killed_before_the_first_version(lake: Lake) -> None:
    assert killed(python(WORK, lake.root, 5, crash_at="commit.before_swap"))
    assert lake.head(ORDERS) is None
    assert lake.tables() == []
    lake.clean(older_than=NOW)
    assert files(lake.root) == set()
    assert ids(commit(lake, 1)) == [1]


def test_the_crash_points_are_inert_without_the_variable(lake: Lake) -> None:
    done = python(WORK, lake.root, 5)
    assert (done.returncode, done.stderr) == (0, "")
    assert ids(lake.head(ORDERS)) == [0, 1, 2, 3, 4]


def test_the_second_pass_of_a_point(lake: Lake) -> None:
    twice = WORK + "commit(lake, 50)\ncommit(lake, 60)\n"
    assert killed(python(twice, lake.root, 5, crash_at="commit.after_swap:2"))
    assert ids(lake.head(ORDERS)) == [50]


# Power


def reachable(version: TableVersion | None) -> set[Path]:
    """Every file that a reader of the version opens, found by pyiceberg alone."""
    assert version is not None
    table = StaticTable.from_metadata(version.metadata_location)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    manifests: list[ManifestFile] = snapshot.manifests(table.io)
    paths = {version.metadata_location, snapshot.manifest_list, *(m.manifest_path for m in manifests)}
    paths |= {task.file.file_path for task in table.scan().plan_files()}
    return {Path(path) for path in paths}


def unsafe_at_swap(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """What a power cut right after the swap of a first commit could lose: files, or folders with new
    entries, that were changed but not synchronised when the catalog moved the pointer."""
    synced: set[Path] = set()
    missing: set[Path] = set()
    fsync, swap = os.fsync, lake.catalog.swap

    def spy(descriptor: int) -> None:
        fsync(descriptor)
        synced.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    def check(name: TableName, expected: str | None, new: str) -> bool:
        on_disk = files(lake.root)
        folders = {folder for path in on_disk for folder in path.parents if folder >= lake.root.parent}
        missing.update({path for path in on_disk | folders if path.is_relative_to(lake.root.parent)} - synced)
        return swap(name, expected, new)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(lake.catalog, "swap", check)
    version = commit(lake, 1, 2)
    assert reachable(version) <= files(lake.root)
    return missing


def test_all_is_on_the_disk_before_the_pointer_moves(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unsafe_at_swap(lake, monkeypatch) == set()


@pytest.mark.parametrize("protection", ["sync", "write"])
def test_the_control_without_synchronising(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, protection: str
) -> None:
    if protection == "sync":
        monkeypatch.setattr(storage, "sync", lambda path: None)
        assert any(path.suffix == ".parquet" for path in unsafe_at_swap(lake, monkeypatch))
    else:
        monkeypatch.setattr(storage, "write", lambda path, content: path.write_bytes(content))
        assert any(path.suffix == ".json" for path in unsafe_at_swap(lake, monkeypatch))


def test_the_pointer_is_on_the_disk_when_the_swap_returns(lake: Lake, tmp_path: Path) -> None:
    """SQLite synchronises its journal and the database (seen from outside, by strace)."""
    code = """
import sys
from pathlib import Path
from mainstem.catalog.local import LocalCatalog
from mainstem.schema import TableName
catalog = LocalCatalog(Path(sys.argv[1]))
catalog.swap(TableName("raw", "a"), None, "one")
catalog.swap(TableName("raw", "a"), "one", "two")
"""
    log = tmp_path / "strace"
    command = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(log),
        "-e",
        "trace=fsync,fdatasync",
        sys.executable,
        "-c",
        code,
    ]
    subprocess.run([*command, str(tmp_path / "catalog.db")], check=True, timeout=60)
    text = log.read_text()
    assert text.count("catalog.db>") >= 2
    assert text.count("catalog.db-journal>") >= 2


# Space


@pytest.mark.parametrize("limit", [1_000, 20_000, 60_000])
def test_a_full_disk(lake: Lake, limit: int) -> None:
    """The largest file size stands for a full disk: every write beyond it fails, wherever it happens."""
    commit(lake, 100)
    before = files(lake.root)
    code = f"""
import resource, sys
from pathlib import Path
from lakes import commit
from mainstem.errors import LakeUnavailable
from mainstem.lake import Lake, parquet
parquet.GROUP_BYTES = 100_000
from mainstem.lake import iceberg  # loaded before nothing more can be written
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    commit(Lake(Path(sys.argv[1])), *range(200_000))
except LakeUnavailable as error:
    print(error)
"""
    done = python(code, lake.root)
    assert done.stderr == ""
    assert "raw.orders: a file of the lake would exceed the largest file size" in done.stdout
    assert files(lake.root) == before
    assert ids(lake.head(ORDERS)) == [100]


TMPFS = """
import subprocess, sys
done = subprocess.run(
    ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$1" -c "$2" "$0"',
     sys.argv[1], sys.executable, sys.argv[2]], capture_output=True, text=True)
print(done.stdout, end=""); print(done.stderr, end="", file=sys.stderr)
"""

FULL = """
import sys
from pathlib import Path
from lakes import COLUMNS, commit, files, orders
from mainstem.errors import LakeUnavailable
from mainstem.lake import Lake
root = Path(sys.argv[1]) / ".mainstem"
lake = Lake(root)
first = commit(lake, 1)
before = files(root)
rows = orders(*range(60_000))
ballast = Path(sys.argv[1]) / "ballast"
for keep in (0, 2, 5, 9, 12, 60):
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)): pass
        except OSError: pass
        file.truncate(max(0, file.tell() - keep * 4096))
    staged = None
    try:
        staged = lake.stage(first.name, COLUMNS, rows)
        lake.commit(staged, run="run-2", summary={})
        print(keep, "committed")
    except LakeUnavailable as error:
        if staged:
            lake.discard(staged)
        print(keep, "no space" in str(error) or error, files(root) == before, lake.head(first.name) == first)
ballast.unlink()
print(commit(lake, 5).rows)
"""


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """A file system of 1 MB, filled up to a few free pages; with 60 of them there is space again."""
    done = python(TMPFS, tmp_path, FULL)
    assert done.stderr == ""
    failed = "".join(f"{keep} True True True\n" for keep in (0, 2, 5, 9, 12))
    assert done.stdout == failed + "60 committed\n1\n"


@pytest.mark.parametrize("call", [lambda lake: commit(lake, 1), lambda lake: lake.drop(ORDERS)])
def test_a_root_that_is_a_file(tmp_path: Path, call: Callable[[Lake], object]) -> None:
    (tmp_path / ".mainstem").write_text("not a folder")
    with pytest.raises(LakeUnavailable):
        call(Lake(tmp_path / ".mainstem"))
