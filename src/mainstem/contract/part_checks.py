"""A model's promises, asked of what changed: the answer that all rows would give, or none. Pure.

A version of a table shares data files with the one before, whose promises held, and files never change. So
what held for all rows holds for the kept ones, and sums and counts are the earlier ones, less those of the
files that went, more those of the files that came. Where the changed rows alone do not show that a promise
holds, all rows are asked (`model_checks`), so that a refusal has the same words either way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from mainstem.contract.model_checks import (
    Declared,
    Promise,
    Reference,
    Row,
    Verdict,
    grain_rows,
    questions,
    reference_verdict,
    sum_verdict,
)
from mainstem.schema import TableName
from mainstem.text import quoted

ADDED, REMOVED, KEPT = (TableName("proof", name) for name in ("added", "removed", "kept"))
"""The model's rows in the files that came, went and stayed."""

GRAIN_ADDED, GRAIN_REMOVED = (TableName("proof", name) for name in ("grain added", "grain removed"))
"""The same of its grain table."""


def before(dimension: str) -> TableName:
    """The name of a dimension's version that the earlier verdicts are about."""
    return TableName("before", dimension)


@dataclass(frozen=True, slots=True)
class PartQuestion:
    """SQL over the changed rows; `judge` gives the verdict over all of them, or None: they do not tell."""

    sql: str
    judge: Callable[[list[Row]], Verdict | None]


def digest(promise: Promise) -> str:
    """The same for the same promise, whatever the table had before: verdicts of another one say nothing."""
    value = asdict(replace(promise, rows_before=0))
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def part_questions(
    promise: Promise, earlier: Sequence[Mapping[str, Any]], additive: bool, moved: frozenset[str]
) -> list[PartQuestion | None]:
    """For each of `questions(promise)` the question about what changed, None where there is none. `earlier`
    are that promise's verdicts on the version before, as plain values; `additive`: sums over the grain table
    are sums over its files; `moved` are the dimensions that have another version."""
    names = [question.name for question in questions(promise)]
    if names != [verdict.get("name") for verdict in earlier]:
        return [None] * len(names)
    asked: list[_Form | None] = [None, *([None] if promise.grain else [])]
    if promise.key:
        asked += [_unique(promise.key), _not_null(promise.key)]
    asked += [_sum(promise, *pair) if additive else None for pair in promise.sums.items()]
    asked += [_reference(promise, one, one.dimension in moved) for one in promise.references]
    asked += [_declared(one) for one in promise.declared]
    return [
        form(verdict) if form is not None and verdict.get("holds") is True else None
        for form, verdict in zip(asked, earlier, strict=True)
    ]


_Form = Callable[[Mapping[str, Any]], PartQuestion | None]


def _unchanged(verdict: Mapping[str, Any]) -> Verdict:
    facts = verdict.get("facts")
    return Verdict(verdict["name"], True, verdict["text"], bool(verdict.get("warning")), facts)


def _if_none(sql: str) -> _Form:
    """The earlier verdict, if the SELECT finds nothing."""

    def form(verdict: Mapping[str, Any]) -> PartQuestion:
        return PartQuestion(sql, lambda rows: None if int(rows[0][0]) else _unchanged(verdict))

    return form


def _declared(check: Declared) -> _Form | None:
    if check.not_null:
        return _not_null(check.not_null)
    if check.unique:
        return _unique(check.unique)
    if check.accepted:
        column, values = check.accepted
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        text = f"cast({quoted(column)} as varchar)"
        return _if_none(f"select count(*) from {quoted(*ADDED)} where {text} not in ({listed})")
    return None  # SQL of the user's: it may look at anything


def _not_null(columns: Sequence[str]) -> _Form:
    bad = " or ".join(f"{quoted(column)} is null" for column in columns)
    return _if_none(f"select count(*) from {quoted(*ADDED)} where {bad}")


def _unique(columns: Sequence[str]) -> _Form:
    """The rows that came are unique among themselves, and none of the kept ones has a key of theirs."""
    names = ", ".join(quoted(column) for column in columns)
    same = " and ".join(f"k.{quoted(c)} is not distinct from a.{quoted(c)}" for c in columns)
    added = quoted(*ADDED)
    return _if_none(
        f"select (select count(*) from (select 1 from {added} group by {names} having count(*) > 1)) "
        f"+ (select count(*) from {quoted(*KEPT)} as k semi join {added} as a on {same})"
    )


def _sum(promise: Promise, column: str, equals: str) -> _Form:
    def total(expression: str, table: TableName, name: str) -> str:
        summed = f"sum({expression})"
        return (
            f"(select cast({summed} as varchar) as {name}, typeof({summed}) as {name}_type "
            f"from {quoted(*table)}"
        )

    where = f" where {promise.where}\n" if promise.where else ""
    sides = [
        total(quoted(column), ADDED, "a") + ")",
        total(quoted(column), REMOVED, "b") + ")",
        total(f"({equals}\n)", GRAIN_ADDED, "c") + where + ")",
        total(f"({equals}\n)", GRAIN_REMOVED, "d") + where + ")",
    ]

    def form(verdict: Mapping[str, Any]) -> PartQuestion:
        known = (verdict.get("facts") or {}).get("sum")

        def judge(rows: list[Row]) -> Verdict | None:
            values, types = rows[0][0::2], rows[0][1::2]
            if {"DOUBLE", "FLOAT"} & set(types):
                return None  # depends on the order
            here, there = _moved(known, *values[:2]), _moved(known, *values[2:])
            found = sum_verdict(promise, column, equals, (here, there)) if here and there else None
            return found if found is not None and found.holds else None

        return PartQuestion(f"select * from {', '.join(sides)}", judge)

    return form


def _moved(known: str | None, added: str | None, removed: str | None) -> str | None:
    """The sum that was known, moved; None if it cannot be told (a sum of nothing is NULL, not zero)."""
    with localcontext(prec=100):
        try:
            found = Decimal(known or "") + Decimal(added or "0") - Decimal(removed or "0")
        except InvalidOperation:
            return None
        return f"{found:f}" if found.is_finite() and found else None


def _reference(promise: Promise, reference: Reference, moved: bool) -> _Form:
    """The rows that came find one row each; so do those that stayed, if no key of the dimension went."""
    column, key = quoted(reference.column), quoted(reference.key)
    unknown = "'" + reference.unknown.replace("'", "''") + "'"
    dimension, old = quoted("mart", reference.dimension), quoted(*before(reference.dimension))
    added, removed = quoted(*ADDED), quoted(*REMOVED)
    sql = (
        f"select count(*) filter (d.k is null), count(*) filter (f.{column} = {unknown}), count(*), "
        f"(select count(*) from {added}), "
        f"(select count(*) from {removed} where {column} = {unknown})"
    )
    vanished = f"(select count(*) from {old} as b anti join {dimension} as d on b.{key} = d.{key})"
    repeated = f"(select count(*) - count(distinct {key}) from {dimension} where {key} is not null)"
    sql += f", {vanished} + {repeated}" if moved else ", 0"
    sql += f" from {added} as f left join (select {key} as k from {dimension}) as d on f.{column} = d.k"

    def form(verdict: Mapping[str, Any]) -> PartQuestion:
        known = (verdict.get("facts") or {}).get("rows")

        def judge(rows: list[Row]) -> Verdict | None:
            orphans, unmatched, after, rows_added, gone, odd = (int(value) for value in rows[0])
            if known is None or orphans or after != rows_added or odd:
                return None
            return reference_verdict(promise, reference, (0, int(known) + unmatched - gone, 0, 0))

        return PartQuestion(sql, judge)

    return form


def grain_select(promise: Promise) -> str:
    """What the sums are computed from, as one SELECT: to be looked at for what does not add up by files."""
    listed = ", ".join(f"({equals}\n)" for equals in promise.sums.values())
    return grain_rows(promise, listed or "1")
