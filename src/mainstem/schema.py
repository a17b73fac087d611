"""The values that every room speaks of: types, columns, tables, databases. Pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The lake's types: the subset of Iceberg's primitives into which every source maps exactly."""

    BOOLEAN = "boolean"
    INT = "int"  # 32 bits, signed
    LONG = "long"  # 64 bits, signed
    DECIMAL = "decimal"  # precision 1..38
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    BINARY = "binary"
    DATE = "date"
    TIMESTAMP = "timestamp"  # microseconds, no zone
    TIMESTAMPTZ = "timestamptz"  # microseconds, UTC


@dataclass(frozen=True, slots=True)
class Type:
    """A lake type. `precision` and `scale` have a meaning for decimals only."""

    kind: Kind
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"decimal({self.precision},{self.scale})"
        return self.kind.value

    @classmethod
    def parse(cls, text: str) -> Type:
        """The inverse of `str()`. Raises ValueError for any other text."""
        match = re.fullmatch(r"decimal\((\d+),(\d+)\)", text)
        if match:
            return cls(Kind.DECIMAL, int(match[1]), int(match[2]))
        return cls(Kind(text))


_DIGITS = {Kind.BOOLEAN: 1, Kind.INT: 10, Kind.LONG: 19}
_WIDER = {
    (Kind.BOOLEAN, Kind.INT),
    (Kind.BOOLEAN, Kind.LONG),
    (Kind.INT, Kind.LONG),
    (Kind.INT, Kind.DOUBLE),
    (Kind.FLOAT, Kind.DOUBLE),
    (Kind.DATE, Kind.TIMESTAMP),
}


def contains(new: Type, old: Type) -> bool:
    """Whether every value of `old` is also a value of `new`. Text can say everything but bytes."""
    if new == old:
        return True
    if new.kind is Kind.STRING:
        return old.kind is not Kind.BINARY
    if new.kind is Kind.DECIMAL:
        whole = old.precision - old.scale if old.kind is Kind.DECIMAL else _DIGITS.get(old.kind, 99)
        return new.precision - new.scale >= whole and new.scale >= old.scale
    return (old.kind, new.kind) in _WIDER


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `native` is the source's own word for its type ("int(10) unsigned"), `type` the lake's.

    `native` is empty for columns that no source owns (those of a model).

    `guarded`: values that `type` cannot hold arrive NULL, and their text in the table's side column, whose
    `covers` names the guarded columns (`source/guard.py`).
    """

    name: str
    type: Type
    nullable: bool = True
    native: str = ""
    comment: str = ""
    guarded: bool = False
    covers: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` refer to `ref_columns` of the table whose lake name is `ref_table`."""

    columns: tuple[str, ...]
    ref_table: str
    ref_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a source. `name` is unique in the lake (namespace raw); `source_schema` and
    `source_name` say what it is called in the source. `rows` and `bytes` are estimates, -1 unknown;
    `parts`: about how many a read takes it in, 0 if it is read at once."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str = ""
    rows: int = -1
    bytes: int = -1
    source_schema: str = ""
    source_name: str = ""
    parts: int = 0

    def column(self, name: str) -> Column:
        """The column of that exact name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Database:
    """What introspection found. `engine` is mysql, mariadb, postgres or sqlite.

    `aside` is, if nobody named the schemas to read: which others hold how many tables that may be read.
    """

    engine: str
    name: str
    version: str
    tables: tuple[Table, ...] = field(default=())
    aside: tuple[tuple[str, int], ...] = ()

    def table(self, name: str) -> Table:
        """The table of that lake name; KeyError if there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table of the lake: `raw.orders`, `mart.fact_orders`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"

    def __iter__(self) -> Iterator[str]:
        return iter((self.namespace, self.name))


RAW_OUT_OF_RANGE = "_raw_out_of_range"  # the side column: a JSON object, column → the source's own text
QUARANTINE = "quarantine"  # rows that break their table's contract
HISTORY = "history"  # every version of a row
RAW = "raw"
MART = "mart"
