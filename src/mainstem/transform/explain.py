"""Why a fact does not have its grain's rows: which join multiplies, which loses, shown on examples."""

from __future__ import annotations

from collections.abc import Mapping

from mainstem.contract.model_checks import Promise, Row
from mainstem.engine.port import Engine
from mainstem.errors import EngineFailed
from mainstem.model.joins import JoinProbe, join_probes
from mainstem.model.sql import parse_query, references
from mainstem.project.modelfile import ModelFile
from mainstem.text import count, joined
from mainstem.transform.promise import rows_of_model


def rows_of(engine: Engine, sql: str) -> list[Row]:
    """The rows of a small query as Python values."""
    result = engine.query(sql)
    return list(zip(*(column.to_pylist() for column in result.columns), strict=True))


def explain_grain(
    engine: Engine, model: ModelFile, promise: Promise, models: Mapping[str, ModelFile]
) -> list[str]:
    """One paragraph a join that changes the number of rows, then what to do. Empty if no join does.
    `models` are all models by name: the grain's rows may come through some of them."""
    query = parse_query(model.sql, model.file, model.sql_line)
    read = {reference.table.name for reference in references(query, model.file, model.sql_line)}
    through = [name for name in read & set(models) if promise.grain in rows_of_model(models[name], models)]
    lines: list[str] = []
    for probe in join_probes(query, [promise.grain, *through], lambda sql: _columns(engine, sql)):
        try:
            lines.extend(_explained(engine, probe, promise.grain))
        except EngineFailed:
            # A probe that cannot stand alone (a correlated join, say) explains nothing; the failed
            # verdict itself has been said already.
            continue
    return lines


def _columns(engine: Engine, sql: str) -> list[str]:
    try:
        return list(engine.describe(sql).names)
    except EngineFailed:
        return []  # it cannot stand alone: a correlated subquery, say


def _explained(engine: Engine, probe: JoinProbe, grain: str) -> list[str]:
    before, lost, after = (int(value) for value in rows_of(engine, probe.counts)[0])
    dropped = 0 if probe.keeps_left else lost
    extra = after - (before - dropped)
    if not dropped and extra <= 0:
        return []
    columns = joined(probe.right_columns) or "its condition"
    lines = [f"the join to {probe.right} on {columns} takes {before:,} rows to {after:,}:"]
    if extra > 0:
        lines.append(f"  {extra:,} rows too many, because {_repeats(engine, probe, columns)}")
    if dropped:
        lines.append(
            f"  {count(dropped, 'row')} of raw.{grain} lost, because {_losses(engine, probe, dropped)}"
        )
    lines.append(f"  → {_advice(probe, extra > 0, dropped > 0)}")
    return lines


def _repeats(engine: Engine, probe: JoinProbe, columns: str) -> str:
    found = rows_of(engine, probe.repeats) if probe.repeats else []
    if not found:
        return f"{columns} does not pick one row of {probe.right}"
    examples = joined(f"{key!r} stands for {number} rows" for key, number in found)
    return f"{columns} is not a key of {probe.right}: {examples}"


def _losses(engine: Engine, probe: JoinProbe, dropped: int) -> str:
    nulls = int(rows_of(engine, probe.nulls)[0][0]) if probe.nulls else 0
    column = joined(probe.left_columns) or "the condition"
    if nulls >= dropped:
        return f"{column} is NULL there, and NULL joins nothing"
    if nulls:
        return f"{column} is NULL in {nulls:,} of them and has no partner in the others"
    return f"{column} has no partner in {probe.right}"


def _advice(probe: JoinProbe, multiplies: bool, loses: bool) -> str:
    parts = []
    if multiplies:
        parts.append(
            f"join {probe.right} on a key of it that is unique, or fold its columns into the dimension "
            "that they describe"
        )
    if loses:
        parts.append("use a left join and send rows without a partner to the unknown member")
    return "; ".join(parts)
