"""Which served file belongs to which run: small documents beside the files. Needs no engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mainstem.errors import LakeUnavailable, UsageError
from mainstem.serve.spec import ServeSpec

DIRECTORY = "serve"

_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


def is_run(name: str) -> bool:
    """True for what can be the name of a run, and so of a file."""
    return _RUN.fullmatch(name) is not None


def manifest(state: Path, run: str) -> Path:
    """Where the manifest of a run's served file stands below `.mainstem`. UsageError for a bad name."""
    if not is_run(run):
        raise UsageError(f"{run[:80]!r} is not the name of a run")
    return state / DIRECTORY / f"{run}.json"


def find(state: Path, run: str) -> Path | None:
    """The served file of a run; None if it was never made, or is gone."""
    document = read(manifest(state, run))
    name = str(document.get("file", "")) if document else ""
    path = state / DIRECTORY / name
    return path if name and path.name == name and path.is_file() else None


def stored_spec(state: Path, run: str) -> ServeSpec | None:
    """What the run's served file was made of; None if none was made."""
    document = read(spec_file(manifest(state, run)))
    return ServeSpec.model_validate(document) if document else None


def spec_file(target: Path) -> Path:
    """Where the specification stands beside a manifest."""
    return target.with_name(f"{target.stem}.spec.json")


def read(path: Path) -> dict[str, Any] | None:
    """A manifest's document; None if there is none."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LakeUnavailable(
            f"the manifest of a served file cannot be read: {type(error).__name__}",
            hint=f"delete {path.name}",
        ) from None
    return document if isinstance(document, dict) else None
