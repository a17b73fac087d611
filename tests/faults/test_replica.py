"""A source that is behind: a real replica that applies its log when the test says so."""

from __future__ import annotations

import json
from pathlib import Path

from faults.conftest import Make
from faults.test_data import CURSOR
from faults.world import World
from servers.mariadb import MariaDB, Replica
from servers.postgres import Postgres, Standby


def test_f54_a_replica_that_lags(make: Make) -> None:
    """Its rows are older than the primary's, and all of one moment: that moment is what is shown, the receipt
    says that it was a standby and where in the log, doctor how far it is behind. A load that has seen the
    primary does not go back with it."""
    world = make("postgres", config=CURSOR.format(proof="full", more=""))
    assert isinstance(world.server, Postgres)
    with Standby(world.server) as standby:
        standby.follow()
        standby.pause()
        behind = world.ledger.now
        for _ in range(2):
            world.ledger.commit()
        standby.received()
        there = {"SHOP_URL": world.reader(standby.port)}

        world.well("run", "--full-refresh", env=there)
        assert world.shows() == behind, "not the primary's state, and not a mixture"
        (entry,) = transfers(world.well("runs", "latest", "--output", "json").out)
        assert entry["position"]["standby"] == "yes"
        told = json.loads(world.well("doctor", "--output", "json", env=there).out)
        (lag,) = [one for one in told if one["subject"] == "source bank: replica"]
        assert lag["level"] == "warning"
        assert "received and not applied" in lag["message"]

        world.converges()
        newest = world.ledger.now
        world.fails(4, "the replica is behind", env=there)
        assert world.shows() == newest

        standby.follow()
        world.ledger.commit()
        standby.follow()
        world.converges(env=there)
        told = json.loads(world.well("doctor", "--output", "json", env=there).out)
        assert not [one for one in told if one["subject"] == "source bank: replica"]


def test_f54_a_standby_behind_the_last_read(make: Make) -> None:
    world = make("postgres")
    assert isinstance(world.server, Postgres)
    with Standby(world.server) as standby:
        _never_goes_back(world, standby)


def test_f54_a_mariadb_replica_behind_the_last_read(make: Make, mariadb: MariaDB, tmp_path: Path) -> None:
    with Replica(tmp_path / "replica", mariadb) as replica:
        _never_goes_back(make("mariadb"), replica)


def _never_goes_back(world: World, replica: Standby | Replica) -> None:
    """Tables without a cursor: nothing in their rows says that they are older ones."""
    there = {"SHOP_URL": world.reader(replica.port)}
    replica.follow()
    world.converges(env=there)
    world.ledger.commit()
    replica.follow()
    world.converges(env=there)
    world.converges(env=there)
    replica.pause()
    behind = world.ledger.now
    world.ledger.commit()
    world.converges()
    newest, files = world.ledger.now, world.files()

    told = world.fails(4, "the replica is behind", "--full-refresh", env=there)
    assert "published" not in told.out
    assert world.shows() == newest
    assert world.files() == files

    world.well("run", "--full-refresh", env=there)
    assert world.shows() == behind, "somebody wanted it"
    world.converges()
    replica.follow()
    world.ledger.commit()
    replica.follow()
    world.converges(env=there)


def transfers(text: str) -> list[dict[str, dict[str, str]]]:
    """The entry of the transfers in a receipt."""
    return [one for one in json.loads(text)["tables"] if one["table"] == "raw.transfers"]
