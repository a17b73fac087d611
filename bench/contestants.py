"""Who takes part: the command lines, and how many rows each one really wrote."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pyarrow.parquet as pq

from bench.measure import Contestant, program
from bench.venv import ROOT, peer, peer_python

MAINSTEM = [sys.executable, "-m", "mainstem"]
LOGIN = ("bench", "bench")  # a reader with a plain name: some peers do not take every password
_JARS = ("/usr/share/java/mariadb-java-client.jar",)


def parquet_rows(pattern: str) -> Callable[[Path, str], int]:
    """Counts the rows of Parquet files below `{out}`."""
    return lambda out, _: sum(pq.ParquetFile(file).metadata.num_rows for file in out.glob(pattern))


def duckdb_rows(table: str) -> Callable[[Path, str], int]:
    """Counts the rows of a table in `{out}/lake.duckdb`."""

    def rows(out: Path, _: str) -> int:
        with duckdb.connect(str(out / "lake.duckdb"), read_only=True) as con:
            found = con.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found[0]) if found else 0

    return rows


def printed_rows(_: Path, text: str) -> int:
    """The last line of the output."""
    return int(text.strip().rpartition("\n")[2])


def project(url: str, include: Sequence[str] = ()) -> Callable[[Path], None]:
    """Prepares a Mainstem project without models, of some tables of a source."""

    def prepare(out: Path) -> None:
        listed = f"    include: [{', '.join(include)}]\n" if include else ""
        text = "name: bench\nsources:\n  src:\n    url: \"{{ env_var('BENCH_URL') }}\"\n"
        (out / "mainstem.yml").write_text(text + listed)
        (out / ".env").write_text(f"BENCH_URL={url}\n")

    return prepare


def drafted(url: str, folder: Path) -> Path:
    """A project that `mainstem init` drafted for a source: made once, copied by `copied`."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([*MAINSTEM, "init", str(folder), "--from", url], check=True, capture_output=True, cwd=ROOT)
    variable = f"{urlsplit(url).path[1:].upper()}_URL"
    (folder / ".env").write_text(f"{variable}={url}\n")
    return folder


def copied(project_folder: Path) -> Callable[[Path], None]:
    """Prepares a copy of a project."""

    def prepare(out: Path) -> None:
        shutil.copytree(project_folder, out, dirs_exist_ok=True)

    return prepare


def on_spark(project_folder: Path, memory: str = "4GB") -> Callable[[Path], None]:
    """Prepares a copy of a project with a target on two cores of Spark."""

    def prepare(out: Path) -> None:
        copied(project_folder)(out)
        target = f"targets:\n  spark: {{engine: spark, master: 'local[2]', memory: {memory}}}\n"
        config = out / "mainstem.yml"
        config.write_text(config.read_text().rstrip() + "\n" + target)

    return prepare


def mainstem_on_spark(name: str, project_folder: Path, rows: int) -> Contestant:
    """One run of Mainstem as a Spark job, the process as a whole."""
    count = parquet_rows(".mainstem/lake/spark-*/raw/lineitem/data/*.parquet")
    command = [*MAINSTEM, "-C", "{out}", "run", "--target", "spark"]
    return Contestant(name, command, rows, on_spark(project_folder), count)


def started_spark(name: str) -> Contestant:
    """A Spark session that does nothing: what the start alone takes."""
    code = (
        "from mainstem.engine.spark import session, settings\n"
        "session.spark_session('local[2]', '4g').sql('select 1').collect()"
    )
    return Contestant(name, [sys.executable, "-c", code])


def mainstem(
    name: str, prepare: Callable[[Path], None], *arguments: str, table: str, rows: int
) -> Contestant:
    """One run of Mainstem, the process as a whole."""
    count = parquet_rows(f".mainstem/lake/raw/{table}-*/data/*.parquet")
    return Contestant(name, [*MAINSTEM, "-C", "{out}", "run", *arguments], rows, prepare, count)


def uncompiled(
    name: str, prepare: Callable[[Path], None], *arguments: str, table: str, rows: int
) -> Contestant:
    """The same where there was no compiler; once, for it takes minutes."""
    made = mainstem(name, prepare, *arguments, table=table, rows=rows)
    program_ = [sys.executable, "-m", "bench.uncompiled"]
    return replace(made, command=[*program_, *made.command[len(MAINSTEM) :]], rounds=1)


def floor_program(home: Path) -> list[str]:
    """The C client that discards rows, compiled; the `mariadb` client where there is no compiler."""
    config = program("mariadb_config", "mysql_config")
    if program("cc") is None or config is None:
        raise SystemExit("the floor needs a C compiler and libmariadb-dev")
    flags = subprocess.run([config, "--cflags", "--libs"], check=True, capture_output=True, text=True)
    made = home / "floor"
    source = Path(__file__).with_name("floor.c")
    subprocess.run(["cc", "-O2", "-o", str(made), str(source), *flags.stdout.split()], check=True)
    return [str(made)]


def spark(
    name: str, host: str, port: int, database: str, tables: str, models: str = "", rows: int = 0
) -> Contestant | None:
    """Spark by JDBC; None without Java or the driver."""
    jar = next((jar for jar in _JARS if Path(jar).exists()), None)
    if jar is None or program("java") is None:
        return None
    last = [models] if models else []
    command = [*peer("spark_job"), host, str(port), *LOGIN, database, jar, "{out}", tables, *last]
    count = parquet_rows("raw/lineitem/*.parquet")
    return Contestant(name, command, rows, None, count, environment={"PYSPARK_PYTHON": peer_python()})


def dlt(
    name: str, backend: str, to: str, url: str, tables: Sequence[str], rows: int, rounds: int = 99
) -> Contestant:
    """dlt into DuckDB or Parquet files."""
    count = duckdb_rows("raw.lineitem") if to == "duckdb" else parquet_rows("files/raw/lineitem/*.parquet")
    command = [*peer("dlt_load"), backend, to, url, "{out}", *tables]
    return Contestant(name, command, rows, None, count, rounds)
