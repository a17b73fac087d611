"""A project that was moved or copied: each command says so or works, and no copy touches its original."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from mainstem import connect, wiring
from mainstem.cli.commands.common import planned
from mainstem.errors import LakeRefused
from mainstem.plan import Choices
from mainstem.project.load import load_project
from mainstem.run import RunOptions
from mainstem.serve import bundle
from mainstem.serve.config import Limits
from mainstem.serve.manifest import find
from mainstem.serve.served import Served
from support import LINES, MODELS, Cli, ask, execute_sql, files_of, mainstem, make_project, run

DASHBOARD = """dashboard: sales
title: Sales
model: fact_lines
measures:
  revenue: {sum: amount, format: "$,.2f"}
  lines: {count: "*"}
dimensions:
  country: {column: dim_customers.country, via: customer_key}
layout:
  - [kpi: revenue, kpi: lines]
  - [bar: {by: country, measure: revenue}]
"""
CHANGE = "update order_lines set price = 1 where order_number = 13"
NEW = "insert into orders values (99, 1, '2006-01-01', 'new')"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two releases, its marts read where they lie."""
    root = make_project(tmp_path_factory.mktemp("template") / "shop", MODELS)
    (root / "dashboards").mkdir()
    (root / "dashboards" / "sales.yml").write_text(DASHBOARD)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bundle, "NATIVE_BYTES", 0)
        for statement in (NEW, CHANGE):
            assert run(root).status == "published"
            execute_sql(root / "shop.db", statement)
    with planned(load_project(root), Choices(), remember=True):
        return root


@dataclass
class Place:
    """Where the project is now, and where it was; that is gone if it was moved."""

    root: Path
    before: Path

    def untouched(self) -> dict[str, tuple[bytes, int]]:
        return files_of(self.before) if self.before.exists() else {}


@pytest.fixture(params=["copied", "moved"])
def place(request: pytest.FixtureRequest, template: Path, tmp_path: Path) -> Place:
    first = tmp_path / "shop"
    shutil.copytree(template, first)
    assert wiring.open_lake(load_project(first)).relocate()
    other = tmp_path / "elsewhere" / "shop two"
    if request.param == "moved":
        other.parent.mkdir()
        first.rename(other)
    else:
        shutil.copytree(first, other)
    return Place(other, first)


# Noticed

COMMANDS = [
    ("plan",),
    ("plan", "--output", "json"),
    ("query", "select count(*) from raw.orders"),
    ("query", "--release", "r0001", "select 1"),
    ("serve", "--port", "0"),
    ("export", "page"),
    ("export", "airflow", "--to", "dags"),
    ("releases",),
    ("rollback", "r0001"),
    ("run", "--resume"),
    ("parity",),
    ("publish",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_name_the_one_that_helps(place: Place, cli: Cli, command: tuple[str, ...]) -> None:
    """Nothing is changed, here or there; but for `run`, which helps itself."""
    target = "targets:\n  aws: {engine: aws, region: eu-west-1, bucket: a-lake, secrets: {shop: a/b}}\n"
    with (place.root / "mainstem.yml").open("a") as file:
        file.write(target)
    before, there = files_of(place.root), place.untouched()
    code, _, err = cli("-C", str(place.root), *command)
    if command[0] == "run":
        assert (code, "the lake is at home here now" in err) == (2, True)  # there is nothing to resume
    else:
        assert code == 4, err
        assert f"its lake was made in {place.before}" in err
        assert "mainstem relocate" in err
        lock = ".mainstem/run.lock"
        assert {k: v for k, v in files_of(place.root).items() if k != lock} == {
            k: v for k, v in before.items() if k != lock
        }
    assert place.untouched() == there


def test_doctor_and_python_say_it_too(place: Place, cli: Cli) -> None:
    for data in ((), ("--data",)):
        code, out, _ = cli("-C", str(place.root), "doctor", *data, "--output", "json")
        (told,) = (one for one in json.loads(out) if one["subject"] == "lake")
        assert (code, told["level"]) == (4, "error")
        assert "mainstem relocate" in told["hint"]
    with pytest.raises(LakeRefused, match="moved or copied"):
        connect(place.root)
    assert cli("-C", str(place.root), "runs")[0] == 0  # receipts name no place


# Made at home


def test_relocated_all_is_as_it_was(
    place: Place, template: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = cli("-C", str(place.root), "relocate")
    assert (code, out) == (
        0,
        f"the lake is at home here now, 7 versions of its tables; it came from {place.before}/.mainstem\n",
    )
    code, out, _ = cli("-C", str(place.root), "relocate")
    assert (code, out) == (0, "nothing to do: the lake was made here\n")
    shutil.rmtree(place.before, ignore_errors=True)
    at = ("-C", str(place.root))
    assert cli(*at, "doctor", "--data")[0] == 0
    sql = "select * from fact_lines order by all"
    assert ask(place.root, sql) == ask(template, sql)
    assert _page(cli, place.root) == _page(cli, template)
    assert _served(place.root) == LINES
    assert "r0001 is current" in cli(*at, "rollback")[1]
    assert ask(place.root, "select count(*) from raw.orders") == [(5,)]
    assert cli(*at, "query", "--release", "r0002", "select count(*) from raw.orders")[1].split() == [
        "count_star()",
        "6",
    ]
    with monkeypatch.context() as patched:
        patched.setattr("mainstem.check.check_project", _never)
        assert cli(*at, "plan")[0] == 0, "what was found sound is remembered"


def _never(*_: object) -> None:
    raise AssertionError("checked again")


def _page(cli: Cli, root: Path) -> str:
    target = root / "page.html"
    assert cli("-C", str(root), "export", "page", "--to", str(target))[0] == 0
    try:
        return target.read_text()
    finally:
        target.unlink()


def _served(root: Path) -> int:
    """Rows of a fact that the served file reads in the lake."""
    project = load_project(root)
    release = wiring.current_release(wiring.open_lake(project))
    path = find(project.state, release.run)
    assert path is not None
    served = Served(release, path, Limits())
    try:
        cursor = served.cursor()
        (count,) = cursor.execute("select count(*) from fact_lines").fetchone() or (0,)
        (views,) = cursor.execute("select count(*) from mainstem.files").fetchone() or (0,)
        cursor.close()
        assert views
        return int(count)
    finally:
        served.retire()


def test_a_run_helps_itself_and_goes_on_from_what_stands(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What did not change is not read again, and what did is brought up to date in part."""
    there = place.untouched()
    done = run(place.root)
    assert done.status == "published", done.messages
    assert done.table("raw.customers")["status"] == "unchanged"
    assert done.table("raw.order_lines")["status"] == "done"
    assert "in part" in done.table("mart.fact_lines")["how"]
    with monkeypatch.context() as patched:
        patched.setattr(bundle, "NATIVE_BYTES", 0)
        assert run(place.root, options=RunOptions(full_refresh=True)).status == "published"
    wiring.open_lake(load_project(place.root)).clean(keep_releases=1)
    assert place.untouched() == there
    shutil.rmtree(place.before, ignore_errors=True)
    assert ask(place.root, "select price from raw.order_lines where order_number = 13")[0][0] == 1
    assert _served(place.root) == LINES


def test_the_original_goes_on_beside_its_copy(template: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    shutil.copytree(template, first)
    assert run(first).status == "published"
    shutil.copytree(first, second)
    for root, price in ((first, 5), (second, 6), (first, 7)):
        execute_sql(root / "shop.db", f"update order_lines set price = {price} where order_number = 13")
        other = second if root == first else first
        before = files_of(other)
        assert run(root).status == "published"
        assert files_of(other) == before
        assert ask(root, "select price from raw.order_lines where order_number = 13")[0][0] == price


def test_a_run_that_was_killed_is_taken_up_at_the_other_place(template: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    shutil.copytree(template, first)
    killed = mainstem("run", cwd=first, env={"MAINSTEM_CRASH_AT": "run.before_publish"})
    assert killed.returncode == -signal.SIGKILL
    first.rename(second)
    done = run(second, resume=True)
    assert done.status == "published", done.messages
    assert done.table("raw.order_lines")["taken"]


@pytest.mark.parametrize("work", [("relocate",), ("run",)], ids=" ".join)
def test_one_at_a_time(place: Place, cli: Cli, work: tuple[str, ...]) -> None:
    with wiring.open_lake(load_project(place.root)).run_lock("somebody", 0.0):
        code, _, err = cli("-C", str(place.root), *work)
    assert (code, "another run is at work here" in err) == (4, True)
