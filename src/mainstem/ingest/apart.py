"""What is committed with a load: its rows, those in quarantine, and its history. One of them never stands
without the others: the two tables beside `raw.TABLE` are committed first, and its snapshot names theirs. A
load that finds other snapshots than those (a run was killed in between) is done again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mainstem.contract.canonical import Dialect
from mainstem.contract.reconcile import Fingerprint, Side
from mainstem.engine.port import Engine
from mainstem.errors import ProofFailed, Where
from mainstem.ingest.history import Historian
from mainstem.ingest.lakeside import lake_fingerprint
from mainstem.ingest.quarantine import Sorter
from mainstem.ingest.state import BESIDE
from mainstem.ingest.terms import Terms, beside, remembered
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.schema import HISTORY, QUARANTINE, RAW, Table, TableName
from mainstem.text import count


def standing(lake: Lake, version: TableVersion) -> dict[TableName, TableVersion]:
    """The tables that were committed with a version of a raw table, as far as they are its newest ones."""
    found = {}
    for namespace, snapshot in remembered(version.summary.get(BESIDE, "")).items():
        head = lake.head(TableName(namespace, version.name.name))
        if head is not None and head.snapshot_id == snapshot:
            found[head.name] = head
    return found


def in_step(lake: Lake, version: TableVersion, terms: Terms) -> bool:
    """Whether the tables beside a raw table are those that its version was committed with."""
    return set(standing(lake, version)) == set(beside(terms, version.name.name))


@dataclass(frozen=True, slots=True)
class Apart:
    """The parts of a load, staged. `None` in `others`: that table stays as it stands."""

    staged: Staged
    others: Mapping[TableName, Staged | None]
    quarantined: int = 0
    broken: Mapping[str, int] | None = None

    def rows(self, lake: Lake, namespace: str) -> int:
        """The rows that one of the other tables will have; 0 if there is none."""
        for name, one in self.others.items():
            if name.namespace == namespace:
                version = one or lake.head(name)
                return version.rows if version else 0
        return 0

    @property
    def all(self) -> list[Staged]:
        """Everything whose files go if the commit does not happen."""
        return [self.staged, *(one for one in self.others.values() if one)]


class Divider:
    """Divides a proven load by its terms."""

    def __init__(self, lake: Lake, engine: Engine, run: str) -> None:
        self._lake = lake
        self._engine = engine
        self._run = run

    def divide(self, table: Table, terms: Terms, staged: Staged, moment: datetime | None) -> Apart:
        """Judge the rows by the contract, bring the history up to those that are left. ProofFailed for rows
        that stop the run; then only `staged` is left to be discarded."""
        quarantined, broken = 0, dict[str, int]()
        others: dict[TableName, Staged | None] = {}
        if terms.contract:
            sorter = Sorter(self._lake, self._engine, self._run, table, terms.contract)
            quarantined, broken = sorter.broken(staged.all_files)
            if quarantined and not terms.contract.quarantine:
                raise sorter.refuse(broken)
            if terms.contract.quarantine:
                staged, others[TableName(QUARANTINE, table.name)] = sorter.sort(staged, quarantined)
        apart = Apart(staged, others, quarantined, broken)
        if terms.history:
            assert moment is not None
            try:
                made = Historian(self._lake, self._engine, table, terms.history).advance(staged, moment)
            except BaseException:
                self.discard(apart)
                raise
            others[TableName(HISTORY, table.name)] = made
        return apart

    def discard(self, apart: Apart) -> None:
        """Delete the files of all parts."""
        for one in apart.all:
            self._lake.discard(one)

    def commit(self, apart: Apart, summary: Mapping[str, str]) -> dict[TableName, TableVersion]:
        """Commit all parts, the raw table last. If one fails, the files of those that are not committed yet
        are deleted."""
        made: dict[TableName, TableVersion] = {}
        try:
            for name, one in apart.others.items():
                version = self._lake.commit(one, run=self._run, summary={}) if one else self._lake.head(name)
                assert version is not None  # it stays as it stands
                made[name] = version
            snapshots = {name.namespace: version.snapshot_id for name, version in made.items()}
            keys = {**summary, BESIDE: json.dumps(snapshots) if snapshots else ""}
            made[apart.staged.name] = self._lake.commit(apart.staged, run=self._run, summary=keys)
        except BaseException:
            for one in apart.all:
                if one.name not in made:
                    self._lake.discard(one)
            raise
        return made

    def require_sum(
        self, apart: Apart, table: Table, lake: Side, source: Dialect, proven: Fingerprint
    ) -> None:
        """Raw and quarantine together are what was proven to equal the source: rows, NULLs and checksums
        add up. ProofFailed otherwise."""
        quarantine = apart.others.get(TableName(QUARANTINE, table.name))
        if not apart.quarantined or quarantine is None:
            return
        parts = []
        for files in (quarantine.all_files, apart.staged.all_files):
            self._engine.attach_files(TableName(RAW, table.name), files, table.columns)
            parts.append(lake_fingerprint(self._engine, lake, source, table))
        nulls = tuple((name, a + b) for (name, a), (_, b) in zip(parts[0].nulls, parts[1].nulls, strict=True))
        found = Fingerprint(parts[0].rows + parts[1].rows, nulls, parts[0].checksum + parts[1].checksum)
        if found != proven:
            raise ProofFailed(
                f"raw and quarantine together are not the {count(proven.rows, 'row')} of the source",
                where=Where(table=str(apart.staged.name)),
                hint="nothing was published; report it",
            )
