"""The oracle itself: it sees what it is there to see."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from faults.conftest import Make
from faults.ledger import Wrong, released


def test_it_does_not_know_the_product() -> None:
    tree = ast.parse((Path(__file__).parent / "ledger.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [name for name in modules if str(name).startswith(("mainstem", "support", "lakes"))]


@pytest.mark.parametrize("kind", ["sqlite", "mariadb", "postgres"])
def test_every_kind_of_harm_is_seen(make: Make, kind: str) -> None:
    world = make(kind)
    world.ledger.commit()
    assert world.shows() == 0, "the release is of the first state"
    with pytest.raises(Wrong, match="acknowledged"):
        world.shows(least=1)
    world.converges()
    tables = released(world.root)
    assert world.ledger.judge_tables(tables) == 1
    rows = tables["raw.transfers"]
    other = (*rows[0][:3], "another note", rows[0][4])
    for harm in (rows[1:], [*rows, rows[0]], [rows[1], *rows[1:]], [other, *rows[1:]]):
        with pytest.raises(Wrong, match="transfers"):
            world.ledger.judge_tables({**tables, "raw.transfers": harm})
    with pytest.raises(Wrong, match="fact_transfers"):
        world.ledger.judge_tables({**tables, "mart.fact_transfers": tables["mart.fact_transfers"][1:]})
    old = list(world.ledger.states[0].tables["accounts"].values())
    with pytest.raises(Wrong, match="accounts"):  # two moments mixed
        world.ledger.judge_tables({**tables, "raw.accounts": old})
