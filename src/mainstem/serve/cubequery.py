"""Answers from a cube's table, for cubes that are too large for the browser. Names, never SQL."""

from __future__ import annotations

import datetime
import json
from typing import Any

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from mainstem.errors import UsageError
from mainstem.serve.cube import GRAINS, SCHEMA, CubePlan, at_grain
from mainstem.serve.cubesql import CubeDimension
from mainstem.text import nearest, quoted

MAX_GROUPS = 200_000


class CubeQuery(BaseModel):
    """The body of `POST /api/dashboards/NAME/query`. A category's filter lists its values (null: none);
    a date's is [first day, last day], either may be null. `group` names dimensions, a date also as
    `date.month`; `measures` names columns of the cube, or measures."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    filters: dict[str, list[str | None]] = Field(default_factory=dict, max_length=50)
    group: list[str] = Field(default_factory=list, max_length=4)
    measures: list[str] = Field(min_length=1, max_length=100)


def compile_query(plan: CubePlan, query: CubeQuery) -> tuple[str, list[Any]]:
    """SQL over the cube's table, and the values bound to it. UsageError for a name that there is not."""
    dimensions = {dimension.name: dimension for dimension in plan.dimensions}
    groups = [_cut(dimensions, name) for name in query.group]
    sums = [_column(plan, name) for name in _columns(plan, query.measures)]
    conditions: list[str] = []
    values: list[Any] = []
    for name, wanted in query.filters.items():
        condition, bound = _condition(_dimension(dimensions, name), wanted)
        conditions.append(condition)
        values += bound
    where = f" where {' and '.join(conditions)}" if conditions else ""
    by = ", ".join(str(place + 1) for place in range(len(groups)))
    grouped = f" group by {by} order by {by}" if by else ""
    table = quoted(SCHEMA, plan.name)
    return f"select {', '.join([*groups, *sums])} from {table}{where}{grouped} limit {MAX_GROUPS + 1}", values


def answer(cursor: duckdb.DuckDBPyConnection, plan: CubePlan, query: CubeQuery) -> bytes:
    """`{"columns", "rows"}` as JSON; sums are exact text, dates are YYYY-MM-DD."""
    sql, values = compile_query(plan, query)
    rows = cursor.execute(sql, values).fetchall()
    if len(rows) > MAX_GROUPS:
        raise UsageError(f"more than {MAX_GROUPS:,} groups", hint="group by fewer dimensions, or filter")
    names = [*query.group, *_columns(plan, query.measures)]
    document = {
        "columns": [{"name": name} for name in names],
        "rows": [[None if value is None else str(value) for value in row] for row in rows],
    }
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _dimension(dimensions: dict[str, CubeDimension], name: str) -> CubeDimension:
    if name not in dimensions:
        raise UsageError(f"there is no dimension {name[:80]!r}", hint=nearest(name[:80], dimensions))
    return dimensions[name]


def _cut(dimensions: dict[str, CubeDimension], text: str) -> str:
    if text in dimensions:
        return quoted(text)
    name, _, grain = text.rpartition(".")
    dimension = _dimension(dimensions, name or text)
    if not dimension.grain or grain not in GRAINS or GRAINS.index(grain) < GRAINS.index(dimension.grain):
        raise UsageError(f"{name[:80]!r} cannot be grouped by {grain[:20]!r}")
    return at_grain(quoted(name), grain)


def _columns(plan: CubePlan, names: list[str]) -> list[str]:
    """The cube's columns behind the asked names, each once, in order."""
    known = {column.name for column in plan.columns}
    parts = {measure.name: measure.of for measure in plan.measures if measure.of}
    found: dict[str, None] = {}
    for name in names:
        for column in parts.get(name, (name,)):
            if column not in known:
                raise UsageError(f"there is no measure {name[:80]!r}", hint=nearest(name[:80], known))
            found[column] = None
    return list(found)


def _column(plan: CubePlan, name: str) -> str:
    return f"sum({quoted(name)}) as {quoted(name)}"


def _condition(dimension: CubeDimension, wanted: list[str | None]) -> tuple[str, list[Any]]:
    name = quoted(dimension.name)
    if not dimension.grain:
        some = [value for value in wanted if value is not None]
        parts = [f"{name} in ({', '.join('?' * len(some))})"] if some else []
        parts += [f"{name} is null"] if None in wanted else []
        return (f"({' or '.join(parts)})" if parts else "false"), some
    if len(wanted) != 2:
        raise UsageError(f"the filter of {dimension.name!r} is [first day, last day]")
    bounds = [
        (sign, _day(dimension, value)) for sign, value in zip((">=", "<="), wanted, strict=True) if value
    ]
    return " and ".join(f"{name} {sign} ?" for sign, _day in bounds) or "true", [day for _sign, day in bounds]


def _day(dimension: CubeDimension, value: str | None) -> datetime.date:
    try:
        return datetime.date.fromisoformat(value or "")
    except ValueError:
        raise UsageError(f"the filter of {dimension.name!r} takes days as YYYY-MM-DD") from None
