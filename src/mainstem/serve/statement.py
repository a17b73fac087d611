"""What may be asked at the SQL prompt, read from DuckDB's own parse tree.

The open file refuses to be written to or to reach anything outside, whatever is asked. But some table
functions act on the server itself: `enable_logging` prints to its output or ends its process, others take
addresses in its memory. So the functions that may stand after FROM are listed, and no others pass; those
that take SQL as text (`query`) are not among them, because what they run cannot be seen here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from mainstem.errors import UsageError

TABLE_FUNCTIONS = frozenset(
    {
        "duckdb_columns", "duckdb_constraints", "duckdb_functions", "duckdb_keywords", "duckdb_schemas",
        "duckdb_tables", "duckdb_types", "duckdb_views", "generate_series", "histogram", "histogram_values",
        "json_each", "json_tree", "pragma_storage_info", "pragma_table_info", "pragma_version", "range",
        "repeat", "repeat_row", "summary", "unnest",
    }
)  # fmt: skip

ONE_QUERY = "one query: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN or PIVOT … ON … IN (…)"

_EXPLAIN = re.compile(r"\s*explain(?:\s+(?P<analyze>analyze))?\s+(?P<query>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """One query without its semicolon. `explain` is "", "explain" or "explain analyze"."""

    text: str
    explain: str = ""


def read(cursor: duckdb.DuckDBPyConnection, sql: str) -> Query:
    """The one query of a text. UsageError for anything else; duckdb.Error never."""
    text = _without_end(sql)
    explained = _EXPLAIN.fullmatch(text)
    explain = ""
    if explained:
        text = explained["query"]
        explain = "explain analyze" if explained["analyze"] else "explain"
    for node in _nodes(_tree(cursor, text)):
        if node.get("type") == "TABLE_FUNCTION":
            name = str((node.get("function") or {}).get("function_name", ""))
            if name.casefold() not in TABLE_FUNCTIONS:
                hint = f"these can: {', '.join(sorted(TABLE_FUNCTIONS))}"
                raise UsageError(f"{name[:60]}() cannot be used here after FROM", hint=hint)
    return Query(text, explain)


def _tree(cursor: duckdb.DuckDBPyConnection, text: str) -> Any:
    try:
        (found,) = cursor.execute("select json_serialize_sql(?::varchar)", [text]).fetchone() or ("{}",)
        tree = json.loads(found)
    except (duckdb.Error, ValueError):
        raise UsageError("the SQL cannot be read", hint=ONE_QUERY) from None
    except RecursionError:
        raise UsageError("the SQL is nested too deeply") from None
    if tree.get("error") and tree.get("error_type") == "not implemented":
        raise UsageError("only queries can be run here: the served file cannot be changed", hint=ONE_QUERY)
    if tree.get("error", True):
        raise UsageError(str(tree.get("error_message", "the SQL cannot be read")).splitlines()[0])
    if len(tree.get("statements", ())) != 1:
        raise UsageError("one statement at a time", hint=ONE_QUERY)
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _without_end(sql: str) -> str:
    """The text up to its semicolon, which may be followed by comments alone."""
    if "\0" in sql:
        raise UsageError("the SQL holds a NUL character")
    text = sql.encode("utf-8", "replace")
    tokens = [at for at, _kind in duckdb.tokenize(text.decode())]  # places in bytes
    ends = [at for at in tokens if text[at : at + 1] == b";"]
    if len(tokens) == len(ends):
        raise UsageError("there is no query", hint=ONE_QUERY)
    if ends and any(at > ends[0] and at not in ends for at in tokens):
        raise UsageError("one statement at a time", hint=ONE_QUERY)
    return (text[: ends[0]] if ends else text).decode()
