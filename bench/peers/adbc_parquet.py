# mypy: disable-error-code="import-not-found"
"""ADBC's PostgreSQL driver into one Parquet file: adbc_parquet.py URL QUERY OUT."""

from __future__ import annotations

import sys

import adbc_driver_postgresql.dbapi as adbc
import pyarrow.parquet as pq

url, query, out = sys.argv[1:]
with adbc.connect(url) as connection, connection.cursor() as cursor:
    cursor.execute(query)
    reader = cursor.fetch_record_batch()
    with pq.ParquetWriter(f"{out}/t.parquet", reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
