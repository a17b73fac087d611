"""The demo's shop is the same everywhere, is a sound database, and has the traps that it promises."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mainstem.demo import Truths, build_shop, truths
from mainstem.errors import LakeUnavailable, UsageError

TABLES = {
    "offices": 6,
    "employees": 25,
    "customers": 400,
    "product_lines": 8,
    "products": 144,
    "orders": 15_555,
    "order_lines": 50_000,
    "payments": 14_401,
}
MONEY = (
    ("customers", "credit_limit"),
    ("products", "buy_price"),
    ("products", "list_price"),
    ("order_lines", "unit_price"),
    ("payments", "amount"),
)
SHOP_SHA256 = "a2b42634c4b22c74ff4104c7ea2fb94d743e5a7d7a7b5a8c51f8e0a738a305b7"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    build_shop(path)
    return path


@pytest.fixture(scope="module")
def true(shop: Path) -> Truths:
    return truths(shop)


@pytest.fixture
def db(shop: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(shop)) as connection:
        yield connection


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def fingerprint(path: Path) -> str:
    digest = hashlib.sha256()
    for table in TABLES:
        for row in rows(path, f"select * from {table} order by 1, 2"):
            digest.update(repr(row).encode())
    return digest.hexdigest()


def test_the_rows_are_the_same_on_every_machine(shop: Path) -> None:
    assert fingerprint(shop) == SHOP_SHA256


def test_another_seed_makes_another_shop(shop: Path, tmp_path: Path) -> None:
    build_shop(tmp_path / "a.db", seed=8)
    assert fingerprint(tmp_path / "a.db") != fingerprint(shop)


@pytest.mark.parametrize("order_lines", [1, 7, 300])
def test_as_many_order_lines_as_asked_for(tmp_path: Path, order_lines: int) -> None:
    build_shop(tmp_path / "s.db", order_lines=order_lines)
    assert rows(tmp_path / "s.db", "select count(*) from order_lines") == [(order_lines,)]
    assert rows(tmp_path / "s.db", "pragma foreign_key_check") == []


def test_counts(true: Truths) -> None:
    assert true["rows"] == TABLES


def test_it_is_a_sound_database(db: sqlite3.Connection) -> None:
    assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert db.execute("pragma foreign_key_check").fetchall() == []
    for table in TABLES:
        keys = [row[1] for row in db.execute(f"pragma table_info({table})") if row[5]]
        assert keys, f"{table} declares no primary key"
    assert len(db.execute("pragma foreign_key_list(order_lines)").fetchall()) == 2


@pytest.mark.parametrize(("table", "column"), MONEY)
def test_amounts_are_exact_decimals(db: sqlite3.Connection, table: str, column: str) -> None:
    declared = {row[1]: row[2] for row in db.execute(f"pragma table_info({table})")}
    assert declared[column] in ("decimal(10,2)", "decimal(12,2)")
    for (value,) in db.execute(f"select {column} from {table}"):
        amount = Decimal(repr(value))
        assert amount == amount.quantize(Decimal("0.01"))
        assert amount >= 0


def test_dates_are_iso_and_in_order(db: sqlite3.Connection) -> None:
    for ordered, required, shipped, updated in db.execute(
        "select order_date, required_date, shipped_date, updated_at from orders"
    ):
        day = date.fromisoformat(ordered)
        assert date(2021, 1, 1) <= day <= date(2025, 12, 31)
        assert day < date.fromisoformat(required)
        assert datetime.fromisoformat(updated).date() == date.fromisoformat(shipped or ordered)
        assert shipped is None or day < date.fromisoformat(shipped) <= date(2025, 12, 31)


def test_nobody_buys_before_joining(db: sqlite3.Connection) -> None:
    early = (
        "select count(*) from orders join customers using (customer_number) where order_date < customer_since"
    )
    assert db.execute(early).fetchone() == (0,)


def test_the_traps_are_there(db: sqlite3.Connection, true: Truths) -> None:
    assert true["cities_by_shared_postal_code"] == {"94110": 3}
    assert true["customers_without_postal_code"] > 0
    assert true["sales_without_postal_code"] > 0
    assert {"Norway", "Norway  "} <= true["sales_by_country_as_stored"].keys()
    assert true["orders_not_shipped"] > 0
    assert true["customers_without_sales_rep"] > 0
    assert true["customers_without_orders"] > 0
    assert true["products_never_sold"] == 2
    assert db.execute("select count(*) from employees where reports_to is null").fetchone() == (1,)
    same_names = "select count(*) - count(distinct customer_name) from customers"
    assert db.execute(same_names).fetchone()[0] > 0
    twice = "select 1 from order_lines group by order_number, product_code having count(*) > 1 limit 1"
    assert db.execute(twice).fetchone() == (1,)
    assert {None, ""} <= {row[0] for row in db.execute("select distinct comments from orders")}
    last = (
        "select max(substr(order_date, 1, 4)) from orders join order_lines using (order_number)"
        " join products using (product_code) where discontinued = 1"
    )
    assert db.execute(last).fetchone() == ("2023",)
    assert any(not name.isascii() for (name,) in db.execute("select customer_name from customers"))


def test_the_wrong_joins_are_wrong(true: Truths) -> None:
    assert true["wrong_sales_joined_by_postal_code"] != true["sales"]
    assert true["wrong_sales_joined_with_payments"] > 10 * true["sales"]
    assert true["payments"] != true["sales"]


def test_the_truths_agree_with_sums_by_hand(db: sqlite3.Connection, true: Truths) -> None:
    """Plain Python and Decimal, no SQL but reading tables."""
    country = dict(db.execute("select customer_number, country from customers"))
    orders = {
        number: (customer, day, status)
        for number, customer, day, status in db.execute(
            "select order_number, customer_number, order_date, status from orders"
        )
    }
    by_country: dict[str, Decimal] = defaultdict(Decimal)
    by_month: dict[str, Decimal] = defaultdict(Decimal)
    total = live = Decimal(0)
    for number, quantity, price in db.execute("select order_number, quantity, unit_price from order_lines"):
        customer, day, status = orders[number]
        amount = quantity * Decimal(repr(price))
        total += amount
        live += amount if status != "Cancelled" else 0
        by_country[country[customer].rstrip()] += amount
        by_month[day[:7]] += amount
    assert (true["sales"], true["sales_without_cancelled"]) == (total, live)
    assert true["sales_by_country"] == by_country
    assert true["sales_by_month"] == by_month
    assert true["orders_by_status"] == Counter(status for _, _, status in orders.values())
    paid = sum(Decimal(repr(amount)) for (amount,) in db.execute("select amount from payments"))
    assert true["payments"] == paid
    for key in ("sales_by_country_as_stored", "sales_by_product_line", "sales_by_year"):
        assert sum(true[key].values()) == total


def test_the_dashboard_has_something_to_show(db: sqlite3.Connection, true: Truths) -> None:
    years = list(true["sales_by_year"].values())
    assert years == sorted(years)
    assert len(years) == 5
    for year in true["sales_by_year"]:
        months = {month: sold for month, sold in true["sales_by_month"].items() if month.startswith(year)}
        assert max(months, key=lambda month: months[month]) == f"{year}-11"
    by_weekday = Counter(
        date.fromisoformat(day).weekday() for (day,) in db.execute("select order_date from orders")
    )
    assert by_weekday[6] < by_weekday[5] < by_weekday[0]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_text("something else")
    build_shop(path, order_lines=5)
    assert truths(path)["rows"]["order_lines"] == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["shop.db"]


def test_a_failed_build_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    build_shop(path, order_lines=5)
    (tmp_path / "shop.db.partial").mkdir()
    with pytest.raises(LakeUnavailable, match="cannot write the demo's shop"):
        build_shop(path, order_lines=9)
    assert truths(path)["rows"]["order_lines"] == 5


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(LakeUnavailable, match="check that the folder exists"):
        build_shop(tmp_path / "nowhere" / "shop.db")


def test_no_lines_make_no_shop(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1 order line"):
        build_shop(tmp_path / "shop.db", order_lines=0)
