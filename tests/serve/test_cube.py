"""Dashboards as cubes: mistakes are named, the SQL is executed, every sum equals the fact's."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from mainstem.errors import ConfigErrors
from mainstem.project.dashboard import Dashboard
from mainstem.project.yamlfile import parse
from mainstem.schema import Kind, Type
from mainstem.serve.cube import compile_cube
from mainstem.serve.cubetable import TABLE, build_cube
from mainstem.serve.encode import scale_of
from mainstem.serve.wire import compose

from . import shop

TYPES = {"fact_orders": {"status": Type(Kind.STRING), "amount": Type(Kind.DECIMAL, 10, 2)}}


def changed(**changes: dict[str, Any]) -> Dashboard:
    """The shop's dashboard with keys added to its sections."""
    return shop.dashboard(**{name: shop.DASHBOARD[name] | value for name, value in changes.items()})


@pytest.mark.parametrize(
    ("dashboard", "said", "hint"),
    [
        (shop.dashboard(model="fact_order"), 'no model "fact_order"', "did you mean fact_orders"),
        (changed(measures={"x": {"sum": "amont"}}), 'no column "amont"', "did you mean amount"),
        (
            changed(measures={"x": {"sum": "price_each"}}),
            "does not add up (additive: none)",
            "`average: price_each`",
        ),
        (changed(measures={"x": {"sum": "stock"}}), "does not add up over time", "`average: stock`"),
        (
            changed(measures={"x": {"sum": "order_number"}}),
            "not declared as a measure",
            "models/fact_orders.sql",
        ),
        (changed(measures={"x": {"count": "ordernumber"}}), 'no column "ordernumber"', ""),
        (changed(measures={"x": {"average": "prise"}}), 'no column "prise"', ""),
        (changed(measures={"x": {"average": "status"}}), "is string, not a number", ""),
        (changed(measures={"x": {"ratio": ["revenue", "price"]}}), '"price" is not a sum or a count', ""),
        (changed(measures={"a__b": {"sum": "amount"}}), "two underscores", ""),
        (changed(measures={"status": {"sum": "amount"}}), "cannot share a name", ""),
        (changed(dimensions={"x": "dim_customers.country"}), "more than once", "via: customer_key"),
        (
            changed(dimensions={"x": {"column": "dim_dates.date", "via": "customer_key"}}),
            "does not reference",
            "",
        ),
        (changed(dimensions={"x": "dim_product.line"}), 'does not reference "dim_product"', "there"),
        (
            changed(dimensions={"x": {"column": "dim_customers.contry", "via": "agent_key"}}),
            "no column",
            "country",
        ),
        (changed(dimensions={"x": "statuss"}), 'no column "statuss"', "did you mean status"),
        (
            changed(dimensions={"x": {"column": "status", "grain": "day"}}),
            "is string, not a date",
            "leave out",
        ),
        (changed(filters={"contry": {}}), 'no dimension "contry"', "did you mean country"),
        (
            shop.dashboard(layout=[[{"kpi": "revenu"}]]),
            'layout.0.0.kpi: there is no measure "revenu"',
            "revenue",
        ),
        (shop.dashboard(layout=[[{"bar": {"by": "land", "measure": "revenue"}}]]), 'no dimension "land"', ""),
        (
            shop.dashboard(layout=[[{"area": {"x": "status", "measure": "revenue"}}]]),
            "not a date dimension",
            "grain",
        ),
        (
            shop.dashboard(layout=[[{"area": {"x": "date.week", "measure": "revenue"}}]]),
            'no grain "week"',
            "day",
        ),
        (
            shop.dashboard(layout=[[{"area": {"x": "shipped.day", "measure": "revenue"}}]]),
            "by month, not by day",
            "",
        ),
        (
            shop.dashboard(layout=[[{"area": {"x": "date", "measure": "revenue", "brush": "status"}}]]),
            "not a date dimension",
            "",
        ),
    ],
)
def test_a_mistake_is_named(dashboard: Dashboard, said: str, hint: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        compile_cube(dashboard, shop.headers(), TYPES)
    assert len(raised.value.errors) == 1
    error = raised.value.errors[0]
    assert said in error.message
    if hint != "there":
        assert hint in error.hint
    assert error.where is not None
    assert error.where.file == "dashboards/sales.yml"


def test_all_mistakes_come_at_once_with_their_lines() -> None:
    text = """dashboard: sales
model: fact_orders
measures:
  revenue: {sum: amont}
dimensions:
  country: dim_customers.country
layout:
  - - kpi: revenu
"""
    document = parse(text, "dashboards/sales.yml")
    with pytest.raises(ConfigErrors) as raised:
        compile_cube(Dashboard.model_validate(document.value), shop.headers(), None, document)
    assert [error.where.line for error in raised.value.errors if error.where] == [4, 6, 8]


def test_the_sql_of_a_cube() -> None:
    plan = compile_cube(
        shop.dashboard(
            measures={"revenue": {"sum": "amount"}, "price": {"average": "price_each"}},
            dimensions={
                "agent": {"column": "dim_customers.country", "via": "agent_key"},
                "customer": {"column": "mart.dim_customers.country", "via": "customer_key"},
                "status": "status",
                "month": {"column": "dim_dates.date", "via": "ordered_date_key", "grain": "month"},
            },
            filters={}, layout=[[{"kpi": "price"}]],
        ),
        shop.headers(),
    )  # fmt: skip
    assert plan.sql == (
        'with d1 as (select "d1"."customer_key" as "__key", cast("d1"."country" as varchar) as "agent", '
        'case when cast("d1"."country" as varchar) is not null then cast(dense_rank() over '
        '(order by cast("d1"."country" as varchar)) as integer) end as "agent__number" '
        'from "mart"."dim_customers" as d1), '
        'd2 as (select "d2"."customer_key" as "__key", cast("d2"."country" as varchar) as "customer", '
        'case when cast("d2"."country" as varchar) is not null then cast(dense_rank() over '
        '(order by cast("d2"."country" as varchar)) as integer) end as "customer__number" '
        'from "mart"."dim_customers" as d2), '
        'd3 as (select "d3"."date_key" as "__key", '
        'cast(date_trunc(\'month\', cast("d3"."date" as date)) as date) as "month" '
        'from "mart"."dim_dates" as d3), '
        "cells as (\n"
        '    select d1."agent__number" as "agent", d2."customer__number" as "customer", '
        'cast("f"."status" as varchar) as "status", d3."month" as "month", sum(f."amount") as "revenue", '
        'sum(f."price_each") as "price__sum", cast(count(f."price_each") as bigint) as "price__count", '
        'cast(count(*) as bigint) as "__rows"\n'
        '    from "mart"."fact_orders" as f\n'
        '    left join d1 on "f"."agent_key" = "d1"."__key"\n'
        '    left join d2 on "f"."customer_key" = "d2"."__key"\n'
        '    left join d3 on "f"."ordered_date_key" = "d3"."__key"\n'
        "    group by 1, 2, 3, 4\n"
        ")\n"
        'select t1."agent", t2."customer", cells."status", cells."month", cells."revenue", '
        'cells."price__sum", cells."price__count", cells."__rows"\n'
        "from cells\n"
        'left join (select distinct "agent__number", "agent" from d1 where "agent__number" is not null) '
        'as t1 on cells."agent" = t1."agent__number"\n'
        'left join (select distinct "customer__number", "customer" from d2 '
        'where "customer__number" is not null) as t2 on cells."customer" = t2."customer__number"\n'
        "order by 4, 1, 2, 3"
    )


def cube_of(
    con: duckdb.DuckDBPyConnection, dashboard: Dashboard
) -> tuple[dict[str, Any], dict[str, list[Any]], Any]:
    con.execute(
        "drop schema if exists cube cascade; create schema cube; create schema if not exists mainstem"
    )
    con.execute("drop table if exists mainstem.cube")
    con.execute(TABLE.format("memory"))
    report = build_cube(con, compile_cube(dashboard, shop.headers()), "memory")
    document, arrays = con.execute("select document, arrays from mainstem.cube").fetchone() or ("{}", b"")
    header, columns = shop.decode(compose("r1", json.loads(document), arrays))
    return header, columns, report


def test_every_selection_of_cells_adds_up_to_what_the_fact_says() -> None:
    con = shop.marts()()
    _header, columns, report = cube_of(con, shop.dashboard())
    assert report.proofs[0].holds
    assert "rows 400, revenue 25,605.30, units 1,590" in report.proofs[0].text
    # The oracle: rows one by one in Python, joined by dictionaries.
    countries = dict(con.execute("select * from mart.dim_customers").fetchall())
    expected: dict[Any, list[Any]] = defaultdict(lambda: [Decimal(0), 0, 0])
    rows = con.execute("select customer_key, status, amount, quantity from mart.fact_orders").fetchall()
    for key, status, amount, quantity in rows:
        cell = expected[countries[key], status]
        cell[0] += amount
        cell[1] += quantity
        cell[2] += 1
    found: dict[Any, list[Any]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for i, country in enumerate(columns["country"]):
        cell = found[country, columns["status"][i]]
        for at, name in enumerate(("revenue", "units", "orders")):
            cell[at] += columns[name][i]
    assert {k: [int(v[0]), int(v[1]), int(v[2])] for k, v in found.items()} == {
        k: [int(v[0] * 100), v[1], v[2]] for k, v in expected.items()
    }


def test_dates_are_days_and_no_date_is_named() -> None:
    _header, columns, _report = cube_of(shop.marts()(), shop.dashboard())
    assert min(columns["date"]) == 12053  # 2003-01-01
    assert min(columns["shipped"]) == -(1 << 31)
    assert sum(1 for day in columns["shipped"] if day == -(1 << 31)) == 80
    assert set(columns["shipped"]) - {-(1 << 31)} <= {12053, *range(12084, 13000)}


def test_negative_and_large_decimals_are_exact() -> None:
    con = duckdb.connect()
    con.execute(shop.MARTS)
    con.execute("alter table mart.fact_orders alter amount type decimal(38, 6)")
    con.execute("update mart.fact_orders set amount = -0.000001 where order_number % 2 = 0")
    con.execute("update mart.fact_orders set amount = 1234567.123456 where order_number = 1")
    header, columns, _report = cube_of(con, shop.dashboard())
    revenue = next(measure for measure in header["measures"] if measure["name"] == "revenue")
    assert (revenue["scale"], revenue["exact"]) == (6, True)
    truth = con.execute("select cast(sum(amount) * 1000000 as hugeint) from mart.fact_orders").fetchone()
    assert truth is not None
    assert sum(columns["revenue"]) == truth[0]
    con.execute("update mart.fact_orders set amount = 9e15 where order_number = 3")
    header, columns, _report = cube_of(con, shop.dashboard())
    revenue = next(measure for measure in header["measures"] if measure["name"] == "revenue")
    assert (revenue["scale"], revenue["exact"]) == (0, False)
    assert max(columns["revenue"]) == 9e15


def test_the_bound_of_exactness() -> None:
    cents = Type(Kind.DECIMAL, 38, 2)
    assert scale_of(cents, 8.9e13).exact
    assert not scale_of(cents, 9.1e13).exact
    assert scale_of(Type(Kind.LONG), 8.9e15).exact
    assert not scale_of(Type(Kind.DOUBLE), 1.0).exact


@pytest.mark.parametrize("values", [1, 256, 257, 65_537])
def test_codes_are_as_wide_as_they_must_be(values: int) -> None:
    con = duckdb.connect()
    con.execute(shop.MARTS)
    con.execute(
        "create or replace table mart.fact_orders as "
        "select *, 'v' || i as status, cast(1 as decimal(10,2)) as amount "
        f"from (select * exclude (status, amount) from mart.fact_orders limit 1), range({values}) as r(i)"
    )
    dashboard = shop.dashboard(
        measures={"revenue": {"sum": "amount"}}, dimensions={"status": "status"}, filters={},
        layout=[[{"kpi": "revenue"}]],
    )  # fmt: skip
    header, columns, _report = cube_of(con, dashboard)
    entry = header["dimensions"][0]
    assert entry["array"]["type"] == ("u8" if values <= 256 else "u16" if values <= 65_536 else "u32")
    assert sorted(columns["status"]) == sorted(f"v{i}" for i in range(values))
    assert entry["values"] == sorted(entry["values"])


def test_no_rows_and_no_dimensions() -> None:
    con = shop.marts()()
    con.execute("delete from mart.fact_orders")
    header, columns, report = cube_of(con, shop.dashboard())
    assert (header["cells"], report.proofs[0].holds, columns["revenue"]) == (0, True, [])
    plain = shop.dashboard(dimensions={}, filters={}, layout=[[{"kpi": "revenue"}]])
    header, columns, _report = cube_of(shop.marts()(), plain)
    assert (header["cells"], columns["revenue"]) == (1, [2560530.0])


def test_a_join_that_doubles_rows_is_caught() -> None:
    con = shop.marts()()
    con.execute("insert into mart.dim_customers values ('2', 'España')")
    *_rest, report = cube_of(con, shop.dashboard())
    assert not report.proofs[0].holds
    assert "rows 486 in the cube, 400 in fact_orders" in report.proofs[0].text


def test_text_of_any_kind_goes_through() -> None:
    con = shop.marts()()
    names = ["", " ", "é", "\u2028", "</script>", '"', "\\", "🦆", "a\nb", "null", "0"]
    shuffled = random.Random(7).sample(names, len(names))
    for number, name in enumerate(shuffled):
        con.execute("update mart.fact_orders set status = ? where order_number % 11 = ?", [name, number])
    _header, columns, _report = cube_of(con, shop.dashboard())
    assert set(columns["status"]) == set(names)
