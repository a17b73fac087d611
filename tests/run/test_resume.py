"""A run that did not end well is gone on with: what stands is not read again, what moved meanwhile is, and
the release is the one that an uninterrupted run would have published."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mainstem
from kills import LATER, POINTS, in_a_process
from mainstem.errors import UsageError
from mainstem.plan import Choices
from mainstem.project.config import ProofLevel
from mainstem.project.load import load_project
from mainstem.run import RunOptions, resume
from mainstem.run.resume import unfinished
from mainstem.wiring import open_lake
from sources import altering, through, unchanged
from support import (
    BROKEN_LINES,
    FACT_LINES,
    Ran,
    ask,
    environment,
    execute_sql,
    make_project,
    run,
    write_model,
)
from support import mainstem as command
from sweeps import every

NEW_LINE = "insert into order_lines values (14, 3, 'car', 2, 10.00)"
PUBLISHED = ("publish.after", "run.after_publish")
REFRESH = RunOptions(full_refresh=True)


def _content(root: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that readers see."""
    release = open_lake(load_project(root)).current_release()
    assert release is not None
    return {str(name): sorted(ask(root, f"select * from {name}"), key=repr) for name in release.tables}


def _resumed(root: Path, reads: list[str] | None = None, options: RunOptions | None = None) -> Ran:
    return run(root, resume=True, options=options, adapt=through(unchanged, reads))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all points; each test changes its source."""
    root = make_project(tmp_path_factory.mktemp("resume") / "p")
    assert run(root).status == "published"
    return root


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is never interrupted, on a copy of the same source."""
    return make_project(tmp_path_factory.mktemp("resume") / "control", source="")


@pytest.mark.parametrize("point", [*every(2, POINTS), *LATER[:2]])
def test_killed_and_resumed(killed: Path, control: Path, point: str) -> None:
    sql = "insert into order_lines select 14, max(line_number) + 1, 'car', 2, 10.00 from order_lines"
    execute_sql(killed / "shop.db", sql)
    assert in_a_process(killed, point, REFRESH) == -signal.SIGKILL, "the fault did not fire"
    lake = open_lake(load_project(killed))
    if point in PUBLISHED:
        with pytest.raises(UsageError, match="no unfinished run"):
            _resumed(killed)
        assert run(killed).status == "unchanged"
    elif point == "resume.written":  # nothing was begun
        assert not list((killed / ".mainstem" / "unfinished").glob("*.json"))
        assert run(killed).status == "published"
    else:
        (left,) = (killed / ".mainstem" / "unfinished").glob("*.json")
        stands = {
            name.name
            for name in lake.tables()
            if (head := lake.head(name)) and head.summary["mainstem.run"] == left.stem
        }
        reads: list[str] = []
        ran = _resumed(killed, reads)
        assert ran.status == "published", ran.messages
        assert not stands.intersection(reads), "what stood was read again"
        assert len(reads) + len(stands - {"dim_customers", "fact_lines"}) == 3, "the refresh went on"
        assert ran.outcome.receipt.resumes == [left.stem]
        taken = {one.table: one.taken for one in ran.outcome.receipt.tables if one.taken}
        assert taken == {
            f"raw.{name}": left.stem for name in stands if name not in ("dim_customers", "fact_lines")
        }
    assert not list((killed / ".mainstem" / "unfinished").glob("*.json"))

    control.joinpath("shop.db").write_bytes(killed.joinpath("shop.db").read_bytes())
    assert run(control).status == "published"
    assert _content(killed) == _content(control)


def test_without_resume_a_refresh_reads_all_again(tiny: Path) -> None:
    """Negative control: what is taken over is taken over by --resume alone."""
    assert in_a_process(tiny, "commit.after_swap:2", REFRESH) == -signal.SIGKILL
    reads: list[str] = []
    run(tiny, options=REFRESH, adapt=through(unchanged, reads))
    assert sorted(reads) == ["customers", "order_lines", "orders"]


def test_a_failed_model_is_corrected_and_the_run_goes_on(tiny: Path) -> None:
    write_model(tiny, "fact_lines", BROKEN_LINES)
    failed = run(tiny, options=REFRESH)
    assert failed.status == "failed"
    write_model(tiny, "fact_lines", FACT_LINES)
    reads: list[str] = []
    ran = _resumed(tiny, reads)
    assert (ran.status, reads) == ("published", [])
    assert ran.table("raw.orders")["taken"] == failed.outcome.receipt.run
    assert ran.table("mart.dim_customers")["taken"] == failed.outcome.receipt.run
    assert ran.table("mart.fact_lines")["taken"] == ""
    assert "as run" in ran.table("raw.orders")["text"]


def test_what_moved_meanwhile_is_read_again(tiny: Path) -> None:
    run(tiny)
    write_model(tiny, "fact_lines", BROKEN_LINES)
    assert run(tiny, options=REFRESH).status == "failed"
    write_model(tiny, "fact_lines", FACT_LINES)
    execute_sql(tiny / "shop.db", NEW_LINE)
    reads: list[str] = []
    ran = _resumed(tiny, reads)
    assert (ran.status, reads) == ("published", ["order_lines"])
    assert ran.table("raw.order_lines")["taken"] == ""
    assert ask(tiny, "select count(*), sum(amount) from fact_lines") == ask(
        tiny, "select count(*), sum(quantity * price) from raw.order_lines"
    )
    assert ask(tiny, "select count(*) from fact_lines") == [(9,)]


@pytest.mark.parametrize(
    ("level", "sql", "reads", "text"),
    [
        ("count", "", [], "8 rows, as many as in the source, as run"),
        ("count", NEW_LINE, ["order_lines"], "9 rows, as many as in the source"),
        ("off", "", [], "8 rows, not proven (proof: off), as run"),
        ("off", NEW_LINE, [], "8 rows, not proven (proof: off), as run"),
    ],
)
def test_tables_without_a_fingerprint(tiny: Path, level: str, sql: str, reads: list[str], text: str) -> None:
    write_model(tiny, "fact_lines", BROKEN_LINES)
    options = RunOptions(proof=ProofLevel(level))
    assert run(tiny, options=options).status == "failed"
    write_model(tiny, "fact_lines", FACT_LINES)
    if sql:
        execute_sql(tiny / "shop.db", sql)
    seen: list[str] = []
    ran = _resumed(tiny, seen)
    assert (ran.status, seen) == ("published", reads), ran.messages
    assert ran.table("raw.order_lines")["text"].startswith(text)


@pytest.mark.parametrize("change", ["proof", "columns", "version", "cursor"])
def test_another_way_of_reading_takes_nothing_over(
    tiny: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny / "mainstem.yml"
    config.write_text(config.read_text() + "    proof: count\n")
    write_model(tiny, "fact_lines", BROKEN_LINES)
    assert run(tiny).status == "failed"
    write_model(tiny, "fact_lines", FACT_LINES)
    if change == "proof":
        config.write_text(config.read_text().replace("proof: count", "proof: 'off'"))
    elif change == "columns":
        execute_sql(tiny / "shop.db", "alter table orders add column more int")
    elif change == "cursor":
        config.write_text(config.read_text() + "    tables: {orders: {cursor: order_date}}\n")
    else:
        monkeypatch.setattr(resume, "__version__", "0.0.1")
    reads: list[str] = []
    assert _resumed(tiny, reads).status == "published"
    assert "orders" in reads


def test_the_selection_and_the_choices_are_those_of_the_run(tiny: Path) -> None:
    run(tiny)
    adapt = through(altering("orders", "comments", 1, "x"))
    failed = run(tiny, select=["raw.orders"], options=RunOptions(full_refresh=True), adapt=adapt)
    assert failed.status == "failed"
    left = unfinished(tiny / ".mainstem", "")
    assert left is not None
    assert left.choices == Choices(("raw.orders",), (), True)
    reads: list[str] = []
    ran = _resumed(tiny, reads)
    assert reads == ["orders"]
    assert [one["table"] for one in ran.outcome.receipt.value()["tables"]] == ["raw.orders"]


def test_a_resumed_run_that_fails_is_resumed(tiny: Path) -> None:
    write_model(tiny, "fact_lines", BROKEN_LINES)
    first = run(tiny, options=REFRESH).outcome.receipt.run
    second = _resumed(tiny).outcome.receipt.run
    write_model(tiny, "fact_lines", FACT_LINES)
    reads: list[str] = []
    ran = _resumed(tiny, reads)
    assert (ran.status, reads) == ("published", [])
    assert ran.outcome.receipt.resumes == [first, second]
    assert ran.table("raw.orders")["taken"] == first


def test_a_run_that_is_begun_anew_forgets(tiny: Path) -> None:
    write_model(tiny, "fact_lines", BROKEN_LINES)
    first = run(tiny).outcome.receipt.run
    second = run(tiny).outcome.receipt.run
    left = unfinished(tiny / ".mainstem", "")
    assert left is not None
    assert left.runs == (second,) != (first,)


def test_a_run_that_ended_well_leaves_nothing(tiny: Path) -> None:
    for status in ("published", "unchanged"):
        assert run(tiny).status == status
        with pytest.raises(UsageError, match="no unfinished run"):
            _resumed(tiny)


# Held steps


def _held(root: Path, *select: str, name: str = "daily") -> Ran:
    return run(root, select=select, options=RunOptions(hold=True, name=name))


STEPS = ("raw.customers", "raw.orders", "raw.order_lines", "mart.dim_customers", "mart.fact_lines")


def test_steps_are_held_then_published_together(tiny: Path, tmp_path: Path) -> None:
    run(tiny)
    execute_sql(tiny / "shop.db", NEW_LINE)
    for step in STEPS:
        ran = _held(tiny, step)
        assert (ran.status, ran.outcome.exit_code) == ("held", 0), ran.messages
        assert ask(tiny, "select count(*) from fact_lines") == [(8,)], "readers see nothing of it"
    assert ran.table("mart.fact_lines")["rows"] == 9, "a held model reads what other steps hold"
    reads: list[str] = []
    ran = run(tiny, resume=True, options=RunOptions(name="daily"), adapt=through(unchanged, reads))
    assert (ran.status, reads) == ("published", [])
    control = make_project(tmp_path / "control", source="")
    (control / "shop.db").write_bytes((tiny / "shop.db").read_bytes())
    run(control)
    assert _content(tiny) == _content(control)
    assert len(ran.outcome.receipt.resumes) == len(STEPS)


def test_a_source_that_moves_between_held_steps(tiny: Path) -> None:
    """Each step has a snapshot of its own; the release shows one."""
    for step in STEPS:
        _held(tiny, step)
        execute_sql(tiny / "shop.db", f"update customers set customer_name = '{step}'")
    ran = run(tiny, resume=True, options=RunOptions(name="daily"))
    assert ran.status == "published"
    assert ask(tiny, "select distinct customer_name from raw.customers") == [(STEPS[-1],)]
    assert ask(tiny, "select count(*) from dim_customers where customer_name = 'mart.fact_lines'") == [(4,)]


def test_a_held_step_that_fails(tiny: Path) -> None:
    write_model(tiny, "fact_lines", BROKEN_LINES)
    for step in STEPS[:-1]:
        assert _held(tiny, step).outcome.exit_code == 0
    assert _held(tiny, STEPS[-1]).outcome.exit_code == 3
    assert open_lake(load_project(tiny)).current_release() is None


def test_another_name_takes_nothing_over(tiny: Path) -> None:
    options = RunOptions(hold=True, name="monday", proof=ProofLevel.OFF)
    assert run(tiny, select=["raw.orders"], options=options).status == "held"
    assert unfinished(tiny / ".mainstem", "", "tuesday") is None
    assert unfinished(tiny / ".mainstem", "", "monday") is not None
    _held(tiny, "raw.customers", name="tuesday")
    assert unfinished(tiny / ".mainstem", "", "monday") is None


def test_commands(tiny: Path) -> None:
    done = command("run", "--resume", cwd=tiny)
    assert (done.returncode, "there is no unfinished run" in done.stderr) == (2, True)
    done = command("run", "--hold", "--name", "n1", "--select", "raw.orders", cwd=tiny)
    assert done.returncode == 0, done.stderr
    assert "mainstem run --resume --name n1 publishes" in done.stdout
    assert "no release yet" in command("releases", cwd=tiny).stderr
    plan = json.loads(command("plan", "--resume", "--output", "json", cwd=tiny).stdout)
    assert {one["table"]: one["action"] for one in plan["ingest"]} == {
        "raw.customers": "new",
        "raw.order_lines": "new",
        "raw.orders": "taken",
    }
    assert "» raw.orders" in " ".join(command("plan", "--resume", cwd=tiny).stdout.split())
    for wrong in (("--select", "raw.orders"), ("--full-refresh",), ("--hold",), ("--proof", "off")):
        done = command("run", "--resume", *wrong, cwd=tiny)
        assert (done.returncode, "as it was begun" in done.stderr) == (2, True), wrong
    assert command("run", "--resume", "--name", "n1", cwd=tiny).returncode == 0
    done = command("run", "--resume", "--name", "n1", cwd=tiny)
    assert (done.returncode, "nothing is left of a run n1" in done.stderr) == (0, True)
    assert "nothing changed" in done.stdout


def test_several_moments_are_told(tiny: Path) -> None:
    write_model(tiny, "fact_lines", BROKEN_LINES)
    assert command("run", "--proof", "off", cwd=tiny).returncode == 3
    write_model(tiny, "fact_lines", FACT_LINES)
    done = command("run", "--resume", cwd=tiny)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the release shows more than one moment of the source") == 3


def test_steps_of_one_name_at_the_same_time(tiny: Path) -> None:
    """Held steps of several processes wait for each other, and none is forgotten."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "mainstem", "run", "--hold", "--name", "n", "--wait", "60", "-s", step],
            cwd=tiny,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for step in STEPS[:3]
    ]
    for process in processes:
        told, _ = process.communicate(timeout=60)
        assert process.returncode == 0, told
    left = unfinished(tiny / ".mainstem", "", "n")
    assert left is not None
    assert len(left.runs) == 3
    assert mainstem.__version__ == left.version


@pytest.mark.parametrize("level", ["count", "off"])
@pytest.mark.parametrize("moved", [False, True])
def test_the_tables_beside_are_taken_over_with_theirs(tmp_path: Path, level: str, moved: bool) -> None:
    """Rows that break a contract are in quarantine: the source has as many as both tables together."""
    contract = "{on_break: quarantine, columns: {note: {not_null: true}}}"
    config = f"proof: '{level}'\ntables:\n  t: {{contract: {contract}, deleted: gone}}"
    source = """
    create table t (id integer primary key, note text, gone boolean not null);
    insert into t values (1, 'a', 0), (2, null, 0), (3, 'c', 1);
    """
    models = {"m": "/* mainstem\nkey: [n]\n*/\nselect 1 as n from raw.t union all select 1"}
    root = make_project(tmp_path / "p", models, source=source, config=config)
    assert run(root).status == "failed"
    write_model(root, "m", "select count(*) as n from raw.t")
    if moved:
        execute_sql(root / "shop.db", "insert into t values (4, 'd', 0)")
    reads: list[str] = []
    ran = _resumed(root, reads)
    assert ran.status == "published", ran.messages
    again = moved and level == "count"
    assert reads == (["t"] if again else [])
    assert ask(root, "select id from raw.t order by id") == [(1,), *([(4,)] if again else [])]
    assert ask(root, "select id from quarantine.t") == [(2,)]
    assert ran.table("raw.t")["quarantined"] == 1
