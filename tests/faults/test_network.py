"""The way between the source and us: cut, reset, stalled, slow, changed, led astray."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faults.launcher import Fault, Launcher
from faults.ledger import Ledger
from faults.world import Run, World, Wrong, before, build, grant
from servers.mariadb import MariaDB

ROWS, WIDE = 6000, 250
MIDDLE = 800_000  # bytes: among the rows of `transfers`
TIMEOUT = 3


@pytest.fixture(scope="module", params=["mariadb", "postgres"])
def bank(
    request: pytest.FixtureRequest, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """A world with more bytes than all buffers on the way hold, run once; each test changes it anew."""
    server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("network")
    return build(request.param, folder, launcher, server, rows=ROWS, wide=WIDE)


def test_the_control_without_a_fault(world: World) -> None:
    with world.behind() as proxy:
        world.converges()
    assert not proxy.fired
    assert proxy.bytes > ROWS * WIDE


@pytest.mark.parametrize("after", [0, 30, MIDDLE])
@pytest.mark.parametrize("mode", ["cut", "reset"])
def test_f08_a_connection_that_breaks(world: World, mode: str, after: int) -> None:
    with world.behind(mode, after) as proxy:
        world.fails(4)
    assert proxy.fired
    assert proxy.bytes >= after
    assert world.shows() == before(world)


def test_f08_tried_again_with_a_pause(world: World) -> None:
    world.configure("retries: 2")
    with world.behind("cut", MIDDLE, times=1) as proxy:
        world.converges()
    assert proxy.fired
    receipt = json.loads(world.well("runs", "latest", "--output", "json").out)
    assert receipt["retries"] == {"bank": 1}


def test_f08_given_up_with_what_stands(world: World) -> None:
    """accounts and clock were read before transfers broke: they are not read again."""
    world.configure("retries: 1")
    with world.behind("cut", MIDDLE) as proxy:
        world.fails(4, "tried 2 times")
    assert proxy.fired
    assert world.shows() == before(world)


@pytest.mark.parametrize("after", [0, MIDDLE])
def test_f09_a_stall_is_noticed_within_twice_its_timeout(world: World, after: int) -> None:
    world.configure(f"retries: 0\ntimeout: {TIMEOUT}")
    with world.behind("stall", after) as proxy:
        world.fails(4)
        assert proxy.fired
        assert proxy.noticed() <= 2 * TIMEOUT
    assert world.shows() == before(world)


def test_f09_an_answer_that_is_stuck(world: World) -> None:
    """The server has computed the fingerprint; the answer does not come through, nor does any other."""
    world.configure(f"retries: 0\ntimeout: {TIMEOUT}")
    with world.behind() as proxy:
        proxy.when(rb"(crc32|md5|hash).*transfers", lambda: setattr(proxy, "mode", "stall"))
        world.fails(4)
        assert proxy.fired
        assert proxy.noticed() <= 2 * TIMEOUT
    assert world.shows() == before(world)


def test_f10_slow_is_not_dead(world: World) -> None:
    """Bytes that trickle for longer than the timeout are bytes."""
    world.configure("retries: 0\ntimeout: 1")
    with world.behind("slow", MIDDLE) as proxy:
        world.converges()
    assert proxy.fired


def test_f11_a_bit_flips_on_the_way(world: World) -> None:
    with world.behind("flip", MIDDLE, times=1) as proxy:
        done = world.call("run")
    assert proxy.fired
    assert done.code in (3, 4), done.text
    world.is_clean(done)
    assert world.shows() == before(world)


def test_f11_the_control_without_proof(world: World) -> None:
    """It is the proof that finds it: without, the wrong note is published, and the ledger sees it."""
    for after in range(MIDDLE, MIDDLE + 50):  # where a bit is of a length, the stream itself is refused
        with world.behind("flip", after, times=1) as proxy:
            done = world.call("run", "--proof", "off")
        assert proxy.fired
        if done.code == 0:
            break
    assert done.code == 0, done.text
    with pytest.raises(Wrong, match="transfers"):
        world.shows()
    world.well("run", "--full-refresh")


def test_f12_no_name_is_found(world: World) -> None:
    url = world.env["SHOP_URL"].replace("127.0.0.1", "localhost")
    done = world.fails(4, env={"SHOP_URL": url}, fault=Fault(dns=True))
    assert done.fired
    assert world.shows() == before(world)


def test_f12_another_server_behind_the_same_name(
    mariadb: MariaDB, launcher: Launcher, tmp_path: Path
) -> None:
    """A failover to a server with a history of its own: the cursor of the first one says nothing there."""
    config = "retries: 0\nproof: off\ntables:\n  transfers: {cursor: changed, overlap: 0, deletes: ignore}"
    world = build("mariadb", tmp_path, launcher, mariadb, config=config)
    with MariaDB(tmp_path / "other") as other, world.behind() as proxy:
        other.create_database(world.database)
        world.server = other
        world.sql = Run(other, world.database)
        world.ledger = Ledger(world.sql)
        old = "2000-01-01 00:00:00.000000"
        world.ledger.put(world.ledger.transfer("1", "of the other server", old))
        grant(world)
        proxy.target = (other.host, other.port)
        world.converges()
        assert proxy.connections
