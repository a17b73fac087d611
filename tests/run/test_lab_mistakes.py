"""The mistakes of a well-known lab, made on the demo shop: a join on the postal code, which is no key and
may be NULL. In every spelling the run refuses, and says which column, on which value, from how many rows to
how many."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.project.load import load_project
from mainstem.wiring import open_lake
from support import Ran, ask, execute_sql, run, write_model

HEADER = """/* mainstem
kind: fact
grain: {statement: one row per order line, table: raw.order_lines}
key: [order_number, line_number]
measures:
  amount: {equals: quantity * unit_price}
*/
"""
COLUMNS = "l.order_number, l.line_number, l.quantity * l.unit_price as amount, d.city"
FROM = (
    "from raw.order_lines l join raw.orders o on l.order_number = o.order_number "
    "join raw.customers c on o.customer_number = c.customer_number "
)
PLACES = "(select distinct postal_code, city, country from raw.customers)"
SPELLINGS = {
    "ON": f"select {COLUMNS} {FROM} join dim_locations d on c.postal_code = d.postal_code",
    "USING": f"select {COLUMNS} {FROM} join dim_locations d using (postal_code)",
    "a subquery": f"select {COLUMNS} {FROM} join {PLACES} d on d.postal_code = c.postal_code",
    "CTEs": f"""with places as {PLACES},
final as (select {COLUMNS} {FROM} join places d on c.postal_code = d.postal_code)
select * from final""",
    "commas": (
        f"select {COLUMNS} from raw.order_lines l, raw.orders o, raw.customers c, dim_locations d "
        "where l.order_number = o.order_number and o.customer_number = c.customer_number "
        "and c.postal_code = d.postal_code"
    ),
    "through a model": f"select {COLUMNS} {FROM.replace('raw.order_lines', 'stage_lines')} "
    "join dim_locations d on c.postal_code = d.postal_code",
    "a rewritten column": (
        f"select {COLUMNS} {FROM} join {PLACES} d on upper(trim(c.postal_code)) = upper(trim(d.postal_code))"
    ),
}
DIM = f"/* mainstem\nkind: dimension\n*/\nselect * from {PLACES}"


@pytest.fixture(scope="module")
def lab(shop_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with fewer lines, run once with a right star."""
    import shutil

    root = shutil.copytree(shop_built, tmp_path_factory.mktemp("lab") / "shop")
    for path in (root / "models").glob("*.sql"):
        path.unlink()
    for path in (root / "dashboards").glob("*"):
        path.unlink()
    execute_sql(
        root / "shop.db", "delete from order_lines where order_number % 10 <> 0; delete from payments"
    )
    write_model(root, "dim_locations", DIM)
    write_model(root, "stage_lines", "select * from raw.order_lines where quantity > 0")
    write_model(root, "fact_sales", HEADER + f"select {COLUMNS.replace('d.city', 'c.city')} {FROM}")
    assert run(root).status == "published"
    return root


def _truth(root: Path) -> dict[str, int]:
    """Counted by other SQL than that of the product: rows, rows after the join, rows that it loses."""
    ((rows, after, lost),) = ask(
        root,
        f"""with line as (
            select c.postal_code as p from raw.order_lines l, raw.orders o, raw.customers c
            where l.order_number = o.order_number and c.customer_number = o.customer_number)
        select (select count(*) from line),
            (select sum(n) from line, (select postal_code, count(*) as n from {PLACES} group by 1) as t
             where t.postal_code = p),
            (select count(*) from line where p is null)""",
    )
    return {"rows": int(rows), "after": int(after), "lost": int(lost)}


def _refused(root: Path, sql: str) -> Ran:
    write_model(root, "fact_sales", sql)
    ran = run(root, clean=False)
    assert (ran.status, ran.outcome.exit_code) == ("failed", 3)
    release = open_lake(load_project(root)).current_release()
    assert release is not None
    assert release.id == "r0001"
    return ran


@pytest.mark.parametrize("header", [HEADER, ""], ids=["header", "no header"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_join_on_the_postal_code(lab: Path, spelling: str, header: str) -> None:
    truth = _truth(lab)
    assert truth["after"] > truth["rows"] > 0
    assert truth["lost"] > 0
    said = _refused(lab, header + SPELLINGS[spelling]).messages
    assert (
        f"{truth['after']:,} rows, but its grain is one row of raw.order_lines, which has {truth['rows']:,}"
        in said
    )
    assert f"takes {truth['rows']:,} rows to {truth['after']:,}" in said
    assert "postal_code" in said
    assert "is not a key of" in said
    ((value, number),) = ask(
        lab, f"select postal_code, count(*) as n from {PLACES} where postal_code is not null "
             "group by 1 order by n desc, postal_code limit 1"
    )  # fmt: skip
    assert f"{value!r} stands for {number} rows" in said
    assert f"{truth['lost']:,} rows of raw.order_lines lost" in said
    assert "join " in said.partition("→ ")[2]  # what to do


def test_only_the_join_that_does_it_is_blamed(lab: Path) -> None:
    said = _refused(lab, HEADER + SPELLINGS["ON"]).messages
    assert said.count("the join to ") == 1
    assert "the join to dim_locations" in said


def test_an_inner_join_that_loses_rows_alone(lab: Path) -> None:
    once = "(select postal_code, min(city) as city from raw.customers group by 1)"
    said = _refused(
        lab, HEADER + f"select {COLUMNS} {FROM} join {once} d on c.postal_code = d.postal_code"
    ).messages
    truth = _truth(lab)
    assert f"{truth['lost']:,} rows of raw.order_lines lost, because postal_code is NULL there" in said
    assert "use a left join and send rows without a partner to the unknown member" in said
    assert "too many" not in said


def test_the_right_star_is_published_again(lab: Path) -> None:
    write_model(lab, "fact_sales", HEADER + f"select {COLUMNS.replace('d.city', 'c.city')} {FROM}")
    assert run(lab).status == "unchanged" or run(lab).outcome.exit_code == 0
