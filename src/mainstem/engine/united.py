"""A UNION's rows, computed before they are handed out.

DuckDB 1.5 can wait for itself for ever when it hands out a UNION's rows as they come, and then hears no
interrupt (https://github.com/duckdb/duckdb/issues/22215). `Connection.sql(…).to_arrow_table()` computes
them all by itself; `execute` does not.
"""

from __future__ import annotations

import re

import duckdb

_UNION = re.compile(r"\bunion\b", re.IGNORECASE)
_ROWS = 'temp."mainstem rows"'


def computed(cursor: duckdb.DuckDBPyConnection, query: str) -> str:
    """What is to be executed instead of a query (no EXPLAIN): itself, or for a UNION, all its rows. They
    are in a table of the cursor, which counts as the session's memory, goes to the disk if there is a
    folder for that, and goes with the cursor."""
    if not _UNION.search(query):
        return query
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_ROWS} AS {query}")
    return f"FROM {_ROWS}"
