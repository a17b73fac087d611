"""How a source is read by JDBC: the address, and for each column what the server gives and Spark makes of it.
Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mainstem.contract.canonical import SourceDialect
from mainstem.schema import Column, Kind, Table


@dataclass(frozen=True, slots=True)
class JdbcColumn:
    """`select` is in the server's SQL, `wire` the type that JDBC delivers (Spark's word), `cast` makes the
    lake's value of it, `:x`."""

    select: str
    wire: str
    cast: str


@dataclass(frozen=True, slots=True)
class JdbcSource:
    """`init` is run on every connection; `begin` opens one consistent view on one connection; `port` is the
    server's usual one."""

    url: str
    driver: str
    user: str
    password: str = field(repr=False)
    init: str
    begin: tuple[str, ...]
    dialect: SourceDialect
    column: Callable[[Table, Column], JdbcColumn]
    checks: Callable[[Table], tuple[str, tuple[str, ...]] | None]
    port: int
    fetch: int = 10_000


TOO_EARLY = "RAISE_ERROR('a date before the year 1: the lake cannot hold it')"


def dated(word: str) -> str:
    """The cast of a date's or time's text: an error for what is no date, and before the year 1."""
    value = f"CAST(:x AS {word})"
    early = "CAST(:x AS TIMESTAMP_NTZ) < TIMESTAMP_NTZ'0001-01-01 00:00:00'"
    return f"CASE WHEN :x IS NULL THEN NULL WHEN {early} THEN {TOO_EARLY} ELSE {value} END"


WIRES = {
    Kind.BOOLEAN: "BIGINT",
    Kind.INT: "BIGINT",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.DOUBLE: "DOUBLE",
    Kind.STRING: "STRING",
    Kind.BINARY: "BINARY",
    Kind.DATE: "STRING",
    Kind.TIMESTAMP: "STRING",
    Kind.TIMESTAMPTZ: "STRING",
}
CASTS = {
    Kind.BOOLEAN: "(:x <> 0)",
    Kind.INT: "CAST(:x AS INT)",
    Kind.LONG: ":x",
    Kind.DECIMAL: ":x",
    Kind.FLOAT: "CAST(:x AS FLOAT)",
    Kind.DOUBLE: ":x",
    Kind.STRING: ":x",
    Kind.BINARY: ":x",
    Kind.DATE: dated("DATE"),
    Kind.TIMESTAMP: dated("TIMESTAMP_NTZ"),
    Kind.TIMESTAMPTZ: f"CAST({dated('TIMESTAMP_NTZ')} AS TIMESTAMP_LTZ)",
}


def wire_of(column: Column) -> str:
    """The type in which a column travels."""
    type_ = column.type
    return f"DECIMAL({type_.precision}, {type_.scale})" if type_.kind is Kind.DECIMAL else WIRES[type_.kind]
