"""What a model promises, as SQL and verdicts: from the header come checks that nobody writes. Pure.

Rows equal the grain table's rows, the key is unique, each measure's sum equals its source's, every join
to a dimension finds exactly one row, unmatched keys are counted. The SQL is DuckDB's; the model's own
rows stand as `mart.<name>`, the tables that it reads under their lake names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from mainstem.schema import MART, RAW, TableName
from mainstem.text import count, joined, quoted

Row = tuple[Any, ...]
_RELATIVE = Decimal("1e-9")  # two orders of summing doubles differ by less


@dataclass(frozen=True, slots=True)
class Reference:
    """A key column that refers to a dimension's key; `unknown` is that dimension's unknown member."""

    column: str
    dimension: str
    key: str
    unknown: str


@dataclass(frozen=True, slots=True)
class Declared:
    """A check that the user wrote: exactly one of the four is given; `warning` does not stop a release."""

    not_null: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    accepted: tuple[str, tuple[str, ...]] | None = None
    sql: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Promise:
    """What one model promises, gathered from its header (or inferred where the header is silent)."""

    name: str
    key: tuple[str, ...] = ()
    grain: str = ""  # lake name of the grain table: "orderdetails" in raw, "" if there is none
    where: str = ""
    sums: Mapping[str, str] = field(default_factory=dict)  # column → expression over the grain table
    references: tuple[Reference, ...] = ()
    declared: tuple[Declared, ...] = ()
    rows_before: int = 0
    allow_empty: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judged promise. `text` is for people; `facts` for the receipt. A verdict that does not hold
    and is no warning stops the release."""

    name: str
    holds: bool
    text: str
    warning: bool = False
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """SQL and the judge of its rows."""

    name: str
    sql: str
    judge: Callable[[list[Row]], Verdict]


def questions(promise: Promise) -> list[Question]:
    """All questions of a promise, cheapest first."""
    asked = [_not_emptied(promise)]
    if promise.grain:
        asked.append(_grain(promise))
    if promise.key:
        asked += [_key(promise), _not_null(promise, promise.key)]
    asked += [_sum(promise, column, equals) for column, equals in promise.sums.items()]
    asked += [_reference(promise, reference) for reference in promise.references]
    asked += [_declared(promise, one) for one in promise.declared]
    return asked


def _me(promise: Promise) -> str:
    return quoted(MART, promise.name)


def grain_rows(promise: Promise, what: str = "count(*)") -> str:
    """A SELECT over the grain table after the model's own declared filter."""
    where = f" where {promise.where}\n" if promise.where else ""  # it may end in a comment
    return f"select {what} from {quoted(RAW, promise.grain)}{where}"


def _not_emptied(promise: Promise) -> Question:
    def judge(rows: list[Row]) -> Verdict:
        now = int(rows[0][0])
        if now == 0 and promise.rows_before > 0 and not promise.allow_empty:
            text = f"no rows, where the current release has {promise.rows_before:,}"
            return Verdict("rows", False, text)
        return Verdict("rows", True, count(now, "row"), facts={"rows": now})

    return Question("rows", f"select count(*) from {_me(promise)}", judge)


def _grain(promise: Promise) -> Question:
    sql = f"select (select count(*) from {_me(promise)}), ({grain_rows(promise)})"
    table = f"{RAW}.{promise.grain}"

    def judge(rows: list[Row]) -> Verdict:
        mine, theirs = int(rows[0][0]), int(rows[0][1])
        if mine == theirs:
            text = f"{count(mine, 'row')}, as many as {table}"
            return Verdict("grain", True, text, facts={"rows": mine, "grain": table})
        after = " after its filter" if promise.where else ""
        much = f"{mine - theirs:,} too many" if mine > theirs else f"{theirs - mine:,} lost"
        text = (
            f"{count(mine, 'row')}, but its grain is one row of {table}, which has {theirs:,}{after}: {much}"
        )
        return Verdict("grain", False, text, facts={"rows": mine, "grain": table, "expected": theirs})

    return Question("grain", sql, judge)


def _key(promise: Promise) -> Question:
    columns = ", ".join(quoted(column) for column in promise.key)
    text = f"concat_ws(', ', {', '.join(f'cast({quoted(column)} as varchar)' for column in promise.key)})"
    sql = (
        f"with repeated as (select {text} as k, count(*) as n from {_me(promise)} "
        f"group by {columns} having count(*) > 1) "
        f"select (select count(*) from repeated), k, n from repeated order by n desc, k limit 3"
    )
    named, be = joined(promise.key), "is" if len(promise.key) == 1 else "are"

    def judge(rows: list[Row]) -> Verdict:
        if not rows:
            return Verdict("key", True, f"{named} {be} unique")
        examples = joined(f"{key} stands {number} times" for _, key, number in rows)
        return Verdict(
            "key", False, f"{named} {be} not unique: {count(int(rows[0][0]), 'key')} repeated; {examples}"
        )

    return Question("key", sql, judge)


def _not_null(promise: Promise, columns: Sequence[str]) -> Question:
    counted = ", ".join(f"count(*) - count({quoted(column)})" for column in columns)

    def judge(rows: list[Row]) -> Verdict:
        bad = [f"{c} in {count(int(n), 'row')}" for c, n in zip(columns, rows[0], strict=True) if n]
        if bad:
            return Verdict("not null", False, f"NULL in {joined(bad)}")
        return Verdict("not null", True, f"no NULL in {joined(columns)}")

    return Question("not null", f"select {counted} from {_me(promise)}", judge)


def _sum(promise: Promise, column: str, equals: str) -> Question:
    total = "cast(sum({0}) as varchar) as {1}, typeof(sum({0})) as {1}_type"
    mine = total.format(quoted(column), "here")
    theirs = grain_rows(promise, total.format(f"({equals}\n)", "there"))
    sql = f"select * from (select {mine} from {_me(promise)}), ({theirs})"
    name = f"sum of {column}"

    def judge(rows: list[Row]) -> Verdict:
        here, type_here, there, type_there = rows[0]
        floating = bool({"DOUBLE", "FLOAT"} & {type_here, type_there})
        return sum_verdict(promise, column, equals, (here, there), floating=floating)

    return Question(name, sql, judge)


def sum_verdict(
    promise: Promise, column: str, equals: str, sums: tuple[str | None, str | None], *, floating: bool = False
) -> Verdict:
    """The verdict on a column's sum, as text, and that of its expression over the grain table."""
    here, there = sums
    name, table = f"sum of {column}", f"{RAW}.{promise.grain}"
    if same_number(here, there, approximate=floating):
        how = ", to 9 digits (floating point)" if floating else ""
        proven = nine_digits(here) if floating else here
        text = f"{column}: {number_text(proven)}, the sum of {equals} over {table}{how}"
        return Verdict(name, True, text, facts={"measure": column, "sum": proven, "equals": equals})
    text = f"{column} sums to {number_text(here)}, but {equals} over {table} to {number_text(there)}"
    return Verdict(name, False, text, facts={"measure": column, "sum": here, "expected": there})


def _reference(promise: Promise, reference: Reference) -> Question:
    fact, dimension = quoted("f", reference.column), quoted(MART, reference.dimension)
    unknown = "'" + reference.unknown.replace("'", "''") + "'"
    sql = (
        f"select count(*) filter (d.k is null), count(*) filter ({fact} = {unknown}), count(*), "
        f"(select count(*) from {_me(promise)}) from {_me(promise)} as f "
        f"left join (select {quoted(reference.key)} as k from {dimension}) as d on {fact} = d.k"
    )

    def judge(rows: list[Row]) -> Verdict:
        orphans, unmatched, after, before = (int(value) for value in rows[0])
        return reference_verdict(promise, reference, (orphans, unmatched, after, before))

    return Question(_reference_name(reference), sql, judge)


def _reference_name(reference: Reference) -> str:
    return f"{reference.column} → {reference.dimension}"


def reference_verdict(promise: Promise, reference: Reference, counts: tuple[int, int, int, int]) -> Verdict:
    """The verdict on a reference: rows without a row of the dimension, rows at its unknown member, rows after
    the join and before it."""
    name = _reference_name(reference)
    orphans, unmatched, after, before = counts
    facts = {"dimension": reference.dimension, "column": reference.column, "rows": unmatched}
    if orphans:
        text = f"{count(orphans, 'row')} of {promise.name} find no row in {reference.dimension}"
        return Verdict(name, False, text, facts=facts)
    if after != before:
        text = f"joining {reference.dimension} takes {before:,} rows to {after:,}: its key repeats"
        return Verdict(name, False, text, facts=facts)
    noted = f"; {count(unmatched, 'row')} at the unknown member" if unmatched else ""
    return Verdict(name, True, f"every row finds one row of {reference.dimension}{noted}", facts=facts)


def _declared(promise: Promise, check: Declared) -> Question:
    if check.not_null:
        question = _not_null(promise, check.not_null)
    elif check.unique:
        question = _key(replace(promise, key=check.unique))
    elif check.accepted:
        question = _accepted(promise, *check.accepted)
    else:
        question = _no_rows(check.sql)
    if not check.warning:
        return question
    judge = question.judge
    return replace(question, judge=lambda rows: replace(judge(rows), warning=True))


def _accepted(promise: Promise, column: str, values: Sequence[str]) -> Question:
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    sql = f"select count(*) from {_me(promise)} where cast({quoted(column)} as varchar) not in ({listed})"

    def judge(rows: list[Row]) -> Verdict:
        others = int(rows[0][0])
        text = f"{column} has one of {count(len(values), 'value')}"
        if others:
            text = f"{column} has a value that is not accepted in {count(others, 'row')}"
        return Verdict("accepted values", not others, text)

    return Question("accepted values", sql, judge)


def _no_rows(sql: str) -> Question:
    def judge(rows: list[Row]) -> Verdict:
        found = int(rows[0][0])
        text = "the check's SELECT returns no row"
        return Verdict(
            "sql", not found, f"the check's SELECT returns {count(found, 'row')}" if found else text
        )

    one = sql.strip().rstrip(";")
    return Question("sql", f"select count(*) from ({one}\n)", judge)


def same_number(left: str | None, right: str | None, *, approximate: bool) -> bool:
    """Whether two sums, as text, are the same number; NULL (no rows) equals NULL and zero."""
    try:
        a, b = Decimal(left or "0"), Decimal(right or "0")
    except InvalidOperation:
        return left == right
    if not (a.is_finite() and b.is_finite()):
        return str(a) == str(b)
    return a == b or (approximate and abs(a - b) <= _RELATIVE * max(abs(a), abs(b)))


def number_text(value: str | None) -> str:
    """A number as people read it, every digit of it: `9,604,190.61`; no zeros after the second place."""
    if value is None:
        return "nothing"
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    if not number.is_finite():
        return value
    whole, point, places = f"{number:,f}".partition(".")
    return f"{whole}{point}{places[:2]}{places[2:].rstrip('0')}"


def nine_digits(value: str | None) -> str | None:
    """A floating-point sum as far as it is proven: no place after its ninth digit."""
    if value is None:
        return None
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() > 27:
        return value
    places = max(0, 8 - max(number.adjusted(), -20))
    return f"{round(number, places):f}"


def table_name(text: str) -> TableName:
    """`raw.orders` → TableName; a bare name is a source table."""
    namespace, point, name = text.partition(".")
    return TableName(namespace, name) if point else TableName(RAW, text)
