"""`out_of_range: null`: NULL and the text beside it, proven, counted, kept from run to run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainstem.errors import ConfigErrors, UsageError
from mainstem.schema import RAW_OUT_OF_RANGE
from sources import altering, through
from support import MODELS, ask, execute_sql, make_project, run

SHOP = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, paid_at DATETIME NOT NULL, amount DECIMAL(10,2), note TEXT,
  updated_at DATETIME NOT NULL);
INSERT INTO orders VALUES (1, '2024-01-01 00:00:00', 1.5, 'a', '2024-01-01 00:00:00'),
  (2, '0000-00-00 00:00:00', 2, 'b', '2024-01-02 00:00:00'),
  (3, 'soon "or" later', 'free', NULL, '2024-01-03 00:00:00');
"""
BOTH = "tables: {orders: {columns: {paid_at: {out_of_range: null}, amount: {out_of_range: null}}}}"


def project(tmp_path: Path, config: str = BOTH, source: str = SHOP) -> Path:
    return make_project(tmp_path / "shop", {}, source=source, config=config)


def side(root: Path) -> list[tuple[int, object]]:
    rows = ask(root, f"select id, {RAW_OUT_OF_RANGE} from raw.orders order by id")
    return [(key, json.loads(text) if text else None) for key, text in rows]


def test_null_and_its_text_are_proven_and_counted(tmp_path: Path) -> None:
    root = project(tmp_path)
    ran = run(root)
    entry = ran.table("raw.orders")
    assert ran.status == "published", ran.messages
    assert ask(root, "select id, paid_at is null, amount is null from raw.orders order by id") == [
        (1, False, False),
        (2, True, False),
        (3, True, True),
    ]
    assert side(root) == [
        (1, None),
        (2, {"paid_at": "0000-00-00 00:00:00"}),
        (3, {"paid_at": 'soon "or" later', "amount": "free"}),
    ]
    assert (entry["proof"], entry["holds"]) == ("full", True)
    assert entry["out_of_range"] == {"paid_at": 2, "amount": 1}
    told = "3 rows, every cell equal the source; 3 values out of range, as text in _raw_out_of_range "
    assert entry["text"] == told + "(paid_at 2, amount 1)"
    again = run(root).table("raw.orders")
    assert (again["status"], again["out_of_range"]) == ("unchanged", {"paid_at": 2, "amount": 1})
    assert again["text"].endswith("(paid_at 2, amount 1)")


def test_a_text_is_readable_in_sql(tmp_path: Path) -> None:
    root = project(tmp_path)
    run(root)
    sql = f"select {RAW_OUT_OF_RANGE} ->> 'paid_at' from raw.orders where id = 3"
    assert ask(root, sql) == [('soon "or" later',)]


def test_another_text_fails_the_proof(tmp_path: Path) -> None:
    root = project(tmp_path)
    fault = altering("orders", RAW_OUT_OF_RANGE, 1, '{"paid_at": "0000-00-00 00:00:01"}')
    ran = run(root, adapt=through(fault))
    assert ran.status == "failed"
    assert "columns that differ: _raw_out_of_range; different: id=2" in ran.messages


def test_a_lost_text_fails_the_proof(tmp_path: Path) -> None:
    """NULL alone is never an answer."""
    ran = run(project(tmp_path), adapt=through(altering("orders", RAW_OUT_OF_RANGE, 1, None)))
    assert ran.status == "failed"
    assert "columns that differ: _raw_out_of_range" in ran.messages


def test_a_change_of_the_text_alone_is_a_change(tmp_path: Path) -> None:
    root = project(tmp_path)
    run(root)
    execute_sql(root / "shop.db", "UPDATE orders SET paid_at = '0000-00-01 00:00:00' WHERE id = 2")
    assert run(root).table("raw.orders")["status"] == "done"
    assert side(root)[1] == (2, {"paid_at": "0000-00-01 00:00:00"})


def test_rows_read_by_their_cursor_bring_their_texts(tmp_path: Path) -> None:
    root = project(tmp_path, "out_of_range: null\ntables: {orders: {cursor: updated_at}}")
    run(root)
    execute_sql(
        root / "shop.db",
        "UPDATE orders SET paid_at = '2024-05-05', updated_at = '2024-02-01 00:00:00' WHERE id = 2;"
        "INSERT INTO orders VALUES (4, 'never', 4, x'00ff', '2024-02-02 00:00:00')",
    )
    ran = run(root)
    assert "read by updated_at" in ran.table("raw.orders")["text"], ran.messages
    assert side(root)[1] == (2, None)
    assert side(root)[3] == (4, {"paid_at": "never", "note": "X'00FF'"})
    assert ran.table("raw.orders")["out_of_range"] == {"paid_at": 2, "amount": 1, "note": 1}


@pytest.mark.parametrize("proof", ["count", "off"])
def test_counted_without_a_full_proof(proof: str, tmp_path: Path) -> None:
    root = project(tmp_path, f"out_of_range: null\nproof: {proof}")
    assert run(root).table("raw.orders")["out_of_range"] == {"paid_at": 2, "amount": 1}


def test_a_source_takes_keys_and_cursors_as_they_are(tmp_path: Path) -> None:
    source = SHOP.replace("(3, 'soon", "('three', 'soon").replace(
        "id INTEGER PRIMARY KEY", "id BIGINT PRIMARY KEY"
    )
    ran = run(project(tmp_path, "out_of_range: null", source))
    assert "raw" not in ran.outcome.receipt.release
    assert "orders.id: holds texts" in ran.messages


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "tables: {orders: {columns: {id: {out_of_range: null}}}}",
            "orders.id: a key's column cannot arrive NULL",
        ),
        (
            "tables: {orders: {cursor: updated_at, columns: {updated_at: {out_of_range: null}}}}",
            "mainstem.yml:5: orders.updated_at is a cursor or a key",
        ),
    ],
)
def test_a_column_that_rows_are_followed_by_is_refused(config: str, message: str, tmp_path: Path) -> None:
    with pytest.raises((UsageError, ConfigErrors), match=message):
        run(project(tmp_path, config))


def test_a_column_of_the_side_columns_name(tmp_path: Path) -> None:
    source = SHOP.replace("note TEXT", f"{RAW_OUT_OF_RANGE} TEXT")
    with pytest.raises(UsageError, match="the source has a column of this name"):
        run(project(tmp_path, BOTH, source))


def test_a_new_column_that_is_left_out_has_no_text_either(tmp_path: Path) -> None:
    root = project(tmp_path, "out_of_range: null\non_change: discard_column")
    run(root)
    execute_sql(
        root / "shop.db", "ALTER TABLE orders ADD COLUMN sent_on DATE; UPDATE orders SET sent_on = 'x'"
    )
    ran = run(root)
    assert ran.status != "failed", ran.messages
    assert side(root)[0] == (1, None)


def test_models_read_such_tables(tmp_path: Path) -> None:
    root = make_project(tmp_path / "tiny", MODELS, config="out_of_range: null")
    assert run(root).status == "published"
