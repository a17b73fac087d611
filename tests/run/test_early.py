"""Loads that are begun side by side: each is begun once, and what nobody takes leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mainstem.ingest.load import Loader
from mainstem.lake import Staged
from mainstem.project.load import load_project
from mainstem.run import early
from sources import through
from support import ask, data_files, environment, execute_sql, make_project, run

LOOK = """
import sys
from mainstem.cli.main import run
from mainstem.run import execute
print("early", *sorted({"pyarrow", "duckdb", "sqlglot", "pyiceberg"} & set(sys.modules)))
code = run(["-C", sys.argv[1], "run"])
print("late", code, *sorted({"sqlglot", "pyiceberg"} & set(sys.modules)))
"""
ROWS = "".join(
    f"create table {name} (id integer primary key, note text, updated_at timestamp);"
    f"insert into {name} values (1, 'a', '2024-01-01 10:00:00'), (2, 'b', '2024-01-02 10:00:00');"
    for name in ("a", "b", "c", "d")
)
FOLLOWED = "proof: changes\ntables:\n" + "".join(f"  {name}: {{cursor: updated_at}}\n" for name in "abc")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = make_project(tmp_path / "p", {}, source=ROWS, config=FOLLOWED)
    assert run(made).status == "published"
    for name in "abcd":
        execute_sql(made / "shop.db", f"insert into {name} values (3, 'c', '2024-01-03 10:00:00')")
    return made


def test_each_is_begun_once_and_arrives(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    begin = Loader.begin

    def noted(self: Loader, load: Any, on_rows: Any) -> Any:
        begun.append(load.table.name)
        return begin(self, load, on_rows)

    monkeypatch.setattr(Loader, "begin", noted)
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert sorted(begun) == ["a", "b", "c", "d"]
    assert begun[-1] == "d", "what is compared whole comes last"
    for name in "abcd":
        assert ask(root, f"select count(*) from raw.{name}") == [(3,)]


def test_what_nobody_takes_leaves_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one ends the run when it is taken; those that were begun with it are thrown away."""
    before = data_files(load_project(root))
    thrown: list[Staged] = []

    class Taken(early.Early):
        def begin(self, step: Any, load: Any) -> Any:
            for future in self._begun.values():
                future.result()
            raise SystemError("a defect")

        def __exit__(self, *args: Any) -> None:
            discard = self._discard

            def noted(staged: Staged) -> None:
                thrown.append(staged)
                discard(staged)

            self._discard = noted
            super().__exit__(*args)

    monkeypatch.setattr("mainstem.run.ingesting.Early", Taken)
    with pytest.raises(SystemError):
        run(root)
    assert len(thrown) == 3
    assert data_files(load_project(root)) == before


def test_one_that_fails_does_not_harm_the_others(root: Path) -> None:
    def alter(batches: Any, table: Any) -> Any:
        for batch in batches:
            yield batch.slice(0, 0) if table.name == "a" else batch

    ran = run(root, adapt=through(alter))
    assert ran.outcome.exit_code == 3
    assert "raw.a" in ran.messages
    assert {name: ran.table(f"raw.{name}")["status"] for name in "abcd"} == {
        "a": "failed",
        "b": "done",
        "c": "done",
        "d": "done",
    }


def test_what_a_run_does_not_need_is_not_imported(tmp_path: Path) -> None:
    """The source's server is asked before what computes is imported; what writes and builds, when something
    has changed."""
    root = make_project(tmp_path / "p")
    for status in ("published", "unchanged"):
        done = subprocess.run(
            [sys.executable, "-c", LOOK, str(root)],
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
        )
        early, *_, late = done.stdout.splitlines()
        assert early == "early", done.stderr
        assert late == ("late 0 pyiceberg sqlglot" if status == "published" else "late 0"), done.stderr
