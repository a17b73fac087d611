"""The contract of a source table, as the user writes it under `tables` in mainstem.yml."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from mainstem.contract import rules
from mainstem.contract.rules import Contract, Rule
from mainstem.project.strict import Strict
from mainstem.schema import Kind, Table

Value = bool | int | float | str


class OnBreak(StrEnum):
    """What becomes of rows that break the contract."""

    FAIL = "fail"  # the run stops, nothing is published
    QUARANTINE = "quarantine"  # they stand in quarantine.TABLE, not in raw.TABLE


class ColumnRules(Strict):
    """What the values of one column must fulfil; all but `not_null` say nothing of NULL."""

    not_null: bool = False
    unique: bool = False
    accepted_values: list[Value] = Field(default_factory=list)
    range: list[Value | None] = Field(default_factory=list)
    matches: str = ""

    @field_validator("range")
    @classmethod
    def _two_ends(cls, value: list[Value | None]) -> list[Value | None]:
        if len(value) != 2 or value == [None, None]:
            raise ValueError("a range is [LOWEST, HIGHEST]; null leaves one of them open")
        return value

    @field_validator("matches")
    @classmethod
    def _a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return value

    def rules(self, column: str, *, text: bool) -> list[Rule]:
        """The rules, in the order of the fields. `text`: the column is one, whatever it is compared with."""
        values = [str(value) for value in self.accepted_values] if text else self.accepted_values
        ends = [str(end) if text and end is not None else end for end in self.range]
        found = [rules.not_null(column)] if self.not_null else []
        found += [rules.unique(column)] if self.unique else []
        found += [rules.accepted_values(column, values)] if values else []
        found += [rules.in_range(column, *ends)] if ends else []
        found += [rules.matches(column, self.matches)] if self.matches else []
        return found


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class ContractConfig(Strict):
    """Rules by column, and conditions on whole rows (`expression`, one or a list)."""

    on_break: OnBreak = OnBreak.FAIL
    columns: dict[str, ColumnRules] = Field(default_factory=dict)
    expression: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)

    def contract(self, table: Table) -> Contract | None:
        """The rules for a table; None if there are none."""
        texts = {column.name for column in table.columns if column.type.kind is Kind.STRING}
        found = [rule for name, spec in self.columns.items() for rule in spec.rules(name, text=name in texts)]
        found += [rules.expression(sql) for sql in self.expression]
        return Contract(tuple(found), self.on_break is OnBreak.QUARANTINE) if found else None
