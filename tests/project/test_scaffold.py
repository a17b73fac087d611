"""Drafting again: what somebody edited stays, what nobody edited follows, no password is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.errors import UsageError
from mainstem.project.load import load_project
from mainstem.project.scaffold import Scaffold, write_project

URL = "mysql://reader:s3cret%2Fpass@db:3307/shop"
ONE = {"models/a.sql": "select 1 as x\n", "models/b.sql": "select 2 as x\n"}


def _draft(
    root: Path, files: dict[str, str] | None = None, url: str = "sqlite:///shop.db"
) -> tuple[str, ...]:
    return write_project(root, Scaffold("shop", url, ONE if files is None else files)).kept


def test_drafting_again_keeps_an_edited_file_and_renews_the_others(tmp_path: Path) -> None:
    assert _draft(tmp_path) == ()
    (tmp_path / "models/a.sql").write_text("select 'mine' as x\n")
    newer = {"models/a.sql": "select 10 as x\n", "models/b.sql": "select 20 as x\n"}
    assert _draft(tmp_path, newer) == ("models/a.sql",)
    assert (tmp_path / "models/a.sql").read_text() == "select 'mine' as x\n"
    assert (tmp_path / "models/b.sql").read_text() == "select 20 as x\n"
    # And a third time: what was drafted last is what counts.
    assert _draft(tmp_path, ONE) == ("models/a.sql",)
    assert (tmp_path / "models/b.sql").read_text() == "select 2 as x\n"


def test_a_file_that_was_there_before_is_kept(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/a.sql").write_text("select 'mine' as x\n")
    assert _draft(tmp_path) == ("models/a.sql",)


def test_without_the_record_everything_that_differs_is_kept(tmp_path: Path) -> None:
    _draft(tmp_path)
    (tmp_path / ".mainstem" / "drafted.json").write_text("not JSON")
    assert _draft(tmp_path, {"models/a.sql": "select 3 as x\n"}) == ("models/a.sql",)


def test_an_edited_configuration_is_kept(tmp_path: Path) -> None:
    _draft(tmp_path)
    with (tmp_path / "mainstem.yml").open("a") as file:
        file.write("keep_releases: 3\n")
    assert _draft(tmp_path, {}) == ("mainstem.yml",)
    assert load_project(tmp_path).config.keep_releases == 3


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        (URL, ["s3cret"]),
        ("postgresql://reader:pa@ss3cret@db/shop", ["s3cret"]),
        ("mysql://reader:s3cret/pass@db/shop", ["s3cret"]),
        ("mysql://reader:s3cret#pass@db/shop", ["s3cret"]),
        ("mysql://reader:s3cret?pass@db/shop", ["s3cret"]),
        ("postgresql://reader@db/shop?password=s3cret", ["s3cret"]),
    ],
)
def test_a_password_is_written_nowhere(tmp_path: Path, url: str, secrets: list[str]) -> None:
    made = write_project(tmp_path, Scaffold("shop", url, ONE))
    assert made.needs_variable
    for path in tmp_path.rglob("*"):
        for secret in secrets:
            assert path.is_dir() or secret not in path.read_text(), path
    for secret in secrets:
        assert secret not in made.shown_url
    assert (tmp_path / ".env").read_text().startswith("# SHOP_URL=")


def test_a_url_without_a_password_works_at_once(tmp_path: Path) -> None:
    made = write_project(tmp_path, Scaffold("my shop", "sqlite:////data/shop.db", {}))
    assert not made.needs_variable
    assert made.variable == "MY_SHOP_URL"
    assert load_project(tmp_path, {}).url("my shop") == "sqlite:////data/shop.db"


def test_a_variable_that_is_set_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("export SHOP_URL = sqlite:///mine.db\nOTHER=1")
    _draft(tmp_path)
    assert (tmp_path / ".env").read_text() == "export SHOP_URL = sqlite:///mine.db\nOTHER=1"


def test_a_line_of_dotenv_without_an_end_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OTHER=1")
    _draft(tmp_path)
    env = load_project(tmp_path, {}).env
    assert env["OTHER"] == "1"
    assert env["SHOP_URL"] == "sqlite:///shop.db"


def test_secrets_and_state_are_for_the_owner_alone_and_ignored_by_git(tmp_path: Path) -> None:
    _draft(tmp_path)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".mainstem").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".gitignore").read_text().split() == [".mainstem/", ".env"]


def test_a_name_in_yaml_is_quoted(tmp_path: Path) -> None:
    name = 'a: "b" # ü'
    write_project(tmp_path, Scaffold(name, "sqlite:///x.db", {}))
    project = load_project(tmp_path, {})
    assert project.name == name
    assert list(project.config.sources) == [name]


def test_a_directory_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_project(tmp_path / "file" / "p", Scaffold("s", "sqlite:///x.db", {}))
