"""Servers, the launcher, and worlds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.launcher import Launcher
from faults.world import World, build

Make = Callable[..., World]


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """One for all: it imports the product once."""
    with Launcher(tmp_path_factory.mktemp("launcher")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_left_at_work(launcher: Launcher) -> Iterator[None]:
    """A test that fails leaves no frozen process behind."""
    yield
    launcher.reap()


@pytest.fixture
def make(request: pytest.FixtureRequest, launcher: Launcher, tmp_path: Path) -> Make:
    """`make("mariadb", rows=…)`: a world of its own."""

    def made(kind: str, **more: Any) -> World:
        server = None if kind == "sqlite" else request.getfixturevalue(kind)
        return build(kind, tmp_path / kind, launcher, server, **more)

    return made


@pytest.fixture
def world(bank: World) -> Iterator[World]:
    """The `bank` of the module with something new in the source; in the end it converges."""
    bank.configure("retries: 0")
    bank.ledger.commit()
    yield bank
    bank.configure("retries: 0")
    bank.converges()
