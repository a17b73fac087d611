"""The star by SQL in DuckDB over tables that dlt loaded: duckdb_star.py OUT MODEL.sql…  (in their order)."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

out, *models = sys.argv[1:]
con = duckdb.connect(f"{out}/lake.duckdb")
con.execute("CREATE SCHEMA mart; SET search_path = 'mart,main'")
for model in map(Path, models):
    con.execute(f"CREATE TABLE mart.{model.stem} AS {model.read_text()}")
