"""One binary COPY, thrown away: the least that reading a table from PostgreSQL costs."""

from __future__ import annotations

import sys

import psycopg

url, table = sys.argv[1:]
statement = f"COPY {table} TO STDOUT (FORMAT binary)"
with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
    total = sum(len(data) for data in copy)
print(total)
