"""The document that each run leaves: what was read, proven, published, how long, how many bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mainstem.contract.model_checks import number_text
from mainstem.errors import LakeUnavailable, UsageError
from mainstem.ingest.tally import Tally
from mainstem.project.header import Additive, Measure
from mainstem.text import count

VERSION = 1


@dataclass(slots=True)
class TableEntry:
    """A source table in the receipt. `taken` is the run whose load was taken over.
    `estimated_bytes` is what was to be read of it at most (None: unknown), `read_bytes` what was (None:
    not counted, in a Spark job). `compared`: when all cells were, if this run compared those that changed."""

    table: str
    status: str
    source: str = ""
    proof: str = ""
    holds: bool = False
    text: str = ""
    rows: int = 0
    bytes: int = 0
    checksum: str = ""
    seconds: float = 0.0
    position: Mapping[str, str] = field(default_factory=dict)
    out_of_range: Mapping[str, int] = field(default_factory=dict)
    taken: str = ""
    estimated_bytes: int | None = None
    read_bytes: int | None = 0
    quarantined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0
    versions: int = 0
    compared: str = ""

    @property
    def apart(self) -> str:
        """What did not arrive as an ordinary row or value, in words; empty if everything did."""
        tally = Tally(self.out_of_range, self.quarantined, self.broken, self.deleted)
        return str(tally).removeprefix("; ")


@dataclass(slots=True)
class ModelEntry:
    """A model in the receipt; `how` says whether all of it was computed again, and
    why; `proofs` are its verdicts as plain values."""

    table: str
    status: str
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    headline: str = ""
    text: str = ""
    how: str = ""
    grain: str = ""
    proofs: Sequence[Mapping[str, Any]] = ()
    unmatched: Sequence[Mapping[str, Any]] = ()
    taken: str = ""


@dataclass(slots=True)
class Receipt:
    """One run. `status` is published, unchanged, held or failed; times are UTC, ISO 8601. `resumes` are the
    runs that it took over. `snapshots`: seconds that each source had to keep a view of itself for us.
    `cubes`: by dashboard, whether all of its cube was computed, and why."""

    run: str
    started: datetime
    project: str
    version: str
    command: str = ""
    finished: datetime | None = None
    status: str = "failed"
    release: str = ""
    tables: list[TableEntry] = field(default_factory=list)
    models: list[ModelEntry] = field(default_factory=list)
    errors: list[Mapping[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    snapshots: dict[str, float] = field(default_factory=dict)
    name: str = ""
    resumes: list[str] = field(default_factory=list)
    estimated: dict[str, int | None] = field(default_factory=dict)
    cubes: dict[str, str] = field(default_factory=dict)

    def reading(self) -> dict[str, int | None]:
        """Bytes from the sources: estimated at most before the run (None if a source does not say), actual
        (None in a Spark job), and the difference."""
        known = [value for value in self.estimated.values() if value is not None]
        estimated = sum(known) if len(known) == len(self.estimated) else None
        counted = [entry.read_bytes for entry in self.tables if entry.read_bytes is not None]
        actual = sum(counted) if len(counted) == len(self.tables) else None
        difference = None if estimated is None or actual is None else actual - estimated
        return {"estimated": estimated, "actual": actual, "difference": difference}

    def value(self) -> dict[str, Any]:
        """The receipt as plain values for JSON."""
        return {
            "format": VERSION,
            "run": self.run,
            "project": self.project,
            "version": self.version,
            "command": self.command,
            "name": self.name,
            "resumes": self.resumes,
            "started": _time(self.started),
            "finished": _time(self.finished) if self.finished else None,
            "seconds": round((self.finished - self.started).total_seconds(), 3) if self.finished else None,
            "status": self.status,
            "release": self.release,
            "sources": self.sources,
            "retries": self.retries,
            "snapshots": self.snapshots,
            "reading": self.reading(),
            "tables": [_plain(entry) for entry in self.tables],
            "models": [_plain(entry) for entry in self.models],
            "cubes": self.cubes,
            "removed": self.removed,
            "errors": list(self.errors),
        }


def _plain(entry: TableEntry | ModelEntry) -> dict[str, Any]:
    value = {name: getattr(entry, name) for name in entry.__slots__}
    value["seconds"] = round(entry.seconds, 3)
    return value


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def headline(
    proofs: Sequence[Mapping[str, Any]],
    measures: Mapping[str, Measure],
    grain_proven: bool,
    left_out: str = "",
    compared: str = "",
) -> str:
    """The one line of a fact's proof: `2,996 rows and 9,604,190.61 equal the source`.

    Of the additive measures a sum of money is preferred, then an amount that is computed. Empty if nothing
    was compared with a grain table; the words say so if the grain table itself was not fully proven (in
    this load; all of it was `compared`), or left rows of the source out.
    """
    facts = [dict(proof.get("facts") or {}) for proof in proofs if proof.get("holds")]
    grain = next((fact for fact in facts if "grain" in fact), None)
    if grain is None:
        return ""
    sums = [fact for fact in facts if "measure" in fact and _additive(fact["measure"], measures)]
    sums.sort(key=lambda fact: _prominence(fact, measures), reverse=True)
    parts = [count(int(grain["rows"]), "row")]
    if sums and sums[0]["sum"] is not None:
        parts.append(number_text(str(sums[0]["sum"])))
    verb = "equals" if len(parts) == 1 and grain["rows"] == 1 else "equal"
    how = f"all of it compared on {compared[:10]}" if compared else "its load was not fully proven"
    less = f", less {left_out}" if left_out else ""
    against = f"the source{less}" if grain_proven else f"{grain['grain']} ({how})"
    return f"{' and '.join(parts)} {verb} {against}"


def _additive(name: str, measures: Mapping[str, Measure]) -> bool:
    return name in measures and measures[name].additive is Additive.FULL


def _prominence(fact: Mapping[str, Any], measures: Mapping[str, Measure]) -> tuple[bool, bool, bool]:
    measure = measures[fact["measure"]]
    return measure.format.startswith("$"), "*" in measure.equals, "." in str(fact["sum"])


def unmatched(proofs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows at the unknown member, by dimension."""
    facts = [dict(proof.get("facts") or {}) for proof in proofs]
    return [fact for fact in facts if "dimension" in fact and fact.get("rows")]


def write(receipt: Receipt, state: Path) -> Path:
    """Write `runs/<run>.json` under the state directory, atomically. LakeUnavailable if it cannot be."""
    folder = state / "runs"
    path = folder / f"{receipt.run}.json"
    partial = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(receipt.value(), file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise LakeUnavailable(f"the receipt cannot be written: {error.strerror}") from error
    return path


def read_all(state: Path) -> list[dict[str, Any]]:
    """All receipts, the newest first; a file that is no receipt is left out."""
    found = []
    for path in sorted((state / "runs").glob("*.json"), reverse=True):
        value = _read(path)
        if value is not None:
            found.append(value)
    return found


def read_one(state: Path, run: str) -> dict[str, Any]:
    """The receipt of one run, or of the newest one for `latest`. UsageError if there is none."""
    every = read_all(state)
    for value in every:
        if run in ("latest", value["run"]):
            return value
    raise UsageError(f"there is no receipt of a run {run}", hint="mainstem runs lists them")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and "run" in value else None
