"""The whole of TPC-H from MariaDB to a star; and a run after one row in a hundred has changed."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlglot
from sqlglot import exp

from bench import contestants, measure, tpch
from bench.contestants import LOGIN, MAINSTEM, copied, dlt, drafted, mainstem
from bench.measure import Contestant
from bench.venv import peer
from mainstem.project.load import Project, load_project
from servers.mariadb import MariaDB

FLOOR = "read and discard all tables (C client)"


@contextmanager
def _served(home: Path, scale: str) -> Iterator[tuple[MariaDB, str, Project]]:
    with tpch.mariadb(home, scale) as server:
        server.create_user(*LOGIN, ["SELECT ON *.*"])
        url = f"mysql://{LOGIN[0]}:{LOGIN[1]}@{server.host}:{server.port}/{tpch.DATABASE}"
        yield server, url, load_project(drafted(url, home / "drafted"))


def star(home: Path, options: Namespace) -> None:
    """Mainstem's drafted star, unproven and proven, against the same SQL in the peers' engines."""
    with _served(home, options.scale) as (server, url, project):
        rows = int(server.execute("SELECT COUNT(*) FROM lineitem", tpch.DATABASE))
        floor = [*contestants.floor_program(home), server.host, str(server.port), *LOGIN, tpch.DATABASE]
        prepare = copied(project.root)
        tables = list(tpch.TABLES)
        taking_part = [
            Contestant(FLOOR, [*floor, *(f"select * from {t}" for t in tables)]),
            mainstem("**Mainstem**, unproven", prepare, "--proof", "off", table="lineitem", rows=rows),
            mainstem("**Mainstem**, proven", prepare, table="lineitem", rows=rows),
            contestants.mainstem_on_spark("Mainstem on Spark, proven", project.root, rows),
            contestants.started_spark("(a Spark session alone: the start)"),
            _dlt_and_sql(home, url, project, rows),
        ]
        models = spark_models(home, project)
        spark = contestants.spark(
            "Spark by JDBC + Spark SQL",
            server.host,
            server.port,
            tpch.DATABASE,
            ",".join(tables),
            str(models),
            rows,
        )
        if spark:
            taking_part.append(spark)
        if options.only:
            words = options.only.casefold().split(",")
            taking_part = [
                c for c in taking_part if c.name == FLOOR or any(w in c.name.casefold() for w in words)
            ]
        results = measure.compare(taking_part, options.rounds, lambda: server.pid)
    remark = (
        "All run the same SELECTs; lineitem's rows are counted, the marts are not compared. Mainstem also "
        "commits Iceberg tables, checks the models' promises, builds the cubes and the file that is served."
    )
    measure.show(f"TPC-H, scale {options.scale}: MariaDB → star", results, FLOOR, [remark])


def _in_order(project: Project) -> list[tuple[str, str]]:
    """Name and SELECT of each model, dimensions first."""
    return [
        (m.name, m.sql) for m in sorted(project.models, key=lambda m: (m.name.startswith("fact_"), m.name))
    ]


def _dlt_and_sql(home: Path, url: str, project: Project, rows: int) -> Contestant:
    folder = home / "star-duckdb"
    folder.mkdir(exist_ok=True)
    files = []
    for name, sql in _in_order(project):
        file = folder / f"{name}.sql"
        file.write_text(sql)
        files.append(str(file))
    load = dlt("", "connectorx", "duckdb", url, list(tpch.TABLES), rows)
    commands = [list(load.command), [*peer("duckdb_star"), "{out}", *files]]
    script = (
        "import subprocess, sys\nfor command in "
        + repr(commands)
        + ":\n    subprocess.run(command, check=True)"
    )
    return Contestant(
        "dlt + ConnectorX + SQL in DuckDB", [sys.executable, "-c", script], rows, rows=load.rows
    )


def spark_models(home: Path, project: Project) -> Path:
    """The models in Spark's SQL, numbered in their order; `raw.x` becomes the view x."""
    folder = home / "star-spark"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.sql"):
        old.unlink()
    for number, (name, sql) in enumerate(_in_order(project)):
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        for table in tree.find_all(exp.Table):
            table.set("db", None)
        (folder / f"{number:02d}-{name}.sql").write_text(tree.sql(dialect="spark"))
    return folder


CHANGED = (("orders", "o_totalprice", "o_orderkey"), ("lineitem", "l_tax", "l_orderkey"))
CHANGES = {
    "the newest 1 % of orders and their lines changed": "{key} > {newest}",
    "1 % of them changed, spread over the tables": "{key} % 100 = 7",
}


def change(home: Path, options: Namespace) -> None:
    """A full run, a run on an unchanged source, and runs after 1 % of orders and lines have changed, read by
    `updated_at`; with the proof of every cell, of the rows that were read, and of the rows' number."""
    with tpch.mariadb(home, options.scale, stamped=True) as server:
        server.create_user(*LOGIN, ["SELECT ON *.*", "PROCESS ON *.*"])
        url = f"mysql://{LOGIN[0]}:{LOGIN[1]}@{server.host}:{server.port}/{tpch.DATABASE}"
        folder = drafted(url, home / "drafted-stamped")
        with (folder / "mainstem.yml").open("a") as file:
            file.write("    tables:\n")
            file.writelines(f"      {table}: {{cursor: updated_at}}\n" for table in tpch.STAMPS)
        for proof in ("full", "changes", "count"):
            _changes(home, options, server, copied(folder), proof)


def _changes(
    home: Path, options: Namespace, server: MariaDB, prepare: Callable[[Path], None], proof: str
) -> None:
    folder = home / "changing"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    prepare(folder)
    run = [*MAINSTEM, "-C", str(folder), "run", "--proof", proof]
    newest = int(server.execute("SELECT MAX(o_orderkey) * 99 DIV 100 FROM orders", tpch.DATABASE))
    results = []
    for name in ("full run", "nothing changed"):
        results += measure.compare([Contestant(name, run)], 1, lambda: server.pid)
    for name, condition in CHANGES.items():
        for table, column, key in CHANGED:
            where = condition.format(key=key, newest=newest)
            change = f"UPDATE {table} SET {column} = {column} + 0.01, updated_at = now() WHERE {where}"
            server.execute(change, tpch.DATABASE)
        results += measure.compare([Contestant(name, run)], 1, lambda: server.pid)
    for table, column, _ in CHANGED:  # as it was
        stamp = tpch.STAMPS[table]
        back = (
            f"UPDATE {table} SET {column} = {column} - 0.01, updated_at = {stamp} WHERE updated_at <> {stamp}"
        )
        server.execute(back, tpch.DATABASE)
    title = f"TPC-H, scale {options.scale}, proof: {proof}: runs one after the other"
    measure.show(title, results, "full run")
