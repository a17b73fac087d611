"""Lineage: SQL in, edges out."""

from __future__ import annotations

import json

import pytest

from mainstem.lineage.columns import trace
from mainstem.lineage.graph import Lineage
from mainstem.schema import TableName

TABLES = {
    TableName("raw", "OrderDetails"): ["orderNumber", "quantityOrdered", "priceEach", "note"],
    TableName("raw", "orders"): ["orderNumber", "customerNumber", "orderDate"],
    TableName("raw", "customers"): ["customerNumber", "country"],
    TableName("mart", "dim_a"): ["a", "k"],
    TableName("mart", "dim_b"): ["b", "k"],
    TableName("mart", "model"): ["Amount"],
}
MODEL = TableName("mart", "model")


def columns(sql: str) -> dict[str, list[str]]:
    found = trace({MODEL: sql}, TABLES)
    assert found.unresolved == ()
    return {name.name: [str(one) for one in sources] for name, sources in found.columns.items()}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('select "orderNumber" as n from raw.orders', {"n": ["raw.orders.orderNumber"]}),
        ("select ordernumber as N from RAW.ORDERS", {"n": ["raw.orders.orderNumber"]}),
        (
            'select "quantityOrdered" * "priceEach" as amount from raw."OrderDetails"',
            {"Amount": ["raw.OrderDetails.priceEach", "raw.OrderDetails.quantityOrdered"]},
        ),
        (
            "with o as (select * from raw.orders), f as (select o.*, 1 as one from o) select * from f",
            {
                "ordernumber": ["raw.orders.orderNumber"],
                "customernumber": ["raw.orders.customerNumber"],
                "orderdate": ["raw.orders.orderDate"],
                "one": [],
            },
        ),
        (
            "select a as x from dim_a union all select b from mart.dim_b union all select 'z'",
            {"x": ["mart.dim_a.a", "mart.dim_b.b"]},
        ),
        (
            "select coalesce(c.country, 'Unknown') as country from raw.orders as o "
            'left join raw.customers as c on o."customerNumber" = c."customerNumber" '
            'where o."orderDate" > now()',
            {"country": ["raw.customers.country"]},
        ),
        (
            "select (select max(c.country) from raw.customers as c) as top, "
            'sum("priceEach") over () as total from raw."OrderDetails"',
            {"top": ["raw.customers.country"], "total": ["raw.OrderDetails.priceEach"]},
        ),
        (
            "select d.x from (select upper(country) as x from raw.customers) as d",
            {"x": ["raw.customers.country"]},
        ),
        ("from raw.customers select country as land", {"land": ["raw.customers.country"]}),
        (
            "with recursive r as (select k, a from dim_a union all select r.k, r.a from r) select a from r",
            {"a": ["mart.dim_a.a"]},
        ),
        ("select k from dim_a join dim_b using (k)", {"k": ["mart.dim_a.k", "mart.dim_b.k"]}),
    ],
)
def test_columns(sql: str, expected: dict[str, list[str]]) -> None:
    assert columns(sql) == expected


def test_edges_name_tables_once_and_no_cte() -> None:
    sql = "with dim_b as (select * from dim_a) select b.a from dim_b as b join dim_b as c on b.a = c.a"
    found = trace({MODEL: sql}, TABLES)
    assert found.edges == ((TableName("mart", "dim_a"), MODEL),)


def test_sql_that_cannot_be_read_is_named_and_the_rest_stands() -> None:
    other = TableName("mart", "dim_a")
    found = trace({MODEL: "select from where", other: "select country as a from raw.customers"}, TABLES)
    assert found.unresolved == (MODEL,)
    assert found.edges == ((TableName("raw", "customers"), other),)


def test_it_goes_through_json() -> None:
    found = trace(
        {MODEL: 'select "priceEach" as amount from raw."OrderDetails"', TableName("mart", "x"): ")"}, TABLES
    )
    assert Lineage.of(json.loads(json.dumps(found.value()))) == found
