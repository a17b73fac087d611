"""What a model's SQL refers to, found by parsing (SQLGlot, DuckDB's dialect)."""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.optimizer.scope import traverse_scope

from mainstem.errors import UsageError, Where
from mainstem.model.reading import Reference
from mainstem.schema import HISTORY, MART, RAW, TableName

DIALECT = "duckdb"


def parse_query(sql: str, file: str, first_line: int) -> exp.Query:
    """The one SELECT of a model. Raises UsageError with the line for bad syntax or other statements."""
    try:
        statements = [one for one in sqlglot.parse(sql, dialect=DIALECT) if one is not None]
    except ParseError as error:
        detail = error.errors[0] if error.errors else {}
        line = first_line + int(detail.get("line") or 1) - 1
        near = str(detail.get("highlight") or "").strip()
        what = _plain(str(detail.get("description") or "the SQL cannot be read"))
        raise UsageError(
            f"SQL: {what}" + (f", near {near!r}" if near else ""), where=Where(file, line)
        ) from None
    except TokenError as error:
        raise UsageError(f"SQL: {_plain(str(error))}", where=Where(file, first_line)) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UsageError(
            "a model is one SELECT",
            where=Where(file, first_line),
            hint="no CREATE, INSERT or second statement: Mainstem makes the table itself",
        )
    return statements[0]


def _plain(message: str) -> str:
    first = re.sub(r"\x1b\[[0-9;]*m", "", message).strip().splitlines()[0]
    return first[:1].lower() + first[1:]


def references(query: exp.Query, file: str, first_line: int) -> list[Reference]:
    """The tables that a query reads, CTEs left out, first use of each, in the order of the text.

    A bare name is a model (`mart`). Raises UsageError for a schema other than raw, history and mart.
    """
    found: dict[TableName, Reference] = {}
    for scope in traverse_scope(query):
        for source in scope.sources.values():
            if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
                continue
            line = first_line + _line(source) - 1
            namespace = source.db.lower() if source.db else MART
            if namespace not in (RAW, HISTORY, MART) or source.catalog:
                raise UsageError(
                    f"there is no schema {source.db or source.catalog!r}",
                    where=Where(file, line),
                    hint="source tables are raw.TABLE (history.TABLE), models are named alone or mart.MODEL",
                )
            name = TableName(namespace, source.name)
            found.setdefault(name, Reference(name, line))
    return sorted(found.values(), key=lambda reference: reference.line)


def _line(table: exp.Table) -> int:
    return int(table.this.meta.get("line") or 1)
