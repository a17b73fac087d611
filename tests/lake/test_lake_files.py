"""The files of a commit, as pyiceberg asks for them."""

from __future__ import annotations

from io import UnsupportedOperation
from pathlib import Path

import pytest

from mainstem.lake.files import Files, LocalFiles


def test_a_file_is_there_once_it_is_closed_and_is_never_overwritten(tmp_path: Path) -> None:
    files, place = LocalFiles(), str(tmp_path / "v1.json")
    new = files.new_output(place)
    assert not new.exists()
    assert not files.new_input(place).exists()
    with new.create() as stream:
        stream.write(b"{")
        stream.write(b"}")
        assert not new.exists()
    assert new.exists()
    assert new.to_input_file().exists()
    assert (files.written, len(new), files.read(place)) == ([place], 2, b"{}")
    with pytest.raises(FileExistsError), files.new_output(place).create() as again:
        again.write(b"other")
    assert files.read(place) == b"{}"


def test_nothing_is_deleted_by_pyiceberg(tmp_path: Path) -> None:
    (tmp_path / "v1.json").write_bytes(b"{}")
    with pytest.raises(UnsupportedOperation):
        LocalFiles().delete(str(tmp_path / "v1.json"))
    assert (tmp_path / "v1.json").exists()


def test_a_place_has_all_its_methods() -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (Files,), {"read": LocalFiles.read})()
