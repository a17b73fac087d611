"""Each promise, kept and broken, judged on rows that DuckDB gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from mainstem.contract.model_checks import (
    Declared,
    Promise,
    Reference,
    Verdict,
    nine_digits,
    number_text,
    questions,
    same_number,
    table_name,
)
from mainstem.schema import TableName

TABLES = """
create schema raw; create schema mart;
create table raw.lines (id int, quantity int, price decimal(10,2), rate double, cancelled boolean);
insert into raw.lines values (1, 2, 1.10, 0.1, false), (2, 3, 2.20, 0.2, false), (3, 4, 3.30, 0.3, true);
create table mart.dim (k varchar); insert into mart.dim values ('a'), ('b'), ('missing');
create table mart.fact (id int, line int, k varchar, status varchar, amount decimal(12,2), rate double);
insert into mart.fact values
  (1, 1, 'a', 'new', 2.20, 0.1), (2, 1, 'b', 'old', 6.60, 0.2), (3, 1, 'missing', null, 13.20, 0.3);
"""
BASE = Promise("fact")
REFERENCE = Reference("k", "dim", "k", "missing")


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        yield connection


def _judge(engine: duckdb.DuckDBPyConnection, promise: Promise) -> dict[str, Verdict]:
    return {q.name: q.judge(engine.execute(q.sql).fetchall()) for q in questions(promise)}


# Each: the promise, the verdict's name, what breaks it, the words that hold and those that do not.
CASES: dict[str, tuple[Promise, str, str, str, str]] = {
    "rows": (
        replace(BASE, rows_before=3), "rows", "delete from mart.fact",
        "3 rows", "no rows, where the current release has 3",
    ),
    "grain, too many": (
        replace(BASE, grain="lines"), "grain", "insert into mart.fact from mart.fact where id = 1",
        "3 rows, as many as raw.lines",
        "4 rows, but its grain is one row of raw.lines, which has 3: 1 too many",
    ),
    "grain, lost": (
        replace(BASE, grain="lines"), "grain", "delete from mart.fact where id = 1",
        "3 rows, as many as raw.lines", "2 rows, but its grain is one row of raw.lines, which has 3: 1 lost",
    ),
    "key": (
        replace(BASE, key=("id",)), "key",
        "insert into mart.fact from mart.fact where id < 3;"
        "insert into mart.fact from mart.fact where id = 2 limit 1",
        "id is unique", "id is not unique: 2 keys repeated; 2 stands 3 times and 1 stands 2 times",
    ),
    "key of two": (
        replace(BASE, key=("id", "line")), "key", "insert into mart.fact from mart.fact where id = 1",
        "id and line are unique", "id and line are not unique: 1 key repeated; 1, 1 stands 2 times",
    ),
    "key that is NULL": (
        replace(BASE, key=("id", "line")), "not null", "update mart.fact set line = null where id <> 1",
        "no NULL in id and line", "NULL in line in 2 rows",
    ),
    "sum": (
        replace(BASE, grain="lines", sums={"amount": "quantity * price"}), "sum of amount",
        "update mart.fact set amount = amount + 0.01 where id = 1",
        "amount: 22.00, the sum of quantity * price over raw.lines",
        "amount sums to 22.01, but quantity * price over raw.lines to 22.00",
    ),
    "sum of doubles": (
        replace(BASE, grain="lines", sums={"rate": "rate"}), "sum of rate",
        "update mart.fact set rate = rate * 1.00001", "to 9 digits (floating point)", "rate sums to",
    ),
    "sum of nothing": (
        replace(BASE, grain="lines", sums={"amount": "quantity * price"}), "sum of amount",
        "update mart.fact set amount = null", "amount: 22.00", "amount sums to nothing, but",
    ),
    "reference, an orphan": (
        replace(BASE, references=(REFERENCE,)), "k → dim", "delete from mart.dim where k = 'b'",
        "every row finds one row of dim; 1 row at the unknown member", "1 row of fact find no row in dim",
    ),
    "reference, NULL": (
        replace(BASE, references=(REFERENCE,)), "k → dim", "update mart.fact set k = null where id = 2",
        "every row finds one row of dim", "1 row of fact find no row in dim",
    ),
    "reference, a key that repeats": (
        replace(BASE, references=(REFERENCE,)), "k → dim", "insert into mart.dim values ('a')",
        "every row finds one row of dim", "joining dim takes 3 rows to 4: its key repeats",
    ),
    "not null": (
        replace(BASE, declared=(Declared(not_null=("k", "id")),)), "not null",
        "update mart.fact set k = null where id = 2", "no NULL in k and id", "NULL in k in 1 row",
    ),
    "unique": (
        replace(BASE, declared=(Declared(unique=("k",)),)), "key",
        "update mart.fact set k = 'a'", "k is unique", "k is not unique: 1 key repeated; a stands 3 times",
    ),
    "accepted values": (
        replace(BASE, declared=(Declared(accepted=("status", ("new", "old", "o'dd"))),)), "accepted values",
        "update mart.fact set status = 'SECRET' where id = 1",
        "status has one of 3 values", "status has a value that is not accepted in 1 row",
    ),
    "sql": (
        replace(BASE, declared=(Declared(sql="select * from mart.fact where amount < 0"),)), "sql",
        "update mart.fact set amount = -1 where id = 1",
        "the check's SELECT returns no row", "the check's SELECT returns 1 row",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_promise_kept_and_broken(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    promise, verdict, fault, good, bad = CASES[name]
    kept = _judge(engine, promise)
    assert all(one.holds for one in kept.values())
    assert good in kept[verdict].text
    engine.execute(fault)
    broken = _judge(engine, promise)[verdict]
    assert not broken.holds
    assert bad in broken.text
    assert "SECRET" not in broken.text


def test_the_declared_filter_is_that_of_the_grain(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("delete from mart.fact where id = 3")
    promise = replace(BASE, grain="lines", sums={"amount": "quantity * price"})
    assert not _judge(engine, promise)["grain"].holds
    kept = _judge(engine, replace(promise, where="not cancelled"))
    assert kept["grain"].holds
    assert kept["sum of amount"].holds
    engine.execute("delete from mart.fact where id = 2")
    assert (
        "which has 2 after its filter: 1 lost"
        in _judge(engine, replace(promise, where="not cancelled"))["grain"].text
    )


def test_a_filter_with_or_does_not_leak(engine: duckdb.DuckDBPyConnection) -> None:
    promise = replace(
        BASE, grain="lines", where="id = 1 or id = 2 -- two of them", sums={"amount": "quantity"}
    )
    assert _judge(engine, promise)["grain"].facts == {"rows": 3, "grain": "raw.lines", "expected": 2}


def test_users_sql_may_end_in_a_comment_or_a_semicolon(engine: duckdb.DuckDBPyConnection) -> None:
    declared = (
        Declared(sql="select * from mart.fact where amount < 0; "),
        Declared(sql="select 1 limit 0 -- no"),
    )
    promise = replace(BASE, grain="lines", sums={"amount": "quantity * price -- exactly"}, declared=declared)
    assert all(verdict.holds for verdict in _judge(engine, promise).values())


def test_no_rows_where_there_were_none_or_where_that_is_allowed(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("delete from mart.fact")
    assert _judge(engine, BASE)["rows"].holds
    assert _judge(engine, replace(BASE, rows_before=3, allow_empty=True))["rows"].holds


def test_a_null_is_an_accepted_value(engine: duckdb.DuckDBPyConnection) -> None:
    promise = replace(BASE, declared=(Declared(accepted=("status", ("new", "old"))),))
    assert _judge(engine, promise)["accepted values"].holds


def test_a_warning_stays_one_both_ways(engine: duckdb.DuckDBPyConnection) -> None:
    promise = replace(BASE, declared=(Declared(sql="select 1 where 1 = 0", warning=True),))
    assert _judge(engine, promise)["sql"] == Verdict(
        "sql", True, "the check's SELECT returns no row", warning=True
    )
    promise = replace(BASE, declared=(Declared(sql="select 1", warning=True),))
    broken = _judge(engine, promise)["sql"]
    assert (broken.holds, broken.warning) == (False, True)


def test_every_digit_of_a_sum_counts(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("create table raw.big as select 123456789012345678901234567890.12 as v")
    engine.execute("create table mart.bigs as select 123456789012345678901234567890.13 as v")
    verdict = _judge(engine, Promise("bigs", grain="big", sums={"v": "v"}))["sum of v"]
    assert not verdict.holds
    assert "123,456,789,012,345,678,901,234,567,890.13" in verdict.text


@pytest.mark.parametrize(
    ("left", "right", "approximate", "same"),
    [
        ("1.10", "1.1", False, True),
        ("1E+2", "100", False, True),
        (None, None, False, True),
        (None, "0.00", False, True),
        (None, "0.01", False, False),
        ("0.1", "0.2", False, False),
        ("1.0000000001", "1", False, False),
        ("1.0000000001", "1", True, True),
        ("1.00000001", "1", True, False),
        ("-5", "5", True, False),
        ("nan", "nan", True, True),
        ("inf", "-inf", True, False),
        ("inf", "1", True, False),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345679", False, False),
        ("not a number", "not a number", False, True),
        ("not a number", "1", False, False),
    ],
)
def test_same_number(left: str | None, right: str | None, approximate: bool, same: bool) -> None:
    assert same_number(left, right, approximate=approximate) is same
    assert same_number(right, left, approximate=approximate) is same


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("9604190.61", "9,604,190.61"),
        ("1000", "1,000"),
        ("-0.50", "-0.50"),
        ("1E+3", "1,000"),
        (None, "nothing"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("x", "x"),
        ("12345678901234567890.123456789012345678", "12,345,678,901,234,567,890.123456789012345678"),
        ("101293000.17350", "101,293,000.1735"),
        ("1.000", "1.00"),
    ],
)
def test_number_text(value: str | None, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("value", "proven"),
    [
        ("300739.6195197353", "300739.620"),
        ("1234567890123.25", "1234567890123"),
        ("0.1", "0.100000000"),
        ("-2.5e-7", "-0.000000250000000"),
        ("1e+30", "1e+30"),
        ("0.0", "0.000000000"),
        ("nan", "nan"),
        (None, None),
    ],
)
def test_a_floating_sum_says_no_digit_that_was_not_compared(value: str | None, proven: str | None) -> None:
    assert nine_digits(value) == proven


def test_table_name() -> None:
    assert table_name("raw.orders") == TableName("raw", "orders")
    assert table_name("orders") == TableName("raw", "orders")
    assert table_name("raw.Order Details.x") == TableName("raw", "Order Details.x")
