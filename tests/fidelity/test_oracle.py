"""The comparison itself: it finds what differs, however little."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from rows import Drawn, Round, answer, differences, rounds
from way import Arrived, check, comparable, value_of

from cases.layout import Case, Grid, Typed

GRID = Grid("g", (Typed("text", "string", ("'a'",)), Typed("double", "double", ("0",))))
TEXTS: list[list[str | None]] = [["61", "0"]]
COLUMNS = (
    Drawn("text", "string", lambda random: "", "{}"),
    Drawn("double", "double", lambda random: "", "{}"),
    Drawn("decimal(9,2)", "decimal(9,2)", lambda random: "", "{}"),
)
LINES = b"61\t0\t1.50\n~\t~\t~\n\t0.1\t-0.01\n"
VALUES: dict[str, list[Any]] = {
    "k": [0, 1, 2],
    "c0": ["a", None, ""],
    "c1": [0.0, None, 0.1],
    "c2": [Decimal("1.50"), None, Decimal("-0.01")],
}


def arrived(**changed: list[Any]) -> Arrived:
    schema = pa.schema({"k": pa.int32(), "c0": pa.string(), "c1": pa.float64(), "c2": pa.decimal128(9, 2)})
    right = pa.table(VALUES, schema)
    return Arrived(right, pa.table({**VALUES, **changed}, schema))


def test_rows_that_are_the_same_do_not_differ() -> None:
    assert differences(COLUMNS, arrived(), answer(COLUMNS, LINES, "~")) == []


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("c0", ["a ", None, ""]),
        ("c0", ["a", "", ""]),
        ("c0", ["a", None, None]),
        ("c1", [-0.0, None, 0.1]),
        ("c1", [0.0, None, 0.10000000000000002]),
        ("c2", [Decimal("1.51"), None, Decimal("-0.01")]),
    ],
)
def test_the_smallest_difference_of_a_row_is_found(column: str, values: list[Any]) -> None:
    (found,) = differences(COLUMNS, arrived(**{column: values}), answer(COLUMNS, LINES, "~"))
    assert found.startswith(COLUMNS[int(column[1])].native)


@pytest.mark.parametrize(
    ("first", "second"), [("a ", 0.0), ("", 0.0), (None, 0.0), ("a", -0.0), ("a", 5e-324), ("a", None)]
)
def test_the_smallest_difference_of_a_case_is_found(first: str | None, second: float | None) -> None:
    good, bad = (pa.table({"k": [0], "c0": [a], "c1": [b]}) for a, b in (("a", 0.0), (first, second)))
    cases = [Case(GRID, 0, 0), Case(GRID, 1, 0)]
    for case in cases:
        check(case, Arrived(good, good), TEXTS)
    for pair in (Arrived(good, bad), Arrived(bad, good)):
        with pytest.raises(AssertionError):
            for case in cases:
                check(case, pair, TEXTS)


def test_moments_are_compared_as_what_they_are() -> None:
    moment = datetime(1, 1, 1, 0, 0, 0, 1)
    assert comparable("timestamp", moment) == value_of("timestamp", "0001-01-01 00:00:00.000001")
    assert comparable("timestamptz", moment.replace(tzinfo=UTC)) == comparable("timestamp", moment)
    with pytest.raises(AssertionError):
        comparable("timestamp", moment.replace(tzinfo=UTC))


def test_rounds_have_all_rows() -> None:
    assert rounds(250_000)[0] == Round(0, 5_000, False)
    assert sum(one.rows for one in rounds(250_000)) == 250_000
    assert [one.rows for one in rounds(70)] == [70]
