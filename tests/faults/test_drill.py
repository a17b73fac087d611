"""The drill in small: `make drill` does two hundred cycles."""

from __future__ import annotations

from pathlib import Path

import pytest

import drill
from faults.launcher import Launcher
from faults.ledger import Wrong
from faults.world import build
from servers.mariadb import MariaDB
from servers.postgres import Postgres


@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_f01_cycles_under_a_writer_and_a_reader(
    request: pytest.FixtureRequest, launcher: Launcher, tmp_path: Path, kind: str
) -> None:
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    tally = drill.drill(kind, tmp_path, launcher, server, 5, 1 if kind == "mariadb" else 2)
    assert tally.cycles == 5
    assert sum(tally.killed.values()) >= 2
    assert tally.reads
    assert tally.commits


def test_f01_the_control_a_lake_that_loses(mariadb: MariaDB, launcher: Launcher, tmp_path: Path) -> None:
    """A state that somebody put back by hand between two cycles is seen as a loss."""
    world = build("mariadb", tmp_path, launcher, mariadb)
    drilled = drill.Drill(world, 1)
    drilled.cycle(0)
    world.well("rollback", "r0001")
    with pytest.raises(Wrong, match="acknowledged"):
        drilled.cycle(1)
