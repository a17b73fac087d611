# mypy: disable-error-code="import-not-found"
"""dlt → DuckDB or Parquet files: dlt_load.py BACKEND DESTINATION URL OUT TABLE…"""

from __future__ import annotations

import os
import sys

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.sources.sql_database import sql_database

backend, destination, url, out, *tables = sys.argv[1:]
source = sql_database(
    url.replace("mysql://", "mysql+pymysql://").replace("postgresql://", "postgresql+psycopg://"),
    table_names=tables,
    backend=backend,
    chunk_size=100_000,
    **({"backend_kwargs": {"conn": url, "return_type": "arrow_stream"}} if backend == "connectorx" else {}),
)
target = (
    dlt.destinations.duckdb(f"{out}/lake.duckdb")
    if destination == "duckdb"
    else dlt.destinations.filesystem(f"file://{out}/files")
)
pipeline = dlt.pipeline("bench", pipelines_dir=f"{out}/work", destination=target, dataset_name="raw")
pipeline.run(source, write_disposition="replace", loader_file_format="parquet")
