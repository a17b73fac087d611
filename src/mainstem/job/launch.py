"""The job in a process of its own on this machine: the document in, the result out. Secrets travel in the
environment of that process alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstem.errors import EngineFailed, LakeUnavailable
from mainstem.source.jdbc import JdbcSource

SCRIPT = Path(__file__).with_name("script.py")
_PROBLEMS = (OSError, ValueError)


@dataclass(frozen=True, slots=True)
class SparkJob:
    """How each source is read, the session's settings, the key ranges of a large table (0: by its size)."""

    jdbc: Mapping[str, JdbcSource]
    settings: Mapping[str, str]
    partitions: int = 0


def catalog_settings(catalog: str, warehouse: Path) -> dict[str, str]:
    """An Iceberg catalog of Spark's that is a folder."""
    place = f"spark.sql.catalog.{catalog}"
    return {
        place: "org.apache.iceberg.spark.SparkCatalog",
        f"{place}.type": "hadoop",
        f"{place}.warehouse": str(warehouse),
    }


def variable(source: str) -> str:
    """The environment variable that tells the job how to log in to a source."""
    return "MAINSTEM_SOURCE_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in source).upper()


def prepared(job: SparkJob, value: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The document with its settings and the names of the variables of the environment by which it logs in
    to its sources, and those variables."""
    sources = {name: {**source, "env": variable(name)} for name, source in value["sources"].items()}
    logins = {
        variable(name): json.dumps({"url": one.url, "user": one.user, "password": one.password})
        for name, one in ((name, job.jdbc[name]) for name in sources)
    }
    return {**value, "settings": {**value["settings"], **job.settings}, "sources": sources}, logins


def run_job(job: SparkJob, value: dict[str, Any], folder: Path, script: Path = SCRIPT) -> dict[str, Any]:
    """Run the job and read its result; `folder` is for its documents and its log. EngineFailed if it left
    no result, LakeUnavailable if the folder cannot be used."""
    value, logins = prepared(job, value)
    environment = {**os.environ, **logins}
    environment |= {
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
    }
    plan, result, log = folder / "plan.json", folder / "result.json", folder / "log"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        plan.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        with log.open("wb") as output:
            subprocess.run(
                [sys.executable, str(script), str(plan), str(result)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
    except OSError as error:
        raise LakeUnavailable(f"the Spark job cannot be started: {error.strerror}") from error
    try:
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    except _PROBLEMS:
        raise EngineFailed("the Spark job ended without a result", hint=f"its log: {log}") from None
    return found
