"""The SQL prompt: one query, as exact JSON, within bounds. The open file is what protects; see `served`."""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from mainstem.engine import united
from mainstem.errors import UsageError
from mainstem.schema import RAW
from mainstem.serve import statement
from mainstem.serve.config import Limits
from mainstem.serve.served import first_line
from mainstem.text import quoted

_PLAIN = frozenset({"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_BATCH = 512


class SqlRequest(BaseModel):
    """The body of `POST /api/sql`. `limit`: at most so many rows."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    sql: str = Field(min_length=1, max_length=100_000)
    limit: int = Field(default=1000, ge=1)


def answer(cursor: duckdb.DuckDBPyConnection, request: SqlRequest, limits: Limits) -> bytes:
    """The answer as JSON: `columns` with name and DuckDB type, `rows`, `truncated`, `seconds`.

    Numbers of up to 32 bits and doubles are JSON numbers (NaN and infinities their names); every other
    type (decimals, 64-bit integers, dates, lists …) is DuckDB's own text, so nothing is rounded.
    Raises UsageError with DuckDB's words for what it refuses.
    """
    started = time.monotonic()
    rows = min(request.limit, limits.rows)
    try:
        columns, found, truncated = _run(cursor, statement.read(cursor, request.sql), rows, limits)
    except duckdb.InterruptException:
        raise UsageError(
            f"stopped after {limits.seconds:g} s", hint="ask for less, or add a filter"
        ) from None
    except duckdb.OutOfMemoryException:
        raise UsageError(
            f"the query needs more than {limits.memory} of memory", hint="add a filter"
        ) from None
    except (duckdb.Error, ValueError, OverflowError) as error:
        raise UsageError(_said(error), hint=_hint(error, request.sql)) from None
    document = {
        "columns": [{"name": name, "type": type_} for name, type_ in columns],
        "rows": found,
        "truncated": truncated,
        "seconds": round(time.monotonic() - started, 4),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


_Columns = list[tuple[str, str]]
_Answer = tuple[_Columns, list[list[Any]], bool]


def _run(cursor: duckdb.DuckDBPyConnection, query: statement.Query, rows: int, limits: Limits) -> _Answer:
    if query.explain:
        cursor.execute(f"{query.explain} {query.text}")
        columns = _columns(cursor)
        return (columns, *_fetch(cursor, columns, rows, limits))
    # As a subquery, DuckDB itself stops after the last row wanted and prints what JSON cannot hold.
    inner = f"from (\n{query.text}\n)"
    cursor.execute(f"select * {inner} limit 0")
    columns = _columns(cursor)
    chosen = ", ".join(_as_text(place, type_) for place, (_name, type_) in enumerate(columns, start=1))
    cursor.execute(united.computed(cursor, f"select {chosen} {inner} limit {rows + 1}"))
    return (columns, *_fetch(cursor, columns, rows, limits))


def _columns(cursor: duckdb.DuckDBPyConnection) -> _Columns:
    return [(str(column[0]), str(column[1])) for column in cursor.description or []]


def _as_text(place: int, type_: str) -> str:
    alias = quoted(f"c{place}")
    if type_ in _PLAIN or type_ == "DOUBLE" or type_ == "VARCHAR":
        return f"#{place} as {alias}"
    return f"cast(#{place} as varchar) as {alias}"


def _fetch(
    cursor: duckdb.DuckDBPyConnection, columns: _Columns, rows: int, limits: Limits
) -> tuple[list[list[Any]], bool]:
    found: list[list[Any]] = []
    size = 0
    while batch := cursor.fetchmany(_BATCH):
        for row in batch:
            if len(found) == rows or size > limits.bytes:
                return found, True
            cells = [_cell(value, type_) for value, (_name, type_) in zip(row, columns, strict=True)]
            size += sum(len(cell) if isinstance(cell, str) else 8 for cell in cells)
            found.append(cells)
    return found, False


def _cell(value: Any, type_: str) -> Any:
    if value is None or type_ in _PLAIN:
        return value
    if type_ in _FLOATS:
        number = float(value)  # a FLOAT arrives as its own shortest text
        return number if math.isfinite(number) else str(value).lower()
    return str(value)


def _said(error: Exception) -> str:
    """DuckDB's message in one line, with its suggestion and without the caret under the query."""
    if not isinstance(error, duckdb.Error):
        return str(error)
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    kept = [line for line in lines[1:] if re.match(r"(Did you mean|Candidate bindings)", line)]
    return " ".join([re.sub(r"^(\w+ )?Error: ", "", first_line(error)), *kept])


def _hint(error: Exception, sql: str) -> str:
    if isinstance(error, duckdb.CatalogException) and re.search(rf"\b{RAW}\s*\.", sql, re.IGNORECASE):
        return "the source's tables are not served: `mainstem query` reads them"
    return ""
