"""Fixtures that the rooms share: servers that start on first use, a shop that is built once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from mainstem.cli import console
from mainstem.run import ingesting
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import MODELS, Cli, make_project

# Spark's jobs of the tests are short: the optimising compiler and the parallel collector only cost them.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

FIRST = ("spark", "airflow", "faults", "docs", "e2e", "cloud", "run")
"""The rooms that take longest: workers that begin with them end at the same time."""


class ByFile(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """The tests of a file go to one worker; all of Spark's to one as well: it starts one session, which gets
    faster with use."""

    def _split_scope(self, nodeid: str) -> str:
        spark = "tests/spark/"
        return spark if nodeid.startswith(spark) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of the slow rooms come first (`--no-loadscope-reorder` keeps xdist from changing that)."""
    here = Path(__file__).parent
    places = {room: place for place, room in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(here).parts[0], len(places)))


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A MariaDB server of this test session."""
    with MariaDB(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test session."""
    with Postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's own shell reaches a test, and no secret of one test the next."""
    for name in ("MAINSTEM_PROJECT_DIR", "MAINSTEM_CRASH_AT", "MAINSTEM_DEBUG", "SHOP_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(console, "_redact", [])


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that went away is asked again at once."""
    monkeypatch.setattr(ingesting, "FIRST_WAIT", 0.01)


@pytest.fixture(scope="session")
def shop_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drafted demo project; use `shop`."""
    from mainstem.cli.commands.projects import make_project as draft_project
    from mainstem.demo import build_shop

    root = tmp_path_factory.mktemp("shop") / "project"
    root.mkdir()
    build_shop(root / "shop.db")
    draft_project(root, f"sqlite:///{root / 'shop.db'}")
    (root / ".env").write_text("SHOP_URL=sqlite:///shop.db\n")
    return root


@pytest.fixture
def shop(shop_built: Path, tmp_path: Path) -> Path:
    """A copy of the drafted demo project, nothing run yet."""
    return shutil.copytree(shop_built, tmp_path / "shop")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A project of three small tables, a dimension and a fact, nothing run yet."""
    return make_project(tmp_path / "tiny")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, run once; not to be changed."""
    from support import run

    root = make_project(tmp_path_factory.mktemp("tiny") / "run", MODELS)
    assert run(root).status == "published"
    return root


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line in this process."""

    from mainstem.cli.main import run as command

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = command(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return call
