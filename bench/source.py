"""`lineitem` of TPC-H from MariaDB or PostgreSQL into one committed table or file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from bench import contestants, measure, tpch
from bench.contestants import LOGIN, dlt, mainstem, parquet_rows, printed_rows, uncompiled
from bench.measure import Contestant
from bench.venv import peer

FLOOR = "read and discard (C client)"
COPY = "one binary COPY, discarded"
TABLE = "lineitem"


def source(home: Path, options: Namespace) -> None:
    """Mainstem and its peers, from MariaDB."""
    with tpch.mariadb(home, options.scale) as server:
        server.create_user(*LOGIN, ["SELECT ON *.*"])
        rows = int(server.execute(f"SELECT COUNT(*) FROM {TABLE}", tpch.DATABASE))
        login = f"{LOGIN[0]}:{LOGIN[1]}@{server.host}:{server.port}/{tpch.DATABASE}"
        url = f"mysql://{login}"
        floor = [*contestants.floor_program(home), server.host, str(server.port), *LOGIN, tpch.DATABASE]
        prepare = contestants.project(url, [TABLE])
        address = (
            f"host={server.host} port={server.port} user={LOGIN[0]} password={LOGIN[1]} db={tpch.DATABASE}"
        )
        scan = [*peer("duckdb_scan"), "mysql", address, TABLE, "{out}"]
        spark = contestants.spark("Spark by JDBC", server.host, server.port, tpch.DATABASE, TABLE, rows=rows)
        taking_part = [
            Contestant(FLOOR, [*floor, f"select * from {TABLE}"], rows, rows=printed_rows),
            *_ours(prepare, rows),
            uncompiled(
                "Mainstem without a compiler, proof: off",
                prepare,
                "--proof",
                "off",
                table=TABLE,
                rows=rows,
            ),
            Contestant(
                "ConnectorX stream → Parquet",
                [*peer("connectorx_parquet"), url, f"select * from {TABLE}", "{out}"],
                rows,
                rows=parquet_rows("t.parquet"),
            ),
            dlt("dlt + ConnectorX → Parquet", "connectorx", "files", url, [TABLE], rows),
            dlt("dlt, pyarrow backend → Parquet", "pyarrow", "files", url, [TABLE], rows, rounds=1),
            Contestant("DuckDB's MySQL scanner → Parquet", scan, rows, rows=parquet_rows("t.parquet")),
            *([spark] if spark else []),
        ]
        chosen = _chosen(taking_part, options)
        results = measure.compare(chosen, options.rounds, lambda: server.pid)
    measure.show(f"{TABLE}, {rows:,} rows, MariaDB → committed table", results, FLOOR)


def postgres(home: Path, options: Namespace) -> None:
    """The same from PostgreSQL."""
    with tpch.postgres(home, options.scale) as server:
        server.create_role(*LOGIN, ["SELECT ON ALL TABLES IN SCHEMA public"], tpch.DATABASE)
        rows = int(server.execute(f"SELECT COUNT(*) FROM {TABLE}", tpch.DATABASE))
        url = f"postgresql://{LOGIN[0]}:{LOGIN[1]}@{server.host}:{server.port}/{tpch.DATABASE}"
        prepare = contestants.project(url, [TABLE])
        query = f"select * from {TABLE}"
        count = parquet_rows("t.parquet")
        taking_part = [
            Contestant(COPY, [*peer("copy_discard"), url, TABLE]),
            *_ours(prepare, rows),
            uncompiled(
                "Mainstem without a compiler, proof: off",
                prepare,
                "--proof",
                "off",
                table=TABLE,
                rows=rows,
            ),
            Contestant(
                "DuckDB's scanner → Parquet",
                [*peer("duckdb_scan"), "postgres", url, TABLE, "{out}"],
                rows,
                rows=count,
            ),
            Contestant(
                "ConnectorX stream → Parquet",
                [*peer("connectorx_parquet"), url, query, "{out}"],
                rows,
                rows=count,
            ),
            Contestant("ADBC → Parquet", [*peer("adbc_parquet"), url, query, "{out}"], rows, rows=count),
            dlt("dlt, pyarrow backend → Parquet", "pyarrow", "files", url, [TABLE], rows, rounds=1),
        ]
        results = measure.compare(_chosen(taking_part, options), options.rounds, lambda: server.pid)
    measure.show(f"{TABLE}, {rows:,} rows, PostgreSQL → committed table", results, COPY)


def _ours(prepare: object, rows: int) -> list[Contestant]:
    assert callable(prepare)
    return [
        mainstem(f"**Mainstem**, proof: {level}", prepare, "--proof", level, table=TABLE, rows=rows)
        for level in ("off", "count", "full")
    ]


def _chosen(all_: list[Contestant], options: Namespace) -> list[Contestant]:
    """Those whose names contain one of the words of --only (the floor always takes part)."""
    if not options.only:
        return all_
    words = [word.casefold() for word in options.only.split(",")]
    return [one for at, one in enumerate(all_) if not at or any(w in one.name.casefold() for w in words)]
