"""The reference pipeline's database, all the way, to the cent; and the mistakes that its own job makes."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from e2e.conftest import PASSWORD, Workplace
from sweeps import sweep

COUNTRIES = {
    "USA": "3273280.05",
    "Spain": "1099389.09",
    "France": "1007374.02",
    "Australia": "562582.59",
    "New Zealand": "476847.01",
    "UK": "436947.44",
    "Italy": "360616.81",
    "Finland": "295149.35",
    "Norway": "270846.30",
    "Singapore": "263997.78",
}
LINES = {
    "Classic Cars": "3853922.49",
    "Vintage Cars": "1797559.63",
    "Motorcycles": "1121426.12",
    "Trucks and Buses": "1024113.57",
    "Planes": "954637.54",
    "Ships": "663998.34",
    "Trains": "188532.92",
}
YEARS = {"2003": "3317348.39", "2004": "4515905.51", "2005": "1770936.71"}
LAB = """
select orders.orderNumber, orderdetails.productCode, customers.customerNumber, dim_locations.postalCode,
    orderdetails.quantityOrdered * orderdetails.priceEach as orderAmount, orders.orderDate
from raw.orders
join raw.orderdetails on orders.orderNumber = orderdetails.orderNumber
join raw.products on products.productCode = orderdetails.productCode
join raw.customers on customers.customerNumber = orders.customerNumber
{join} dim_locations on dim_locations.postalCode = customers.postalCode
"""


def test_sales_by_country_line_and_year(classicmodels: Workplace) -> None:
    join = "select {0}, sum(amount) from fact_order_lines join {1} group by 1 order by 2 desc limit {2}"
    found = classicmodels.pairs(join.format("country", "dim_customers using (customer_key)", 10))
    assert found == COUNTRIES
    found = classicmodels.pairs(join.format("product_line", "dim_products using (product_key)", 10))
    assert found == LINES
    dates = "dim_dates on ordered_date_key = date_key"
    assert classicmodels.pairs(join.format("year", dates, 10)) == dict(
        sorted(YEARS.items(), key=lambda item: -Decimal(item[1]))
    )
    counted = "select year, count(distinct order_number) from fact_order_lines"
    orders = f"{counted} join {dates} group by 1 order by 1"
    assert classicmodels.pairs(orders) == {"2003": "111", "2004": "151", "2005": "64"}


def test_totals(classicmodels: Workplace) -> None:
    row = classicmodels.rows(
        "select count(*) as n, sum(amount) as a, sum(quantity_ordered) as q, "
        "sum(amount) filter (status <> 'Cancelled') as kept from fact_order_lines"
    )[0]
    assert row == {"n": 2996, "a": "9604190.61", "q": 105516, "kept": "9365336.43"}
    assert classicmodels.rows("select sum(amount) as a from fact_payments") == [{"a": "8853839.23"}]


def test_norway_is_one_country(classicmodels: Workplace) -> None:
    found = classicmodels.rows("select distinct country from dim_customers where country ilike 'norway%'")
    assert found == [{"country": "Norway"}]
    raw = classicmodels.rows("select distinct country from raw.customers where country ilike 'norway%'")
    assert len(raw) == 2, "the raw table keeps what the source has, padding included"


def test_the_receipt_says_what_was_proven(classicmodels: Workplace) -> None:
    release = json.loads(classicmodels.well("releases", "--output", "json"))[0]
    receipt = classicmodels.receipt(release["run"])
    assert {table["proof"] for table in receipt["tables"]} == {"full"}
    assert all(table["holds"] for table in receipt["tables"])
    lines = next(m for m in receipt["models"] if m["table"] == "mart.fact_order_lines")
    assert lines["headline"] == "2,996 rows and 9,604,190.61 equal the source"


def test_the_password_is_nowhere(classicmodels: Workplace) -> None:
    needles = [PASSWORD, "p%40ss", "w%2Frd"]
    for path in classicmodels.root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(needle.encode() in content for needle in needles), path


def test_a_second_run_changes_nothing(classicmodels: Workplace) -> None:
    before = json.loads(classicmodels.well("releases", "--output", "json"))
    receipt = json.loads(classicmodels.well("run", "--output", "json"))
    assert receipt["status"] == "unchanged"
    assert {entry["status"] for entry in (*receipt["tables"], *receipt["models"])} == {"unchanged"}
    assert json.loads(classicmodels.well("releases", "--output", "json")) == before


@pytest.fixture
def copy(classicmodels: Workplace, tmp_path: Path) -> Workplace:
    """The project without its state, in a directory of this test."""
    root = shutil.copytree(classicmodels.root, tmp_path / "copy", ignore=shutil.ignore_patterns(".mainstem"))
    return Workplace(root, classicmodels.env)


HEADER = """/* mainstem
kind: fact
grain: {statement: one row per order line, table: raw.orderdetails}
key: [orderNumber, productCode]
measures:
  orderAmount: {equals: quantityOrdered * priceEach}
*/"""


@pytest.mark.parametrize(
    ("header", "join", "rows"),
    [
        pytest.param("", "left join", "3,688", id="left join, bare"),
        pytest.param(HEADER, "join", "3,515", id="join, with a header"),
        pytest.param("", "join", "3,515", id="join, bare", marks=sweep),
        pytest.param(HEADER, "left join", "3,688", id="left join, with a header", marks=sweep),
    ],
)
def test_the_lab_is_refused_with_its_reason(copy: Workplace, header: str, join: str, rows: str) -> None:
    copy.well("run")
    locations = "select distinct postalCode, city, state, country from raw.customers"
    (copy.root / "models" / "dim_locations.sql").write_text(locations)
    (copy.root / "models" / "fact_orders.sql").write_text(header + LAB.format(join=join))
    done = copy.call("run")
    assert done.returncode == 3
    said = done.stderr
    assert "models/fact_orders.sql" in said
    assert f"takes 2,996 rows to {rows}" in said
    assert "692 rows too many" in said
    assert "the join to dim_locations on postalCode" in said
    assert "'94217' stands for 4 rows" in said
    assert ("postalCode is NULL" in said) is (join == "join"), "an inner join loses rows as well"
    assert copy.rows("select count(*) as n from fact_order_lines") == [{"n": 2996}]
    missing = copy.call("query", "select * from fact_orders")
    assert missing.returncode != 0, "the refused model is in no release"
    assert copy.receipt()["status"] == "failed"
