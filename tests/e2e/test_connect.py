"""`mainstem.connect()` from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import mainstem
from mainstem.errors import ConfigErrors, UsageError
from support import run


def test_a_release_is_read_whatever_the_models_are_now(tiny: Path) -> None:
    assert run(tiny).status == "published"
    model = sorted((tiny / "models").glob("**/*.sql"))[0]
    model.write_text("/* mainstem\ngrain: [")
    with mainstem.connect(tiny) as connection:
        assert connection.sql("select count(*) from raw.orders").fetchall() == [(5,)]


def test_what_hinders_is_said(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no release yet"):
        mainstem.connect(tiny)
    with pytest.raises(UsageError, match="is no Mainstem project"):
        mainstem.connect(tmp_path)
    (tiny / "mainstem.yml").write_text("sources: [")
    with pytest.raises(ConfigErrors):
        mainstem.connect(tiny)
