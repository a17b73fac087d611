"""The routes as the page uses them."""

from __future__ import annotations

import json

import pytest

from . import shop
from .conftest import Connect, Published

pytestmark = pytest.mark.anyio


async def test_the_dashboards_and_one_of_them(connect: Connect, project: Published) -> None:
    project.publish()
    page = connect()
    listed = await page.get("/api/dashboards")
    assert listed.json() == [{"name": "sales", "title": "Sales overview", "model": "fact_orders"}]
    document = (await page.get("/api/dashboards/sales")).json()
    assert document["release"] == {"id": "r0001", "run": shop.RUN, "published": "2026-11-23T12:03:01Z"}
    assert document["grain"] == "one row per order"
    assert document["cube"] == {"where": "browser", "cells": 400}
    assert document["proof"] == {
        "holds": True,
        "level": "full",
        "text": "400 rows equal the source",
        "checked": "2026-11-23T12:03:11Z",
        "source": "shop (mariadb)",
        "run": shop.RUN,
        "unmatched": [{"dimension": "dim_customers", "column": "customer_key", "rows": 58}],
    }
    measures = {measure["name"]: measure for measure in document["measures"]}
    assert measures["revenue"] == {"name": "revenue", "label": "Revenue", "kind": "sum", "format": "$,.2f"}
    assert measures["price"]["of"] == ["price__sum", "price__count"]
    assert measures["per_order"]["of"] == ["revenue", "orders"]
    assert {"name": "date", "label": "Ordered", "kind": "date", "grain": "day"} in document["dimensions"]
    assert document["layout"][1] == [{"bar": {"by": "country", "measure": "revenue", "top": 12}}]
    missing = await page.get("/api/dashboards/sale")
    assert missing.status_code == 404
    assert missing.json()["error"]["hint"] == "did you mean sales?"


async def test_the_cube_equals_the_fact_and_is_not_sent_twice(connect: Connect, project: Published) -> None:
    project.publish()
    page = connect()
    answer = await page.get("/api/dashboards/sales/cube")
    assert answer.headers["content-encoding"] == "gzip"
    header, columns = shop.decode(answer.content)
    assert header["release"] == "r0001"
    con = shop.marts()()
    truth = con.execute("select sum(amount) * 100, count(*), sum(quantity) from mart.fact_orders").fetchone()
    assert truth is not None
    found = (sum(columns["revenue"]), sum(columns["orders"]), sum(columns["units"]))
    assert found == tuple(float(value) for value in truth)
    again = await page.get("/api/dashboards/sales/cube", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await page.get("/api/dashboards/sales/cube", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    assert "content-encoding" not in plain.headers


async def test_sql_arrives_exactly(connect: Connect, project: Published) -> None:
    project.publish()
    page = connect()
    sql = """select 9007199254740993 as big, 0.10::decimal(38,2) as d, 1.5::double, 0.1::float, 'nan'::double,
        date '2003-01-06', 'infinity'::date, null, true, [1, 2], 'é' -- the end
        ;"""
    answer = await page.post("/api/sql", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    row = ["9007199254740993", "0.10", 1.5, 0.1, "nan", "2003-01-06", "infinity", None, True, "[1, 2]", "é"]
    assert answer.json()["rows"] == [row]
    assert [c["type"] for c in answer.json()["columns"]][:4] == ["BIGINT", "DECIMAL(38,2)", "DOUBLE", "FLOAT"]
    total = await page.post("/api/sql", json={"sql": "select sum(amount) from fact_orders"})
    assert total.json()["rows"] == [["25605.30"]]
    few = (await page.post("/api/sql", json={"sql": "from fact_orders order by 1 desc", "limit": 3})).json()
    assert ([row[0] for row in few["rows"]], few["truncated"]) == (["399", "398", "397"], True)


@pytest.mark.parametrize(
    "sql",
    ["describe fact_orders", "summarize fact_orders", "show tables", "explain select 1", "values (1), (2);",
     "pivot fact_orders on status in ('Shipped') using sum(amount)", "with x as (select 1) from x",
     "from mart.dim_dates"],
)  # fmt: skip
async def test_every_kind_of_query_is_answered(connect: Connect, project: Published, sql: str) -> None:
    project.publish()
    answer = await connect().post("/api/sql", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"]


async def test_the_catalog_and_the_lineage(connect: Connect, project: Published) -> None:
    project.publish()
    page = connect()
    catalog = (await page.get("/api/catalog")).json()
    assert [table["table"] for table in catalog] == [
        "mart.fact_orders", "mart.dim_customers", "mart.dim_dates", "raw.orders",
    ]  # fmt: skip
    assert [table["served"] for table in catalog] == [True, True, True, False]
    fact = catalog[0]
    assert (fact["kind"], fact["rows"], fact["grain"]) == ("fact", 400, "one row per order")
    columns = {column["name"]: column for column in fact["columns"]}
    assert columns["customer_key"]["references"] == "dim_customers.customer_key"
    assert columns["amount"]["type"] == "decimal(10,2)"
    lineage = (await page.get("/api/lineage")).json()
    assert ["raw.orders", "mart.fact_orders"] in lineage["edges"]
    assert lineage["columns"]["mart.fact_orders.amount"] == ["raw.orders.id"]
    shown = {parent for parent, child in lineage["edges"] if child == "dashboard.sales"}
    assert shown == {"mart.fact_orders", "mart.dim_customers", "mart.dim_dates"}
    assert {"id": "dashboard.sales", "kind": "dashboard"} in lineage["nodes"]


async def test_the_release_and_its_receipt(connect: Connect, project: Published) -> None:
    project.publish()
    runs = project.state / "runs"
    runs.mkdir()
    (runs / f"{shop.RUN}.json").write_text(json.dumps({"proof": shop.PROOF}))
    (project.state / "secret.json").write_text("{}")
    page = connect()
    current = (await page.get("/api/releases/current")).json()
    assert (current["release"]["id"], current["proof"]["holds"]) == ("r0001", True)
    assert (await page.get(f"/api/runs/{shop.RUN}")).json()["proof"]["run"] == shop.RUN
    for name in ("nothing", "..%2Fsecret", "%2e%2e%2fsecret", "x" * 100, "a.b", "..\\secret", "%00"):
        assert (await page.get(f"/api/runs/{name}")).status_code == 404


async def test_without_a_release_the_page_is_told_what_to_do(connect: Connect) -> None:
    answer = await connect().get("/api/dashboards")
    assert answer.status_code == 503
    assert answer.json()["error"] == {"message": "nothing has been published yet", "hint": "mainstem run"}
