"""The exported DAG in a real Airflow, which knows nothing of Mainstem but its command line."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import mainstem
from e2e.conftest import Workplace, begin, load_mariadb, url_of
from mainstem.deploy.airflow import dag, schedule_of
from mainstem.project.load import load_project
from mainstem.project.requirements import Requirement
from mainstem.wiring import open_lake
from servers.mariadb import MariaDB
from support import BROKEN_LINES, ask, execute_sql, make_project, plan_of, run, write_model
from support import mainstem as command
from sweeps import swept

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".make" / "airflow" / "bin"
PACKAGES = Path(mainstem.__file__).parents[1]


@dataclass
class Airflow:
    """An Airflow of its own: `home` has its database and its folder of DAGs."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def call(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        assert BIN.is_dir(), "this test needs Airflow in an environment of its own: make .make/airflow/ready"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MAINSTEM_", "AIRFLOW"))}
        ours = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "MAINSTEM_COMMAND": shlex.join(
                ["env", f"PYTHONPATH={PACKAGES}", sys.executable, "-m", "mainstem"]
            ),
        }
        return subprocess.run(
            [str(BIN / arguments[0]), *arguments[1:]],
            env={**kept, **ours, **self.env, **(env or {})},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def export(self, root: Path, *more: str) -> Path:
        """The project's DAG in the folder; its file."""
        to = ("--to", str(self.home / "dags"), "--start", "2026-01-01", "--force")
        done = command("export", "airflow", *to, *more, cwd=root, env=self.env)
        assert done.returncode == 0, done.stderr
        (file,) = (self.home / "dags").glob(f"{load_project(root).name}.py")
        return file

    def test(self, name: str, day: str) -> tuple[str, dict[str, str], str]:
        """`airflow dags test`: the state of the DAG run, those of its tasks, and all that was said."""
        done = self.call("airflow", "dags", "test", name, day)
        sql = "select run_id, state from dag_run where dag_id = ? order by id desc limit 1"
        ((run_id, state),) = self.rows(sql, name)
        tasks = self.rows(
            "select task_id, state from task_instance where run_id = ? and dag_id = ?", run_id, name
        )
        return state, dict(tasks), done.stdout + done.stderr

    def rows(self, sql: str, *values: str) -> list[Any]:
        database = sqlite3.connect(self.home / "airflow.db")
        try:
            return database.execute(sql, values).fetchall()
        finally:
            database.close()

    def events(self) -> list[str]:
        """The assets of which Airflow was told, in order."""
        sql = "select uri from asset_event e join asset a on a.id = e.asset_id order by e.id"
        return [uri for (uri,) in self.rows(sql)]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """An Airflow with an empty database."""
    made = Airflow(tmp_path_factory.mktemp("airflow"))
    done = made.call("airflow", "db", "migrate")
    assert done.returncode == 0, done.stderr
    return made


def _content(root: Path) -> dict[str, list[Any]]:
    release = open_lake(load_project(root)).current_release()
    assert release is not None
    return {str(n): sorted(ask(root, f"select * from {n}"), key=repr) for n in release.tables}


def _sample(request: pytest.FixtureRequest, folder: Path, name: str) -> Workplace:
    if name == "small":
        root = make_project(folder / name)
        (root / "mainstem.yml").write_text((root / "mainstem.yml").read_text().replace("shop", name, 1))
        return Workplace(root)
    server: MariaDB = request.getfixturevalue("mariadb")
    load_mariadb(server, f"{name}.mysql.sql", name)
    return begin(folder, name, url_of(server, name))


@pytest.mark.parametrize("name", swept(["small", "classicmodels"], "small"))
def test_a_samples_dag_publishes_what_the_command_line_does(
    airflow: Airflow, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    place = _sample(request, tmp_path, name)
    control = shutil.copytree(place.root, tmp_path / "control")
    airflow.env.update(place.env)
    airflow.export(place.root)
    before = airflow.events()
    state, tasks, said = airflow.test(name, "2026-01-02")
    assert state == "success", said
    with_publish = {str(name) for name in open_lake(load_project(place.root)).tables()} | {"publish"}
    assert set(tasks) == with_publish
    assert set(tasks.values()) == {"success"}
    place.root = control
    place.well("run")
    assert _content(tmp_path / name) == _content(control)
    marts = sorted(name.removeprefix("mart.") for name in tasks if name.startswith("mart."))
    told = airflow.events()[len(before) :]
    assert sorted(told) == [f"mainstem://{name}/{mart}" for mart in marts]


def test_a_failing_proof_fails_the_task_and_publishes_nothing(airflow: Airflow, tmp_path: Path) -> None:
    """Not tried again, either: trying again would wait for minutes."""
    root = make_project(tmp_path / "p")
    run(root)
    execute_sql(root / "shop.db", "insert into order_lines values (14, 3, 'car', 2, 10.00)")
    write_model(root, "fact_lines", BROKEN_LINES)
    airflow.export(root)
    before = airflow.events()
    state, tasks, said = airflow.test("shop", "2026-01-02")
    assert state == "failed", said
    assert tasks["raw.order_lines"] == tasks["mart.dim_customers"] == "success"
    assert tasks["mart.fact_lines"] == "failed"
    assert tasks["publish"] == "upstream_failed"
    assert "exit code 3" in said
    assert ask(root, "select count(*) from raw.order_lines") == [(8,)], "readers see the last release"
    assert airflow.events() == before


CURSOR = """
create table t (id int primary key, note text not null, updated_at timestamp not null);
insert into t values (1, 'a', '2026-01-01 10:00:00'), (2, 'b', '2026-01-02 10:00:00'),
  (3, 'c', '2026-06-01 10:00:00');
"""


def test_catching_up_reads_the_intervals_rows_again(airflow: Airflow, tmp_path: Path) -> None:
    config = "proof: count\ntables:\n  t: {cursor: updated_at, overlap: 0}"
    root = make_project(tmp_path / "p", {}, source=CURSOR, config=config)
    (root / "mainstem.yml").write_text((root / "mainstem.yml").read_text().replace("shop", "catchup", 1))
    run(root)
    execute_sql(root / "shop.db", "update t set note = 'new' where id = 2")
    airflow.export(root, "--schedule", "0 0 * * *")

    state, tasks, said = airflow.test("catchup", "2026-02-02")  # negative control: not in this interval
    assert (state, tasks) == ("success", {"raw.t": "success", "publish": "skipped"}), said
    assert "'--since=2026-02-01 00:00:00+00:00'" in said
    assert ask(root, "select note from raw.t order by id") == [("a",), ("b",), ("c",)]

    state, tasks, said = airflow.test("catchup", "2026-01-03")
    assert (state, tasks) == ("success", {"raw.t": "success", "publish": "success"}), said
    assert "'--since=2026-01-02 00:00:00+00:00' '--until=2026-01-03 00:00:00+00:00'" in said
    assert ask(root, "select note from raw.t order by id") == [("a",), ("new",), ("c",)]


# What Airflow makes of the file, in its own Python.
PROBE = """
import json, sys
from datetime import timedelta
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

bag = DagBag(dag_folder=sys.argv[1], collect_dags=False)
bag.collect_dags(sys.argv[1])
dag = bag.dags["probe"]
module = sys.modules[type(dag.get_task("publish")).__module__]
ended = {}
for code in (0, 1, 2, 3, 4):
    module.MAINSTEM = ["sh", "-c", f"exit {code}"]
    try:
        module.Mainstem(task_id=f"x{code}", arguments=[]).execute({})
        ended[code] = "well"
    except Exception as error:
        ended[code] = type(error).__name__
for status in ("published", "unchanged"):
    module.MAINSTEM = ["sh", "-c", f"echo '{json.dumps({'status': status})}'"]
    try:
        module.Mainstem(task_id=status, arguments=["--output=json"]).execute({})
        ended[status] = "well"
    except Exception as error:
        ended[status] = type(error).__name__
print("PROBE " + json.dumps({
    "errors": bag.import_errors,
    "mainstem": [name for name in sys.modules if name.partition(".")[0] == "mainstem"],
    "tasks": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
    "arguments": {task.task_id: task.arguments for task in dag.tasks},
    "retries": [task.retries for task in dag.tasks],
    "backoff": [bool(task.retry_exponential_backoff) for task in dag.tasks],
    "catchup": dag.catchup,
    "one_at_a_time": [dag.max_active_runs, dag.max_active_tasks],
    "ended": ended,
}))
"""

ODD = """
create table "order lines" (id integer primary key, at date);
create table "order,lines" (id integer primary key);
create table "größe" (id integer primary key);
create table "{{ x }}" (id integer primary key);
create table "publish" (id integer primary key);
insert into "order lines" values (1, '2026-01-01');
"""


def test_what_airflow_makes_of_the_file(airflow: Airflow, tmp_path: Path) -> None:
    models = {
        "publish": 'select * from raw."publish"',
        "class": 'select id from raw."order lines"',
        "later": "select * from class",
    }
    config = 'tables:\n  "order lines": {cursor: at}'
    root = make_project(tmp_path / "odd", models, source=ODD, config=config)
    (root / "mainstem.yml").write_text((root / "mainstem.yml").read_text().replace("shop", "probe", 1))
    file = airflow.export(root)
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    done = airflow.call("python", str(probe), str(file))
    (line,) = [one for one in done.stdout.splitlines() if one.startswith("PROBE ")] or [done.stderr]
    found = json.loads(line.removeprefix("PROBE "))
    assert found["errors"] == {}
    assert found["mainstem"] == []
    assert found["tasks"] == {
        "raw.größe": [],
        "raw.publish": [],
        "raw_order_lines": [],
        "raw_order_lines_2": [],
        "raw____x___": [],
        "mart.publish": ["raw.publish"],
        "mart.class": ["raw_order_lines"],
        "mart.later": ["mart.class"],
        "publish": ["mart.later", "mart.publish", "raw.größe", "raw____x___", "raw_order_lines_2"],
    }
    assert "--select=raw.order?lines" in found["arguments"]["raw_order_lines"]
    assert found["arguments"]["raw_order_lines"][-1].startswith("--until={{")
    assert len(found["arguments"]["raw_order_lines_2"]) == 4, "no cursor, no interval"
    assert set(found["retries"]) == {3}
    assert set(found["backoff"]) == {True}
    assert found["catchup"] is True
    assert found["one_at_a_time"] == [1, 1]
    assert found["ended"] == {
        "0": "well",
        "1": "RuntimeError",
        "2": "AirflowFailException",
        "3": "AirflowFailException",
        "4": "RuntimeError",
        "published": "well",
        "unchanged": "AirflowSkipException",
    }


@pytest.mark.parametrize(
    ("fresh", "cron", "unread"),
    [
        ([], "0 3 * * *", ()),
        (["daily"], "0 3 * * *", ()),
        (["weekly", "monthly"], "0 3 * * 1", ()),
        (["Hourly", "daily"], "0 * * * *", ()),
        (["every 15 minutes", "hourly"], "*/15 * * * *", ()),
        (["6 hours"], "0 */6 * * *", ()),
        (["1 hour"], "0 * * * *", ()),
        (["60 min"], "0 * * * *", ()),
        (["1 minute"], "* * * * *", ()),
        (["7 minutes", "at once", ""], "0 3 * * *", ("7 minutes", "at once")),
    ],
)
def test_schedules(fresh: list[str], cron: str, unread: tuple[str, ...]) -> None:
    made = schedule_of([Requirement(who="w", what="w", fresh=one) for one in fresh])
    assert (made.cron, made.unread) == (cron, unread)


def test_the_file_is_the_same_each_time_and_an_edited_one_stays(tiny: Path) -> None:
    with plan_of(tiny) as made:
        text = dag(made.plan, load_project(tiny), "0 3 * * *", date(2026, 1, 1))
    compile(text, "dag.py", "exec")
    assert "import mainstem" not in text
    for _ in range(2):
        done = command("export", "airflow", "--start", "2026-01-01", cwd=tiny)
        assert done.returncode == 0, done.stderr
    file = tiny / "dags" / "shop.py"
    assert file.read_text() == text
    file.write_text(text + "# mine\n")
    done = command("export", "airflow", "--start", "2026-01-01", cwd=tiny)
    assert (done.returncode, "--force overwrites it" in done.stderr) == (2, True)
    assert file.read_text().endswith("# mine\n")


@pytest.mark.parametrize("wrong", [("--start", "soon"), ("--schedule", "daily")])
def test_options_that_cannot_be(tiny: Path, wrong: tuple[str, str]) -> None:
    assert command("export", "airflow", *wrong, cwd=tiny).returncode == 2
    assert not (tiny / "dags").exists()


def test_requirements_give_the_schedule(tiny: Path) -> None:
    (tiny / "requirements.yml").write_text(
        "requirements:\n- {who: a, what: b, fresh: hourly}\n- {who: c, what: d, fresh: now}\n"
    )
    done = command("export", "airflow", cwd=tiny)
    assert done.stdout.endswith("6 tasks, 0 * * * *\n")
    assert "fresh: now is not understood" in done.stderr
