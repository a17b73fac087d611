"""What a load is asked for, what it has while it is under way, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from mainstem.contract.reconcile import Fingerprint
from mainstem.ingest.cursor import Increment, Watermark
from mainstem.ingest.state import COMPARED
from mainstem.ingest.tally import NOTHING, Tally
from mainstem.ingest.terms import NO_TERMS, Terms
from mainstem.ingest.window import NO_WINDOW, Window
from mainstem.lake import Staged, TableVersion
from mainstem.project.config import ProofLevel
from mainstem.schema import RAW, Table, TableName
from mainstem.text import count


@dataclass(frozen=True, slots=True)
class Load:
    """What to load, and how. `rows_before` is the number of rows that readers see now; `window` are rows
    that an incremental load reads again."""

    table: Table
    source: str
    level: ProofLevel
    head: TableVersion | None
    full_refresh: bool
    rows_before: int = 0
    allow_empty: bool = False
    increment: Increment | None = None
    window: Window = NO_WINDOW
    terms: Terms = NO_TERMS

    @property
    def name(self) -> TableName:
        return TableName(RAW, self.table.name)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load that holds. `changed` is false if the lake already had exactly these rows. `tally`: what did
    not arrive as an ordinary row or value; `beside`: the tables that stand beside the raw one."""

    version: TableVersion
    changed: bool
    level: ProofLevel
    text: str
    checksum: str
    seconds: float
    tally: Tally = NOTHING
    beside: Mapping[TableName, TableVersion] = field(default_factory=dict)

    @property
    def compared(self) -> str:
        """When every cell was last compared (UTC, ISO 8601), where this load has not done it."""
        return self.version.summary.get(COMPARED, "") if self.level is ProofLevel.CHANGES else ""


@dataclass(frozen=True, slots=True)
class Pending:
    """A load whose files are written but neither proven nor committed. `expected` is the fingerprint of
    the snapshot itself; without it `asked` is the witness's. `read` is the number of rows that were read
    incrementally, -1 if all were; `note` is said of the load; `marked` rows are left out as deleted; `moment`
    is the source's own time of the read, for a history."""

    load: Load
    staged: Staged
    expected: Fingerprint | None
    started: float
    mark: Watermark | None = None
    read: int = -1
    note: str = ""
    repaired: bool = False
    asked: Future[Fingerprint] | None = None
    marked: int = 0
    moment: datetime | None = None


def load_text(level: ProofLevel, rows: int) -> str:
    """What a proof of that level says of a load."""
    if level is ProofLevel.FULL:
        return f"{count(rows, 'row')}, every cell equal the source"
    if level in (ProofLevel.COUNT, ProofLevel.CHANGES):
        return f"{count(rows, 'row')}, as many as in the source"
    return f"{count(rows, 'row')}, not proven (proof: off)"
