"""What is true in the demo's shop, computed by plain SQLite: the oracle of the end-to-end tests.

Shares no code with the rest of Mainstem, and adds up whole cents, so that it can be wrong in no way that
Mainstem could be wrong in too.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TypedDict

TABLES = (
    "offices",
    "employees",
    "customers",
    "product_lines",
    "products",
    "orders",
    "order_lines",
    "payments",
)
LINE_CENTS = "l.quantity * cast(round(l.unit_price * 100) as integer)"
ALL = "order_lines l join orders o using (order_number) join customers c using (customer_number)"


class Truths(TypedDict):
    """Amounts are exact decimals of two places; `rows` and counts are numbers of rows."""

    rows: dict[str, int]
    sales: Decimal
    sales_without_cancelled: Decimal
    units: int
    cost: Decimal
    payments: Decimal
    sales_by_country: dict[str, Decimal]
    sales_by_country_as_stored: dict[str, Decimal]
    sales_by_product_line: dict[str, Decimal]
    sales_by_year: dict[str, Decimal]
    sales_by_month: dict[str, Decimal]
    orders_by_status: dict[str, int]
    orders_not_shipped: int
    customers_without_orders: int
    customers_without_sales_rep: int
    customers_without_postal_code: int
    sales_without_postal_code: Decimal
    products_never_sold: int
    cities_by_shared_postal_code: dict[str, int]
    wrong_sales_joined_by_postal_code: Decimal
    wrong_sales_joined_with_payments: Decimal


def truths(path: Path) -> Truths:
    """All totals of the shop in the file `path`. The two `wrong_…` are what careless joins come to."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return _truths(_Asker(connection))


class _Asker:
    """Questions to one connection, by the shape of their answer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def number(self, sql: str) -> int:
        return int(self._connection.execute(sql).fetchone()[0])

    def numbers(self, sql: str) -> dict[str, int]:
        return {str(key): int(value) for key, value in self._connection.execute(sql)}

    def amount(self, what: str, origin: str) -> Decimal:
        return _amount(self.number(f"select coalesce(sum({what}), 0) from {origin}"))

    def sales_by(self, key: str, origin: str = ALL) -> dict[str, Decimal]:
        sql = f"select {key}, sum({LINE_CENTS}) from {origin} group by 1 order by 1"
        return {name: _amount(cents) for name, cents in self.numbers(sql).items()}


def _amount(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _truths(ask: _Asker) -> Truths:
    cost = "l.quantity * cast(round(p.buy_price * 100) as integer)"
    paid = "(select customer_number, count(*) as payments from payments group by 1)"
    places = "(select distinct postal_code, city, state, country from customers)"
    return {
        "rows": {table: ask.number(f"select count(*) from {table}") for table in TABLES},
        "sales": ask.amount(LINE_CENTS, "order_lines l"),
        "sales_without_cancelled": ask.amount(LINE_CENTS, f"{ALL} where o.status <> 'Cancelled'"),
        "units": ask.number("select sum(quantity) from order_lines"),
        "cost": ask.amount(cost, "order_lines l join products p using (product_code)"),
        "payments": ask.amount("cast(round(amount * 100) as integer)", "payments"),
        "sales_by_country": ask.sales_by("rtrim(c.country)"),
        "sales_by_country_as_stored": ask.sales_by("c.country"),
        "sales_by_product_line": ask.sales_by(
            "p.product_line", "order_lines l join products p using (product_code)"
        ),
        "sales_by_year": ask.sales_by("substr(o.order_date, 1, 4)"),
        "sales_by_month": ask.sales_by("substr(o.order_date, 1, 7)"),
        "orders_by_status": ask.numbers("select status, count(*) from orders group by 1 order by 1"),
        "orders_not_shipped": ask.number("select count(*) from orders where shipped_date is null"),
        "customers_without_orders": ask.number(
            "select count(*) from customers where customer_number not in (select customer_number from orders)"
        ),
        "customers_without_sales_rep": ask.number(
            "select count(*) from customers where sales_rep_number is null"
        ),
        "customers_without_postal_code": ask.number(
            "select count(*) from customers where postal_code is null"
        ),
        "sales_without_postal_code": ask.amount(LINE_CENTS, f"{ALL} where c.postal_code is null"),
        "products_never_sold": ask.number(
            "select count(*) from products where product_code not in (select product_code from order_lines)"
        ),
        "cities_by_shared_postal_code": ask.numbers(
            "select postal_code, count(distinct city) from customers where postal_code is not null"
            " group by 1 having count(distinct city) > 1 order by 1"
        ),
        "wrong_sales_joined_by_postal_code": ask.amount(
            LINE_CENTS, f"{ALL} join {places} d on d.postal_code = c.postal_code"
        ),
        "wrong_sales_joined_with_payments": ask.amount(
            f"{LINE_CENTS} * y.payments", f"{ALL} join {paid} y using (customer_number)"
        ),
    }
