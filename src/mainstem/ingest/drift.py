"""What becomes of a table whose columns or key are no longer those of its last load. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from mainstem.ingest.state import COLUMNS, KEY, ColumnChange, changes, decode_columns
from mainstem.lake import TableVersion
from mainstem.project.config import OnChange
from mainstem.schema import Column, Table


class Verdict(StrEnum):
    """What a run does with a table."""

    SAME = "same"  # nothing changed
    TAKE = "take"  # read it as it is now
    LEAVE_OUT = "leave out"  # read it without the columns that are new
    FREEZE = "freeze"  # keep the version that stands
    STOP = "stop"  # somebody has to decide


@dataclass(frozen=True, slots=True)
class Drift:
    """The verdict, why, and the table as the lake will have it."""

    verdict: Verdict
    reasons: tuple[str, ...]
    table: Table


def judge(table: Table, head: TableVersion | None, policy: OnChange, *, accept: bool = False) -> Drift:
    """Compare a source table with its last load. `accept`: the user takes it as it is (--full-refresh).

    Under every policy a column whose values may no longer fit (`narrowed`) and another key stop the run,
    unless the table is frozen: what was proven of the old meaning must not pass over in silence.
    """
    if head is None:
        return Drift(Verdict.SAME, (), table)
    before = decode_columns(head.summary.get(COLUMNS, "[]"))
    found = changes(before, table.columns)
    key = _key_change(table, head)
    reasons = (*(str(change) for change in found), *key)
    if not reasons:
        return Drift(Verdict.SAME, (), table)
    if accept:
        return Drift(Verdict.TAKE, reasons, table)
    if policy is OnChange.FREEZE:
        return Drift(Verdict.FREEZE, reasons, _with_columns(table, before))
    if key or policy is OnChange.FAIL or any(change.narrows for change in found):
        return Drift(Verdict.STOP, reasons, table)
    if policy is OnChange.DISCARD_COLUMN:
        return _leaving_out(table, found, before, reasons)
    return Drift(Verdict.TAKE, reasons, table)


def _leaving_out(
    table: Table, found: list[ColumnChange], before: tuple[Column, ...], reasons: tuple[str, ...]
) -> Drift:
    if any(change.what not in ("added", "reordered") for change in found):
        return Drift(Verdict.STOP, reasons, table)
    if found[0].what == "reordered":
        return Drift(Verdict.TAKE, reasons, table)
    present = {column.name: column for column in table.columns}
    kept = tuple(present[column.name] for column in before)
    left = tuple(f"{change.column} left out" for change in found)
    return Drift(Verdict.LEAVE_OUT, left, _with_columns(table, kept))


def _with_columns(table: Table, columns: tuple[Column, ...]) -> Table:
    names = {column.name for column in columns}

    def stands(key: Collection[str]) -> bool:
        return names.issuperset(key)

    covered = tuple(
        replace(column, covers=tuple(one for one in column.covers if one.name in names)) for column in columns
    )
    return replace(
        table,
        columns=covered,
        primary_key=table.primary_key if stands(table.primary_key) else (),
        unique_keys=tuple(key for key in table.unique_keys if stands(key)),
        foreign_keys=tuple(key for key in table.foreign_keys if stands(key.columns)),
    )


def _key_change(table: Table, head: TableVersion) -> tuple[str, ...]:
    if KEY not in head.summary:
        return ()  # loaded by a version that did not remember it
    before = tuple(json.loads(head.summary[KEY]))
    if before == table.primary_key:
        return ()
    old, new = (", ".join(key) or "none" for key in (before, table.primary_key))
    return (f"key changed ({old} → {new})",)
