"""Incremental loads: what changed is read and merged by key, nothing is lost, and what is not seen by the
cursor is found by the proof."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mainstem import plan
from mainstem.errors import ProofFailed, UsageError
from mainstem.ingest import load
from mainstem.ingest.cursor import Increment, Watermark, proposal, same_server, watermark
from mainstem.ingest.state import CURSOR
from mainstem.lake import parquet
from mainstem.metadata import load as load_metadata
from mainstem.project.load import load_project
from mainstem.run import RunOptions
from mainstem.source.port import OLDEST_TRANSACTION
from mainstem.wiring import open_lake
from support import ask, execute_sql, make_project, plan_of, raw, run, table

SOURCE = """
create table t (id integer primary key, note text, updated_at timestamp);
insert into t values (1, 'a', '2024-01-01 10:00:00'), (2, 'b', '2024-01-02 10:00:00'),
  (3, 'c', '2024-01-02 10:00:00'), (4, 'd', '2024-01-03 10:00:00');
"""


def _project(tmp_path: Path, *more: str, source: str = SOURCE, cursor: str = "updated_at") -> Path:
    lines = "".join(f"\n    {line}" for line in (f"cursor: {cursor}", *more))
    root = make_project(tmp_path / "p", {}, source=source, config=f"tables:\n  t:{lines}")
    ran = run(root)
    assert ran.status == "published", ran.messages
    return root


def _change(root: Path, sql: str, text: str) -> list[tuple[Any, ...]]:
    """Change the source, run; what the load says; the rows of the lake."""
    execute_sql(root / "shop.db", sql)
    ran = run(root)
    assert not ran.messages
    assert ran.table("raw.t")["text"] == text
    return ask(root, "select id, note from raw.t order by id")


WHOLE = [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


@pytest.mark.parametrize(
    ("sql", "text", "rows"),
    [
        (
            "insert into t values (5, 'e', '2024-01-04 10:00:00')",
            "5 rows, every cell equal the source (2 rows read by updated_at)",
            [*WHOLE, (5, "e")],
        ),
        (  # the same moment as the greatest one: > would lose it
            "insert into t values (5, 'e', '2024-01-03 10:00:00')",
            "5 rows, every cell equal the source (2 rows read by updated_at)",
            [*WHOLE, (5, "e")],
        ),
        (
            "update t set note = 'x', updated_at = '2024-01-05 00:00:00' where id = 1",
            "4 rows, every cell equal the source (2 rows read by updated_at)",
            [(1, "x"), *WHOLE[1:]],
        ),
        (  # without a value: read each time
            "insert into t values (5, 'e', null)",
            "5 rows, every cell equal the source (2 rows read by updated_at)",
            [*WHOLE, (5, "e")],
        ),
        (  # the cursor was not touched: the proof finds it
            "update t set note = 'x' where id = 1",
            "4 rows, every cell equal the source "
            "(1 row read by updated_at, 1 in 1 of 1,024 parts that differed)",
            [(1, "x"), *WHOLE[1:]],
        ),
        (
            "delete from t where id = 2",
            "3 rows, every cell equal the source "
            "(1 row read by updated_at, 0 in 1 of 1,024 parts that differed)",
            [WHOLE[0], *WHOLE[2:]],
        ),
        (
            "delete from t where id = 2; insert into t values (2, 'y', '2024-01-04 00:00:00')",
            "4 rows, every cell equal the source (2 rows read by updated_at)",
            [WHOLE[0], (2, "y"), *WHOLE[2:]],
        ),
    ],
)
def test_changes(tmp_path: Path, sql: str, text: str, rows: list[tuple[Any, ...]]) -> None:
    root = _project(tmp_path)
    assert _change(root, sql, text) == rows
    assert run(root).status == "unchanged"


def test_loads_follow_one_another(tmp_path: Path) -> None:
    root = _project(tmp_path)
    expected = list(WHOLE)
    for number in range(5, 9):
        expected.append((number, "n"))
        sql = f"insert into t values ({number}, 'n', '2024-02-0{number} 00:00:00')"
        text = f"{number} rows, every cell equal the source (2 rows read by updated_at)"
        assert _change(root, sql, text) == expected


@pytest.mark.parametrize(
    ("choices", "found"),
    [
        ("proof: count", [1, 3, 4]),
        ("proof: 'off'", [1, 3, 4]),
        ("proof: 'off'\n    deletes: ignore", [1, 2, 3, 4]),  # negative control
    ],
)
def test_deletes_without_a_full_proof(tmp_path: Path, choices: str, found: list[int]) -> None:
    root = _project(tmp_path, choices)
    execute_sql(root / "shop.db", "delete from t where id = 2")
    assert not run(root).messages
    assert ask(root, "select list(id order by id) from raw.t") == [(found,)]


def test_too_many_parts_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_MOST_PARTS", 1)
    root = _project(tmp_path)
    text = "2 rows, every cell equal the source (read whole: the cursor did not show every change)"
    assert _change(root, "delete from t where id < 3", text) == WHOLE[2:]


def test_numbers_overlap(tmp_path: Path) -> None:
    source = (
        "create table t (id integer primary key, note text); insert into t values (100, 'a'), (200, 'b');"
    )
    root = _project(tmp_path, "overlap: 50", source=source, cursor="id")
    execute_sql(root / "shop.db", "insert into t values (149, 'lost'), (150, 'late'), (201, 'new')")
    said = "(3 rows read by id, 1 in 1 of 1,024 parts that differed)"  # from 200 - 50 = 150
    assert run(root).table("raw.t")["text"] == f"5 rows, every cell equal the source {said}"
    execute_sql(root / "shop.db", "insert into t values (160, 'late'), (202, 'new')")
    text = "7 rows, every cell equal the source (4 rows read by id)"  # from 201 - 50 = 151
    assert run(root).table("raw.t")["text"] == text


def test_files_without_changed_keys_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "FILE_BYTES", 1)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    values = ", ".join(f"({n}, 'n', '{2024 if n == 1 else 2023}-01-01')" for n in range(1, 20_001))
    source = "create table t (id integer primary key, note text, updated_at timestamp);"
    source += f"insert into t values {values};"
    root = _project(tmp_path, source=source)
    lake = open_lake(load_project(root))

    def files() -> set[Path]:
        head = lake.head(raw("t"))
        assert head is not None
        return set(load_metadata(head.metadata_location).files or ())

    before = files()
    assert len(before) == 2
    sql = "update t set note = 'x', updated_at = '2024-02-01' where id in (3, 4)"
    execute_sql(root / "shop.db", sql)
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert "(3 rows read by updated_at)" in ran.table("raw.t")["text"]
    assert len(before & files()) == 1
    assert ask(root, "select count(*), count(distinct id), sum((note = 'x')::int) from raw.t") == [
        (20_000, 20_000, 2)
    ]


def test_another_iceberg_reader_sees_the_same(tmp_path: Path) -> None:
    from pyiceberg.table import StaticTable

    root = _project(tmp_path)
    execute_sql(root / "shop.db", "insert into t values (5, 'e', '2024-01-04 10:00:00')")
    run(root)
    head = open_lake(load_project(root)).head(raw("t"))
    assert head is not None
    found = StaticTable.from_metadata(head.metadata_location).scan().to_arrow()
    assert {row["id"] for row in found.to_pylist()} == {1, 2, 3, 4, 5}
    assert found.num_rows == 5
    assert head.rows == 5


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("delete from t where id = 4; update t set note = 'x'", "the cursor went back"),
        ("insert into t values (5, 'e', '2999-01-01 00:00:00')", "the cursor is in the future"),
    ],
)
def test_a_cursor_that_cannot_be_followed_stops_the_run(tmp_path: Path, sql: str, said: str) -> None:
    root = _project(tmp_path)
    execute_sql(root / "shop.db", sql)
    ran = run(root)
    assert ran.outcome.exit_code == 3
    assert said in ran.messages
    assert ask(root, "select count(*) from raw.t") == [(4,)]


def _mark(greatest: Any, now: Any, overlap: int | None = None, **position: str) -> Watermark:
    increment = Increment("at", ("id",), overlap)
    return watermark(increment, table("t", "id int, at timestamp", ["id"]), greatest, now, position)


def test_a_cursor_may_be_a_day_ahead_and_no_more() -> None:
    """Local time without a zone is up to 14 hours ahead of the server's UTC."""
    now = datetime(2024, 1, 1, 12)
    for hours in (-1, 14, 24):
        assert _mark(now + timedelta(hours=hours), now).top == f"'{now + timedelta(hours=hours)}'"
    for late in (timedelta(hours=25), timedelta(days=30)):
        with pytest.raises(ProofFailed, match="in the future"):
            _mark(now + late, now)


@pytest.mark.parametrize(
    ("overlap", "position", "low"),
    [
        (None, {}, "'2024-03-09'"),  # two hours are a day of dates, not none
        (0, {}, "'2024-03-10'"),
        (86_400, {}, "'2024-03-09'"),
        (86_401, {}, "'2024-03-08'"),
        (86_400, {OLDEST_TRANSACTION: "0"}, "'2024-03-08'"),
    ],
)
def test_an_overlap_of_dates_is_whole_days(overlap: int | None, position: dict[str, str], low: str) -> None:
    assert _mark(date(2024, 3, 10), datetime(2024, 3, 10), overlap, **position).low == low


def test_a_full_refresh_takes_a_restored_source(tmp_path: Path) -> None:
    root = _project(tmp_path)
    execute_sql(root / "shop.db", "delete from t where id = 4")
    assert run(root).outcome.exit_code == 3
    assert run(root, options=RunOptions(full_refresh=True)).status == "published"
    assert ask(root, "select count(*) from raw.t") == [(3,)]


def test_a_key_that_is_none_stops_the_run(tmp_path: Path) -> None:
    root = _project(tmp_path, "key: [note]")
    execute_sql(root / "shop.db", "update t set note = 'same', updated_at = '2024-03-01' where id < 3")
    ran = run(root)
    assert "several rows have one key" in ran.messages
    assert ask(root, "select id, note from raw.t order by id") == WHOLE


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("cursor: updated", "t has no column updated"),
        ("cursor: note", "t.note (string) is no cursor"),
        ("{cursor: updated_at, key: [nr]}", "t has no column nr"),
        ("cursor: updated_at, deletes: ignore", "cannot be kept and proven"),
        ("mode: incremental", "mode: incremental needs a cursor"),
    ],
)
def test_choices_that_cannot_be(tmp_path: Path, config: str, said: str) -> None:
    line = config if config.startswith("{") else f"{{{config}}}"
    root = make_project(tmp_path, {}, source=SOURCE, config=f"tables:\n  t: {line}")
    with pytest.raises(UsageError, match=r"mainstem\.yml:") as caught:
        run(root)
    assert said in str(caught.value)


def test_added_columns_are_read_whole_and_the_next_load_is_incremental(tmp_path: Path) -> None:
    root = _project(tmp_path)
    execute_sql(root / "shop.db", "alter table t add column more int; update t set more = id")
    assert run(root).status == "published"
    assert ask(root, "select sum(more) from raw.t") == [(10,)]
    execute_sql(root / "shop.db", "insert into t values (5, 'e', '2024-01-04', 7)")
    assert "(2 rows read by updated_at)" in run(root).table("raw.t")["text"]


def test_mode_full_reads_whole(tmp_path: Path) -> None:
    root = _project(tmp_path, "mode: full")
    text = "5 rows, every cell equal the source"
    _change(root, "insert into t values (5, 'e', '2024-01-04')", text)
    head = open_lake(load_project(root)).head(raw("t"))
    assert head is not None
    assert CURSOR not in head.summary


@pytest.mark.parametrize(
    ("columns", "key", "found"),
    [
        ("id int, updated_at timestamp", ["id"], "updated_at"),
        ("id int, created_at timestamp, Last_Update timestamptz", ["id"], "Last_Update"),
        ("id int, updated_at timestamp", [], ""),  # nothing to merge by
        ("id int, updated_by int", ["id"], ""),
        ("id int, updated_on date", ["id"], ""),  # too coarse to be proposed
    ],
)
def test_proposals(columns: str, key: list[str], found: str) -> None:
    assert proposal(table("t", columns, key)) == found


def test_the_plan_proposes_a_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "WORTH_PROPOSING", 4)
    root = make_project(tmp_path, {}, source=SOURCE)
    run(root)
    with plan_of(root) as made:
        assert made.plan.ingest[0].reasons[-1] == "could be incremental: cursor: updated_at"


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ({"system_identifier": "1", "lsn": "a"}, {"system_identifier": "1", "lsn": "b"}, True),
        ({"system_identifier": "1"}, {"system_identifier": "2"}, False),
        ({"timeline": "1"}, {"timeline": "2"}, False),
        ({"server_uid": "x"}, {}, True),
    ],
)
def test_servers_are_told_apart(before: dict[str, str], now: dict[str, str], same: bool) -> None:
    assert same_server(before, now) is same


def test_the_plan_says_how(tmp_path: Path) -> None:
    root = _project(tmp_path)
    with plan_of(root) as made:
        assert made.plan.ingest[0].reasons[-1] == "incremental by updated_at"
