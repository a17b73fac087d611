"""DuckDB's scanner of MySQL or PostgreSQL into one Parquet file: duckdb_scan.py KIND ADDRESS TABLE OUT."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import duckdb

kind, address, table, out = sys.argv[1:]
package = importlib.import_module(f"duckdb_extension_{kind}_scanner")
folder = Path(next(iter(package.__path__))) / "extensions" / f"v{duckdb.__version__}"
con = duckdb.connect()
con.execute(f"LOAD '{folder / f'{kind}_scanner.duckdb_extension'}'")
quoted = address.replace("'", "''")
con.execute(f"ATTACH '{quoted}' AS src (TYPE {kind}, READ_ONLY)")
name = f"src.{table}" if kind == "mysql" else f"src.public.{table}"
con.execute(f"COPY (FROM {name}) TO '{out}/t.parquet' (COMPRESSION zstd)")
