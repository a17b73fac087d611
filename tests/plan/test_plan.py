"""What a run would do and why; and that planning touches nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem.errors import ConfigErrors, UsageError
from mainstem.ingest.state import changes
from mainstem.lake import Lake
from mainstem.plan import Choices, make_plan, model_digest
from mainstem.project.load import load_project
from mainstem.schema import Column, Database, Kind, Table, Type
from support import (
    DIM_CUSTOMERS,
    FACT_LINES,
    actions,
    execute_sql,
    files_of,
    make_project,
    mart,
    plan_of,
    raw,
    run,
    table,
    write_model,
)

RAW = ("raw.customers", "raw.order_lines", "raw.orders")


@pytest.fixture
def ran(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of a project that has run."""
    root = shutil.copytree(tiny_run, tmp_path / "copy")
    assert Lake(root / ".mainstem").relocate()
    return root


def test_before_the_first_run_everything_is_new(tiny: Path) -> None:
    with plan_of(tiny) as made:
        assert set(actions(made).values()) == {"new"}
        assert [str(step.name) for step in made.plan.models] == ["mart.dim_customers", "mart.fact_lines"]
        assert made.plan.models[0].reasons == ("never built",)
        assert made.plan.ingest[0].reasons == ("never read",)
        assert made.plan.rows == 17
        assert made.plan.removed == ()


def test_after_a_run_everything_is_checked(tiny_run: Path) -> None:
    with plan_of(tiny_run) as made:
        found = actions(made)
        assert {found[name] for name in RAW} == {"check"}
        assert found["mart.fact_lines"] == "depends"
        steps = {step.name: step for step in made.plan.models}
        assert steps[mart("dim_customers")].reasons == (
            "run if raw.customers changed",
            "in full: it unites several SELECTs",
        )
        assert steps[mart("fact_lines")].reasons == (
            "run if one of 4 inputs changed",
            "in part, by order_number and line_number",
        )


def test_a_model_whose_inputs_are_not_selected_is_unchanged(tiny_run: Path) -> None:
    with plan_of(tiny_run, "fact_lines") as made:
        assert actions(made) == {"mart.fact_lines": "unchanged"}


def test_a_changed_file_and_what_depends_on_it(ran: Path) -> None:
    write_model(ran, "dim_customers", DIM_CUSTOMERS + "-- a remark\n")
    with plan_of(ran, "mart.*") as made:
        assert actions(made) == {"mart.dim_customers": "changed", "mart.fact_lines": "depends"}
        assert made.plan.models[0].reasons == ("its file changed",)
        assert made.plan.models[1].reasons[0] == "run if mart.dim_customers changed"
    with plan_of(ran, "state:modified+") as made:
        assert set(actions(made)) == {"mart.dim_customers", "mart.fact_lines"}


def test_a_full_refresh_rebuilds(tiny_run: Path) -> None:
    with plan_of(tiny_run, full_refresh=True) as made:
        assert set(actions(made).values()) == {"rebuild"}


def test_a_new_salt_builds_models_again(tiny_run: Path) -> None:
    with plan_of(tiny_run) as made:
        project = load_project(tiny_run)
        heads = {name: head for name in made.lake.tables() if (head := made.lake.head(name)) is not None}
        plan = make_plan(project, made.databases, heads, [], Choices(), "another engine")
        assert {step.action for step in plan.models} == {"changed"}
        assert {step.reasons for step in plan.models} == {("its inputs changed",)}


def test_a_model_that_is_gone_is_removed(ran: Path) -> None:
    (ran / "models" / "fact_lines.sql").unlink()
    with plan_of(ran) as made:
        assert made.plan.removed == (mart("fact_lines"),)


def test_an_excluded_source_table_is_removed(ran: Path) -> None:
    make_project(ran, {}, source="", config="exclude: [order_*]")
    (ran / "models" / "fact_lines.sql").unlink()
    with plan_of(ran) as made:
        assert made.plan.removed == (mart("fact_lines"), raw("order_lines"))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("alter table customers add column phone varchar(20)", "phone added (varchar(20))"),
        ("alter table customers drop column postal_code", "postal_code removed"),
        ("alter table customers rename column country to land", "land added (varchar(50)); country removed"),
    ],
)
def test_drift_of_the_columns_is_said(tiny: Path, sql: str, said: str) -> None:
    assert run(make_project(tiny, {}, source="")).status == "published"
    (tiny / "models" / "dim_customers.sql").unlink()
    (tiny / "models" / "fact_lines.sql").unlink()
    execute_sql(tiny / "shop.db", sql)
    with plan_of(tiny) as made:
        step = next(step for step in made.plan.ingest if step.name == raw("customers"))
        assert step.action == "changed"
        assert "; ".join(step.reasons) == said


INT, LONG = Type(Kind.INT), Type(Kind.LONG)
A, B = Column("a", INT, True, "int"), Column("b", INT, True, "int")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ((A, B), []),
        ((A, replace(B, comment="new words")), []),
        ((B, A), ["columns reordered"]),
        ((A,), ["b removed"]),
        ((A, B, replace(B, name="c")), ["c added (int)"]),
        ((A, replace(B, type=LONG, native="bigint")), ["b retyped (int → bigint)"]),
        ((A, replace(B, native="int unsigned")), ["b retyped (int → int unsigned)"]),
        ((A, replace(B, nullable=False)), ["b no longer nullable"]),
        ((replace(A, nullable=True), replace(B, name="B")), ["B added (int)", "b removed"]),
    ],
)
def test_changes_of_columns(now: tuple[Column, ...], said: list[str]) -> None:
    assert [str(change) for change in changes((A, B), now)] == said


def test_a_column_that_may_be_null_now() -> None:
    assert [str(one) for one in changes((replace(A, nullable=False),), (A,))] == ["a nullable"]


# What cannot be planned


def _plan(tmp_path: Path, *databases: Database) -> None:
    project = load_project(make_project(tmp_path / "p", {}))
    names = ("shop", "erp")
    make_plan(project, dict(zip(names, databases, strict=False)), {}, [], Choices(), "")


def _database(*tables: Table) -> Database:
    return Database("sqlite", "db", "3", tables)


def test_tables_that_differ_by_case_alone(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigErrors, match=r"two source tables would be raw\.Orders: shop: orders and shop: Orders"
    ):
        _plan(tmp_path, _database(table("orders", "a int"), table("Orders", "a int")))


def test_one_name_in_two_sources(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigErrors, match=r"mainstem\.yml: .*raw\.orders: shop: orders and erp: orders"
    ) as caught:
        _plan(tmp_path, _database(table("orders", "a int")), _database(table("orders", "a int")))
    assert "exclude one of them" in str(caught.value)


def test_columns_that_differ_by_case_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"raw\.t\.A: the columns a and A differ by case alone") as caught:
        _plan(tmp_path, _database(table("t", "a int, A int")))
    assert "exclude: [t]" in str(caught.value)


def test_errors_of_all_models_come_at_once(tiny: Path) -> None:
    write_model(tiny, "a", "select * from raw.nothing")
    write_model(tiny, "b", "select (")
    write_model(tiny, "c", "select * from public.x")
    with pytest.raises(ConfigErrors) as caught, plan_of(tiny):
        pass
    assert [str(error.where) for error in caught.value.errors] == [
        "models/a.sql:1",
        "models/b.sql:1",
        "models/c.sql:1",
    ]


def test_a_promise_orders_the_models(tmp_path: Path) -> None:
    # fact_lines does not read dim_customers; its header says that it refers to it.
    root = make_project(
        tmp_path, {"fact_lines": FACT_LINES, "z": "select 1 as a", "dim_customers": DIM_CUSTOMERS}
    )
    with plan_of(root) as made:
        order = [step.name.name for step in made.plan.models]
        assert order.index("dim_customers") < order.index("fact_lines")
        step = next(step for step in made.plan.models if step.name.name == "fact_lines")
        assert mart("dim_customers") in step.inputs


def test_a_dimension_may_refer_to_itself(tmp_path: Path) -> None:
    tree = """/* mainstem
key: [k]
columns:
  boss: {references: tree.k}
*/
select 'a' as k, 'missing' as boss union all select 'missing', 'missing'
"""
    root = make_project(tmp_path, {"tree": tree})
    with plan_of(root) as made:
        assert actions(made)["mart.tree"] == "new"
    assert run(root).status == "published"


@pytest.mark.parametrize(
    ("promise", "said"),
    [
        (
            "grain: {table: raw.ordrs}",
            "models/m.sql:2: there is no source table raw.ordrs\n  → did you mean raw.orders",
        ),
        ("columns:\n  k: {references: dim_costumers.k}", "models/m.sql:3: there is no model dim_costumers"),
    ],
)
def test_a_promise_about_an_unknown_table_has_its_line(tiny: Path, promise: str, said: str) -> None:
    write_model(tiny, "m", f"/* mainstem\n{promise}\n*/\nselect 1 as k")
    with pytest.raises(ConfigErrors) as caught, plan_of(tiny):
        pass
    assert said in str(caught.value)


def test_choices_about_what_is_not_there(tmp_path: Path) -> None:
    config = "tables:\n  ordres: {proof: count}\n  orders:\n    columns: {order_dat: {out_of_range: text}}"
    root = make_project(tmp_path, config=config)
    with pytest.raises(ConfigErrors) as caught, plan_of(root):
        pass
    assert "mainstem.yml:6: the source shop has no table ordres\n  → did you mean order" in str(caught.value)
    assert "mainstem.yml:8: orders has no column order_dat\n  → did you mean order_date" in str(caught.value)


def test_an_unknown_selection(tiny: Path) -> None:
    with pytest.raises(UsageError, match="names no table"), plan_of(tiny, "fact_line"):
        pass


# Planning touches nothing


def test_planning_before_the_first_run_makes_no_file(tiny: Path) -> None:
    before = files_of(tiny)
    with plan_of(tiny):
        pass
    assert files_of(tiny) == before
    assert not (tiny / ".mainstem").exists()


def test_planning_after_a_run_changes_no_file(tiny_run: Path) -> None:
    before = files_of(tiny_run)
    with plan_of(tiny_run, full_refresh=True):
        pass
    assert files_of(tiny_run) == before


def test_a_digest_moves_with_everything_it_covers(tiny_run: Path) -> None:
    with plan_of(tiny_run) as made:
        model = made.plan.models[0].model
        head = made.lake.head(raw("customers"))
        assert head is not None
        inputs = {raw("customers"): head}
        base = model_digest(model, inputs, "1")
        others = [
            model_digest(model, inputs, "2"),
            model_digest(model, {}, "1"),
            model_digest(model, {raw("customers"): replace(head, snapshot_id=1)}, "1"),
            model_digest(replace(model, digest="x"), inputs, "1"),
        ]
        assert len({base, *others}) == 5
