"""The data files that may hold certain rows, by the least and the greatest values that their footers tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainstem.engine.port import Engine
from mainstem.lake import Lake
from mainstem.schema import Column, Kind, TableName
from mainstem.text import quoted
from mainstem.transform.explain import rows_of

_BOUNDED = (Kind.INT, Kind.LONG, Kind.STRING, Kind.BINARY)  # no dates: Python has none after the year 9999

Bounds = Mapping[str, tuple[Any, Any]]


def bounds(engine: Engine, relation: TableName, columns: Sequence[Column]) -> Bounds:
    """The least and the greatest value of those columns of a relation that have an order of their own; not of
    one with NULLs: footers do not count them, so they may be in any file."""
    told = [column.name for column in columns if column.type.kind in _BOUNDED]
    if not told:
        return {}
    asked = ", ".join(f"min({name}), max({name}), count(*) - count({name})" for name in map(quoted, told))
    row = rows_of(engine, f"select {asked} from {quoted(*relation)}")[0]
    each = {name: row[3 * at : 3 * at + 3] for at, name in enumerate(told)}
    return {name: (least, most) for name, (least, most, nulls) in each.items() if not nulls}


def within(lake: Lake, table: TableName, files: Sequence[Path], wanted: Bounds) -> list[Path]:
    """Those of a table's files that may have a row between the bounds; none for those of no rows at all."""
    if any(least is None for least, _ in wanted.values()):
        return []
    if not wanted:
        return list(files)
    found = []
    for file in files:
        told = lake.bounds(table, file, list(wanted))
        if all(wanted[name][0] <= most and least <= wanted[name][1] for name, (least, most) in told.items()):
            found.append(file)
    return found
