"""Lineage as values, apart from the parser that finds it: readers need not load SQLGlot. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainstem.schema import TableName


@dataclass(frozen=True, slots=True, order=True)
class ColumnName:
    """A column of a table of the lake."""

    table: TableName
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(frozen=True, slots=True)
class Lineage:
    """`edges` run from a table to the model that reads it; `columns` from a model's column to what it is
    made of; `unresolved` names models whose columns could not be followed (their edges still stand)."""

    edges: tuple[tuple[TableName, TableName], ...] = ()
    columns: Mapping[ColumnName, tuple[ColumnName, ...]] = field(default_factory=dict)
    unresolved: tuple[TableName, ...] = ()

    def value(self) -> dict[str, Any]:
        """As plain values for JSON; `Lineage.of` is the inverse."""
        return {
            "edges": [[list(parent), list(child)] for parent, child in self.edges],
            "columns": [
                [_plain(name), [_plain(one) for one in found]] for name, found in self.columns.items()
            ],
            "unresolved": [list(name) for name in self.unresolved],
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Lineage:
        """From what `value` gave."""
        return cls(
            tuple((TableName(*parent), TableName(*child)) for parent, child in value["edges"]),
            {_named(name): tuple(_named(one) for one in found) for name, found in value["columns"]},
            tuple(TableName(*name) for name in value["unresolved"]),
        )


def _plain(column: ColumnName) -> list[str]:
    return [*column.table, column.name]


def _named(parts: list[str]) -> ColumnName:
    namespace, table, name = parts
    return ColumnName(TableName(namespace, table), name)
