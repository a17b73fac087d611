"""A small star and a decoder of the cube, apart from the product's code: the oracle of these tests."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from mainstem.project.dashboard import Dashboard
from mainstem.project.header import Header
from mainstem.schema import Column, Kind, TableName, Type
from mainstem.serve.spec import ModelDoc, ServeSpec, TableDoc

RUN = "20261123T120311-4f2a"

MARTS = """
create schema mart; create schema raw;
create table raw.orders as select range as id from range(400);
create table mart.dim_customers as
    select * from (values ('missing', 'Unknown'), ('1', 'USA'), ('2', 'Spain'), ('3', null), ('4', 'Norway'))
        as t(customer_key, country);
create table mart.dim_dates as
    select strftime(d, '%Y-%m-%d') as date_key, cast(d as date) as date
    from generate_series(date '2003-01-01', date '2004-12-31', interval 1 day) as g(d)
    union all select 'missing', null;
create table mart.fact_orders as
    select
        i as order_number,
        case when i % 7 = 0 then 'missing' else cast(1 + i % 4 as varchar) end as customer_key,
        cast(1 + i % 3 as varchar) as agent_key,
        strftime(date '2003-01-01' + cast(i % 700 as integer), '%Y-%m-%d') as ordered_date_key,
        case when i % 5 = 0 then 'missing'
             else strftime(date '2003-01-04' + cast(i % 700 as integer), '%Y-%m-%d') end as shipped_date_key,
        case i % 3 when 0 then 'Shipped' when 1 then 'On Hold' end as status,
        cast(i % 9 as integer) as quantity,
        cast((i % 97) * 1.37 as decimal(10, 2)) as amount,
        cast(i % 97 as decimal(10, 2)) as price_each,
        cast(i / 3 as double) as weight
    from range(400) as r(i);
"""

HEADERS: dict[str, dict[str, Any]] = {
    "fact_orders": {
        "kind": "fact",
        "description": "Orders, one row each.",
        "grain": {"statement": "one row per order", "table": "raw.orders"},
        "key": ["order_number"],
        "columns": {
            "order_number": "Order number.",
            "customer_key": {"description": "Who ordered.", "references": "dim_customers.customer_key"},
            "agent_key": {"description": "Who sold.", "references": "dim_customers.customer_key"},
            "ordered_date_key": {"references": "dim_dates.date_key"},
            "shipped_date_key": {"references": "dim_dates.date_key"},
            "status": "How far it is.",
        },
        "measures": {
            "quantity": {"additive": "full"},
            "amount": {"additive": "full", "format": "$,.2f"},
            "price_each": {"additive": "none"},
            "weight": {"additive": "full"},
            "stock": {"additive": "semi"},
        },
    },
    "dim_customers": {
        "kind": "dimension",
        "key": ["customer_key"],
        "columns": {"customer_key": "Key.", "country": "Country of the customer's address."},
    },
    "dim_dates": {
        "kind": "dimension",
        "key": ["date_key"],
        "columns": {"date_key": "Key.", "date": "The day."},
    },
}

DASHBOARD: dict[str, Any] = {
    "dashboard": "sales",
    "title": "Sales overview",
    "model": "fact_orders",
    "measures": {
        "revenue": {"sum": "amount"},
        "units": {"sum": "quantity"},
        "orders": {"count": "*"},
        "mass": {"sum": "weight"},
        "price": {"average": "price_each"},
        "per_order": {"ratio": ["revenue", "orders"]},
    },
    "dimensions": {
        "country": {"column": "dim_customers.country", "via": "customer_key"},
        "status": "status",
        "date": {"column": "dim_dates.date", "via": "ordered_date_key", "grain": "day", "label": "Ordered"},
        "shipped": {"column": "dim_dates.date", "via": "shipped_date_key", "grain": "month"},
    },
    "filters": {"country": {"multi": True}},
    "layout": [
        [{"kpi": "revenue"}, {"kpi": "orders"}],
        [{"bar": {"by": "country", "measure": "revenue"}}],
        [{"area": {"x": "date.month", "measure": "revenue", "color": "status", "brush": "date"}}],
    ],
}

SQL = "select o.id as order_number, o.id * 2 as amount from raw.orders as o"

PROOF = {
    "release": "r0001",
    "run": RUN,
    "started": "2026-11-23T12:03:00Z",
    "finished": "2026-11-23T12:03:11Z",
    "tables": [
        {"table": "raw.orders", "rows": 400, "proof": "full", "holds": True, "text": "400 rows equal"}
    ],
    "models": [
        {
            "table": "mart.fact_orders",
            "rows": 400,
            "proofs": [{"name": "grain rows", "holds": True, "text": "400 rows"}],
            "headline": "400 rows equal the source",
            "unmatched": [{"dimension": "dim_customers", "column": "customer_key", "rows": 58}],
        }
    ],
}


def headers() -> dict[str, Header]:
    return {name: Header.model_validate(value) for name, value in HEADERS.items()}


def dashboard(**changes: Any) -> Dashboard:
    return Dashboard.model_validate(DASHBOARD | changes)


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> list[Column]:
    kinds = {"VARCHAR": "string", "BIGINT": "long", "INTEGER": "int", "DATE": "date", "DOUBLE": "double"}
    found = []
    for name, type_, *_ in con.execute(f"describe {table}").fetchall():
        text = str(type_).lower()
        lake = Type.parse(text) if text.startswith("decimal") else Type(Kind(kinds[str(type_)]))
        found.append(Column(str(name), lake))
    return found


def marts(statements: str = MARTS) -> Callable[[], duckdb.DuckDBPyConnection]:
    """A factory of connections on which the release's tables stand."""

    def connect() -> duckdb.DuckDBPyConnection:
        con = duckdb.connect(":memory:")
        con.execute(statements)
        return con

    return connect


def spec(run: str = RUN, **changes: Any) -> ServeSpec:
    con = marts()()
    names = [TableName("raw", "orders")] + [TableName("mart", name) for name in HEADERS]
    tables = []
    for name in names:
        counted = con.execute(f"select count(*) from {name}").fetchone()
        assert counted is not None
        tables.append(TableDoc.of(name, columns_of(con, str(name)), rows=counted[0], size=1000, snapshot=7))
    con.close()
    models = [
        ModelDoc(name=name, header=header, sql=SQL if name == "fact_orders" else "select 1 as x", file="")
        for name, header in headers().items()
    ]
    given = {"run": run, "tables": tables, "models": models, "dashboards": [dashboard()], "proof": PROOF}
    return ServeSpec(**(given | {"source": "shop (mariadb)"} | changes))


def decode(body: bytes) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The header and, for each dimension and measure, one plain value a cell (dates as days)."""
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    assert body[:4] == b"MSC1"
    (length,) = struct.unpack_from("<I", body, 4)
    assert (8 + length) % 8 == 0
    header = json.loads(body[8 : 8 + length])
    base = 8 + length
    columns: dict[str, list[Any]] = {}
    for entry in (*header["dimensions"], *header["measures"]):
        array = entry["array"]
        code = {"u8": "B", "u16": "H", "u32": "I", "i32": "i", "f64": "d"}[array["type"]]
        assert array["offset"] % 8 == 0
        assert array["length"] == header["cells"]
        raw = struct.unpack_from(f"<{array['length']}{code}", body, base + array["offset"])
        columns[entry["name"]] = [entry["values"][i] for i in raw] if "values" in entry else list(raw)
    return header, columns


def state(tmp: Path) -> Path:
    folder = tmp / ".mainstem"
    folder.mkdir(mode=0o700)
    return folder
