"""What publishing a dashboard costs: the served file, its cube, the page's figures, the server's memory.

    python bench/cube.py [ROWS]

A generated fact (10 million order lines by default; 5 years × 21 countries × 7 product lines) stands as
Parquet; `copy` is the served file's tables, `cube` its GROUP BY with proof and encoding.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from mainstem.catalog.port import Release
from mainstem.project.dashboard import Dashboard
from mainstem.project.header import Header
from mainstem.schema import Column, Kind, TableName, Type
from mainstem.serve.bundle import build
from mainstem.serve.export import export
from mainstem.serve.spec import ModelDoc, ServeSpec, TableDoc

RUN = "bench"

DATA = """
copy (select 'c' || i as customer_key, 'Country ' || (i % 21) as country from range(20000) as r(i))
    to '{folder}/dim_customers.parquet';
copy (select 'p' || i as product_key, 'Line ' || (i % 7) as product_line from range(2000) as r(i))
    to '{folder}/dim_products.parquet';
copy (
    select i as order_line, 'c' || (hash(i) % 20000) as customer_key,
        'p' || (hash(i + 7) % 2000) as product_key,
        date '2020-01-01' + cast(hash(i + 13) % 1826 as integer) as order_date,
        cast(1 + hash(i + 17) % 9 as integer) as quantity,
        cast((hash(i + 19) % 100000) / 100 as decimal(12, 2)) as amount
    from range({rows}) as r(i)
) to '{folder}/fact_lines.parquet';
"""

HEADERS = {
    "fact_lines": {
        "kind": "fact",
        "columns": {
            "order_line": "",
            "customer_key": {"references": "dim_customers.customer_key"},
            "product_key": {"references": "dim_products.product_key"},
            "order_date": "",
        },
        "measures": {"quantity": {}, "amount": {}},
    },
    "dim_customers": {"kind": "dimension", "columns": {"customer_key": "", "country": ""}},
    "dim_products": {"kind": "dimension", "columns": {"product_key": "", "product_line": ""}},
}

DASHBOARD = {
    "dashboard": "sales",
    "model": "fact_lines",
    "measures": {"revenue": {"sum": "amount"}, "lines": {"count": "*"}},
    "dimensions": {
        "country": "dim_customers.country",
        "line": "dim_products.product_line",
        "date": {"column": "order_date", "grain": "day"},
    },
    "layout": [[{"kpi": "revenue"}]],
}

SERVER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from mainstem.catalog.port import Release
from mainstem.serve.config import ServerConfig
from mainstem.serve.server import run_server
release = Release("r0001", "bench", datetime.now(UTC), {})
run_server(ServerConfig(Path(sys.argv[1]), lambda: release, on_ready=lambda url: print(url, flush=True)))
"""


def connection(folder: Path) -> Callable[[], duckdb.DuckDBPyConnection]:
    def connect() -> duckdb.DuckDBPyConnection:
        con = duckdb.connect()
        con.execute("create schema mart")
        for name in HEADERS:
            con.execute(f"create view mart.{name} as from '{folder}/{name}.parquet'")
        return con

    return connect


def specification(folder: Path, dashboards: list[Dashboard]) -> ServeSpec:
    kinds = {"VARCHAR": "string", "BIGINT": "long", "INTEGER": "int", "DATE": "date"}
    tables = []
    con = connection(folder)()
    for name in HEADERS:
        columns = []
        for column, type_, *_ in con.execute(f"describe mart.{name}").fetchall():
            lake = Type.parse(type_.lower()) if type_.startswith("DEC") else Type(Kind(kinds[type_]))
            columns.append(Column(column, lake))
        tables.append(TableDoc.of(TableName("mart", name), columns))
    con.close()
    models = [
        ModelDoc(name=n, header=Header.model_validate(h), sql="select 1 as x") for n, h in HEADERS.items()
    ]
    return ServeSpec(run=RUN, tables=tables, models=models, dashboards=dashboards)


def memory(pid: int) -> float:
    """Resident megabytes of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def ask(base: str, token: str, path: str, body: object = None) -> tuple[float, int]:
    """Milliseconds and bytes of an answer."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept-Encoding": "gzip",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    began = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(base + path, data, headers)) as answer:
        size = len(answer.read())
    return (time.monotonic() - began) * 1000, size


def serve(state: Path) -> None:
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        base, _, token = process.stdout.readline().strip().partition("/#token=")
        ask(base, token, "/health")
        ready = time.monotonic() - started
        for name in ("first time", "again"):
            document, _size = ask(base, token, "/api/dashboards/sales")
            cube, size = ask(base, token, "/api/dashboards/sales/cube")
            line(f"dashboard and cube, {name}", f"{document + cube:.0f} ms", f"{size:,} bytes on the way")
        sql = (
            "select country, sum(amount) from fact_lines join dim_customers using (customer_key) group by all"
        )
        line("server: ready after", f"{ready:.2f} s", f"RSS {memory(process.pid):.0f} MB")
        took, _size = ask(base, token, "/api/sql", {"sql": sql})
        line("SQL prompt: join and group by", f"{took:.0f} ms", f"RSS then {memory(process.pid):.0f} MB")
    finally:
        process.terminate()
        process.wait()


def line(what: str, time_: str, more: str) -> None:
    print(f"{what:<48}{time_:>12}   {more}")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        duckdb.connect().execute(DATA.format(folder=folder, rows=rows))
        state = folder / "state"
        dashboard = Dashboard.model_validate(DASHBOARD)
        plain = build(state, specification(folder, []), connection(folder))
        line(f"served file, {rows:,} rows, no cube", f"{plain.seconds:.2f} s", f"{plain.bytes:,} bytes")
        built = build(state, specification(folder, [dashboard]), connection(folder))
        (cube,) = built.cubes
        line("served file with its cube", f"{built.seconds:.2f} s", f"{built.bytes:,} bytes")
        took = built.seconds - plain.seconds
        line("cube", f"{took:.2f} s", f"{cube.cells:,} cells, {cube.bytes:,} bytes")
        began = time.monotonic()
        page = export(state, Release("r0001", RUN, datetime.now(UTC), {}), "sales")
        line("static export", f"{time.monotonic() - began:.2f} s", f"{len(page):,} bytes")
        serve(state)


if __name__ == "__main__":
    main()
