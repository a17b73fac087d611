"""What has been found sound: a run keeps it, so that the next plan need not check the same things again.

Sound is what `check.check_project` has no word against. Its verdict depends on the user's files, the sources'
columns and the program alone; one digest covers them. Whatever differs, or cannot be read, is checked anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import mainstem
from mainstem.graph import Readings, reading_of
from mainstem.model.reading import Reading, Reference
from mainstem.project.load import Project
from mainstem.schema import Database, TableName

_FILE = "sound.json"  # in the project's state


def digest_of(project: Project, databases: Mapping[str, Database]) -> str:
    """Everything that the verdict depends on. Estimates of sizes are no part of it."""
    tables = {
        source: [repr(replace(table, rows=-1, bytes=-1)) for table in database.tables]
        for source, database in databases.items()
    }
    files = {
        "config": project.document.value,
        "models": [(model.file, model.digest) for model in project.models],
        "dashboards": [(one.document.file, one.document.value) for one in project.dashboards],
    }
    return hashlib.sha256(repr([_program(), files, tables]).encode()).hexdigest()


def is_bare(project: Project) -> bool:
    """Whether nothing is written that could be unsound: no model, no dashboard, no contract."""
    tables = [table for source in project.config.sources.values() for table in source.tables.values()]
    return not (project.errors or project.models or project.dashboards or any(t.contract for t in tables))


def recall(project: Project, digest: str) -> Readings | None:
    """What is known of the models if exactly this was found sound before; None: it has to be checked."""
    if project.errors:
        return None
    try:
        value = json.loads((project.state / _FILE).read_bytes())
        if value["digest"] != digest:
            return None
        known = {name: _reading(one) for name, one in value["models"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return known if known.keys() == {model.name for model in project.models} else None


def remember(project: Project, digest: str) -> None:
    """Keep that this was found sound. A disk that does not take it costs the next plan a check, no more."""
    models = {model.name: asdict(reading_of(model)) for model in project.models}
    path = project.state / _FILE
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.write_text(json.dumps({"digest": digest, "models": models}), encoding="utf-8")
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _reading(value: Mapping[str, Any]) -> Reading:
    found = [Reference(TableName(**one["table"]), int(one["line"])) for one in value["references"]]
    return Reading(tuple(found), str(value["how"]))


@cache
def _program() -> list[str]:
    """Who judges: the versions, and for a checkout that is worked on the time of its last change."""
    changed = max(path.stat().st_mtime_ns for path in _sources(Path(mainstem.__file__).parent))
    packages = [importlib.metadata.version(name) for name in ("duckdb", "sqlglot")]
    return [mainstem.__version__, str(changed), *packages]


def _sources(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sources(Path(entry.path))
            elif entry.name.endswith(".py"):
                yield entry
