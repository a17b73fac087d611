"""A new draft as a patch: what a person changed stays, what the draft changed is proposed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mainstem.draft import propose
from mainstem.draft.patch import merge

BASE = "one\ntwo\nthree\nfour\nfive\n"


def test_an_edit_and_a_new_draft_meet() -> None:
    mine, theirs = BASE.replace("one", "ONE"), BASE.replace("four", "four\nfour and a half")
    assert merge(BASE, mine, theirs) == (theirs.replace("one", "ONE"), 0)


def test_what_touches_an_edit_is_left_out_and_counted() -> None:
    mine, theirs = BASE.replace("two", "2"), BASE.replace("two", "zwei").replace("five", "fünf")
    assert merge(BASE, mine, theirs) == (mine.replace("five", "fünf"), 1)


def test_what_was_taken_before_is_no_conflict() -> None:
    theirs = BASE.replace("two", "zwei")
    assert merge(BASE, theirs.replace("five", "5"), theirs) == (theirs.replace("five", "5"), 0)


lines = st.lists(st.sampled_from("abcd"), max_size=8).map(lambda found: "".join(f"{x}\n" for x in found))


@given(lines, lines)
def test_without_edits_the_new_draft_is_taken_whole(base: str, theirs: str) -> None:
    assert merge(base, base, theirs) == (theirs, 0)


@given(lines, lines)
def test_without_a_new_draft_nothing_changes(base: str, mine: str) -> None:
    assert merge(base, mine, base) == (mine, 0)


def test_files_kept_new_deleted_and_gone() -> None:
    present = {"same": "a\n", "edited": "b\nmine\n", "unknown": "x\n", "gone": "g\n"}
    drafted = {"same": "a\n", "edited": "b\n", "deleted": "d\n", "gone": "g\n"}
    new = {"same": "a\n", "edited": "b\n", "unknown": "y\n", "deleted": "other\n", "new": "n\n"}
    found = propose(present, drafted, new)
    assert "b/new" in found.patch
    assert "-x" in found.patch
    assert not any(name in found.patch for name in ("same", "edited", "deleted", "gone"))
    assert [note.split(" ")[0].rstrip(":") for note in found.notes] == ["deleted", "gone", "unknown"]


def test_git_takes_the_patch(tmp_path: Path) -> None:
    present = {"models/a.sql": "1\n2\n3\nmine", "b.yml": "x\n"}
    drafted = {"models/a.sql": "1\n2\n3\n", "b.yml": "x\n"}
    new = {"models/a.sql": "0\n1\n2\n3\n", "b.yml": "y\n", "models/new.sql": "select 1\n"}
    for path, text in present.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    patch = propose(present, drafted, new).patch
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.encode(), check=True)
    here = {path: (tmp_path / path).read_text() for path in new}
    assert here == {"models/a.sql": "0\n1\n2\n3\nmine", "b.yml": "y\n", "models/new.sql": "select 1\n"}
    assert propose(here, drafted, new).patch == ""
