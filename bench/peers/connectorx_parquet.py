# mypy: disable-error-code="import-not-found"
"""ConnectorX's stream of record batches into one Parquet file: connectorx_parquet.py URL QUERY OUT."""

from __future__ import annotations

import sys

import connectorx as cx
import pyarrow.parquet as pq

url, query, out = sys.argv[1:]
reader = cx.read_sql(url, query, return_type="arrow_stream", batch_size=65536)
with pq.ParquetWriter(f"{out}/t.parquet", reader.schema, compression="zstd") as writer:
    for batch in reader:
        writer.write_batch(batch)
