"""A command line on real sample databases, as a user would call it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from processes import command_line
from servers.mariadb import MariaDB
from servers.postgres import Postgres

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
READER, PASSWORD = "analyst", "p@ss:w/rd#'\"% ü"


@dataclass
class Workplace:
    """A directory, an environment, and `mainstem` as a process of its own."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def call(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """One command line, wherever it ends."""
        return command_line(arguments, self.root, {**os.environ, **self.env}, None, timeout)

    def well(self, *arguments: str) -> str:
        """One command line that ends well; what it prints."""
        done = self.call(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query on the current release; decimals as texts."""
        return json.loads(self.well("query", sql, "--output", "json"), parse_float=str)  # type: ignore[no-any-return]

    def pairs(self, sql: str) -> dict[str, str]:
        """A query of two columns as a mapping of texts."""
        return {str(a): str(b) for a, b in (row.values() for row in self.rows(sql))}

    def receipt(self, run: str = "latest") -> dict[str, Any]:
        """The newest receipt, or that of a run."""
        return json.loads(self.well("runs", run, "--output", "json"))  # type: ignore[no-any-return]


def url_of(server: MariaDB | Postgres, database: str) -> str:
    """The URL of the reading user."""
    scheme = "mysql" if isinstance(server, MariaDB) else "postgresql"
    return f"{scheme}://{READER}:{quote(PASSWORD, safe='')}@{server.host}:{server.port}/{database}"


def begin(root: Path, name: str, url: str, env: Mapping[str, str] | None = None) -> Workplace:
    """A drafted project below `root`, its URL in the environment."""
    place = Workplace(root, {f"{name.upper()}_URL": url, **(env or {})})
    place.well("init", name, "--from", url)
    place.root = root / name
    return place


def load_mariadb(server: MariaDB, dump: str, database: str) -> None:
    """A sample on a MariaDB server, readable by `READER`."""
    server.load(SAMPLES / dump, database)
    server.create_user(READER, PASSWORD, ["SELECT ON *.*"])


@pytest.fixture(scope="session")
def classicmodels(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The lab's database in MariaDB, drafted and run once; not to be changed."""
    load_mariadb(mariadb, "classicmodels.mysql.sql", "classicmodels")
    root = tmp_path_factory.mktemp("e2e")
    place = begin(root, "classicmodels", url_of(mariadb, "classicmodels"))
    place.well("run")
    return place
