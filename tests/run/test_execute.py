"""A run publishes all of it or nothing, says what it did, and can be gone back from."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from mainstem.errors import LakeUnavailable, SourceUnavailable, UsageError
from mainstem.events import RunFinished, RunStarted, StepFinished, StepProgress, StepStarted
from mainstem.ingest.load import Loader
from mainstem.project.header import Measure
from mainstem.project.load import load_project
from mainstem.run import RunOptions, receipt
from mainstem.run import serving as run_serving
from mainstem.transform.build import Builder
from mainstem.wiring import open_lake
from sources import altering, through
from support import (
    AMOUNT,
    DIM_CUSTOMERS,
    FACT_LINES,
    ask,
    environment,
    execute_sql,
    files_of,
    mainstem,
    make_project,
    mart,
    raw,
    run,
    write_model,
)

BROKEN = FACT_LINES.replace("left join raw.orders", "join raw.orders").replace(
    "o.order_number\n", "o.order_number and o.comments is not null\n"
)
NEW_LINE = "insert into order_lines values (14, 3, 'car', 2, 10.00)"


def _total(root: Path) -> str:
    return str(ask(root, "select sum(amount) from fact_lines")[0][0])


def test_published_then_unchanged_then_published_again(tiny: Path) -> None:
    first = run(tiny)
    assert (first.status, first.outcome.exit_code, first.outcome.published) == ("published", 0, True)
    second = run(tiny)
    assert (second.status, second.outcome.exit_code, second.outcome.published) == ("unchanged", 0, False)
    assert second.outcome.receipt.release == first.outcome.receipt.release == "r0001"
    assert {one["status"] for one in second.outcome.receipt.value()["tables"]} == {"unchanged"}
    assert {one["status"] for one in second.outcome.receipt.value()["models"]} == {"unchanged"}
    assert second.table("mart.fact_lines")["headline"] == first.table("mart.fact_lines")["headline"]

    execute_sql(tiny / "shop.db", NEW_LINE)
    third = run(tiny)
    assert (third.status, third.outcome.receipt.release) == ("published", "r0002")
    assert third.table("raw.orders")["status"] == "unchanged"
    assert third.table("mart.dim_customers")["status"] == "unchanged"
    assert third.table("mart.fact_lines")["status"] == "done"
    assert _total(tiny) == "20792.84"


def test_events_tell_the_whole_story(tiny: Path) -> None:
    events = run(tiny).events
    assert isinstance(events[0], RunStarted)
    assert events[0].steps == 5
    assert isinstance(events[-1], RunFinished)
    assert events[-1].published
    started = [e.step for e in events if isinstance(e, StepStarted)]
    finished = {e.step: e for e in events if isinstance(e, StepFinished)}
    assert sorted(started) == sorted(finished)
    assert finished["mart.fact_lines"].rows == 8
    assert finished["mart.fact_lines"].kind == "model"
    assert [e.rows for e in events if isinstance(e, StepProgress) and e.step == "raw.order_lines"] == [8]


def test_a_failing_model_leaves_the_last_release_and_skips_what_reads_it(tiny: Path) -> None:
    write_model(
        tiny,
        "report",
        "select country, sum(amount) as a from fact_lines f join dim_customers c "
        "on f.customer_key = c.customer_key group by 1",
    )
    run(tiny)
    write_model(tiny, "fact_lines", BROKEN)
    execute_sql(tiny / "shop.db", NEW_LINE)
    ran = run(tiny)
    assert (ran.status, ran.outcome.exit_code) == ("failed", 3)
    assert ran.outcome.receipt.release == "r0001"
    assert ran.table("mart.fact_lines")["status"] == "failed"
    assert ran.table("mart.report") | {"seconds": 0} == ran.table("mart.report") | {
        "status": "skipped",
        "seconds": 0,
    }
    assert ran.table("mart.dim_customers")["status"] == "unchanged"
    assert [e.status for e in ran.events if isinstance(e, StepFinished) and e.step == "mart.report"] == [
        "skipped"
    ]
    assert _total(tiny) == AMOUNT
    assert ask(tiny, "select count(*) from raw.order_lines") == [(8,)]

    write_model(tiny, "fact_lines", FACT_LINES)
    ran = run(tiny)
    assert ran.status == "published"
    assert ran.table("raw.order_lines")["status"] == "unchanged"  # loaded and proven by the run that failed
    assert _total(tiny) == "20792.84"


def test_a_failing_load_skips_the_models_that_need_it(tiny: Path) -> None:
    ran = run(tiny, adapt=through(altering("order_lines", "quantity", 0, 31)))
    assert ran.table("raw.order_lines")["status"] == "failed"
    assert ran.table("mart.fact_lines")["status"] == "skipped"
    assert ran.table("mart.dim_customers")["status"] == "done"
    assert open_lake(load_project(tiny)).current_release() is None


def test_errors_of_several_steps_are_all_told(tiny: Path) -> None:
    write_model(tiny, "fact_lines", BROKEN)
    write_model(tiny, "dim_customers", DIM_CUSTOMERS.replace("cast(customer_number as varchar)", "'x'"))
    ran = run(tiny)
    assert len(ran.outcome.receipt.errors) == 1  # the fact waits for its dimension
    write_model(tiny, "fact_two", BROKEN.replace(", references: dim_customers.customer_key", ""))
    ran = run(tiny, options=RunOptions(threads=4))
    assert len(ran.outcome.receipt.errors) == 2


def test_fail_fast_starts_nothing_more(tiny: Path) -> None:
    for name in ("a_broken", "z_late"):
        write_model(tiny, name, "/* mainstem\nkey: [a]\n*/\nselect 1 as a from raw.customers")
    ran = run(tiny, select=["raw.*", "a_broken", "z_late"], options=RunOptions(threads=1, fail_fast=True))
    assert len(ran.outcome.errors) == 1
    ran = run(tiny, select=["raw.*", "a_broken", "z_late"], options=RunOptions(threads=1))
    assert len(ran.outcome.errors) == 2


def test_selection_publishes_the_rest_as_it_was(tiny: Path) -> None:
    run(tiny)
    execute_sql(
        tiny / "shop.db", NEW_LINE + "; update customers set country = 'Portugal' where customer_number = 3"
    )
    ran = run(tiny, select=["+dim_customers"])
    assert ran.status == "published"
    assert ask(tiny, "select count(*) from dim_customers where country = 'Portugal'") == [(1,)]
    assert _total(tiny) == AMOUNT
    names = {entry.table for entry in ran.outcome.receipt.tables}
    assert names == {"raw.customers"}


def test_a_fact_whose_inputs_moved_on_without_it_does_not_claim_to_equal_them(tiny: Path) -> None:
    run(tiny)
    execute_sql(tiny / "shop.db", NEW_LINE)
    ran = run(tiny, select=["raw.order_lines"])
    assert ran.outcome.release is not None
    proven = "8 rows and 20,772.84 equal the source"
    assert ran.outcome.release.proof["headlines"] == {"fact_lines": f"{proven}, as of an earlier load"}
    ran = run(tiny)
    assert ran.outcome.release is not None
    assert ran.outcome.release.proof["headlines"] == {"fact_lines": "9 rows and 20,792.84 equal the source"}
    # A selection that leaves the fact's inputs as they are takes nothing from its proof.
    execute_sql(tiny / "shop.db", "create table notes (a integer primary key); insert into notes values (1)")
    ran = run(tiny, select=["raw.notes"])
    assert ran.outcome.release is not None
    assert ran.outcome.release.proof["headlines"] == {"fact_lines": "9 rows and 20,792.84 equal the source"}


def test_a_selected_model_without_its_inputs_says_what_to_select(tiny: Path) -> None:
    ran = run(tiny, select=["fact_lines"])
    (error,) = ran.outcome.errors
    assert isinstance(error, UsageError)
    assert "never loaded and is not selected" in error.message
    assert error.hint == "run with --select +fact_lines"


def test_a_model_that_is_gone_leaves_the_release(tiny: Path) -> None:
    run(tiny)
    (tiny / "models" / "fact_lines.sql").unlink()
    ran = run(tiny)
    assert ran.outcome.receipt.removed == ["mart.fact_lines"]
    assert ran.outcome.release is not None
    assert mart("fact_lines") not in ran.outcome.release.tables
    assert raw("order_lines") in ran.outcome.release.tables


# The receipt


def test_the_receipt_has_what_the_server_shows(tiny: Path) -> None:
    execute_sql(
        tiny / "shop.db",
        "insert into orders values (15, 77, '2006-01-01', null);"
        "insert into order_lines values (15, 1, 'car', 1, 1.00)",
    )
    ran = run(tiny, options=RunOptions(command="mainstem run --threads 2"))
    value = receipt.read_one(tiny / ".mainstem", "latest")
    assert value == json.loads(json.dumps(ran.outcome.receipt.value()))
    assert set(value) == {
        "format", "run", "project", "version", "command", "name", "resumes", "started", "finished",
        "seconds", "status", "release", "sources", "retries", "snapshots", "reading", "tables", "models",
        "cubes", "removed", "errors",
    }  # fmt: skip
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{4}", value["run"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value["started"])
    assert (value["status"], value["release"], value["command"]) == (
        "published",
        "r0001",
        "mainstem run --threads 2",
    )
    assert value["sources"] == {"shop": "shop (sqlite)"}
    orders = ran.table("raw.orders")
    assert (orders["rows"], orders["proof"], orders["holds"]) == (6, "full", True)
    assert orders["text"] == "6 rows, every cell equal the source"
    assert orders["bytes"] > 0
    assert orders["position"]
    fact = ran.table("mart.fact_lines")
    assert fact["headline"] == "9 rows and 20,773.84 equal the source"
    assert fact["grain"] == "one row per order line"
    assert all(set(proof) >= {"name", "holds", "text"} for proof in fact["proofs"])
    assert fact["unmatched"] == [{"dimension": "dim_customers", "column": "customer_key", "rows": 1}]
    release = open_lake(load_project(tiny)).current_release()
    assert release is not None
    assert release.proof["headlines"] == {"fact_lines": fact["headline"]}


def test_the_headline_says_if_the_load_was_not_fully_proven(tmp_path: Path) -> None:
    root = make_project(tmp_path, config="tables:\n  order_lines: {proof: count}")
    headline = run(root).table("mart.fact_lines")["headline"]
    assert headline == "8 rows and 20,772.84 equal raw.order_lines (its load was not fully proven)"


def test_receipts_are_listed_and_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    for name, text in (("1", '{"run": "1"}'), ("2", '{"run": "2"}'), ("3", "{"), ("4", "[]")):
        (folder / f"{name}.json").write_text(text)
    assert [one["run"] for one in receipt.read_all(tmp_path)] == ["2", "1"]
    assert receipt.read_one(tmp_path, "latest")["run"] == "2"
    with pytest.raises(UsageError, match="there is no receipt of a run 9"):
        receipt.read_one(tmp_path, "9")


PROOFS: list[dict[str, Any]] = [
    {"name": "grain", "holds": True, "text": "", "facts": {"grain": "raw.t", "rows": 1}},
    {"name": "sum of q", "holds": True, "text": "", "facts": {"measure": "q", "sum": "5"}},
    {"name": "sum of m", "holds": True, "text": "", "facts": {"measure": "m", "sum": "7.50"}},
]


@pytest.mark.parametrize(
    ("proofs", "measures", "proven", "text"),
    [
        (PROOFS, {"m": "{format: '$,.2f'}", "q": "{}"}, True, "1 row and 7.50 equal the source"),
        (PROOFS, {"m": "{}", "q": "{format: '$,.2f'}"}, True, "1 row and 5 equal the source"),
        (PROOFS, {"m": "{additive: none}", "q": "{}"}, True, "1 row and 5 equal the source"),
        (PROOFS, {"m": "{additive: semi}", "q": "{additive: none}"}, True, "1 row equals the source"),
        (PROOFS[:1], {}, True, "1 row equals the source"),
        (PROOFS, {"m": "{}"}, False, "1 row and 7.50 equal raw.t (its load was not fully proven)"),
        (PROOFS[1:], {"m": "{}"}, True, ""),
        ([{**PROOFS[0], "holds": False}], {}, True, ""),
        ([PROOFS[0], {**PROOFS[1], "holds": False}], {"q": "{}"}, True, "1 row equals the source"),
        ([{"name": "rows", "holds": True, "text": "", "facts": None}], {}, True, ""),
    ],
)
def test_headlines(proofs: list[dict[str, Any]], measures: dict[str, str], proven: bool, text: str) -> None:
    made = {name: Measure.model_validate(yaml.safe_load(words)) for name, words in measures.items()}
    assert receipt.headline(proofs, made, proven) == text


# Back and forward


def test_back_to_an_earlier_release_and_forward_again(tiny: Path) -> None:
    run(tiny)
    execute_sql(tiny / "shop.db", NEW_LINE)
    run(tiny)
    lake = open_lake(load_project(tiny))
    lake.rollback("r0001")
    assert _total(tiny) == AMOUNT
    lake.rollback("r0002")
    assert _total(tiny) == "20792.84"
    lake.rollback("r0001")
    # A run after going back publishes what the source holds, as a new release.
    ran = run(tiny)
    assert (ran.status, ran.outcome.receipt.release) == ("published", "r0003")
    assert _total(tiny) == "20792.84"


# Defects and interruptions


def _defect(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("password=hunter2")


@pytest.mark.parametrize(
    ("owner", "name"), [(Loader, "begin"), (Loader, "finish"), (Builder, "build"), (run_serving, "build")]
)
def test_a_defect_of_ours_ends_the_run_as_a_crash(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], owner: Any, name: str
) -> None:
    from mainstem.cli.main import run as command

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _defect)
        assert command(["-C", str(tiny), "run"]) == 1
    output = capsys.readouterr()
    assert "crash: RuntimeError: this is a defect of Mainstem" in output.err
    assert "hunter2" not in output.err + output.out
    value = receipt.read_one(tiny / ".mainstem", "latest")
    assert value["status"] == "failed"
    assert "hunter2" not in json.dumps(value)
    assert run(tiny).status == "published"  # the lock is free, nothing is in the way


def test_an_error_while_publishing_is_one_of_the_run(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise LakeUnavailable("no space left on the device")

    with monkeypatch.context() as patch:
        patch.setattr(run_serving, "build", full)
        ran = run(tiny)
    assert (ran.status, ran.outcome.exit_code, ran.outcome.published) == ("failed", 4, False)
    assert run(tiny).status == "published"


def test_a_source_that_is_not_there_fails_all_its_tables(tiny: Path) -> None:
    def gone(parts: Any) -> Any:
        for source in parts.sources.values():
            source.snapshot = _unavailable
        return parts

    ran = run(tiny, adapt=gone)
    assert ran.outcome.exit_code == 4
    assert {entry.table: entry.status for entry in ran.outcome.receipt.tables} == {
        "raw.customers": "failed", "raw.order_lines": "failed", "raw.orders": "failed",
    }  # fmt: skip
    assert {entry.status for entry in ran.outcome.receipt.models} == {"skipped"}
    assert len(ran.outcome.errors) == 1


def _unavailable() -> NoReturn:
    raise SourceUnavailable("nobody answers")


def test_a_second_run_says_who_is_at_work(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mainstem.cli.main import run as command

    lake = open_lake(load_project(tiny))
    with lake.run_lock("mainstem run --threads 7"):
        assert command(["-C", str(tiny), "run"]) == 4
        assert command(["-C", str(tiny), "rollback"]) == 4
        said = capsys.readouterr().err
        assert re.search(r"another run is at work here: process \d+, mainstem run --threads 7, since 2", said)
        # Reading needs no lock.
        assert command(["-C", str(tiny), "plan"]) == 0
    assert command(["-C", str(tiny), "run"]) == 0


def test_a_second_run_waits_if_it_is_told_to(tiny: Path) -> None:
    lake = open_lake(load_project(tiny))
    with lake.run_lock("first"):
        waiting = subprocess.Popen(
            [sys.executable, "-m", "mainstem", "run", "--wait", "50", "--output", "json"],
            cwd=tiny, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
        before = files_of(tiny / ".mainstem")
        assert not [name for name in before if name.endswith(".parquet")]
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert json.loads(out)["status"] == "published"


def test_ctrl_c_ends_a_run_and_nothing_is_published(shop: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mainstem", "run"], cwd=shop, capture_output=True, text=True, check=False,
        env=environment({"MAINSTEM_CRASH_AT": "commit.after_swap:3@SIGINT"}), timeout=60,
        # Where tests run in the background of a shell, SIGINT is ignored and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert ended.returncode == 130
    assert ended.stderr.splitlines()[-1] == "interrupted"
    assert "Traceback" not in ended.stderr + ended.stdout
    project = load_project(shop)
    assert open_lake(project).current_release() is None
    value = receipt.read_one(project.state, "latest")
    assert (value["status"], value["errors"]) == (
        "failed",
        [{"error": "KeyboardInterrupt", "message": "interrupted"}],
    )
    assert mainstem("plan", cwd=shop).returncode == 0
