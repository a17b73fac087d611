"""What a run does when a source table's columns or key change, by policy; nothing passes in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem.ingest.drift import Verdict, judge
from mainstem.ingest.state import COLUMNS, KEY, encode_columns
from mainstem.lake import TableVersion
from mainstem.project.config import OnChange
from mainstem.schema import Column, Kind, Table, TableName, Type, contains
from support import actions, ask, execute_sql, mainstem, make_project, plan_of, run

INT, LONG, TEXT = Type(Kind.INT), Type(Kind.LONG), Type(Kind.STRING)
A = Column("a", INT, False, "int")
B = Column("b", LONG, True, "bigint")
C = Column("c", TEXT, True, "varchar(9)")
BASE = Table("t", (A, B), primary_key=("a",))
RENAMED = (A, replace(B, name="x"))


def _head(table: Table) -> TableVersion:
    summary = {COLUMNS: encode_columns(table.columns), KEY: json.dumps(table.primary_key)}
    return TableVersion(TableName("raw", "t"), 1, "", 1, 1, table.columns, summary)


def _with(*columns: Column, key: tuple[str, ...] = ("a",)) -> Table:
    return Table("t", columns, primary_key=key)


@pytest.mark.parametrize(
    ("now", "evolve", "discard", "freeze", "fail"),
    [
        (BASE, "same", "same", "same", "same"),
        (_with(A, B, C), "take", "leave out", "freeze", "stop"),
        (_with(C, A, B), "take", "leave out", "freeze", "stop"),
        (_with(A), "take", "stop", "freeze", "stop"),
        (_with(*RENAMED), "take", "stop", "freeze", "stop"),
        (_with(B, A), "take", "take", "freeze", "stop"),
        (_with(A, replace(B, nullable=False)), "take", "stop", "freeze", "stop"),
        (_with(replace(A, type=LONG, native="bigint"), B), "take", "stop", "freeze", "stop"),
        (_with(A, replace(B, type=TEXT, native="text")), "take", "stop", "freeze", "stop"),
        (_with(A, replace(B, type=INT, native="int")), "stop", "stop", "freeze", "stop"),
        (_with(A, B, key=("a", "b")), "stop", "stop", "freeze", "stop"),
        (_with(A, B, key=()), "stop", "stop", "freeze", "stop"),
    ],
)
def test_verdicts(now: Table, evolve: str, discard: str, freeze: str, fail: str) -> None:
    head = _head(BASE)
    found = {policy: judge(now, head, policy).verdict for policy in OnChange}
    assert found == {
        OnChange.EVOLVE: evolve,
        OnChange.DISCARD_COLUMN: discard,
        OnChange.FREEZE: freeze,
        OnChange.FAIL: fail,
    }
    changed = now != BASE
    for policy in OnChange:
        assert judge(now, head, policy, accept=True).verdict == (Verdict.TAKE if changed else Verdict.SAME)
        assert bool(judge(now, head, policy).reasons) is changed
        assert judge(now, None, policy).verdict is Verdict.SAME


def test_the_table_as_the_lake_will_have_it() -> None:
    wider = Table("t", (C, A, B), ("a",), unique_keys=(("c",), ("b",)))
    assert judge(wider, _head(BASE), OnChange.DISCARD_COLUMN).table == replace(BASE, unique_keys=(("b",),))
    assert judge(_with(A), _head(BASE), OnChange.FREEZE).table.columns == (A, B)
    assert judge(_with(A), _head(BASE), OnChange.EVOLVE).table.columns == (A,)


def test_a_load_that_does_not_remember_its_key() -> None:
    head = _head(BASE)
    old = replace(head, summary={COLUMNS: head.summary[COLUMNS]})
    assert judge(_with(A, B, key=("b",)), old, OnChange.FAIL).verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("new", "old", "holds"),
    [
        ("long", "int", True),
        ("int", "long", False),
        ("double", "int", True),
        ("double", "long", False),
        ("decimal(12,4)", "decimal(10,2)", True),
        ("decimal(12,4)", "decimal(11,2)", False),
        ("decimal(10,1)", "decimal(10,2)", False),
        ("decimal(19,0)", "long", True),
        ("decimal(18,0)", "long", False),
        ("decimal(38,10)", "double", False),
        ("string", "timestamptz", True),
        ("string", "binary", False),
        ("binary", "string", False),
        ("timestamp", "date", True),
        ("timestamptz", "timestamp", False),
    ],
)
def test_which_types_hold_which(new: str, old: str, holds: bool) -> None:
    assert contains(Type.parse(new), Type.parse(old)) is holds


# Whole runs

SOURCE = "create table t (id integer primary key, a int, b bigint); insert into t values (1, 2, 3);"


def _project(tmp_path: Path, policy: str) -> Path:
    root = make_project(tmp_path / "p", {}, source=SOURCE, config=f"tables:\n  t: {{on_change: {policy}}}")
    assert run(root).status == "published"
    return root


def _add(root: Path) -> None:
    execute_sql(root / "shop.db", "alter table t add column c int; update t set c = 4, a = 20")


def test_evolve_takes_a_column_over(tmp_path: Path) -> None:
    root = _project(tmp_path, "evolve")
    _add(root)
    with plan_of(root) as made:
        assert actions(made) == {"raw.t": "changed"}
    assert run(root).status == "published"
    assert ask(root, "select id, a, b, c from raw.t") == [(1, 20, 3, 4)]


def test_discard_column_reads_the_others_and_proves_them(tmp_path: Path) -> None:
    root = _project(tmp_path, "discard_column")
    _add(root)
    with plan_of(root) as made:
        assert actions(made) == {"raw.t": "check"}
        assert made.plan.ingest[0].reasons[0] == "c left out"
    ran = run(root)
    assert ran.status == "published"
    assert ran.table("raw.t")["text"] == "1 row, every cell equal the source"
    assert ask(root, "select * from raw.t") == [(1, 20, 3)]
    assert run(root).status == "unchanged"


def test_freeze_keeps_what_stands_and_says_so(tmp_path: Path) -> None:
    root = _project(tmp_path, "freeze")
    _add(root)
    with plan_of(root) as made:
        assert actions(made) == {"raw.t": "frozen"}
        assert [c.name for c in made.databases["shop"].table("t").columns] == ["id", "a", "b"]
    ran = run(root)
    assert ran.status == "unchanged"
    entry = ran.table("raw.t")
    assert (entry["status"], entry["holds"]) == ("unchanged", False)
    assert entry["text"] == "frozen, not read: c added (INT)"
    assert ask(root, "select * from raw.t") == [(1, 2, 3)]


def test_fail_stops_and_a_full_refresh_accepts(tmp_path: Path) -> None:
    root = _project(tmp_path, "fail")
    _add(root)
    with plan_of(root) as made:
        assert actions(made) == {"raw.t": "stop"}
    ran = run(root)
    assert ran.outcome.exit_code == 3
    assert "raw.t: its columns changed in the source: c added (INT)" in ran.messages
    assert "--full-refresh" in ran.messages
    assert ask(root, "select * from raw.t") == [(1, 2, 3)]
    with plan_of(root, full_refresh=True) as made:
        assert actions(made) == {"raw.t": "changed"}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("create table t (id integer primary key, a int, b double)", "b narrowed (bigint → double)"),
        ("create table t (id integer, a int, b bigint, primary key (id, a))", "key changed (id → id, a)"),
    ],
)
def test_what_narrows_stops_even_if_columns_evolve(tmp_path: Path, sql: str, said: str) -> None:
    root = _project(tmp_path, "evolve")
    execute_sql(root / "shop.db", f"drop table t; {sql}; insert into t values (1, 2, 5)")
    with plan_of(root) as made:
        assert actions(made) == {"raw.t": "stop"}
        assert said in made.plan.ingest[0].reasons
    assert said in run(root).messages
    assert ask(root, "select b from raw.t") == [(3,)]


def test_the_plan_says_that_a_run_would_stop(tmp_path: Path) -> None:
    root = _project(tmp_path, "fail")
    _add(root)
    done = mainstem("plan", cwd=root)
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    assert "a run would stop at raw.t" in said
    assert "--full-refresh" in said
    assert mainstem("run", cwd=root).returncode == 3
    assert mainstem("run", "--full-refresh", "--select", "raw.t+", cwd=root).returncode == 0
    assert ask(root, "select id, a, b, c from raw.t") == [(1, 20, 3, 4)]
