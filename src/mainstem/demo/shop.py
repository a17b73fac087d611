"""Builds the demo's shop as one SQLite file.

The same call makes the same rows on every machine. On purpose the data has what real databases have,
and what a star schema made in a hurry gets wrong:

- `customers.postal_code` is no key: one code stands for three cities, and some customers have none.
  A dimension of places joined by it multiplies some sales and drops others.
- `customers.country` holds 'Norway' and, in two rows, 'Norway  ' with blanks behind it.
- Customers of the same name are different customers; some have no sales representative, some never ordered.
- Orders that are not shipped (`shipped_date` is NULL): cancelled, on hold, in process.
- Products that were never sold; discontinued ones that were sold until 2023.
- `order_lines.unit_price` is what was paid, not `products.list_price`; an order may name a product twice.
- Payments and order lines both hang on the customer: joined through it, both multiply.
- `employees.reports_to` points at employees; the president reports to nobody.
- Comments are NULL or empty text, which are not the same; names and comments go beyond ASCII.

Amounts are the doubles nearest to decimals of two places, under declared DECIMAL columns; dates are ISO
text under DATE, moments under TIMESTAMP.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from mainstem.demo import goods, parties
from mainstem.demo.dice import Dice
from mainstem.demo.trade import DAYS, START, Trade
from mainstem.errors import LakeUnavailable, UsageError

SCHEMA = """
create table offices (
  office_code varchar(10) not null primary key,
  city varchar(50) not null,
  country varchar(50) not null,
  territory varchar(20) not null,
  postal_code varchar(15) not null
);
create table employees (
  employee_number integer not null primary key,
  last_name varchar(50) not null,
  first_name varchar(50) not null,
  email varchar(100) not null,
  office_code varchar(10) not null references offices (office_code),
  reports_to integer references employees (employee_number),
  job_title varchar(50) not null
);
create table customers (
  customer_number integer not null primary key,
  customer_name varchar(80) not null,
  contact_name varchar(80) not null,
  city varchar(50) not null,
  state varchar(50),
  postal_code varchar(15),
  country varchar(50) not null,
  sales_rep_number integer references employees (employee_number),
  credit_limit decimal(12,2) not null,
  customer_since date not null
);
create table product_lines (
  product_line varchar(50) not null primary key,
  description varchar(200) not null
);
create table products (
  product_code varchar(15) not null primary key,
  product_name varchar(70) not null,
  product_line varchar(50) not null references product_lines (product_line),
  vendor varchar(50) not null,
  quantity_in_stock integer not null,
  buy_price decimal(10,2) not null,
  list_price decimal(10,2) not null,
  discontinued boolean not null
);
create table orders (
  order_number integer not null primary key,
  customer_number integer not null references customers (customer_number),
  order_date date not null,
  required_date date not null,
  shipped_date date,
  status varchar(15) not null,
  comments text,
  updated_at timestamp not null
);
create table order_lines (
  order_number integer not null references orders (order_number),
  line_number integer not null,
  product_code varchar(15) not null references products (product_code),
  quantity integer not null,
  unit_price decimal(10,2) not null,
  primary key (order_number, line_number)
);
create table payments (
  customer_number integer not null references customers (customer_number),
  check_number varchar(20) not null,
  payment_date date not null,
  amount decimal(12,2) not null,
  primary key (customer_number, check_number)
);
"""


def build_shop(path: Path, order_lines: int = 50_000, seed: int = 7) -> None:
    """Writes the shop with exactly `order_lines` order lines to the SQLite file `path`.

    A file that is there is replaced, and only once the new one is whole. The folder must exist.

    Raises:
        UsageError: `order_lines` is below 1.
        LakeUnavailable: the file cannot be written.
    """
    if order_lines < 1:
        raise UsageError("the demo's shop needs at least 1 order line", hint="ask for 1 or more")
    partial = path.with_name(path.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(sqlite3.connect(partial)) as connection:
            _fill(connection, order_lines, Dice(seed))
        os.replace(partial, path)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise LakeUnavailable(
            f"cannot write the demo's shop to {path}: {error}",
            hint="check that the folder exists, can be written to and has space left",
        ) from error


def _fill(connection: sqlite3.Connection, order_lines: int, dice: Dice) -> None:
    # Half a file is thrown away in any case, so that a journal would protect nothing.
    connection.executescript(f"pragma journal_mode = off; pragma synchronous = off; {SCHEMA}")
    people = parties.customers(dice, START, DAYS)
    products = goods.products(dice)
    _insert(connection, "offices", parties.offices())
    _insert(connection, "employees", parties.employees())
    _insert(connection, "customers", [customer.row for customer in people])
    _insert(connection, "product_lines", goods.product_lines())
    _insert(connection, "products", [product.row for product in products])
    for batch in Trade(dice, people, products).batches(order_lines):
        _insert(connection, "orders", batch.orders)
        _insert(connection, "order_lines", batch.lines)
        _insert(connection, "payments", batch.payments)
    connection.commit()


def _insert(connection: sqlite3.Connection, table: str, rows: list[tuple[object, ...]]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"insert into {table} values ({marks})", rows)
