"""`deleted: COLUMN`: rows that the source marks as deleted are not loaded, counted, and proven so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.errors import UsageError
from mainstem.ingest import merge
from mainstem.run import RunOptions
from support import ask, execute_sql, make_project, plan_of, run

SHOP = """
CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, gone BOOLEAN, score INTEGER, deleted_at DATETIME,
  updated_at DATETIME NOT NULL);
INSERT INTO items VALUES (1, 'a', 0, 0, NULL, '2024-01-01 00:00:00'),
  (2, 'b', 1, 5, '2024-01-02 00:00:00', '2024-01-02 00:00:00'),
  (3, 'c', NULL, NULL, NULL, '2024-01-03 00:00:00');
"""


def project(tmp_path: Path, *lines: str) -> Path:
    config = "tables:\n  items:" + "".join(f"\n    {line}" for line in lines)
    return make_project(tmp_path / "shop", {}, source=SHOP, config=config)


def ids(root: Path) -> list[int]:
    return [key for (key,) in ask(root, "select id from raw.items order by id")]


@pytest.mark.parametrize("column", ["gone", "score", "deleted_at"])
@pytest.mark.parametrize("proof", ["full", "count", "off"])
def test_marked_rows_are_left_out_and_counted(tmp_path: Path, column: str, proof: str) -> None:
    root = project(tmp_path, f"deleted: {column}", f"proof: {proof}")
    entry = run(root).table("raw.items")
    assert ids(root) == [1, 3]
    assert (entry["rows"], entry["deleted"]) == (2, 1)
    assert entry["text"].endswith("; 1 row marked as deleted left out")
    if proof == "full":
        assert entry["text"].startswith("2 rows, every cell equal the source")


def test_a_mark_removes_a_row_and_its_removal_brings_it_back(tmp_path: Path) -> None:
    root = project(tmp_path, "deleted: deleted_at")
    run(root)
    execute_sql(root / "shop.db", "UPDATE items SET deleted_at = '2024-02-01' WHERE id = 1")
    assert run(root).table("raw.items")["deleted"] == 2
    assert ids(root) == [3]
    execute_sql(root / "shop.db", "UPDATE items SET deleted_at = NULL")
    assert run(root).table("raw.items")["deleted"] == 0
    assert ids(root) == [1, 2, 3]


@pytest.mark.parametrize("proof", ["full", "count", "off"])
def test_rows_read_by_their_cursor(tmp_path: Path, proof: str) -> None:
    root = project(tmp_path, "deleted: gone", "cursor: updated_at", f"proof: {proof}")
    run(root)
    execute_sql(
        root / "shop.db",
        "UPDATE items SET gone = 1, updated_at = '2024-02-01 00:00:00' WHERE id = 3;"
        "UPDATE items SET gone = 0, updated_at = '2024-02-01 00:00:00' WHERE id = 2;"
        "INSERT INTO items VALUES (4, 'd', 1, 0, NULL, '2024-02-02 00:00:00'),"
        " (5, 'e', 0, 0, NULL, '2024-02-02 00:00:00')",
    )
    ran = run(root)
    assert "read by updated_at)" in ran.table("raw.items")["text"], ran.messages
    assert (ids(root), ran.table("raw.items")["deleted"]) == ([1, 2, 5], 2)
    execute_sql(root / "shop.db", "UPDATE items SET gone = 1 WHERE id = 1")  # the cursor does not show it
    run(root)
    assert ids(root) == [2, 5]


def test_a_mark_that_is_not_followed_fails_the_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the merge keeps what the source has marked; the proof finds it and reads again."""
    root = project(tmp_path, "deleted: gone", "cursor: updated_at")
    run(root)
    monkeypatch.setattr(merge.Merger, "_live", lambda self: "")
    sql = "UPDATE items SET gone = 1, updated_at = '2024-02-01 00:00:00' WHERE id = 3"
    execute_sql(root / "shop.db", sql)
    ran = run(root)
    assert "parts that differed" in ran.table("raw.items")["text"]
    assert ids(root) == [1]


def test_an_unchanged_table_counts_anew(tmp_path: Path) -> None:
    root = project(tmp_path, "deleted: gone")
    run(root)
    execute_sql(root / "shop.db", "INSERT INTO items VALUES (9, 'x', 1, 0, NULL, '2024-01-01 00:00:00')")
    entry = run(root).table("raw.items")
    assert (entry["status"], entry["deleted"]) == ("unchanged", 2)


def test_another_choice_reads_the_table_again(tmp_path: Path) -> None:
    root = project(tmp_path, "deleted: gone", "cursor: updated_at", "proof: off")
    run(root)
    path = root / "mainstem.yml"
    path.write_text(path.read_text().replace("        deleted: gone\n", ""))
    with plan_of(root) as made:
        assert made.plan.ingest[0].action == "changed"
    run(root)
    assert ids(root) == [1, 2, 3]


def test_the_plan_says_so(tmp_path: Path) -> None:
    with plan_of(project(tmp_path, "deleted: gone")) as made:
        assert "rows marked by gone left out" in made.plan.ingest[0].reasons


def test_all_rows_marked_is_no_empty_table_by_chance(tmp_path: Path) -> None:
    root = project(tmp_path, "deleted: gone")
    run(root)
    execute_sql(root / "shop.db", "UPDATE items SET gone = 1")
    assert "no rows where the current release has 2" in run(root, options=RunOptions()).messages


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("gnoe", r"mainstem.yml:7: items has no column gnoe\n  → did you mean gone"),
        ("name", r"mainstem.yml:7: items.name \(string\) cannot mark rows as deleted"),
    ],
)
def test_mistakes(tmp_path: Path, column: str, message: str) -> None:
    with pytest.raises(UsageError, match=message), plan_of(project(tmp_path, f"deleted: {column}")):
        pass
