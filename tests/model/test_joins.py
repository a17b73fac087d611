"""Which join multiplies, which loses: the probes' answers against counts made by hand."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from sqlglot import exp

from mainstem.model.grain import infer_grain, row_tables
from mainstem.model.joins import JoinProbe, join_probes
from mainstem.model.sql import parse_query
from support import table

# lines: 6 rows; town 'X' stands for two places, one line has no town, one has an unknown town.
TABLES = """
create schema raw;
create table raw.lines (line int, town varchar, part int, amount int);
insert into raw.lines values (1,'X',1,10),(2,'X',2,20),(3,'Y',1,30),(4,null,1,40),(5,'Q',2,50),(6,'y',1,60);
create table raw.places (town varchar, part int, country varchar);
insert into raw.places values ('X',1,'FR'),('X',2,'ES'),('Y',1,'NO'),('Z',1,'UK'),(null,1,'??');
create table raw.heads (line int, head int);
insert into raw.heads values (1,1),(2,1),(3,2),(4,2),(5,3),(6,3);
create schema mart;
create table mart.dim_place as select distinct town, country from raw.places;
set search_path = 'mart,main';
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        yield connection


def _probes(sql: str) -> list[JoinProbe]:
    return join_probes(parse_query(sql, "m.sql", 1), ["lines"])


# Each: SQL; per probe the table on the right, its columns, those of the left, (before, lost, after).
CASES: dict[str, tuple[str, list[tuple[str, str, str, tuple[int, int, int]]]]] = {
    "ON": (
        "select * from raw.lines l join raw.places p on l.town = p.town",
        [("places", "town", "town", (6, 3, 5))],
    ),
    "ON, the sides swapped": (
        "select * from raw.lines l join raw.places p on p.town = l.town",
        [("places", "town", "town", (6, 3, 5))],
    ),
    "USING": (
        "select * from raw.lines join raw.places using (town)",
        [("places", "town", "town", (6, 3, 5))],
    ),
    "LEFT": (
        "select * from raw.lines l left join raw.places p on l.town = p.town",
        [("places", "town", "town", (6, 3, 8))],
    ),
    "two equalities": (
        "select * from raw.lines l join raw.places p on l.town = p.town and l.part = p.part",
        [("places", "town part", "town part", (6, 3, 3))],
    ),
    "USING two": (
        "select * from raw.lines join raw.places using (town, part)",
        [("places", "town part", "town part", (6, 3, 3))],
    ),
    "an expression": (
        "select * from raw.lines l join raw.places p on upper(l.town) = p.town",
        [("places", "town", "UPPER(l.town)", (6, 2, 6))],
    ),
    "a chain": (
        "select * from raw.lines l join raw.heads h on l.line = h.line join raw.places p on l.town = p.town",
        [("heads", "line", "line", (6, 0, 6)), ("places", "town", "town", (6, 3, 5))],
    ),
    "after a join that multiplies, the next is counted by itself": (
        "select * from raw.lines l left join raw.places p on l.town = p.town "
        "left join raw.heads h on l.line = h.line",
        [("places", "town", "town", (6, 3, 8)), ("heads", "line", "line", (8, 0, 8))],
    ),
    "CTE": (
        "with l as (select * from raw.lines), p as (select town from raw.places) "
        "select * from l join p on l.town = p.town",
        [("p", "town", "town", (6, 3, 5))],
    ),
    "the join inside a CTE": (
        "with j as (select l.* from raw.lines l join raw.places p on l.town = p.town) select * from j",
        [("places", "town", "town", (6, 3, 5))],
    ),
    "subqueries": (
        "select * from (select * from raw.lines) l join (select * from raw.places) p on l.town = p.town",
        [("p", "town", "town", (6, 3, 5))],
    ),
    "comma and WHERE": (
        "select * from raw.lines l, raw.places p where l.town = p.town and l.amount > 0",
        [("places", "town", "town", (6, 3, 5))],
    ),
    "CROSS JOIN and WHERE": (
        "select * from raw.lines l cross join raw.places p where p.town = l.town",
        [("places", "town", "town", (6, 3, 5))],
    ),
    "commas, two tables": (
        "select * from raw.lines l, raw.heads h, raw.places p where h.line = l.line and p.town = l.town",
        [("heads", "line", "line", (6, 0, 6)), ("places", "town", "town", (6, 3, 5))],
    ),
    "the grain comes last": (
        "select * from raw.heads h join raw.lines l on h.line = l.line join raw.places p on l.town = p.town",
        [("places", "town", "town", (6, 3, 5))],
    ),
    "a model on the right": (
        "select * from raw.lines l join dim_place p on l.town = p.town",
        [("dim_place", "town", "town", (6, 3, 5))],
    ),
    "no equality": (
        "select * from raw.lines l join raw.places p on l.part < p.part",
        [("places", "", "", (6, 2, 4))],
    ),
    "a product": ("select * from raw.lines, raw.places", [("places", "", "", (6, 0, 30))]),
    "columns without their tables": (
        "select * from raw.lines join raw.heads on lines.line = head",
        [("heads", "head", "line", (6, 3, 6))],
    ),
    "comma and WHERE, columns without their tables": (
        "select * from raw.lines, (select town as place from raw.places) where town = place and amount > 0",
        [("", "place", "town", (6, 3, 5))],
    ),
    "NATURAL": (
        "select * from raw.lines natural join raw.places",
        [("places", "", "", (6, 3, 3))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_counts(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    sql, expected = CASES[name]
    found = []
    for probe in join_probes(parse_query(sql, "m.sql", 1), ["lines"], lambda sql: engine.sql(sql).columns):
        counts = engine.execute(probe.counts).fetchone()
        columns = (" ".join(probe.right_columns), " ".join(probe.left_columns))
        found.append((probe.right, *columns, counts))
    assert found == expected


def test_repeats_and_nulls(engine: duckdb.DuckDBPyConnection) -> None:
    for sql in (CASES["ON"][0], CASES["USING"][0], CASES["CTE"][0], CASES["comma and WHERE"][0]):
        (probe,) = _probes(sql)
        assert engine.execute(probe.repeats).fetchall() == [("X", 2)]
        assert engine.execute(probe.nulls).fetchall() == [(1,)]
    (probe,) = _probes(CASES["two equalities"][0])
    assert engine.execute(probe.repeats).fetchall() == []
    (probe,) = _probes(CASES["no equality"][0])
    assert (probe.repeats, probe.nulls) == ("", "")


@pytest.mark.parametrize(
    ("sql", "keeps"),
    [
        ("left join", True),
        ("left outer join", True),
        ("full join", True),
        ("join", False),
        ("right join", False),
    ],
)
def test_which_joins_keep_the_left_rows(sql: str, keeps: bool) -> None:
    (probe,) = _probes(f"select * from raw.lines l {sql} raw.places p on l.town = p.town")
    assert probe.keeps_left is keeps


def test_a_query_without_the_grain_asks_nothing() -> None:
    assert _probes("select * from raw.heads h join raw.places p on true") == []
    assert _probes("select * from raw.lines") == []


# What one row is, where nobody says it

SHOP = {
    one.name: one
    for one in (
        table("customers", "customer int", ["customer"]),
        table("orders", "orders int, customer int", ["orders"], {"customer": "customers"}),
        table("lines", "orders int, product int", ["orders"], {"orders": "orders", "product": "products"}),
        table("products", "product int", ["product"]),
        table("payments", "payment int, customer int", ["payment"], {"customer": "customers"}),
        table("employees", "employee int, boss int", ["employee"], {"boss": "employees"}),
        table("notes", "note text"),
    )
}


@pytest.mark.parametrize(
    ("tables", "grain"),
    [
        ("lines orders customers products", "lines"),
        ("orders customers", "orders"),
        ("orders notes", None),  # no key joins the two
        ("lines payments orders customers", None),  # two leaves: nobody can tell
        ("customers", "customers"),
        ("employees", "employees"),
        ("customers products", None),
        ("unknown orders", "orders"),
        ("", None),
    ],
)
def test_grain_from_foreign_keys(tables: str, grain: str | None) -> None:
    assert infer_grain(tables.split(), SHOP) == grain


MODELS = {
    "stage": "select * from raw.x where a > 0",
    "twice": "select * from stage",
    "places": "select distinct a from raw.x",
    "dim": "select * from raw.x union all select 'missing'",
}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a from raw.x", "x"),
        ("from raw.x", "x"),
        ("select * from raw.x join raw.y using (a) left join raw.z using (a)", "x y z"),
        ("select * from raw.x, raw.y", "x y"),
        ("with b as (select * from raw.x) select * from b", "x"),
        ("with x as (select distinct * from raw.x) select * from x", ""),
        ("select * from (select * from raw.x) join raw.y using (a)", "x y"),
        ("select * from raw.x join (select distinct a from raw.y) p using (a)", "x"),
        ("select * from raw.x join (select a, count(*) as n from raw.y group by a) p using (a)", "x"),
        ("select a, count(*) from raw.x group by a", ""),
        ("select distinct a from raw.x", ""),
        ("select sum(a) from raw.x", ""),
        ("with g as (select a from raw.x group by a) select * from g", ""),
        ("select * from raw.x union all select * from raw.y", ""),
        ("select * from raw.x limit 10", ""),
        ("select * from raw.x qualify row_number() over (partition by a) = 1", ""),
        ("select sum(a) over (partition by b) from raw.x", "x"),
        ("select (select max(b) from raw.y) from raw.x", "x"),
        ("select * from raw.x where a in (select a from raw.y)", "x"),
        ("select * from raw.x semi join raw.y using (a)", "x"),
        ("select * from raw.x, unnest(x.list)", ""),
        ("select * from raw.x, range(3)", ""),
        ("select * from stage join raw.y using (a)", "x y"),
        ("select * from mart.twice", "x"),
        ("select * from raw.y join places using (a) join dim using (a)", "y"),
        ("with recursive r as (select * from raw.x union all select * from r) select * from r", ""),
        ("select 1", ""),
    ],
)
def test_tables_whose_rows_arrive_one_by_one(sql: str, expected: str) -> None:
    def model_of(name: str) -> exp.Query | None:
        return parse_query(MODELS[name], "m.sql", 1) if name in MODELS else None

    assert row_tables(parse_query(sql, "m.sql", 1), model_of) == set(expected.split())
