"""The drafted SQL, executed: every model of every schema runs and keeps what its header promises."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mainstem.draft import Star, draft, from_benchmark, render
from mainstem.project.dashboard import Dashboard
from mainstem.schema import Database

from .score import names, schema
from .sketch import sketches
from .world import World, build, some_rows

SKETCHES = sketches()


def source_of(name: str) -> Database:
    return SKETCHES[name].database if name in SKETCHES else from_benchmark(schema(name))


@pytest.mark.parametrize("name", [*SKETCHES, *names()])
def test_models_run_and_keep_their_promises(name: str) -> None:
    source = source_of(name)
    star = draft(source)
    files = render(star, source)
    world = build(source, files, some_rows(source))
    assert world.broken() == []
    for model_name, model in world.models.items():
        assert set(world.columns(model_name)) == {*model.header.columns, *model.header.measures}, model_name
    for file in files:
        if file.path.startswith("dashboards/"):
            check_dashboard(Dashboard.model_validate(yaml.safe_load(file.text)), star, world)


def check_dashboard(board: Dashboard, star: Star, world: World) -> None:
    """Every name on the dashboard exists, and what is summed may be summed."""
    header = world.models[board.model].header
    for spec in board.measures.values():
        if spec.sum:
            assert header.measures[spec.sum].additive == "full"
        if spec.average:
            assert spec.average in header.measures
    for dimension in board.dimensions.values():
        table, point, column = dimension.column.rpartition(".")
        assert column in world.columns(table if point else board.model)
        links = [c for c, s in header.columns.items() if s.references.startswith(f"{table}.")]
        assert not point or dimension.via in links or len(links) == 1
    tiles = [tile for row in board.layout for tile in row]
    for tile in tiles:
        if tile.bar:
            assert tile.bar.by in board.dimensions
            assert tile.bar.measure in board.measures
        if tile.area:
            assert tile.area.x == "date.month"
            assert board.dimensions["date"].grain == "day"
        if tile.kpi:
            assert tile.kpi in board.measures
    assert any(tile.kpi for tile in tiles)


@pytest.mark.parametrize("name", ["wholesale", "web_shop", "sakila", "classicmodels"])
def test_empty_sources(name: str) -> None:
    source = source_of(name)
    world = build(source, render(draft(source), source), {})
    assert world.broken() == []
    for model_name, model in world.models.items():
        counted: Any = world.one(f'select count(*) from mart."{model_name}"')
        dates = model_name == "dim_dates"
        assert counted == (2 if dates else 1 if model.header.kind == "dimension" else 0)


def test_no_model_selects_everything_in_the_end_or_joins_inwards() -> None:
    for name in names():
        source = source_of(name)
        for file in render(draft(source), source):
            if file.path.startswith("models/fact_"):
                final = file.text.partition("final as (")[2]
                assert "*" not in final.replace(" * ", "")
                assert "inner join" not in file.text
                assert file.text.count(" join ") == file.text.count("left join ")
