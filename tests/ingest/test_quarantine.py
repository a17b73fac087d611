"""Contracts of raw tables: rows that break one stop the run, or stand apart; nothing is lost on the way."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstem.errors import LakeUnavailable, UsageError
from mainstem.ingest import apart
from mainstem.ingest.quarantine import Sorter
from mainstem.ingest.terms import quarantine_columns
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.project.load import load_project
from mainstem.schema import TableName
from mainstem.serve import bundle
from mainstem.serve.documents import catalog_document
from mainstem.wiring import connect_tables, open_lake
from support import ask, execute_sql, mainstem, make_project, plan_of, run

SHOP = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT, email TEXT, amount DECIMAL(10,2), ordered_on DATE,
  paid_on DATE, updated_at DATETIME NOT NULL);
INSERT INTO orders VALUES
  (1, 'new',  'a@x.org', 10,   '2024-01-01', '2024-01-02', '2024-01-01 00:00:00'),
  (2, 'lost', 'b@x.org', 20.5, '2024-01-01', NULL,         '2024-01-02 00:00:00'),
  (3, 'paid', 'nobody',  -1,   '2024-01-01', '2024-01-02', '2024-01-03 00:00:00'),
  (4, NULL,   NULL,      NULL, '2024-01-05', '2024-01-02', '2024-01-04 00:00:00'),
  (5, 'paid', 'e@x.org', 50,   '2024-01-01', '2024-01-01', '2024-01-05 00:00:00');
"""
RULES: dict[str, Any] = {
    "columns": {
        "status": {"not_null": True, "accepted_values": ["new", "paid"]},
        "email": {"matches": ".+@.+"},
        "amount": {"range": [0, 100]},
    },
    "expression": "paid_on >= ordered_on",
}
REASONS = [
    (2, "status: accepted_values"),
    (3, "email: matches; amount: range"),
    (4, "status: not_null; expression paid_on >= ordered_on"),
]


def project(tmp_path: Path, contract: dict[str, Any] | None = None, **table: Any) -> Path:
    wanted = {"on_break": "quarantine", **RULES} if contract is None else contract
    config = yaml.safe_dump({"tables": {"orders": {"contract": wanted, **table}}}, sort_keys=False)
    return make_project(tmp_path / "shop", {}, source=SHOP, config=config)


def quarantine(root: Path) -> list[tuple[int, str]]:
    return ask(root, "select id, _reason from quarantine.orders order by id")


def ids(root: Path) -> list[int]:
    return [key for (key,) in ask(root, "select id from raw.orders order by id")]


def test_rows_that_break_it_stand_apart(tmp_path: Path) -> None:
    root = project(tmp_path)
    ran = run(root)
    entry = ran.table("raw.orders")
    assert ran.status == "published", ran.messages
    assert ids(root) == [1, 5]
    assert quarantine(root) == REASONS
    assert ask(root, "select distinct _run from quarantine.orders") == [(ran.outcome.receipt.run,)]
    assert ask(
        root, "select email, amount::varchar, ordered_on::varchar from quarantine.orders where id = 3"
    ) == [("nobody", "-1.00", "2024-01-01")]
    assert (entry["rows"], entry["quarantined"], entry["holds"]) == (2, 3, True)
    assert entry["broken"] == {
        "status: not_null": 1,
        "status: accepted_values": 1,
        "email: matches": 1,
        "amount: range": 1,
        "expression paid_on >= ordered_on": 1,
    }
    assert entry["text"].startswith(
        "5 rows, every cell equal the source; 3 of them in quarantine (status: not_null 1,"
    )
    again = run(root)
    assert (again.status, again.table("raw.orders")["quarantined"]) == ("unchanged", 3)


def test_fail_stops_the_run(tmp_path: Path) -> None:
    root = project(tmp_path, {"columns": {"amount": {"range": [0, None]}}})
    execute_sql(root / "shop.db", "UPDATE orders SET amount = -7654.32 WHERE id = 3")
    done = mainstem("run", cwd=root)
    assert done.returncode == 3
    assert "raw.orders.amount: rows break the table's contract: amount: range (1 row)" in done.stderr
    assert "7654.3" not in done.stdout + done.stderr
    assert not open_lake(load_project(root)).current_release()
    assert not list((root / ".mainstem").rglob("*.parquet"))


def test_a_row_that_was_mended_leaves_quarantine(tmp_path: Path) -> None:
    root = project(tmp_path)
    run(root)
    execute_sql(root / "shop.db", "UPDATE orders SET status = 'new' WHERE id = 2")
    ran = run(root)
    assert ids(root) == [1, 2, 5]
    assert quarantine(root) == REASONS[1:]
    assert ran.table("raw.orders")["quarantined"] == 2
    execute_sql(
        root / "shop.db", "UPDATE orders SET amount = 200 WHERE id = 5; DELETE FROM orders WHERE id = 3"
    )
    run(root)
    assert ids(root) == [1, 2]
    assert quarantine(root) == [REASONS[2], (5, "amount: range")]
    execute_sql(root / "shop.db", "DELETE FROM orders WHERE id > 3")
    run(root)
    assert (ids(root), quarantine(root)) == ([1, 2], [])


@pytest.mark.parametrize("proof", ["full", "count", "off"])
def test_rows_read_by_their_cursor(tmp_path: Path, proof: str) -> None:
    root = project(tmp_path, cursor="updated_at", proof=proof)
    run(root)
    execute_sql(
        root / "shop.db",
        "UPDATE orders SET status = 'new', updated_at = '2024-02-01 00:00:00' WHERE id = 2;"
        "UPDATE orders SET amount = 101, updated_at = '2024-02-01 00:00:00' WHERE id = 1;"
        "INSERT INTO orders VALUES (6, 'odd', NULL, 1, NULL, NULL, '2024-02-02 00:00:00'),"
        " (7, 'new', NULL, 1, NULL, NULL, '2024-02-02 00:00:00'); DELETE FROM orders WHERE id = 4",
    )
    ran = run(root)
    assert "read by updated_at" in ran.table("raw.orders")["text"], ran.messages
    assert ids(root) == [2, 5, 7]
    assert quarantine(root) == [(1, "amount: range"), REASONS[1], (6, "status: accepted_values")]
    assert ran.table("raw.orders")["quarantined"] == 3
    execute_sql(
        root / "shop.db",
        "UPDATE orders SET email = 'c@x', amount = 1, updated_at = '2024-02-03 00:00:00' WHERE id = 3",
    )
    run(root)
    assert ids(root) == [2, 3, 5, 7]
    assert [key for key, _ in quarantine(root)] == [1, 6]


def test_a_change_that_the_cursor_does_not_show_is_found_in_quarantine_too(tmp_path: Path) -> None:
    root = project(tmp_path, cursor="updated_at")
    run(root)
    execute_sql(
        root / "shop.db", "UPDATE orders SET status = 'new' WHERE id = 2; DELETE FROM orders WHERE id = 4"
    )
    ran = run(root)
    assert "parts that differed" in ran.table("raw.orders")["text"], ran.messages
    assert (ids(root), quarantine(root)) == ([1, 2, 5], [REASONS[1]])


@pytest.mark.parametrize("cursor", ["", "updated_at"])
def test_unique_sets_all_rows_of_a_value_apart(tmp_path: Path, cursor: str) -> None:
    root = project(
        tmp_path, {"on_break": "quarantine", "columns": {"email": {"unique": True}}}, cursor=cursor
    )
    run(root)
    assert (ids(root), quarantine(root)) == ([1, 2, 3, 4, 5], [])
    sql = "INSERT INTO orders VALUES (6, 'new', 'a@x.org', 1, NULL, NULL, '2024-02-02 00:00:00')"
    execute_sql(root / "shop.db", sql)
    run(root)
    assert ids(root) == [2, 3, 4, 5]
    assert quarantine(root) == [(1, "email: unique"), (6, "email: unique")]
    execute_sql(
        root / "shop.db",
        "UPDATE orders SET email = 'f@x.org', updated_at = '2024-02-03 00:00:00' WHERE id = 6",
    )
    run(root)
    assert (ids(root), quarantine(root)) == ([1, 2, 3, 4, 5, 6], [])


def test_another_contract_is_judged_anew(tmp_path: Path) -> None:
    root = project(tmp_path)
    run(root)
    path = root / "mainstem.yml"
    path.write_text(path.read_text().replace("- 100", "- 20"))
    with plan_of(root) as made:
        (step,) = made.plan.ingest
        assert step.action == "changed"
        assert step.reasons == (
            "its contract, deleted or history changed: read whole",
            "contract of 5 rules (on_break: quarantine)",
        )
    run(root)
    assert ids(root) == [1]
    assert quarantine(root)[-1] == (5, "amount: range")


def test_the_two_add_up_to_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a fault that puts other rows aside than it leaves out does not pass."""
    root = project(tmp_path)
    sort = Sorter.sort

    def faulty(self: Sorter, staged: Staged, total: int) -> tuple[Staged, Staged]:
        rest, aside = sort(self, staged, total)
        # As many rows, one of them another one.
        self._engine.attach_files(self._name, aside.files, quarantine_columns(self._table))
        other = "select * replace (case when id = 3 then 2 else id end as id) from raw.orders"
        return rest, self._stage(aside.name, self._engine.stream(other)[1])

    monkeypatch.setattr(Sorter, "sort", faulty)
    ran = run(root)
    assert ran.status == "failed"
    assert "raw and quarantine together are not the 5 rows of the source" in ran.messages
    monkeypatch.setattr(apart.Divider, "require_sum", lambda *_: None)
    assert run(root).status == "published"


def test_a_run_that_ends_between_the_two_commits_is_made_good(tmp_path: Path) -> None:
    root = project(tmp_path)
    run(root)
    execute_sql(
        root / "shop.db",
        "UPDATE orders SET status = 'new' WHERE id = 2; UPDATE orders SET amount = 0 WHERE id = 5",
    )
    for moment in ("commit.before_swap", "commit.after_swap"):
        killed = mainstem("run", cwd=root, env={"MAINSTEM_CRASH_AT": moment})
        assert killed.returncode != 0
        assert (ids(root), quarantine(root)) == ([1, 5], REASONS), "readers see the last release"
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert (ids(root), quarantine(root)) == ([1, 2, 5], REASONS[1:])


def test_a_commit_that_fails_leaves_the_other_table_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path)
    run(root)
    execute_sql(root / "shop.db", "UPDATE orders SET status = 'new' WHERE id = 2")
    commit = Lake.commit

    def failing(self: Lake, staged: Staged, **more: Any) -> TableVersion:
        if staged.name.namespace == "raw":
            raise LakeUnavailable("the disk is full")
        return commit(self, staged, **more)

    monkeypatch.setattr(Lake, "commit", failing)
    assert "the disk is full" in run(root).messages
    monkeypatch.undo()
    head = open_lake(load_project(root)).head(TableName("quarantine", "orders"))
    assert head
    connection = connect_tables({head.name: head.metadata_location})
    assert connection.execute("select count(*) from quarantine.orders").fetchall() == [(2,)]
    connection.close()
    assert run(root).status == "published"
    assert (ids(root), quarantine(root)) == ([1, 2, 5], REASONS[1:])


def test_all_rows_in_quarantine_do_not_pass_for_an_empty_table(tmp_path: Path) -> None:
    root = project(tmp_path, {"on_break": "quarantine", "expression": ["amount < 1000 or amount is null"]})
    run(root)
    execute_sql(root / "shop.db", "UPDATE orders SET amount = 1000")
    ran = run(root)
    assert "no rows" in ran.messages
    assert ids(root) == [1, 2, 3, 4, 5]


def test_a_run_of_other_tables_keeps_it_in_the_release(tmp_path: Path) -> None:
    root = project(tmp_path)
    execute_sql(root / "shop.db", "CREATE TABLE other (id INTEGER PRIMARY KEY)")
    run(root)
    execute_sql(root / "shop.db", "INSERT INTO other VALUES (1)")
    assert run(root, select=["raw.other"]).status == "published"
    assert quarantine(root) == REASONS
    with plan_of(root) as made:
        assert made.plan.removed == ()


def test_the_commands_tell_of_it(tmp_path: Path) -> None:
    root = project(tmp_path)
    ran = mainstem("run", cwd=root)
    assert "raw.orders: 3 of them in quarantine (status: not_null 1," in ran.stdout
    assert "3 of them in quarantine" in " ".join(
        mainstem("runs", "latest", cwd=root, env={"COLUMNS": "300"}).stdout.split()
    )
    lake = open_lake(load_project(root))
    release = lake.current_release()
    spec = bundle.stored_spec(lake.root, release.run) if release else None
    assert spec
    page = {table["table"]: (table["kind"], table["rows"]) for table in catalog_document(spec)}
    assert page["quarantine.orders"] == ("quarantine", 3)
    answer = mainstem("query", "select count(*) as n from quarantine.orders", "--output", "json", cwd=root)
    assert json.loads(answer.stdout) == [{"n": 3}]
    assert (
        "contract of 5 rules (on_break: quarantine)"
        in json.loads(mainstem("plan", "--output", "json", cwd=root).stdout)["ingest"][0]["why"]
    )


def test_the_pages_example(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text()
    config, command = re.findall(r"```(?:yaml)?\n(.*?)```", page, re.DOTALL)
    source = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, number INTEGER, status TEXT, email TEXT, amount REAL,
      ordered_at DATETIME, paid_at DATETIME, deleted_at DATETIME);
    INSERT INTO orders VALUES (1, 7, 'new', 'a@x', 1, NULL, NULL, NULL),
      (2, 8, 'new', NULL, -1, NULL, NULL, NULL), (3, 7, 'new', NULL, 1, NULL, NULL, '2024-01-01'),
      (4, 9, 'paid', 'x', 1, '2024-01-02', '2024-01-01', NULL);
    """
    root = make_project(tmp_path / "shop", {}, source=source, config=config)
    assert run(root).status == "published"
    assert ids(root) == [1]
    assert quarantine(root) == [(2, "amount: range"), (4, "email: matches; expression paid_at >= ordered_at")]
    done = mainstem(*shlex.split(command)[1:], "--output", "json", cwd=root)
    assert len(json.loads(done.stdout)) == 2


MODEL = """/* mainstem
kind: fact
grain: {statement: one row per order, table: raw.orders}
key: [id]
measures:
  amount: {additive: full, equals: amount}
*/
select id, amount from raw.orders
"""


def test_a_headline_says_what_is_left_out(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "models" / "fact_orders.sql").write_text(MODEL)
    ran = run(root)
    assert (
        ran.table("mart.fact_orders")["headline"] == "2 rows and 60.00 equal the source, less 3 in quarantine"
    )


@pytest.mark.parametrize(
    ("contract", "line", "message"),
    [
        ("columns: {amuont: {not_null: true}}", 6, "orders has no column amuont\n  → did you mean amount?"),
        ("columns: {amount: {rnge: [0, 1]}}", 6, "there is no such field\n  → did you mean range?"),
        ("columns: {amount: {range: [1]}}", 6, "a range is [LOWEST, HIGHEST]"),
        ("columns: {amount: {range: [a, b]}}", 6, "amount: range"),
        ("columns: {email: {matches: '('}}", 6, "no regular expression"),
        ("expression: amuont > 0", 6, "did you mean amount?"),
        ("expression: count(*) > 0", 6, "aggregate"),
        ("expression: exists (select 1 from raw.orders)", 6, "a rule speaks of one row of its own table"),
        ("expression: amount >", 6, "SQL"),
        ("expression: 'true) or (1 = 1'", 6, "SQL"),
        ("on_break: drop", 6, "input should be 'fail' or 'quarantine'"),
    ],
)
def test_mistakes_have_their_line(tmp_path: Path, contract: str, line: int, message: str) -> None:
    config = f"tables:\n  orders:\n    contract:\n      {contract}"
    root = make_project(tmp_path / "shop", {}, source=SHOP, config=config)
    with pytest.raises(UsageError) as caught, plan_of(root):
        pass
    assert f"mainstem.yml:{line + 2}: " in str(caught.value)
    assert message in str(caught.value)
