"""Results as text: a table for people, JSON and CSV for machines. Numbers keep every digit."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.table import Table


def text_of(value: Any) -> str:
    """A value as plain text; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def json_value(value: Any) -> str:
    """A value as JSON: decimals and integers as numbers with all their digits, times as ISO texts, bytes
    as hexadecimal, NaN and infinities as texts."""
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else json.dumps(str(value))
    if isinstance(value, float):
        return json.dumps(value if math.isfinite(value) else str(value))
    if isinstance(value, dict):
        inner = (f"{json.dumps(str(k), ensure_ascii=False)}: {json_value(v)}" for k, v in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(json_value(item) for item in value) + "]"
    if isinstance(value, date | time | bytes | timedelta):
        return json.dumps(text_of(value))
    return json.dumps(value, ensure_ascii=False)


def _rows(result: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in result.to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def json_array(result: pa.Table) -> str:
    """An array of objects, a row a line."""
    names = [json.dumps(name, ensure_ascii=False) for name in result.column_names]
    lines = (
        "{" + ", ".join(f"{n}: {json_value(v)}" for n, v in zip(names, row, strict=True)) + "}"
        for row in _rows(result)
    )
    return "[" + ",\n ".join(lines) + "]"


def csv_lines(result: pa.Table) -> Iterator[str]:
    """RFC 4180 lines with a header; NULL is empty, an empty text is quoted."""
    yield _csv_line(result.column_names)
    for row in _rows(result):
        yield _csv_line(row)


def _csv_line(row: Any) -> str:
    return ",".join(_csv_field(value) for value in row) + "\n"


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = text_of(value)
    quoted = text == "" or any(mark in text for mark in '",\r\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def table(result: pa.Table) -> Table:
    """A table for the terminal; numbers to the right."""
    import pyarrow as pa
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for field in result.schema:
        number = (
            pa.types.is_integer(field.type)
            or pa.types.is_floating(field.type)
            or pa.types.is_decimal(field.type)
        )
        shown.add_column(Text(field.name), justify="right" if number else "left", overflow="fold")
    for row in _rows(result):
        shown.add_row(*(Text("NULL", style="dim") if v is None else Text(text_of(v)) for v in row))
    return shown
