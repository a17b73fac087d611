"""Contracts, histories, marks of deletion and back-fills as a Spark job: what the local engine gives, run by
run, whichever of the two ran before. The jobs run in the session of this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mainstem import wiring
from mainstem.cli.commands.common import planned
from mainstem.engine.spark import session
from mainstem.engine.spark.engine import Spark
from mainstem.errors import MainstemError, UsageError
from mainstem.ingest.window import Window
from mainstem.job import script as untyped
from mainstem.job.emit import PLAN_NAME
from mainstem.job.launch import catalog_settings, variable
from mainstem.lake import Lake, TableVersion
from mainstem.plan import Choices
from mainstem.project.load import load_project
from mainstem.run import RunOptions, onspark
from mainstem.schema import TableName
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from spark.jobs import TARGET, everything, tables_in
from support import Ran, mainstem, make_project, run

SPARK = RunOptions(target="spark")
script: Any = untyped
CONFIG = """
    tables:
      items:
        cursor: changed_at
        history: scd2
        deleted: gone
        contract:
          on_break: quarantine
          columns:
            name: {not_null: true, unique: true, matches: "[a-z].*"}
            price: {range: [0, '99.50']}
            kind: {accepted_values: [a, b]}
          expression:
            - price < weight or kind = 'b'
"""
MODEL = """/* mainstem
kind: dimension
key: [k]
*/
select concat_ws('@', id, valid_to = timestamp '9999-12-31') || ':' ||
    row_number() over (partition by id order by valid_from) as k, name, is_current
from history.items
"""
CREATE = """
create table items (id int primary key, name varchar(20), price decimal(10,2), kind char(1), weight double,
  gone {time} null, changed_at {time} not null);
insert into items values
  (1, 'apple', 1.00, 'a', 2, null, '2024-01-01 00:00:00'),
  (2, 'pear', 2, 'a', 3, null, '2024-01-01 00:00:00'),
  (3, 'fig', 99.51, 'b', -0.0, null, '2024-01-01 00:00:00'),
  (4, null, 1, 'x', 1, null, '2024-01-01 00:00:00'),
  (5, 'kiwi', 5, 'b', null, null, '2024-01-01 00:00:00'), (6, 'nut', 1, 'a', 9, '2024-01-02', '2024-01-02'),
  (7, 'pea', 5, 'a', 5, null, '2024-01-01 00:00:00'), (8, 'plum', 1, 'b', 1, null, '2024-01-05 00:00:00');
"""
STEPS = [
    # Own times, a late one, one that the cursor does not show; mended and broken rows; one that goes.
    "update items set price = 3, changed_at = '2024-02-01 00:00:00' where id = 1;"
    "update items set weight = 4, changed_at = '2023-12-01 00:00:00' where id = 2;"
    "update items set price = 7 where id = 5;"
    "update items set price = 99.50, changed_at = '2024-02-02 00:00:00' where id = 3;"
    "update items set name = 'Plum', changed_at = '2024-02-03 00:00:00' where id = 8;"
    "delete from items where id = 7;"
    "insert into items values (9, 'date', 1, 'b', 1, null, '2024-02-01 00:00:00');",
    # Marked, and back; a value that is there twice; a sign; columns that come and go.
    "update items set gone = '2024-03-01 00:00:00', changed_at = '2024-03-01 00:00:00' where id = 1;"
    "update items set gone = null, changed_at = '2024-03-01 00:00:00' where id = 6;"
    "update items set name = 'date', changed_at = '2024-03-01 00:00:00' where id = 2;"
    "update items set weight = 0.0 where id = 3;"
    "alter table items add note varchar(9); alter table items drop column kind;",
    "update items set gone = null, note = 'back', changed_at = '2024-04-01 00:00:00' where id = 1;"
    "insert into items values (7, 'pea', 5, 6, null, '2024-04-01 00:00:00', null);",
]


def project(root: Path, url: str, config: str = CONFIG, models: dict[str, str] | None = None) -> Path:
    make_project(root, models or {}, source="")
    (root / "mainstem.yml").write_text(f"name: p\nsources:\n  shop:\n    url: '{url}'{config}{TARGET}")
    return root


def rows(root: Path) -> dict[str, list[str]]:
    """Every table of the release; the moments at which a run saw something by their order: they differ."""
    return {name: plain_rows(table) for name, table in everything(root).items()}


def plain_rows(table: pa.Table) -> list[str]:
    values = [{k: v for k, v in row.items() if k != "_run"} for row in table.to_pylist()]
    times = {v for row in values for v in row.values() if isinstance(v, datetime) and _seen(v)}
    order = {moment: f"run {n}" for n, moment in enumerate(sorted(times))}
    return sorted(
        str({k: order.get(v, v) if isinstance(v, datetime) else v for k, v in row.items()}) for row in values
    )


def _seen(value: datetime) -> bool:
    return 2025 < value.year < 9999


def url_on(server: MariaDB | Postgres, name: str) -> str:
    server.create_database(name)
    return f"{server.url}{name}" if isinstance(server, MariaDB) else server.url(name)


def well(ran: Ran) -> Ran:
    assert ran.status in ("published", "unchanged"), ran.messages
    return ran


def told(ran: Ran) -> dict[str, Any]:
    """What the receipt says of the rows."""
    entry = ran.table("raw.items")
    names = ("status", "rows", "holds", "quarantined", "broken", "deleted", "versions", "checksum")
    return {name: entry[name] for name in names}


ENGINES = [SPARK, SPARK, None, SPARK, SPARK]


@pytest.mark.usefixtures("worker")
def test_run_by_run_as_the_local_engine(mariadb: MariaDB, tmp_path: Path) -> None:
    """One project is run by DuckDB, the other one by Spark, and once by DuckDB in between."""
    url = url_on(mariadb, "parts")
    mariadb.execute(CREATE.format(time="datetime(6)"), "parts")
    here, there = (project(tmp_path / one, url, models={"dim_items": MODEL}) for one in ("here", "there"))
    for step, engine in zip(["", *STEPS, ""], ENGINES, strict=True):
        if step:
            mariadb.execute(step, "parts")
        for root in (here, there) if "drop column kind" in step else ():
            path = root / "mainstem.yml"
            text = path.read_text().replace("            kind: {accepted_values: [a, b]}\n", "")
            path.write_text(text.replace("price < weight or kind = 'b'", "price < 90 or id < 8"))
        mine, theirs = well(run(here)), well(run(there, options=engine))
        assert rows(there) == rows(here), step
        assert told(theirs) == told(mine), step
        assert models(theirs) == models(mine), step
        assert said(theirs) == said(mine), step
    assert told(theirs)["status"] == "unchanged"
    assert told(theirs)["versions"] > 8


def said(ran: Ran) -> str:
    """The receipt's words, but how the rows were read."""
    return re.sub(r" \(\d+ rows? read by[^)]*\)", "", ran.table("raw.items")["text"])


def models(ran: Ran) -> dict[str, str]:
    """What became of each model."""
    return {one["table"]: one["status"] for one in ran.outcome.receipt.value()["models"]}


# Values out of range, and every way to mark a row as deleted

OUTSIDE = """
    tables:
      items:
        deleted: {deleted}
        history: scd2
        contract: {{on_break: quarantine, columns: {{price: {{range: [0, 100]}}}}}}
        columns:
          seen_on: {{out_of_range: null}}
          rated_at: {{out_of_range: null}}
          "gone at": {{out_of_range: null}}
"""
DAYS = {
    "mariadb": """SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';
create table items (id int primary key, price decimal(10,2), gone bit(1), `gone at` datetime null,
  seen_on date not null, rated_at timestamp null);
insert into items values (1, 10, 0, null, '0000-00-00', '2024-01-01'), (2, 200, 0, null, '2024-02-30', 0),
  (3, 30, 1, '2024-01-01', '2024-01-01', null), (4, 40, null, '0000-00-00 00:00:00', '2024-01-01', null);""",
    "postgres": """create table items (id int primary key, price numeric(10,2), gone boolean,
  "gone at" timestamp, seen_on date not null, rated_at timestamptz);
insert into items values (1, 10, false, null, '-infinity', '2024-01-01'),
  (2, 200, false, null, '0044-03-15 BC', 'infinity'), (3, 30, true, '2024-01-01', '2024-01-01', null),
  (4, 40, null, null, '2024-01-01', null);""",
}
LATER = """update items set price = 20 where id = 2; update items set price = 101 where id = 4;
update items set seen_on = '2024-01-01' where id = 1; delete from items where id = 3;"""


@pytest.mark.parametrize(("kind", "deleted"), [("mariadb", "'gone at'"), ("postgres", "gone")])
@pytest.mark.usefixtures("worker")
def test_values_out_of_range(kind: str, deleted: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    url = url_on(server, "outside")
    server.execute(DAYS[kind], "outside")
    config = OUTSIDE.format(deleted=deleted)
    here, there = (project(tmp_path / one, url, config) for one in ("here", "there"))
    for step in ("", "SET time_zone = '+00:00';" * (kind == "mariadb") + LATER):
        if step:
            server.execute(step, "outside")
        mine, theirs = well(run(here)), well(run(there, options=SPARK))
        assert rows(there) == rows(here), step
        entries = [ran.table("raw.items") for ran in (mine, theirs)]
        assert entries[0]["text"] == entries[1]["text"]
        # PostgreSQL's own hash is not known to Spark.
        same = ("status", "rows", "quarantined", "broken", "deleted", "versions", "out_of_range")
        assert [entries[0][name] for name in same] == [entries[1][name] for name in same]
        assert entries[1]["out_of_range"]


# What stops a run

STOPS = """
    tables:
      items: {contract: {columns: {price: {range: [0, 50]}, name: {not_null: true}}}}
"""


@pytest.mark.usefixtures("worker")
def test_fail_stops_and_names_table_rule_and_rows(mariadb: MariaDB, tmp_path: Path) -> None:
    url = url_on(mariadb, "stops")
    mariadb.execute(CREATE.format(time="datetime(6)"), "stops")
    roots = [project(tmp_path / one, url, STOPS) for one in ("here", "there")]
    mine, theirs = (run(root, options=how) for root, how in zip(roots, (None, SPARK), strict=True))
    assert theirs.status == "failed"
    assert theirs.outcome.exit_code == 3
    assert theirs.messages == mine.messages
    assert "price: range (1 row); name: not_null (1 row)" in theirs.messages


FAULTS = [
    # A row that is in neither of the two; one that is another one there; versions that end before
    # they begin; a present version that is another one.
    ("contract", "bad", "NOT `_reason` IS NULL", "NOT `_reason` IS NULL AND `id` <> 3", "are not the 7 rows"),
    ("contract", "bad", "CAST(c0 AS INT)", "CAST(c0 + 10 AS INT)", "are not the 7 rows"),
    ("history", "changes", "CAST(c7 AS", "CAST(c8 AS", "the history does not hold"),
    ("history", "merged", "CAST(c1 AS STRING)", "CAST(lower(c1) AS STRING)", "the history does not hold"),
    ("history", "keys", "DISTINCT", "DISTINCT 0 *", "several rows have one key"),
]


@pytest.mark.usefixtures("worker")
def test_the_job_proves_what_it_divides(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative controls: a job with a fault in one of its queries is refused, and nothing stands."""
    url = url_on(mariadb, "faults")
    mariadb.execute(CREATE.format(time="datetime(6)").replace("'apple'", "'Apple'"), "faults")
    root = project(tmp_path / "p", url, CONFIG.replace("[a-z].*", "[A-Za-z].*"))
    inner: Any = vars(onspark)["run_job"]
    for part, key, old, new, said in FAULTS:

        def run_job(job: Any, value: dict[str, Any], folder: Path) -> dict[str, Any]:
            one = value["tables"][0][part]  # noqa: B023 - called within this round
            assert old in one[key]  # noqa: B023
            one[key] = one[key].replace(old, new)  # noqa: B023
            result: dict[str, Any] = inner(job, value, folder)
            return result

        monkeypatch.setattr(onspark, "run_job", run_job)
        ran = run(root, options=SPARK)
        assert ran.outcome.exit_code == 3, (part, key)
        assert said in ran.messages, (part, key)
        assert wiring.open_lake(load_project(root)).tables() == [], "nothing was adopted"


def test_a_run_killed_between_the_tables_is_made_good(
    worker: object, mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quarantine and the history are adopted, the table is not: readers see the last release, and the
    next run makes the same as if nothing had happened."""
    url = url_on(mariadb, "killed")
    mariadb.execute(CREATE.format(time="datetime(6)"), "killed")
    here, there = (project(tmp_path / one, url) for one in ("here", "there"))
    well(run(here))
    well(run(there, options=SPARK))
    before = rows(there)
    mariadb.execute(STEPS[0], "killed")
    with monkeypatch.context() as patched:
        adopt = Lake.adopt

        def killed(self: Lake, name: TableName, *more: Any) -> TableVersion:
            if name.namespace == "raw":
                raise KeyboardInterrupt
            return adopt(self, name, *more)

        patched.setattr(Lake, "adopt", killed)
        with pytest.raises(KeyboardInterrupt):
            run(there, options=SPARK)
    assert rows(there) == before
    well(run(here))
    assert told(well(run(there, options=SPARK)))["status"] == "done"
    assert rows(there) == rows(here)


# The files


def test_the_emitted_job_keeps_a_history(
    worker: Callable[[dict[str, Any]], dict[str, Any]],
    mariadb: MariaDB,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plan as files: nothing moves if a contract fails; then run by run what the local engine gives."""
    url = url_on(mariadb, "files")
    mariadb.execute(CREATE.format(time="datetime(6)"), "files")
    here = project(tmp_path / "here", url, models={"dim_items": MODEL})
    strict = project(tmp_path / "strict", url, CONFIG.replace("quarantine", "fail"))

    def emitted(root: Path) -> dict[str, Any]:
        return emitted_plan(root, tmp_path / "warehouse", monkeypatch)

    failed = worker(emitted(strict))
    assert failed["error"]["message"].startswith("rows break the table's contract: name: not_null (1 row)")
    assert sum(table.num_rows for table in tables_in(tmp_path / "warehouse").values()) == 0
    plan = emitted(here)
    for step in ("", STEPS[0]):
        if step:
            mariadb.execute(step, "files")
        well(run(here))
        done = worker(plan)
        assert done["status"] == "done", done["error"]
        found = {name: plain_rows(table) for name, table in tables_in(tmp_path / "warehouse").items()}
        assert found == rows(here), step
    location = next((tmp_path / "warehouse" / "raw" / "items").rglob("version-hint.text"))
    newest = location.with_name(f"v{location.read_text().strip()}.metadata.json")
    kept = [one["summary"]["total-records"] for one in json.loads(newest.read_text())["snapshots"]]
    assert str(told(well(run(here)))["rows"] + 2) not in kept, "no snapshot has the rows in quarantine"
    plan["tables"][0]["history"]["merged"] = plan["tables"][0]["history"]["merged"].replace(
        "CAST(c1", "CAST('x' || c1"
    )
    mariadb.execute("update items set price = 8 where id = 5", "files")
    assert "the history does not hold" in worker(plan)["error"]["message"]
    assert {n: plain_rows(t) for n, t in tables_in(tmp_path / "warehouse").items()} == found, "nothing moved"


def test_on_glue_every_table_has_its_database() -> None:
    plan: dict[str, Any] = {
        "settings": {},
        "sources": {},
        "models": [{"target": "lake.mart.m", "summary": {}}],
    }
    beside = {one: {"target": f"lake.{one}.`t`", "summary": {}} for one in ("quarantine", "history")}
    plan["tables"] = [{"target": "lake.raw.`t`", "summary": {}, **beside}]
    script.on_glue(plan, {"database": "shop", "warehouse": "s3://b/lake"})
    places = ["lake.shop_raw.`t`", "lake.shop_quarantine.`t`", "lake.shop_history.`t`", "lake.shop_mart.m"]
    assert [one["target"] for one in script.outputs(plan)] == places


# Back-fills

FILL = """
    proof: {proof}
    tables:
      items: {{cursor: changed_at, overlap: 0}}
"""


@pytest.mark.parametrize("proof", ["count", "full"])
@pytest.mark.usefixtures("worker")
def test_a_back_fill_gives_what_a_local_one_does(mariadb: MariaDB, tmp_path: Path, proof: str) -> None:
    url = url_on(mariadb, "fill")
    mariadb.execute(CREATE.format(time="datetime(6)"), "fill")
    here, there = (project(tmp_path / one, url, FILL.format(proof=proof)) for one in ("here", "there"))
    well(run(here))
    well(run(there, options=SPARK))
    # The cursor shows neither of them.
    mariadb.execute(
        "update items set price = 77 where id = 6; update items set weight = 1 where id = 5", "fill"
    )
    window = Window("2023-01-01", "2024-01-03")
    mine, theirs = well(run(here, window=window)), well(run(there, options=SPARK, window=window))
    assert rows(there) == rows(here)
    assert "77.00" in str(rows(there))
    said = "(read whole, with the rows since 2023-01-01 until 2024-01-03)"
    assert said in theirs.table("raw.items")["text"], theirs.table("raw.items")["text"]
    assert "read by changed_at and since" in mine.table("raw.items")["text"]
    again = well(run(there, options=SPARK, window=window))
    assert again.status == ("unchanged" if proof == "full" else "published")
    with planned(load_project(there), Choices((), (), False, window), None, "spark") as made:
        (step,) = made.plan.ingest
        reason = (
            "read whole, with the rows since 2023-01-01 until 2024-01-03, unless its fingerprint is the same"
        )
        assert step.reasons == (reason,)


KEEP = FILL.format(proof="off").replace("overlap: 0", "deletes: ignore, overlap: 0")
QUARANTINED = KEEP.replace(
    "overlap: 0}", "overlap: 0, contract: {on_break: quarantine, columns: {name: {not_null: true}}}}"
)
GONE = [
    # 4 has no name: it stands in quarantine, if there is one.
    "delete from items where id in (1, 4);"
    "update items set price = 3, changed_at = '2024-02-01 00:00:00' where id = 2;",
    "delete from items where id = 2; insert into items values (9, 'new', 1, 'a', 1, null, '2024-03-01');",
    "update items set price = 9, changed_at = '2024-04-01 00:00:00' where id = 9;",
]


@pytest.mark.parametrize("config", [KEEP, QUARANTINED], ids=["plain", "quarantine"])
@pytest.mark.usefixtures("worker")
def test_rows_that_the_source_no_longer_has_stay(mariadb: MariaDB, tmp_path: Path, config: str) -> None:
    """`deletes: ignore`, run by run what the local engine gives alone; also in turns with it."""
    url = url_on(mariadb, "kept")
    mariadb.execute("drop table if exists items;" + CREATE.format(time="datetime(6)"), "kept")
    here, there = (project(tmp_path / one, url, config) for one in ("here", "there"))
    for step, options in zip(["", *GONE], (SPARK, SPARK, None, SPARK), strict=True):
        if step:
            mariadb.execute(step, "kept")
        well(run(here))
        well(run(there, options=options))
        assert rows(there) == rows(here)
    found = str(rows(there))
    assert all(f"'id': {number}," in found for number in range(1, 10))
    refreshed = run(there, options=RunOptions(target="spark", full_refresh=True))
    assert well(refreshed).table("raw.items")["rows"] == 6, "the control: a full refresh keeps none"


@pytest.mark.parametrize("config", [KEEP, QUARANTINED], ids=["plain", "quarantine"])
def test_the_emitted_job_keeps_rows_that_the_source_no_longer_has(
    worker: Callable[[dict[str, Any]], dict[str, Any]],
    mariadb: MariaDB,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
) -> None:
    """Of what stands where the job runs: nothing at first."""
    url = url_on(mariadb, "kept")
    mariadb.execute("drop table if exists items;" + CREATE.format(time="datetime(6)"), "kept")
    root = project(tmp_path / "p", url, config)
    plan = emitted_plan(root, tmp_path / "warehouse", monkeypatch)
    for step in ("", GONE[0]):
        if step:
            mariadb.execute(step, "kept")
        well(run(root))
        done = worker(plan)
        assert done["status"] == "done", done["error"]
        found = {name: plain_rows(table) for name, table in tables_in(tmp_path / "warehouse").items()}
        assert found == rows(root)
    assert "'id': 1," in str(found)
    assert "'id': 4," in str(found)


def emitted_plan(root: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The plan of the project's job as files, and its logins in the environment."""
    made = load_project(root)
    texts = wiring.emit_job(made, catalog_settings("lake", warehouse))
    for name in made.config.sources:
        one = wiring.jdbc_source(made, name)
        login = {"url": one.url, "user": one.user, "password": one.password}
        monkeypatch.setenv(variable(name), json.dumps(login))
    return json.loads(texts[PLAN_NAME])  # type: ignore[no-any-return]


@pytest.mark.usefixtures("worker")
def test_rows_marked_as_deleted_are_not_kept_blindly(mariadb: MariaDB, tmp_path: Path) -> None:
    url = url_on(mariadb, "marked")
    mariadb.execute("drop table if exists items;" + CREATE.format(time="datetime(6)"), "marked")
    root = project(tmp_path / "p", url, KEEP.replace("overlap: 0", "overlap: 0, deleted: gone"))
    well(run(root, options=SPARK))
    with pytest.raises(UsageError, match="marked as deleted"):
        run(root, options=SPARK)
    well(run(root))


# What is refused, and how


def test_one_clear_line_for_what_spark_does_not_judge_alike(mariadb: MariaDB, tmp_path: Path) -> None:
    """By the command line: a rule of a contract and a model, each at its line, once."""
    url = url_on(mariadb, "refused")
    mariadb.execute(CREATE.format(time="datetime(6)"), "refused")
    config = CONFIG.replace('"[a-z].*"', '"(?i)[a-z].*"')
    root = project(
        tmp_path / "p", url, config, {"m": "select id, any_value(name) as n from raw.items group by id"}
    )
    done = mainstem("run", "--target", "spark", cwd=root)
    assert done.returncode == 2, done.stderr
    rule = '            name: {not_null: true, unique: true, matches: "(?i)[a-z].*"}'
    line = 1 + (root / "mainstem.yml").read_text().split("\n").index(rule)
    errors = [text for text in done.stderr.splitlines() if text.startswith("error:")]
    assert [text.partition(": on Spark:")[0] for text in errors] == [
        f"error: mainstem.yml:{line}: items: name: matches",
        "error: models/m.sql:1",
    ]


# Errors without values

SECRET = "4711-SECRET"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT to_timestamp(x, 'yyyy') FROM t", "CANNOT_PARSE_TIMESTAMP"),
        ("SELECT CAST(x AS INT) FROM t", "a value does not fit its type in the lake"),
        ("SELECT assert_true(x = '', x) FROM t", "Spark failed: org.apache.spark.SparkException"),
        ("SELECT element_at(map('a', 1), x), 1 / (length(x) - 11) FROM t", "DIVIDE_BY_ZERO"),
        ("SELECT no_such_column FROM t", "UNRESOLVED_COLUMN"),
    ],
)
def test_an_error_names_its_class_and_no_value(spark: Spark, sql: str, said: str) -> None:
    view = session.spark_session().newSession()
    view.createDataFrame([(SECRET,)], "x STRING").createOrReplaceTempView("t")
    view.conf.set("spark.sql.ansi.enabled", "true")
    with pytest.raises(script.spark_errors()) as caught:
        view.sql(sql).write.format("noop").mode("overwrite").save()
    told = script.explained(caught.value, "raw.t")
    assert said in told.message
    assert SECRET not in json.dumps(told.told())
    with pytest.raises(MainstemError) as mapped, session.mapped():
        view.sql(sql).write.format("noop").mode("overwrite").save()
    assert SECRET not in str(mapped.value)
