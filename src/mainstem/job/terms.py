"""What the user asks of a table beyond its rows, as the job's questions: the same SQL as the local run has,
compiled. Pure, but for DuckDB's binder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from mainstem.compile import compile_query
from mainstem.compile.query import view_name
from mainstem.contract.rules import Contract, Rule
from mainstem.engine.binder import Binder
from mainstem.engine.spark.proofdialect import quote
from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.ingest.history import next_columns
from mainstem.ingest.terms import REASON, History
from mainstem.ingest.versions import Versions
from mainstem.project.load import FILE
from mainstem.schema import HISTORY, RAW, RAW_OUT_OF_RANGE, Column, Kind, Table, TableName
from mainstem.text import quoted

BEFORE, CHANGE = (
    "before",
    "change",
)  # views of the job: a history as it stands, its versions that end or begin
_MOMENT = datetime(1001, 1, 1, 1, 1, 1, 111111)  # stands in the SQL until the source has told its time
_FLOATING = (Kind.FLOAT, Kind.DOUBLE)


def contract_part(
    contract: Contract | None, table: Table, line: Callable[[Rule], int]
) -> dict[str, Any] | None:
    """The questions by which the job judges rows; None without a contract. `line` is where a rule stands in
    mainstem.yml. Raises ConfigErrors for rules that Spark does not judge as DuckDB does."""
    if contract is None:
        return None
    raw = quoted(RAW, table.name)
    names = ", ".join(quoted(column.name) for column in table.columns)
    judged = f"(select {names}, {contract.reason} as {REASON} from {raw})"
    with Binder() as binder:
        binder.add_table(TableName(RAW, table.name), table.columns)
        errors: list[UsageError] = []
        for rule in contract.rules:
            try:
                sql = f"select {rule.broken} as broken from {raw}"
                compile_query(sql, binder.describe, FILE, line(rule))
            except ConfigErrors as error:
                errors += [_of_rule(one, table, rule) for one in error.errors]
        if errors:
            raise ConfigErrors(errors)
        return {
            "rules": [str(rule) for rule in contract.rules],
            "columns": [rule.column for rule in contract.rules],
            "counts": compile_query(contract.counts(raw), binder.describe).sql,
            "good": compile_query(
                f"select {names} from {judged} where {REASON} is null", binder.describe
            ).sql,
            "bad": compile_query(f"select * from {judged} where {REASON} is not null", binder.describe).sql,
        }


def _of_rule(error: UsageError, table: Table, rule: Rule) -> UsageError:
    return UsageError(f"{table.name}: {rule}: {error.message}", where=error.where, hint=error.hint)


def history_part(
    table: Table, history: History, past: Sequence[Column], now: str
) -> tuple[dict[str, Any], tuple[Column, ...]]:
    """The questions by which the job brings a history up to its table, and the history's columns. `past` are
    the columns of the history as it stands (none: there is none), `now` asks the source for its time. Raises
    UsageError for a history that Spark cannot go on with."""
    names = [TableName(space, table.name) for space in (RAW, BEFORE, CHANGE, HISTORY)]
    raw, before, change, made = (quoted(*name) for name in names)
    columns = next_columns(table, history, past)
    past = past or columns
    _require_no_text_of_floats(table, columns, past)
    versions = Versions(history, columns, table.columns, past, raw, before, _MOMENT)
    rest = versions.in_change(versions.past_sql, change, "anti")
    keys = ", ".join(quoted(name) for name in history.key)
    with Binder() as binder:
        for name, added in zip(names, (table.columns, past, columns, columns), strict=True):
            binder.add_table(name, added)

        def compiled(sql: str) -> str:
            # Floats are cast to text to be compared with each other, on one engine: any exact text will do.
            return compile_query(sql, binder.describe, approximate=True).sql

        value = {
            "ask_now": f"select {now}",
            "key": list(history.key),
            "same": versions.same,
            "before": view_name(names[1]),
            "change": view_name(names[2]),
            "keys": compiled(f"select count(*) from (select distinct {keys} from {raw})"),
            "changes": compiled(versions.changes).replace(_MOMENT.isoformat(" "), ":moment:"),
            "merged": compiled(f"{rest} union all select * from {change}"),
            "faults": compiled(versions.faults(made)),
            "unlike": compiled(versions.unlike(made)),
        }
    return value, columns


def _require_no_text_of_floats(table: Table, columns: Sequence[Column], past: Sequence[Column]) -> None:
    """The two engines print floating point in different ways."""
    floats = {column.name for column in (*table.columns, *past) if column.type.kind in _FLOATING}
    for column in columns:
        if column.name in floats and column.type.kind is Kind.STRING:
            raise UsageError(
                "Spark does not make text of the floating point numbers that the history has",
                where=Where(table=f"{HISTORY}.{table.name}", column=column.name),
                hint="run it once with --target local",
            )


def outside_part(table: Table) -> dict[str, Any] | None:
    """The question how many values of each column stand as text in the side column; None without one."""
    names = [column.name for side in table.columns for column in side.covers]
    if not names:
        return None
    side = quote(RAW_OUT_OF_RANGE)
    literals = ("'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'" for name in names)
    counts = ", ".join(f"count_if(array_contains(json_object_keys({side}), {one}))" for one in literals)
    view = quote(view_name(TableName(RAW, table.name)))
    return {"sql": f"SELECT {counts} FROM {view} WHERE {side} IS NOT NULL", "columns": names}
