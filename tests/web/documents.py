"""The catalog, the lineage, a receipt and SQL answers, as the contract has them."""

from __future__ import annotations

from typing import Any


def _column(
    name: str, type_: str, nullable: bool = False, references: str | None = None, text: str = ""
) -> Any:
    return {"name": name, "type": type_, "nullable": nullable, "references": references, "description": text}


CATALOG: list[dict[str, Any]] = [
    {
        "table": "mart.fact_order_lines", "kind": "fact", "description": "What was ordered, line by line.",
        "rows": 2996, "bytes": 81_920, "snapshot": 8_321_221, "grain": "one row per order line",
        "columns": [
            _column("order_number", "int32", text="The order"),
            _column("line_number", "int16"),
            _column("customer_key", "int64", references="dim_customers.customer_key"),
            _column("amount", "decimal(20,2)", True, text="quantity × price"),
        ],
        "sql": "select o.orderNumber as order_number, d.quantityOrdered * d.priceEach as amount\n"
               "from raw.orderdetails d join raw.orders o using (orderNumber)",
    },
    {
        "table": "mart.dim_customers", "kind": "dimension", "description": "", "rows": 122, "bytes": 20_480,
        "snapshot": 8_321_222, "grain": "one row per customer",
        "columns": [_column("customer_key", "int64"), _column("country", "string", True)], "sql": None,
    },
    {
        "table": "raw.orders", "kind": "raw", "description": "", "rows": 326, "bytes": -1, "snapshot": 7,
        "grain": "", "columns": [_column("orderNumber", "int32"), _column("orderDate", "date")], "sql": None,
    },
    {
        "table": "raw.orderdetails", "kind": "raw", "description": "", "rows": None, "bytes": 40_000,
        "snapshot": "7",
        "grain": "", "columns": [_column("orderNumber", "int32"), _column("priceEach", "decimal(10,2)")],
        "sql": None,
    },
    {
        "table": "raw.customers", "kind": "raw", "description": "", "rows": 122, "bytes": 30_000,
        "snapshot": "7",
        "grain": "", "columns": [_column("customerNumber", "int32"), _column("country", "string")],
        "sql": None,
    },
]  # fmt: skip

LINEAGE: dict[str, Any] = {
    "nodes": [
        {"id": "raw.orders", "kind": "raw"},
        {"id": "raw.orderdetails", "kind": "raw"},
        {"id": "raw.customers", "kind": "raw"},
        {"id": "mart.dim_customers", "kind": "dimension"},
        {"id": "mart.fact_order_lines", "kind": "fact"},
        {"id": "sales", "kind": "dashboard"},
    ],
    "edges": [
        ["raw.orders", "mart.fact_order_lines"],
        ["raw.orderdetails", "mart.fact_order_lines"],
        ["raw.customers", "mart.dim_customers"],
        ["mart.dim_customers", "mart.fact_order_lines"],
        ["mart.fact_order_lines", "sales"],
        ["mart.dim_customers", "sales"],
    ],
    "columns": {
        "mart.fact_order_lines.amount": ["raw.orderdetails.quantityOrdered", "raw.orderdetails.priceEach"],
        "mart.fact_order_lines.order_number": ["raw.orders.orderNumber"],
        "mart.dim_customers.country": ["raw.customers.country"],
    },
}

RECEIPT: dict[str, Any] = {
    "release": "r0003",
    "run": "20261123T120311-4f2a",
    "started": "2026-11-23T12:03:07Z",
    "finished": "2026-11-23T12:03:11Z",
    "tables": [
        {"table": "raw.orders", "rows": 326, "bytes": 9_120, "seconds": 0.21, "proof": "full", "holds": True,
         "text": "326 rows, every cell equal the source"},
        {"table": "raw.orderdetails", "rows": 2996, "bytes": 40_000, "seconds": 0.4, "proof": "count",
         "holds": True, "text": "2,996 rows, counted"},
        {"table": "raw.customers", "rows": 122, "bytes": 30_000, "seconds": 0.1, "proof": "off"},
    ],
    "models": [
        {"table": "mart.fact_order_lines", "rows": 2996,
         "headline": "2,996 rows and 9,604,190.61 equal the source",
         "proofs": [
             {"name": "grain rows", "holds": True, "text": "2,996 rows in raw.orderdetails and here"},
             {"name": "sum of amount", "holds": False, "text": "9,604,190.61 there, 9,604,190.60 here"},
         ],
         "unmatched": [{"dimension": "dim_employees", "column": "sales_rep_key", "rows": 12}]},
    ],
    "engine": {"name": "duckdb", "version": "1.5.5"},
}  # fmt: skip


class Refused(Exception):
    """The server refuses a statement."""

    hint = "Only one SELECT at a time."


def sql(text: str) -> dict[str, Any]:
    if not text.strip().lower().startswith("select"):
        raise Refused("this console only reads")
    return {
        "columns": [{"name": "country", "type": "VARCHAR"}, {"name": "amount", "type": "DECIMAL(38,2)"}],
        "rows": [["USA", "12345678901234567890.12"], [None, "-1.50"], ["=1+1", "0.00"]],
        "truncated": True,
        "seconds": 0.012,
    }
