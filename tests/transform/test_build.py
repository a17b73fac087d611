"""A model is committed if it keeps what it promises; else nothing is, and readers keep what they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.errors import EngineFailed
from mainstem.project.load import load_project
from mainstem.transform.build import ModelFailed
from mainstem.transform.state import MODEL, PROOFS
from mainstem.wiring import open_lake
from support import (
    AMOUNT,
    DIM_CUSTOMERS,
    FACT_LINES,
    ask,
    data_files,
    execute_sql,
    make_project,
    mart,
    run,
    write_model,
)

# Each: what is replaced in the fact, and the words of the refusal.
BROKEN = {
    "rows lost": (
        "left join raw.orders o on",
        "join raw.orders o on o.comments is not null and",
        "grain is one row of raw.order_lines, which has 8: 4 lost",
    ),
    "rows doubled": (
        "left join raw.customers c on o",
        "left join raw.customers c on true or o",
        "24 too many",
    ),
    "a sum": (
        "l.quantity * l.price as amount",
        "l.quantity * l.price + 1 as amount",
        "amount sums to 20,780.84, but quantity * price over raw.order_lines to 20,772.84",
    ),
    "a key": (
        "l.order_number, l.line_number",
        "l.order_number, 1 as line_number",
        "order_number and line_number are not unique: 3 keys repeated",
    ),
    "a NULL in the key": (
        "l.order_number, l.line_number",
        "nullif(l.order_number, 10) as order_number, l.line_number",
        "NULL in order_number in 2 rows",
    ),
    "a reference": (
        "coalesce(cast(c.customer_number as varchar), 'missing')",
        "'9' || c.customer_number",
        "8 rows of fact_lines find no row in dim_customers",
    ),
    "a dropped unknown": (
        "coalesce(cast(c.customer_number as varchar), 'missing')",
        "cast(nullif(c.customer_number, 1) as varchar)",
        "2 rows of fact_lines find no row in dim_customers",
    ),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run once; each test leaves its release as it was."""
    root = make_project(tmp_path_factory.mktemp("build") / "p")
    assert run(root).status == "published"
    return root


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_commits_nothing(published: Path, name: str) -> None:
    old, new, said = BROKEN[name]
    assert old in FACT_LINES
    write_model(published, "fact_lines", FACT_LINES.replace(old, new))
    project = load_project(published)
    lake = open_lake(project)
    release, head, files = lake.current_release(), lake.head(mart("fact_lines")), data_files(project)
    ran = run(published, clean=False)
    (error,) = ran.outcome.errors
    assert isinstance(error, ModelFailed)
    assert (error.exit_code, ran.status, ran.outcome.published) == (3, "failed", False)
    assert said in error.message
    assert str(error.where) == "models/fact_lines.sql:11"
    assert "the current release stays as it is" in error.hint
    assert lake.current_release() == release
    assert lake.head(mart("fact_lines")) == head
    assert data_files(project) == files
    assert str(ask(published, "select sum(amount) from fact_lines")[0][0]) == AMOUNT
    entry = ran.table("mart.fact_lines")
    assert entry["status"] == "failed"
    assert [proof["name"] for proof in entry["proofs"] if not proof["holds"]]
    assert entry["headline"] == ""


def test_sql_that_fails_on_the_values(published: Path) -> None:
    write_model(
        published, "fact_lines", FACT_LINES.replace("l.product,", "cast(l.product as int) as product,")
    )
    ran = run(published)
    (error,) = ran.outcome.errors
    assert isinstance(error, EngineFailed)
    assert error.exit_code == 4
    assert ran.outcome.published is False


def test_a_result_that_the_lake_cannot_hold(published: Path) -> None:
    write_model(published, "fact_lines", FACT_LINES.replace("l.product,", "[l.product] as product,"))
    ran = run(published)
    assert "product" in ran.messages
    assert ran.outcome.published is False


def test_no_rows_where_there_were_some(published: Path) -> None:
    write_model(published, "fact_lines", FACT_LINES)
    empty = f"select * from (\n{DIM_CUSTOMERS.partition('*/')[2]}\n) where false"
    write_model(published, "dim_customers", DIM_CUSTOMERS.partition("*/")[0] + "*/\n" + empty)
    ran = run(published)
    assert "no rows, where the current release has 5" in ran.messages
    assert ran.table("mart.fact_lines")["status"] == "skipped"
    write_model(published, "dim_customers", DIM_CUSTOMERS)


CHECKS = """checks:
  - {not_null: [order_date]}
  - {accepted_values: {product: [car, ship]}, severity: warn}
  - {sql: "select * from fact_lines where amount < 0;"}
"""


def test_declared_checks_and_warnings(tmp_path: Path) -> None:
    root = make_project(
        tmp_path,
        {"dim_customers": DIM_CUSTOMERS, "fact_lines": FACT_LINES.replace("tags: [money]\n", CHECKS)},
    )
    ran = run(root)
    assert ran.status == "published"
    proofs = {proof["name"]: proof for proof in ran.table("mart.fact_lines")["proofs"]}
    assert proofs["sql"]["holds"]
    assert proofs["accepted values"] == {
        "name": "accepted values",
        "holds": False,
        "warning": True,
        "text": "product has a value that is not accepted in 2 rows",
    }
    # The same check without the severity stops the run: it is the severity that let it pass.
    write_model(
        root, "fact_lines", FACT_LINES.replace("tags: [money]\n", CHECKS.replace(", severity: warn", ""))
    )
    ran = run(root)
    assert ran.status == "failed"
    assert "product has a value that is not accepted in 2 rows" in ran.messages


def test_a_fact_without_a_header_is_proven_by_its_foreign_keys(tmp_path: Path) -> None:
    sql = """select l.order_number, l.line_number, l.quantity, c.country
from raw.order_lines l join raw.orders o using (order_number) join raw.customers c using (customer_number)"""
    root = make_project(tmp_path, {"fact_sales": sql})
    ran = run(root)
    assert ran.status == "published"
    proofs = {proof["name"]: proof["text"] for proof in ran.table("mart.fact_sales")["proofs"]}
    assert proofs["grain"] == "8 rows, as many as raw.order_lines"
    assert proofs["key"] == "order_number and line_number are unique"
    # A source row without a parent: the inner join loses it, and the run says so.
    execute_sql(root / "shop.db", "insert into order_lines values (99, 1, 'car', 1, 1)")
    ran = run(root)
    assert "9: 1 lost" in ran.messages
    assert "the join to orders on order_number takes 9 rows to 8" in ran.messages
    assert "order_number has no partner in orders" in ran.messages


def test_groups_are_no_rows_of_a_table(tmp_path: Path) -> None:
    root = make_project(
        tmp_path, {"fact_totals": "select product, sum(quantity) as q from raw.order_lines group by 1"}
    )
    ran = run(root)
    assert ran.status == "published"
    assert [proof["name"] for proof in ran.table("mart.fact_totals")["proofs"]] == ["rows"]


def test_the_table_remembers_its_text_its_proofs_and_its_words(tiny_run: Path) -> None:
    project = load_project(tiny_run)
    head = open_lake(project).head(mart("fact_lines"))
    assert head is not None
    model = next(model for model in project.models if model.name == "fact_lines")
    assert head.summary[MODEL] == model.digest
    assert '"sum of amount"' in head.summary[PROOFS]
    comments = {column.name: column.comment for column in head.columns}
    assert comments["amount"] == "Quantity × price."
    assert comments["customer_key"] == "Who ordered."
