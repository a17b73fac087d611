"""What a run found sound is not checked again, and everything else is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem import sound
from mainstem.cli.commands.common import planned
from mainstem.errors import ConfigErrors
from mainstem.graph import reading_of
from mainstem.plan import Choices
from mainstem.project.load import load_project, read_project
from support import DIM_CUSTOMERS, FACT_LINES, execute_sql, make_project, plan_of, write_model

LOOK = """
import sys
from mainstem.cli.main import run
code = run(["-C", sys.argv[1], sys.argv[2]])
print("then", code, *sorted(set(sys.argv[3:]) & set(sys.modules)))
"""
DASHBOARD = """
dashboard: sales
title: Sales
model: fact_lines
measures: {amount: {sum: amount}}
dimensions: {product: product}
layout: [[{bar: {by: product, measure: amount}}]]
"""
CONTRACT = "tables: {customers: {contract: {columns: {country: {matches: '[A-Z].*'}}}}}"


@pytest.fixture
def remembered(tiny: Path) -> Path:
    """A project that a run has found sound."""
    make_project(tiny, {}, source="", config=CONTRACT)
    with planned(load_project(tiny), Choices(), remember=True):
        pass
    assert known(tiny)
    return tiny


def known(root: Path) -> bool:
    project = read_project(root)
    with plan_of(root) as made:
        return sound.recall(project, sound.digest_of(project, made.databases)) is not None


def imported(root: Path, command: str, *modules: str) -> str:
    call = [sys.executable, "-c", LOOK, str(root), command, *modules]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_the_second_plan_needs_neither_parser_nor_engine(remembered: Path) -> None:
    assert imported(remembered, "plan", "duckdb", "sqlglot") == "then 0"
    shutil.rmtree(remembered / ".mainstem")
    assert (
        imported(remembered, "plan", "duckdb", "sqlglot") == "then 0 duckdb sqlglot"
    )  # and a plan keeps nothing
    assert not (remembered / ".mainstem").exists()


def test_the_second_run_needs_neither_parser_nor_spark(tiny: Path) -> None:
    heavy = ("fsspec", "mainstem.compile", "mainstem.engine.spark.engine", "sqlglot.dialects.duckdb")
    assert imported(tiny, "run", *heavy) == "then 0 sqlglot.dialects.duckdb"
    assert imported(tiny, "run", *heavy) == "then 0"


def test_the_plan_is_the_same(remembered: Path) -> None:
    with plan_of(remembered) as made:
        short = made.plan
    (remembered / ".mainstem" / "sound.json").unlink()
    with plan_of(remembered) as made:
        assert made.plan == short


def _model(root: Path) -> None:
    write_model(root, "dim_customers", DIM_CUSTOMERS.replace("country from", "land from"))


def _header(root: Path) -> None:
    write_model(root, "fact_lines", FACT_LINES.replace("equals: quantity", "equals: number"))


def _new_model(root: Path) -> None:
    write_model(root, "dim_more", "select nothing from raw.customers")


def _dashboard(root: Path) -> None:
    (root / "dashboards").mkdir()
    (root / "dashboards" / "sales.yml").write_text(DASHBOARD.replace("by: product", "by: weight"))


def _contract(root: Path) -> None:
    make_project(
        root,
        {},
        source="",
        config=CONTRACT.replace("columns: {country: {matches: '[A-Z].*'}}", "expression: nothing > 1"),
    )


def _source(root: Path) -> None:
    execute_sql(root / "shop.db", "alter table customers rename column customer_name to called")


@pytest.mark.parametrize("change", [_model, _header, _new_model, _dashboard, _contract, _source])
def test_whatever_changes_is_checked(change: Callable[[Path], None], remembered: Path) -> None:
    change(remembered)
    assert not read_project(remembered).errors  # the files can be read; what they say is wrong
    with pytest.raises(ConfigErrors), plan_of(remembered):
        pass


def test_a_change_of_type_is_checked_and_one_of_size_is_not(remembered: Path) -> None:
    project = read_project(remembered)
    with plan_of(remembered) as made:
        databases = made.databases
    shop = databases["shop"]
    first, *others = shop.tables
    grown = replace(shop, tables=(replace(first, rows=10**9, bytes=10**12), *others))
    column = replace(first.columns[0], nullable=not first.columns[0].nullable)
    other = replace(shop, tables=(replace(first, columns=(column, *first.columns[1:])), *others))
    before = sound.digest_of(project, databases)
    assert sound.digest_of(project, {"shop": grown}) == before
    assert sound.digest_of(project, {"shop": other}) != before


def test_another_program_checks_again(remembered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "_program", lambda: ["0.2.0"])
    assert not known(remembered)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"digest": 1}', '{"digest": "", "models": []}'])
def test_a_damaged_memory_is_none(remembered: Path, text: str) -> None:
    (remembered / ".mainstem" / "sound.json").write_text(text)
    assert not known(remembered)


@pytest.mark.parametrize("part", ["references", "how", "dim_customers"])
def test_a_memory_that_lacks_something_is_none(remembered: Path, part: str) -> None:
    path = remembered / ".mainstem" / "sound.json"
    path.write_text(path.read_text().replace(f'"{part}"', '"other"', 1))
    assert not known(remembered)


def test_a_disk_that_takes_nothing_stops_nothing(tiny: Path) -> None:
    (tiny / ".mainstem").mkdir()
    (tiny / ".mainstem" / "sound.json").mkdir()  # cannot be replaced by a file
    project = load_project(tiny)
    with planned(project, Choices(), remember=True) as made:
        assert len(made.plan.models) == 2
    assert [path.name for path in (tiny / ".mainstem").iterdir()] == ["sound.json"]
    assert reading_of(project.models[0]).how == "in full: it unites several SELECTs"
