"""Values as text: no digit is lost, nothing is taken for something else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from mainstem.cli.rows import csv_lines, json_array, json_value, table, text_of

CASES: list[tuple[Any, str, str]] = [
    (None, "", "null"),
    (True, "true", "true"),
    (0, "0", "0"),
    (-(2**63), "-9223372036854775808", "-9223372036854775808"),
    (10**37, "1" + "0" * 37, "1" + "0" * 37),
    (Decimal("1E+3"), "1000", "1000"),
    (Decimal("0E-10"), "0.0000000000", "0.0000000000"),
    (Decimal("-0.50"), "-0.50", "-0.50"),
    (Decimal("1234567890123456789012345678.0123456789"), "1234567890123456789012345678.0123456789",
     "1234567890123456789012345678.0123456789"),
    (0.1, "0.1", "0.1"),
    (1e300, "1e+300", "1e+300"),
    (float("nan"), "nan", '"nan"'),
    (float("-inf"), "-inf", '"-inf"'),
    ("ü \"q\"\n", "ü \"q\"\n", '"ü \\"q\\"\\n"'),
    (date(1, 1, 1), "0001-01-01", '"0001-01-01"'),
    (datetime(2003, 1, 6, 1, 2, 3, 4), "2003-01-06 01:02:03.000004", '"2003-01-06 01:02:03.000004"'),
    (datetime(2003, 1, 6, tzinfo=UTC), "2003-01-06 00:00:00+00:00", '"2003-01-06 00:00:00+00:00"'),
    (time(1, 2), "01:02:00", '"01:02:00"'),
    (timedelta(days=1), "1 day, 0:00:00", '"1 day, 0:00:00"'),
    (b"\x00\xff", "00ff", '"00ff"'),
    ([1, None, "a"], "[1, None, 'a']", '[1, null, "a"]'),
    ({"k": [Decimal("1.50")]}, "{'k': [Decimal('1.50')]}", '{"k": [1.50]}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text", "as_json"), CASES)
def test_values(value: Any, text: str, as_json: str) -> None:
    assert json_value(value) == as_json
    json.loads(as_json)
    if not isinstance(value, list | dict):
        assert text_of(value) == text


def test_csv_fields() -> None:
    made = pa.table({"a,b": ["x", None, "", 'q"q', "two\nlines", "c,d", "\r"]})
    assert "".join(csv_lines(made)) == '"a,b"\nx\n\n""\n"q""q"\n"two\nlines"\n"c,d"\n"\r"\n'


def test_no_rows_are_an_empty_array_and_a_header_alone() -> None:
    made = pa.table({"a": pa.array([], pa.int32())})
    assert json_array(made) == "[]"
    assert list(csv_lines(made)) == ["a\n"]
    assert table(made).row_count == 0


def test_markup_in_values_and_names_is_text() -> None:
    from rich.console import Console

    console = Console(width=60, force_terminal=False)
    with console.capture() as captured:
        console.print(table(pa.table({"[red]n[/red]": ["[bold]x[/bold]", "[/]"]})))
    assert "[red]n[/red]" in captured.get()
    assert "[bold]x[/bold]" in captured.get()
    assert "[/]" in captured.get()
