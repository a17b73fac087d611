"""Reads a model's SQL for the plan."""

from __future__ import annotations

from functools import cache

from mainstem.model.reading import Reading
from mainstem.model.rowwise import rowwise
from mainstem.model.sql import parse_query, references
from mainstem.text import joined


@cache
def read_sql(sql: str, file: str, first_line: int, key: tuple[str, ...]) -> Reading:
    """What the SQL of a model says whose header names `key`. Raises UsageError as `parse_query` does."""
    query = parse_query(sql, file, first_line)
    shape = rowwise(query, key)
    how = f"in full: it {shape}" if isinstance(shape, str) else f"in part, by {joined(tuple(shape.key))}"
    return Reading(tuple(references(query, file, first_line)), how)
