"""What the rows of a source table must fulfil, as the engine's SQL. Pure.

As with a CHECK constraint, a rule about a value says nothing of NULL (that is what `not_null` is for), and
an expression that is neither true nor false breaks nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mainstem.text import quoted

Value = str | int | float | bool | Decimal | dt.date


@dataclass(frozen=True, slots=True)
class Rule:
    """`broken`: SQL that is true for a row that breaks it. `column` is empty for a rule about the whole row,
    whose `condition` is what the user wrote; `across`: it looks at other rows, too, so that it stands in no
    WHERE; `constants`: SQL of what the column is compared with, `trial`: SQL that has to be computable."""

    name: str
    column: str
    broken: str
    across: bool = False
    condition: str = ""
    constants: tuple[str, ...] = ()
    trial: str = ""

    def __str__(self) -> str:
        """`amount: range`, `expression paid_at >= ordered_at`."""
        return f"{self.column}: {self.name}" if self.column else self.name


@dataclass(frozen=True, slots=True)
class Contract:
    """A table's rules. `quarantine`: rows that break one are set apart; otherwise they stop the run."""

    rules: tuple[Rule, ...]
    quarantine: bool = False

    @property
    def across(self) -> bool:
        """Whether a row may break it, or not, because of another row."""
        return any(rule.across for rule in self.rules)

    @property
    def reason(self) -> str:
        """SQL for the rules that a row breaks, NULL for none."""
        cells = ", ".join(f"case when {rule.broken} then {literal(str(rule))} end" for rule in self.rules)
        return f"nullif(concat_ws('; ', {cells}), '')"

    def counts(self, table: str) -> str:
        """One row: how many rows break any rule, then how many break each."""
        flags = ", ".join(f"coalesce({rule.broken}, false) as r{at}" for at, rule in enumerate(self.rules))
        names = [f"r{at}" for at in range(len(self.rules))]
        each = ", ".join(f"count(*) filter ({name}) as {name}" for name in names)
        every = f"count(*) filter ({' or '.join(names)}) as every"
        return f"select {every}, {each} from (select {flags} from {table})"

    def __str__(self) -> str:
        number = len(self.rules)
        what = "quarantine" if self.quarantine else "fail"
        return f"contract of {number} {'rule' if number == 1 else 'rules'} (on_break: {what})"


def literal(value: Value) -> str:
    """A constant. A text takes the type of what it is compared with, so that it may be a date."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def not_null(column: str) -> Rule:
    """The value is there."""
    return Rule("not_null", column, f"{quoted(column)} is null")


def unique(column: str) -> Rule:
    """No other row has the value; all that share one break the rule."""
    name = quoted(column)
    return Rule("unique", column, f"({name} is not null and count(*) over (partition by {name}) > 1)", True)


def accepted_values(column: str, values: Sequence[Value]) -> Rule:
    """The value is one of these."""
    listed = tuple(literal(value) for value in values)
    sql = f"({quoted(column)} not in ({', '.join(listed)}))"
    return Rule("accepted_values", column, sql, constants=listed)


def in_range(column: str, low: Value | None, high: Value | None) -> Rule:
    """The value lies between, or equals, the ends that are given."""
    name = quoted(column)
    ends = [(sign, literal(end)) for sign, end in (("<", low), (">", high)) if end is not None]
    sql = " or ".join(f"{name} {sign} {end}" for sign, end in ends)
    return Rule("range", column, f"({sql})", constants=tuple(end for _, end in ends))


def matches(column: str, pattern: str) -> Rule:
    """The whole text has this form (RE2's regular expressions)."""
    sql = f"not regexp_full_match(cast({quoted(column)} as varchar), {literal(pattern)})"
    return Rule("matches", column, f"({sql})", trial=f"regexp_full_match('', {literal(pattern)})")


def expression(sql: str) -> Rule:
    """The row fulfils a condition in the engine's SQL."""
    return Rule(f"expression {' '.join(sql.split())}", "", f"(({sql}\n) is false)", condition=sql)
