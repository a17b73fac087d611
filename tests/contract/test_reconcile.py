"""Two sides that differ by one cell are told apart, down to the column and the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pytest

from mainstem.contract.canonical import Dialect
from mainstem.contract.reconcile import (
    Difference,
    Fingerprint,
    Side,
    fingerprint,
    fingerprint_sql,
    forms,
    narrow,
    row_count,
)
from mainstem.engine.functions import register
from mainstem.engine.proofdialect import ProofDialect
from mainstem.schema import Table
from support import table

ORDERS = table(
    "orders",
    "id int, customer int, amount decimal(10,2), note text, other text, day date, rate double",
    ["id"],
)
ROWS = """
insert into raw.orders select i, i % 7, i * 1.25, 'note ' || i, 'other ' || (i % 3),
  date '2003-01-06' + i::int, i / 3.0 from range(1, 501) t(i);
update raw.orders set note = null where id in (10, 20);
update raw.orders set other = '' where id in (10, 30);
"""


@dataclass
class Database:
    """One side: a DuckDB of its own, so that nothing is shared but the SQL."""

    connection: duckdb.DuckDBPyConnection
    side: Side


@contextmanager
def _database(dialect: Dialect, rows: str = ROWS) -> Iterator[Database]:
    with duckdb.connect(config={"threads": 1}) as connection:
        register(connection)
        connection.execute("create schema raw")
        columns = ", ".join(
            f'"{c.name}" {"varchar" if c.native == "text" else c.native}' for c in ORDERS.columns
        )
        connection.execute(f"create table raw.orders ({columns})")
        connection.execute(rows)
        yield Database(connection, Side(dialect, lambda sql: connection.execute(sql).fetchall()))


@pytest.fixture
def source() -> Iterator[Database]:
    with _database(ProofDialect()) as made:
        yield made


@pytest.fixture
def lake() -> Iterator[Database]:
    with _database(ProofDialect()) as made:
        yield made


def _prints(source: Database, lake: Database, of: Table = ORDERS) -> tuple[Fingerprint, Fingerprint]:
    by = forms(source.side.dialect, of)
    return fingerprint(source.side, of, by), fingerprint(lake.side, of, by)


def _difference(source: Database, lake: Database, of: Table = ORDERS) -> Difference:
    prints = _prints(source, lake, of)
    assert prints[0] != prints[1]
    return narrow(source.side, lake.side, of, prints)


def test_equal_sides_have_one_fingerprint(source: Database, lake: Database) -> None:
    left, right = _prints(source, lake)
    assert left == right
    assert left.rows == 500
    assert dict(left.nulls)["note"] == 2
    assert dict(left.nulls)["other"] == 0
    assert row_count(source.side, ORDERS) == 500


def test_the_order_of_rows_is_no_difference(source: Database, lake: Database) -> None:
    lake.connection.execute("create or replace table raw.orders as from raw.orders order by random()")
    left, right = _prints(source, lake)
    assert left == right


# Each: what happens to the lake, the columns, the keys missing, too many, different.
CHANGES: dict[str, tuple[str, str, str, str, str]] = {
    "one value": ("update raw.orders set amount = amount + 0.01 where id = 77", "amount", "", "", "id=77"),
    "one letter": ("update raw.orders set note = 'Note 77' where id = 77", "note", "", "", "id=77"),
    "one space": ("update raw.orders set note = note || ' ' where id = 77", "note", "", "", "id=77"),
    "one day": ("update raw.orders set day = day + 1 where id = 500", "day", "", "", "id=500"),
    "the last bit of a double": (
        "update raw.orders set rate = nextafter(rate, 1e9::double) where id = 3", "rate", "", "", "id=3",
    ),
    "a row is missing": (
        "delete from raw.orders where id = 5",
        "id customer amount note other day rate", "id=5", "", "",
    ),
    "a row too many": (
        "insert into raw.orders select * replace (501 as id) from raw.orders where id = 5",
        "id customer amount note other day rate", "", "id=501", "",
    ),
    "a row doubled": (
        "insert into raw.orders from raw.orders where id = 6",
        "id customer amount note other day rate", "", "id=6", "",
    ),
    "two rows doubled": (
        "insert into raw.orders from raw.orders where id in (6, 7)",
        "id customer amount note other day rate", "", "id=6 id=7", "",
    ),
    "NULL became an empty text": ("update raw.orders set note = '' where id = 10", "note", "", "", "id=10"),
    "an empty text became NULL": (
        "update raw.orders set other = null where id = 30", "other", "", "", "id=30",
    ),
    "NULL moved to another column": (
        "update raw.orders set note = other, other = note where id = 20", "note other", "", "", "id=20",
    ),
    "two cells of a column swapped between rows": (
        "update raw.orders set note = case id when 1 then 'note 2' else 'note 1' end where id in (1, 2)",
        "", "", "", "id=1 id=2",
    ),
    "a key changed": ("update raw.orders set id = 1000 where id = 9", "id", "id=9", "id=1000", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_narrowed_down(source: Database, lake: Database, name: str) -> None:
    sql, columns, missing, extra, changed = CHANGES[name]
    lake.connection.execute(sql)
    found = _difference(source, lake)
    assert " ".join(found.columns) == columns
    assert " ".join(found.missing) == missing
    assert " ".join(found.extra) == extra
    assert " ".join(found.changed) == changed


def test_a_zero_in_the_place_of_null(source: Database, lake: Database) -> None:
    source.connection.execute("update raw.orders set amount = null where id = 44")
    lake.connection.execute("update raw.orders set amount = 0 where id = 44")
    found = _difference(source, lake)
    assert (found.columns, found.changed) == (("amount",), ("id=44",))
    assert dict(found.source.nulls)["amount"] == 1


class _Xor(ProofDialect):
    """The wrong way: hashes are folded by exclusive or."""

    def total(self, sql: str) -> str:
        return f"CAST(coalesce(bit_xor({sql}), 0) AS VARCHAR)"


def test_doubled_rows_would_vanish_in_an_exclusive_or() -> None:
    # Negative control: a row that stands three times looks like one to an exclusive or, not to a sum.
    tripled = "insert into raw.orders select o.* from raw.orders o, range(2) where o.id = 6;"
    for dialect, seen in ((_Xor(), False), (ProofDialect(), True)):
        with _database(dialect) as source, _database(dialect, ROWS + tripled) as lake:
            left, right = _prints(source, lake)
            assert left.rows + 2 == right.rows
            assert (left.checksum != right.checksum) is seen


def test_values_are_not_in_the_message_but_keys_are(source: Database, lake: Database) -> None:
    lake.connection.execute("update raw.orders set note = 'SECRET' where id = 77")
    text = str(_difference(source, lake))
    assert text == "both have 500 rows, but not the same values; columns that differ: note; different: id=77"


def test_the_message_of_missing_rows(source: Database, lake: Database) -> None:
    lake.connection.execute("delete from raw.orders where id <= 40")
    found = _difference(source, lake)
    assert str(found).startswith("the source has 500 rows, the lake 460 rows")
    assert len(found.missing) == 5  # examples, not all of them


def test_a_table_without_a_key_shows_its_rows(source: Database, lake: Database) -> None:
    keyless = table(
        "orders", "id int, customer int, amount decimal(10,2), note text, other text, day date, rate double"
    )
    lake.connection.execute("update raw.orders set amount = 1 where id = 77")
    found = _difference(source, lake, keyless)
    assert found.changed == ()
    assert found.missing[0].startswith("id=77, customer=0, amount=96.25")
    assert found.extra[0].startswith("id=77, customer=0, amount=1.00")


def test_empty_tables() -> None:
    with _database(ProofDialect(), "select 1") as source, _database(ProofDialect(), "select 1") as lake:
        left, right = _prints(source, lake)
        assert left == right == Fingerprint(0, tuple((c.name, 0) for c in ORDERS.columns[1:]), 0)
        lake.connection.execute("insert into raw.orders values (1, null, null, null, null, null, null)")
        found = _difference(source, lake)
        assert found.extra == ("id=1",)


def test_columns_that_cannot_be_null_are_not_counted() -> None:
    sql = fingerprint_sql(ProofDialect(), ORDERS, forms(ProofDialect(), ORDERS))
    assert 'count("id")' not in sql
    assert 'count("note")' in sql


def test_a_fingerprint_as_text_has_everything() -> None:
    one = Fingerprint(3, (("a", 1), ("b", 0)), 99)
    others = [
        Fingerprint(3, (("a", 0), ("b", 1)), 99),
        Fingerprint(3, one.nulls, 98),
        Fingerprint(2, one.nulls, 99),
    ]
    assert str(one) == "3:99:a=1,b=0"
    assert len({str(one), *map(str, others)}) == 4
