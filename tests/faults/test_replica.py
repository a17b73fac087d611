"""A source that is behind: a real standby whose log is applied when the test says so."""

from __future__ import annotations

import json

from faults.conftest import Make
from faults.test_data import CURSOR
from servers.postgres import Postgres, Standby


def test_f54_a_replica_that_lags(make: Make) -> None:
    """Its rows are older than the primary's, and all of one moment: that moment is what is shown, the receipt
    says that it was a standby and where in the log, doctor how far it is behind. A load by a cursor that has
    seen the primary does not go back with it."""
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
        world.fails(3, "went back", env=there)
        assert world.shows() == newest

        standby.follow()
        world.ledger.commit()
        standby.follow()
        world.converges(env=there)
        told = json.loads(world.well("doctor", "--output", "json", env=there).out)
        assert not [one for one in told if one["subject"] == "source bank: replica"]


def transfers(text: str) -> list[dict[str, dict[str, str]]]:
    """The entry of the transfers in a receipt."""
    return [one for one in json.loads(text)["tables"] if one["table"] == "raw.transfers"]
