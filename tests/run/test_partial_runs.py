"""A run says which models it brought up to date in part, and the release is what a full run makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.project.load import load_project
from mainstem.run import RunOptions
from mainstem.wiring import open_lake
from support import FACT_LINES, LINES, Ran, ask, execute_sql, run, write_model

EVERY = "select * from fact_lines order by order_number, line_number"


def how(ran: Ran) -> str:
    return str(ran.table("mart.fact_lines")["how"])


def in_full(root: Path) -> list[tuple[object, ...]]:
    run(root, options=RunOptions(full_refresh=True))
    return ask(root, EVERY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("update order_lines set price = 1 where order_number = 13", f"in part: 1 key of {LINES} computed"),
        ("delete from order_lines where order_number = 11", "in part: 1 key of 7 computed"),
        ("insert into order_lines values (13, 2, 'car', 1, 1)", "in part: 1 key of 9 computed"),
        (
            "update orders set order_date = '2020-01-01' where order_number = 13",
            "in part: 1 key of 8 computed",
        ),
        (
            "update customers set customer_name = 'x' where customer_number = 4",
            "in part: 1 key of 8 computed",
        ),
        ("update order_lines set price = price + 1", "in full: 8 keys of 8 are reached"),
        (
            "alter table order_lines add column extra integer",
            "in full: the columns or files of raw.order_lines",
        ),
    ],
)
def test_after_a_change(tiny: Path, change: str, said: str) -> None:
    assert how(run(tiny)) == ""
    execute_sql(tiny / "shop.db", change)
    changed = run(tiny)
    assert how(changed).startswith(said)
    assert (changed.status, changed.table("mart.fact_lines")["status"]) == ("published", "done")
    rows = ask(tiny, EVERY)
    assert rows == in_full(tiny)


def test_a_model_that_changed_itself_is_computed_in_full(tiny: Path) -> None:
    run(tiny)
    write_model(tiny, "fact_lines", FACT_LINES.replace("l.quantity * l.price", "l.price * l.quantity"))
    execute_sql(tiny / "shop.db", "update order_lines set price = 1 where order_number = 13")
    assert how(run(tiny)) == ""


def test_an_earlier_version_that_is_gone_means_in_full(tiny: Path) -> None:
    run(tiny)
    lake = open_lake(load_project(tiny))
    for version in map(lake.head, lake.tables()):
        assert version is not None
        if version.name.name == "order_lines":
            first = Path(version.metadata_location)
    execute_sql(tiny / "shop.db", "update order_lines set price = 1 where order_number = 13")
    run(tiny, select=("raw.order_lines",))
    first.unlink()
    execute_sql(tiny / "shop.db", "update order_lines set price = 2 where order_number = 13")
    assert how(run(tiny, clean=False)) == "in full: an earlier version of an input is gone"


def test_several_changes_one_after_the_other(tiny: Path) -> None:
    run(tiny)
    for number in range(12):
        execute_sql(
            tiny / "shop.db", f"insert into order_lines values (10, {number + 10}, 'car', 1, {number})"
        )
        assert how(run(tiny)).startswith("in part: 1 key")
    rows = ask(tiny, EVERY)
    assert len(rows) == LINES + 12
    assert rows == in_full(tiny)
