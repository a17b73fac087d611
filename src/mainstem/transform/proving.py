"""A model's promises, asked: of the rows that changed where that tells as much, else of all rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mainstem import metadata
from mainstem.contract import part_checks
from mainstem.contract.model_checks import Promise, Question, Verdict, questions
from mainstem.contract.part_checks import PartQuestion, grain_select, part_questions
from mainstem.engine.port import Engine
from mainstem.errors import UsageError
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.model.rowwise import additive
from mainstem.model.sql import parse_query
from mainstem.schema import MART, RAW, Column, TableName
from mainstem.transform import reach
from mainstem.transform.explain import rows_of
from mainstem.transform.partial import Partial
from mainstem.transform.state import PROMISE, PROOFS


@dataclass(frozen=True, slots=True)
class Earlier:
    """The version of a model's table before this one, built by the same text and engine, the versions of
    its inputs by which that was proven, and how it can be brought up to date in part, or why it cannot."""

    head: TableVersion
    inputs: Mapping[TableName, TableVersion]
    partial: Partial | str = ""


class Prover:
    """Asks a promise of a staged version. `inputs` are attached already."""

    def __init__(
        self,
        engine: Engine,
        lake: Lake,
        promise: Promise,
        staged: Staged,
        inputs: Mapping[TableName, TableVersion],
        earlier: Earlier | None,
    ) -> None:
        self._engine = engine
        self._lake = lake
        self._promise = promise
        self._staged = staged
        self._inputs = inputs
        self._earlier = earlier

    def verdicts(self) -> tuple[list[Verdict], str]:
        """A verdict on each question, and how many of them were answered by what changed, in words."""
        staged, asked = self._staged, questions(self._promise)
        self._engine.attach_files(staged.name, staged.all_files, staged.columns)
        parts = self._parts() or [None] * len(asked)
        found = [self._verdict(*pair) for pair in zip(asked, parts, strict=True)]
        few = sum(part for _, part in found)
        words = f"{few} of {len(asked)} checks looked at what changed" if few else ""
        return [verdict for verdict, _ in found], words

    def _verdict(self, whole: Question, part: PartQuestion | None) -> tuple[Verdict, bool]:
        if part is not None:
            verdict = part.judge(rows_of(self._engine, part.sql))
            if verdict is not None:
                return verdict, True
        return whole.judge(rows_of(self._engine, whole.sql)), False

    def _parts(self) -> Sequence[PartQuestion | None]:
        """The questions about what changed, their relations attached; empty if they would tell nothing, or
        cost as much."""
        if self._earlier is None:
            return ()
        head, columns = self._earlier.head, self._staged.columns
        files = metadata.load(head.metadata_location).files
        same = _same_columns(head.columns, columns)
        if files is None or not same or head.summary.get(PROMISE) != part_checks.digest(self._promise):
            return ()
        added, removed, kept = _split(files, self._staged.all_files)
        if not kept or _bytes(removed) > _bytes(kept):
            return ()
        moved = self._moved_dimensions()
        if moved is None:
            return ()
        self._engine.attach_files(part_checks.ADDED, added, columns)
        self._engine.attach_files(part_checks.REMOVED, removed, columns)
        self._engine.attach_files(part_checks.KEPT, self._near(kept), columns)
        told = json.loads(head.summary.get(PROOFS, "[]"))
        return part_questions(self._promise, told, self._additive(), moved)

    def _near(self, kept: Sequence[Path]) -> list[Path]:
        """Those of the files that may have a key of the rows that came: whether it is there already, no other
        file tells."""
        promise, name = self._promise, self._staged.name
        spelled = {column.name.casefold(): column for column in self._staged.columns}
        found: set[Path] = set()
        for key in (promise.key, *(one.unique for one in promise.declared)):
            if key:
                columns = [spelled[column.casefold()] for column in key]
                wanted = reach.bounds(self._engine, part_checks.ADDED, columns)
                found.update(reach.within(self._lake, name, kept, wanted))
        return [file for file in kept if file in found]

    def _moved_dimensions(self) -> frozenset[str] | None:
        """The dimensions that have another version, their earlier ones attached; None if one is not known."""
        assert self._earlier is not None
        moved = set()
        for reference in self._promise.references:
            name = TableName(MART, reference.dimension)
            old, new = self._earlier.inputs.get(name), self._inputs.get(name)
            if old is None or new is None:
                return None
            if old.snapshot_id != new.snapshot_id:
                files = metadata.load(old.metadata_location).files
                named = reference.key in {column.name for column in old.columns}
                if not named or files is None or not _there(files):
                    return None
                moved.add(reference.dimension)
                self._engine.attach({part_checks.before(reference.dimension): old.metadata_location})
        return frozenset(moved)

    def _additive(self) -> bool:
        """Whether sums over the grain table are sums over its files; those that changed are attached."""
        promise = self._promise
        if not promise.sums or not promise.grain:
            return False
        assert self._earlier is not None
        name = TableName(RAW, promise.grain)
        old, new = self._earlier.inputs.get(name), self._inputs.get(name)
        if old is None or new is None:
            return False
        files = [metadata.load(version.metadata_location).files for version in (old, new)]
        if files[0] is None or files[1] is None or not _same_columns(old.columns, new.columns):
            return False
        try:
            if not additive(parse_query(grain_select(promise), "", 1)):
                return False
        except UsageError:
            return False
        added, removed, _ = _split(files[0], files[1])
        if not _there(removed):
            return False
        self._engine.attach_files(part_checks.GRAIN_ADDED, added, new.columns)
        self._engine.attach_files(part_checks.GRAIN_REMOVED, removed, new.columns)
        return True


def _same_columns(old: Sequence[Column], new: Sequence[Column]) -> bool:
    return [(c.name, c.type) for c in old] == [(c.name, c.type) for c in new]


def _split(before: Sequence[Path], now: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """The files that came, went and stayed."""
    old, new = set(before), set(now)
    return [f for f in now if f not in old], [f for f in before if f not in new], [f for f in now if f in old]


def _there(files: Sequence[Path]) -> bool:
    """Whether nobody has cleaned up what only an earlier version has."""
    return all(file.exists() for file in files)


def _bytes(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)
