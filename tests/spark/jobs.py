"""What the tests of the job share: a target, the emitted files as a process, what stands in a warehouse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import StaticTable

from mainstem import wiring
from mainstem.engine.connect import select
from mainstem.engine.spark import settings
from mainstem.job.emit import PLAN_NAME, SCRIPT_NAME
from mainstem.job.launch import catalog_settings, variable
from mainstem.project.load import load_project
from mainstem.source.jdbc import JdbcSource

TARGET = "targets:\n  spark:\n    engine: spark\n    master: local[2]\n    memory: 1GB\n"


def on_spark(root: Path) -> None:
    """Give a project a Spark target."""
    config = root / "mainstem.yml"
    config.write_text(config.read_text().rstrip() + "\n" + TARGET)


def everything(root: Path) -> dict[str, pa.Table]:
    """Every table of the current release, as DuckDB reads it."""
    connection = wiring.connect(root)
    release = wiring.current_release(wiring.open_lake(load_project(root)))
    try:
        ask = 'select * from {}."{}"'
        return {str(name): select(connection, ask.format(*name)) for name in release.tables}
    finally:
        connection.close()


@dataclass
class Emitted:
    """The files of a job in a folder, run as a process of its own."""

    folder: Path
    logins: dict[str, str]

    def change(self, part: str, name: str, key: str, value: Any) -> None:
        """Exchange a value of the plan."""
        path = self.folder / PLAN_NAME
        plan = json.loads(path.read_text())
        next(one for one in plan[part] if one["name"] == name)[key] = value
        path.write_text(json.dumps(plan))

    def only(self, model: str) -> None:
        """Leave one model in the plan, with what it reads."""
        path = self.folder / PLAN_NAME
        plan = json.loads(path.read_text())
        inputs = {one["name"]: one["inputs"] for one in plan["models"]}
        wanted, waiting = set[str](), [model]
        while waiting:
            name = waiting.pop()
            wanted.add(name)
            waiting += inputs.get(name, [])
        for part in ("models", "tables"):
            plan[part] = [one for one in plan[part] if one["name"] in wanted]
        path.write_text(json.dumps(plan))

    def run(self, expect: int = 0) -> dict[str, Any]:
        """One run; its result."""
        result = self.folder / "result.json"
        done = subprocess.run(
            [sys.executable, SCRIPT_NAME, PLAN_NAME, str(result)],
            cwd=self.folder,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | self.logins,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return json.loads(result.read_text())  # type: ignore[no-any-return]


def emitted(root: Path, folder: Path) -> Emitted:
    """A project's job in `folder`, on a catalog that is a folder there."""
    project = load_project(root)
    session = {
        **settings.LOCAL,
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        "spark.jars": ",".join(settings.jars()),
        **catalog_settings("lake", folder / "warehouse"),
    }
    for name, text in wiring.emit_job(project, session).items():
        (folder / name).write_text(text)
    sources = {name: wiring.jdbc_source(project, name) for name in project.config.sources}
    return Emitted(folder, {variable(name): _login(one) for name, one in sources.items()})


def _login(one: JdbcSource) -> str:
    return json.dumps({"url": one.url, "user": one.user, "password": one.password})


def tables_in(warehouse: Path) -> dict[str, pa.Table]:
    """Every table of a warehouse as pyiceberg reads it, on the branch that readers see."""
    return {name: table.scan().to_arrow() for name, table in _tables(warehouse)}


def snapshots_in(warehouse: Path) -> dict[str, int | None]:
    """The snapshot of every table of a warehouse that readers see."""
    return {name: table.metadata.current_snapshot_id for name, table in _tables(warehouse)}


def _tables(warehouse: Path) -> Iterator[tuple[str, StaticTable]]:
    for hint in warehouse.rglob("version-hint.text"):
        folder = hint.parent
        location = folder / f"v{hint.read_text().strip()}.metadata.json"
        yield f"{folder.parent.parent.name}.{folder.parent.name}", StaticTable.from_metadata(str(location))
