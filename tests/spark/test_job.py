"""A run as a Spark job: the tables, promises and release that DuckDB makes; and what goes wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.table import StaticTable

from cases.mysql import CASES
from e2e.conftest import PASSWORD, READER, Workplace, begin, load_mariadb, url_of
from mainstem import wiring
from mainstem.catalog.glue import GlueCatalog
from mainstem.contract.model_checks import Promise, Question, Reference, questions
from mainstem.engine.spark import functions
from mainstem.errors import EngineFailed, UsageError
from mainstem.hashing import mysql_double_text
from mainstem.job import launch, script
from mainstem.job.document import rule_of
from mainstem.lake import Lake
from mainstem.lake.publish import Remote, publish
from mainstem.lake.s3 import S3Files
from mainstem.plan import model_digest
from mainstem.project.load import load_project
from mainstem.project.targets import SparkTarget
from mainstem.run import RunOptions, onspark
from servers.mariadb import MariaDB
from servers.ministack import REGION, Ministack
from servers.postgres import Postgres
from spark.jobs import TARGET, emitted, everything, on_spark, snapshots_in, tables_in
from support import Cli, Ran, files_of, make_project, run

SPARK = RunOptions(target="spark")


@pytest.fixture(scope="module")
def classic(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The drafted classicmodels with a Spark target, nothing run yet."""
    load_mariadb(mariadb, "classicmodels.mysql.sql", "classicmodels")
    url = url_of(mariadb, "classicmodels")
    place = begin(tmp_path_factory.mktemp("classic"), "classicmodels", url)
    on_spark(place.root)
    (place.root / ".env").write_text(f"CLASSICMODELS_URL={url}\n")
    return place


@pytest.fixture(scope="module")
def ran(classic: Workplace) -> Workplace:
    """The same, run on Spark once."""
    done = run(classic.root, options=SPARK, clean=False)
    assert done.status == "published", done.messages
    return classic


@pytest.fixture(scope="module")
def local(ran: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, run by DuckDB."""
    root = tmp_path_factory.mktemp("local") / "shop"
    shutil.copytree(ran.root, root, ignore=shutil.ignore_patterns(".mainstem"))
    assert run(root).status == "published"
    return root


def test_the_same_release_as_duckdb(ran: Workplace, local: Path) -> None:
    theirs, mine = everything(ran.root), everything(local)
    assert theirs.keys() == mine.keys()
    for name in mine:
        assert theirs[name].schema == mine[name].schema, name
        assert sorted(map(str, theirs[name].to_pylist())) == sorted(map(str, mine[name].to_pylist())), name


def test_the_same_types_nulls_and_words(ran: Workplace, local: Path) -> None:
    ours, theirs = (wiring.open_lake(load_project(root)) for root in (local, ran.root))
    for name in ours.tables():
        mine, other = ours.head(name), theirs.head(name)
        assert mine is not None
        assert other is not None
        raw = name.namespace == "raw"
        wanted = [
            (c.name, c.type, c.nullable if raw else True, c.native if raw else "") for c in mine.columns
        ]
        assert [(c.name, c.type, c.nullable, c.native) for c in other.columns] == wanted, name


def test_the_receipt_has_the_same_proofs(ran: Workplace, local: Path) -> None:
    receipts = [
        json.loads(next((root / ".mainstem" / "runs").glob("*.json")).read_text())
        for root in (ran.root, local)
    ]
    found = [
        {m["table"]: (m["rows"], m["headline"], [p["text"] for p in m["proofs"]]) for m in receipt["models"]}
        for receipt in receipts
    ]
    assert found[0] == found[1]
    assert found[0]["mart.fact_order_lines"][1] == "2,996 rows and 9,604,190.61 equal the source"
    tables = [{t["table"]: (t["proof"], t["checksum"], t["rows"]) for t in r["tables"]} for r in receipts]
    assert tables[0] == tables[1]


def test_the_password_is_nowhere(ran: Workplace) -> None:
    needles = [PASSWORD, "p%40ss"]
    for path in (ran.root / ".mainstem").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(needle.encode() in content for needle in needles), path


@pytest.mark.usefixtures("spark")
def test_parity_of_the_release(ran: Workplace, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ran.root)
    code, out, _ = cli("parity", "--output", "json")
    assert code == 0
    found = json.loads(out)
    assert {one["model"] for one in found} >= {"fact_order_lines", "dim_customers", "dim_dates"}
    assert all(one["holds"] for one in found)


@pytest.mark.usefixtures("spark")
def test_moved_and_published_it_is_the_same(
    ran: Workplace, local: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Spark wrote follows a project to another folder, where both engines read it; and to S3, where
    pyiceberg does. A second time nothing travels."""
    root, mine = tmp_path / "moved", everything(local)
    shutil.copytree(ran.root, root)
    before = files_of(ran.root)
    lake = wiring.open_lake(load_project(root))
    assert lake.relocate()
    assert not any(str(ran.root).encode() in path.read_bytes() for path in heads(lake))
    assert rows(everything(root)) == rows(mine)
    monkeypatch.chdir(root)
    code, out, _ = cli("parity", "--output", "json")
    assert code == 0
    assert all(one["holds"] for one in json.loads(out))
    assert files_of(ran.root) == before
    with Ministack(tmp_path / "aws") as aws:
        aws.bucket("spark-lake")
        spaces = {name.namespace: f"spark_{name.namespace}" for name in lake.tables()}
        for database in spaces.values():
            aws.client("glue").create_database(DatabaseInput={"Name": database})
        s3, catalog = aws.client("s3"), GlueCatalog(aws.client("glue"), spaces)
        remote = Remote("s3://spark-lake/lake", catalog, lambda: S3Files(s3))
        release = wiring.current_release(lake)
        assert all(one.changed for one in publish(release, remote))
        keys = {"s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": REGION}
        keys |= {"s3.endpoint": aws.endpoint, "s3.force-virtual-addressing": "False"}
        found = {
            str(name): StaticTable.from_metadata(str(catalog.location(name)), keys).scan().to_arrow()
            for name in release.tables
        }
        assert rows(found) == rows(mine)
        assert not any(one.changed for one in publish(release, remote))


def heads(lake: Lake) -> list[Path]:
    """The metadata files to which the catalog points."""
    return [Path(location) for location in lake.catalog.pointers()]


def rows(tables: Mapping[str, pa.Table]) -> dict[str, list[str]]:
    """Every table's rows, as texts."""
    return {name: sorted(map(str, table.to_pylist())) for name, table in tables.items()}


def test_the_emitted_job_is_run_as_it_is(ran: Workplace, local: Path, tmp_path: Path) -> None:
    """Script and plan in a directory of their own: the star equals DuckDB's. A promise that does not hold:
    nothing moves."""
    job = emitted(ran.root, tmp_path)
    done = job.run()
    assert done["status"] == "done", done
    found, mine = tables_in(tmp_path / "warehouse"), everything(local)
    assert found.keys() == {f"{n.partition('.')[0]}.{n.partition('.')[2].lower()}" for n in mine}
    for name, table in mine.items():
        assert sorted(map(str, found[name.lower()].to_pylist())) == sorted(map(str, table.to_pylist())), name
    job.change("models", "mart.fact_order_lines", "questions", [{**NEVER, "name": "never"}])
    job.only("mart.fact_order_lines")
    before = snapshots_in(tmp_path / "warehouse")
    failed = job.run(expect=3)
    assert failed["error"]["kind"] == "ProofFailed"
    assert snapshots_in(tmp_path / "warehouse") == before


def statuses(done: Ran) -> dict[str, str]:
    """What became of each table and model."""
    told = done.outcome.receipt.value()
    return {one["table"]: one["status"] for one in [*told["tables"], *told["models"]]}


NEVER = {"sql": "SELECT CAST(1 AS BIGINT)", "rule": "zero", "before": 0, "warning": False}


@pytest.mark.usefixtures("worker")
def test_a_change_then_a_broken_model_then_duckdb(ran: Workplace, local: Path, mariadb: MariaDB) -> None:
    """What changed is read again and what depends on it is built, the rest stays, as on DuckDB; a model that
    breaks its grain is refused with its reason, the tables hold; a local run takes over where Spark left."""
    mariadb.execute("update payments set amount = amount + 1 where customerNumber = 103", "classicmodels")
    try:
        root = ran.root
        lab = "select distinct postalCode, city, state, country from raw.customers"
        (root / "models" / "dim_locations.sql").write_text(lab)
        broken = run(root, options=SPARK, clean=False)
        assert broken.status == "published", broken.messages
        assert broken.table("raw.payments")["status"] == "done"
        assert broken.table("raw.orders")["status"] == "unchanged"
        assert broken.table("mart.fact_payments")["status"] == "done"
        assert broken.table("mart.dim_products")["status"] == "unchanged"
        shutil.copy(root / "models" / "dim_locations.sql", local / "models" / "dim_locations.sql")
        assert statuses(broken) == statuses(run(local, clean=False))
        fact = (
            "/* mainstem\nkind: fact\ngrain: {statement: a line, table: raw.orderdetails}\n*/\n"
            "select d.*, l.city from raw.orderdetails d join raw.orders o using (orderNumber)\n"
            "join raw.customers c using (customerNumber) join dim_locations l on c.postalCode = l.postalCode"
        )
        (root / "models" / "fact_orders.sql").write_text(fact)
        refused = run(root, options=SPARK)
        assert refused.status == "failed"
        assert "models/fact_orders.sql" in refused.messages
        assert "takes 2,996 rows to 3,515" in refused.messages
        assert refused.table("raw.orders")["status"] == "unchanged"
        (root / "models" / "fact_orders.sql").unlink()
        (root / "models" / "dim_locations.sql").unlink()
        taken = run(root)
        assert taken.status == "published", taken.messages
        assert taken.table("raw.orders")["status"] == "unchanged"
        assert run(root).status == "unchanged"
    finally:
        mariadb.execute("update payments set amount = amount - 1 where customerNumber = 103", "classicmodels")


# Types, against the local reader


@pytest.fixture(scope="module")
def typed(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every type of MariaDB as a column, thirty a table, with the values that are hard to keep."""
    by_type: dict[str, list[str]] = {}
    for declared, literal, _, _ in CASES:
        by_type.setdefault(declared, []).append(literal)
    statements, types = list[str](), list(by_type)
    for first in range(0, len(types), 30):
        here = types[first : first + 30]
        columns = ", ".join(f"c{n} {declared}" for n, declared in enumerate(here))
        statements.append(f"create table t{first} (k int primary key, {columns});")
        for row in range(max(len(by_type[declared]) for declared in here)):
            cells = [by_type[one][row] if row < len(by_type[one]) else "NULL" for one in here]
            statements.append(f"insert into t{first} values ({row}, {', '.join(cells)});")
    mariadb.create_database("typed")
    mariadb.execute("set sql_mode=''; set time_zone='+00:00'; " + " ".join(statements), "typed")
    mariadb.create_user(READER, PASSWORD, ["SELECT ON *.*"])
    return project_on(tmp_path_factory.mktemp("typed"), url_of(mariadb, "typed"))


def project_on(root: Path, url: str, models: Mapping[str, str] | None = None) -> Path:
    """A project on a server."""
    make_project(root / "p", models or {}, source="")
    (root / "p" / "mainstem.yml").write_text(f"name: p\nsources:\n  shop:\n    url: '{url}'\n{TARGET}")
    return root / "p"


@pytest.mark.usefixtures("worker")
def test_every_type_of_mariadb_as_the_local_reader_has_it(typed: Path) -> None:
    done = run(typed, options=SPARK, clean=False)
    assert done.status == "published", done.messages
    theirs = everything(typed)
    shutil.rmtree(typed / ".mainstem")
    assert run(typed).status == "published"
    mine = everything(typed)
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert theirs[name].schema == mine[name].schema, name
        assert theirs[name].sort_by("k").to_pylist() == mine[name].sort_by("k").to_pylist(), name


PG_TYPES = """
create table kinds (k int primary key, b boolean, s smallint, l bigint, n numeric(20,5), w numeric(60,5),
  free numeric, r real, d double precision, t text, c char(5), v varchar(9), y bytea, da date,
  ts timestamp, tz timestamptz,
  ti time, u uuid, j jsonb, a int[], m money, i interval, o oid);
insert into kinds values
 (1, true, -5, 9223372036854775807, 12345.67890, 1234567890123456789012345678901234567890.12345, 0.1,
  0.1, 0.1, E'a\\tb', 'ab', 'x  ', '\\x00ff', '2024-02-29', '2024-02-29 13:45:59.123456',
  '2024-10-27 01:30:00+02', '24:00:00', '123e4567-e89b-12d3-a456-426655440000', '{"a": 1}', '{1,2}', '12.34',
  '1 day', 7),
 (2, false, 0, -1, -0.00001, 0, -7, 3.4e38, 5e-324, '', '', '', '', '0001-01-01', '0001-01-01',
  '1969-12-31 23:59Z', '00:00:00.000001', null, 'null', '{}', '-0.01', '-1 mon', 0);
insert into kinds (k) values (3);
create table "Odd name" ("Ünï k" bigint primary key, "select" text);
insert into "Odd name" select n, 'v' || n from generate_series(1, 1000) n;
"""


@pytest.mark.usefixtures("worker")
def test_every_type_of_postgres_and_key_ranges(postgres: Postgres, tmp_path: Path) -> None:
    postgres.create_database("typed")
    postgres.execute(PG_TYPES, "typed")
    root = project_on(tmp_path, postgres.url("typed"))
    (root / "mainstem.yml").write_text((root / "mainstem.yml").read_text() + "    partitions: 3\n")
    done = run(root, options=SPARK, clean=False)
    assert done.status == "published", done.messages
    theirs = everything(root)
    files = list((root / ".mainstem" / "lake").rglob("*.parquet"))
    assert len([f for f in files if "odd_name" in str(f)]) == 3, "one file a key range"
    shutil.rmtree(root / ".mainstem")
    here = run(root)
    assert here.status == "published", here.messages
    mine = everything(root)
    assert mine.keys() == theirs.keys()
    for name, table in mine.items():
        assert theirs[name].schema == table.schema, name
        key = table.schema.names[0]
        assert theirs[name].sort_by(key).to_pylist() == table.sort_by(key).to_pylist(), name


@pytest.mark.usefixtures("worker")
def test_a_date_that_is_none_is_loud(mariadb: MariaDB, tmp_path: Path) -> None:
    mariadb.create_database("zero")
    rows = "create table z (k int primary key, d date); insert into z values (1, '0000-00-00')"
    mariadb.execute("set sql_mode=''; " + rows, "zero")
    mariadb.create_user(READER, PASSWORD, ["SELECT ON *.*"])
    done = run(project_on(tmp_path, url_of(mariadb, "zero")), options=SPARK)
    assert done.status == "failed"
    assert done.outcome.exit_code == 3
    assert "raw.z" in done.messages


@pytest.mark.usefixtures("worker")
def test_a_reader_with_a_fault_is_caught_by_the_proof(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the proof: one cast of the job gives another value."""
    mariadb.create_database("faulty")
    mariadb.execute(
        "create table z (k int primary key, n int); insert into z values (1, 5), (2, 7)", "faulty"
    )
    mariadb.create_user(READER, PASSWORD, ["SELECT ON *.*"])
    inner: Any = vars(onspark)["run_job"]

    def tampered(job: Any, value: dict[str, Any], folder: Path) -> dict[str, Any]:
        value["tables"][0]["columns"][1]["cast"] = "CASE WHEN :x = 7 THEN 8 ELSE CAST(:x AS INT) END"
        result: dict[str, Any] = inner(job, value, folder)
        return result

    monkeypatch.setattr(onspark, "run_job", tampered)
    done = run(project_on(tmp_path, url_of(mariadb, "faulty")), options=SPARK)
    assert done.status == "failed"
    assert done.outcome.exit_code == 3
    assert "does not equal the source" in done.messages


# Without a session


def test_a_source_that_spark_does_not_read(tmp_path: Path) -> None:
    root = make_project(tmp_path / "shop")
    on_spark(root)
    with pytest.raises(UsageError, match="MySQL, MariaDB and PostgreSQL"):
        run(root, options=SPARK)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = load_project(make_project(tmp_path / "shop"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(EngineFailed, match="Java"):
        wiring.spark_job(project, SparkTarget(engine="spark"))


def test_the_script_judges_as_the_questions_do() -> None:
    """Every question's rule and judge agree, on rows that hold and on rows that do not."""
    refers = (Reference("c", "d", "k", "missing"),)
    promise = Promise("f", key=("k",), grain="t", sums={"m": "x"}, references=refers, rows_before=3)
    rows: dict[str, list[list[tuple[Any, ...]]]] = {
        "rows": [[(5,)], [(0,)]],
        "grain": [[(5, 5)], [(5, 6)], [(6, 5)]],
        "key": [[], [(1, "a", 2)]],
        "not null": [[(0,)], [(1,)]],
        "sum of m": [
            [("1.50", "DECIMAL(38,2)", "1.5", "DECIMAL(38,1)")],
            [("1.50", "DECIMAL(38,2)", "1.51", "DECIMAL(38,2)")],
            [("1.0000000001", "DOUBLE", "1.0", "DOUBLE")],
            [("1.1", "DOUBLE", "1.0", "DOUBLE")],
            [(None, "DOUBLE", None, "DOUBLE")],
        ],
        "c → d": [[(0, 1, 5, 5)], [(1, 0, 5, 5)], [(0, 0, 6, 5)]],
    }
    asked: list[Question] = questions(promise)
    assert {question.name for question in asked} == set(rows)
    for question in asked:
        told = {"rule": rule_of(question), "before": 3}
        for answer in rows[question.name]:
            assert script.holds(told, [list(row) for row in answer]) == question.judge(answer).holds, (
                question.name
            )


def test_the_script_prints_doubles_as_mysql_does() -> None:
    values = [
        0.0,
        -0.0,
        1.5,
        1e15,
        1e16,
        123456789012345680.0,
        1e-15,
        1e-16,
        5e-324,
        0.1,
        -2.5e20,
        1e22,
        1e100,
    ]
    wanted = mysql_double_text(pa.array(values)).to_pylist()
    assert [script.mysql_double(value) for value in values] == wanted
    assert [functions.mysql_double(value) for value in values] == wanted
    assert script.double_bits(-0.5) == functions.double_bits(-0.5) == "BFE0000000000000"
    assert script.float_bits(0.5) == functions.float_bits(0.5) == "3F000000"


def test_the_script_names_a_digest_as_the_plan_does() -> None:
    job = object.__new__(script.Job)
    job.plan = {"salt": "spark 3.5.6"}
    job.snapshots = {"raw.b": 2, "raw.a": 1}
    model: Any = type("M", (), {"digest": "d"})()
    versions: Any = {name: type("V", (), {"snapshot_id": n})() for name, n in job.snapshots.items()}
    told = {"digest": "d", "inputs": ["raw.b", "raw.a"]}
    assert job.digest(told) == model_digest(model, versions, "spark 3.5.6")


def test_the_script_needs_nothing_of_mainstem() -> None:
    text = launch.SCRIPT.read_text(encoding="utf-8")
    assert "import mainstem" not in text
    assert "from mainstem" not in text
    code = "import sys; sys.path[:0] = [sys.argv[1]]; import script; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(launch.SCRIPT.parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pyspark" not in done.stdout.split(), "nothing heavy before it starts"
