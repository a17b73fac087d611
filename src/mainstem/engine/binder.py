"""The check before anything runs: DuckDB binds every model over empty tables of the right types.

Errors come with the line of the SQL and the nearest names, as DuckDB knows them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from mainstem.schema import HISTORY, MART, RAW, Column, Kind, TableName
from mainstem.text import quoted

_DUCKDB = {
    Kind.INT: "integer",
    Kind.LONG: "bigint",
    Kind.STRING: "varchar",
    Kind.BINARY: "blob",
    Kind.TIMESTAMPTZ: "timestamp with time zone",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a statement cannot run. `line` is a line of the statement (1-based)."""

    message: str
    line: int
    hint: str
    column: str = ""  # the unknown column, if that is the fault


class Binder:
    """Empty tables and views in a private in-memory database."""

    def __init__(self) -> None:
        # A model reads tables: files and addresses are nobody's source, and no proof would see them.
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "autoinstall_known_extensions": False,
            "enable_external_access": False,
        }
        self._connection = duckdb.connect(config=config)
        self._connection.execute("set autoload_known_extensions = false")
        for schema in (RAW, HISTORY, MART):
            self._connection.execute(f"create schema {schema}")
        self._connection.execute(f"set schema = '{MART}'")

    def __enter__(self) -> Binder:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add_table(self, name: TableName, columns: Sequence[Column]) -> None:
        """An empty table of these columns."""
        self._connection.execute(f"create schema if not exists {quoted(name.namespace)}")
        listed = ", ".join(f"{quoted(c.name)} {_DUCKDB.get(c.type.kind, str(c.type))}" for c in columns)
        self._connection.execute(f"create or replace table {quoted(*name)} ({listed})")

    def add_query(self, name: TableName, sql: str) -> Fault | tuple[str, ...]:
        """A model as a view: the names of its columns, or why it cannot run."""
        try:
            self._connection.execute(f"create or replace view {quoted(*name)} as {sql}\n")
            # Not the view's columns: it would number those that have one name.
            return tuple(str(column) for column in self._connection.sql(sql).columns)
        except duckdb.Error as error:
            return _fault(str(error))

    def describe(self, sql: str) -> list[tuple[str, str]] | None:
        """The columns of a SELECT and DuckDB's names of their types; None if it does not bind."""
        try:
            found = self._connection.sql(f"select * from (\n{sql}\n)")
            return [(str(name), str(type_)) for name, type_ in zip(found.columns, found.types, strict=True)]
        except duckdb.Error:
            return None

    def check(self, sql: str) -> Fault | None:
        """Whether a statement over the tables and views binds."""
        try:
            self._connection.execute(f"explain {sql}")
        except duckdb.Error as error:
            return _fault(str(error))
        return None

    def compute(self, sql: str) -> Fault | None:
        """Whether a constant expression can be computed."""
        try:
            self._connection.execute(f"select {sql}")
        except duckdb.Error as error:
            return _fault(str(error))
        return None


def _fault(text: str) -> Fault:
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    body = text[: line.start()] if line else text
    body = re.sub(r"^[A-Z][A-Za-z ]*Error: ", "", body.strip())
    hints = re.findall(r"(?:Candidate bindings:[: ]+|Did you mean )(.*)", body)
    message = re.split(r"\s*(?:Candidate bindings:|Did you mean )", body)[0]
    message = " ".join(message.split()).rstrip("!")
    hint = ""
    if hints and "pg_" not in hints[0]:  # the engine's own tables are no model's
        names = hints[0].strip().rstrip("?").strip()
        hint = f"did you mean {names}?" if "," not in names else f"nearest names: {names}"
    if "file system operations are disabled" in message:
        message, hint = "a model reads tables, not files", "read it as a source: raw.TABLE"
    # DuckDB calls a CTE without columns of its own a "values list"; nobody wrote one.
    message = re.sub("values list", "table", message, flags=re.IGNORECASE)
    column = re.search(r'column (?:named )?"([^"]+)"', message)
    unknown = column[1] if column and ("does not have" in message or "not found" in message) else ""
    return Fault(message[:1].lower() + message[1:], int(line[1]) if line else 1, hint, unknown)
