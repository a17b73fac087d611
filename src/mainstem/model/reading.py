"""What the plan needs of a model's SQL: values that can be remembered. SQLGlot is not imported here."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.schema import TableName


@dataclass(frozen=True, slots=True)
class Reference:
    """A table that a model reads. `line` is a line of the user's file."""

    table: TableName
    line: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A model's SQL: the tables that it reads, and how it is brought up to date ("in part, by order_id",
    "in full: it groups rows")."""

    references: tuple[Reference, ...]
    how: str
