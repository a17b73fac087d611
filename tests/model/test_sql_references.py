"""What a query reads, and where: found by parsing."""

from __future__ import annotations

import pytest

from mainstem.errors import UsageError
from mainstem.model.sql import parse_query, references

CASES = [
    ("select * from raw.orders", "raw.orders@1"),
    ("select * from dim_a", "mart.dim_a@1"),
    ("select * from mart.dim_a", "mart.dim_a@1"),
    ("select *\nfrom raw.a\njoin raw.b using (id)\nleft join raw.c using (id)", "raw.a@2 raw.b@3 raw.c@4"),
    ("select * from raw.a, raw.b", "raw.a@1 raw.b@1"),
    ('select * from raw."Order Details"', "raw.Order_Details@1"),
    ('select * from "raw"."a" join RAW.a x using (id)', "raw.a@1"),
    ("with a as (select * from raw.a) select * from a", "raw.a@1"),
    # A CTE hides a model of the same name, but only where it can be seen.
    ("with orders as (select * from raw.orders) select * from orders", "raw.orders@1"),
    ("with orders as (select * from orders) select * from orders", "mart.orders@1"),
    ("with a as (select 1), b as (select * from a) select * from b", ""),
    ("select * from (with a as (select * from raw.x) select * from a) s join a on true", "raw.x@1 mart.a@1"),
    ("select * from raw.a\nunion all\nselect * from raw.b\nunion\n(select * from raw.c)",
     "raw.a@1 raw.b@3 raw.c@5"),
    ("select * from raw.a where id in (\nselect id from raw.b where exists (\nselect 1 from raw.c))",
     "raw.a@1 raw.b@2 raw.c@3"),
    ("select (select max(x) from raw.b) from raw.a", "raw.a@1 raw.b@1"),
    ("select * from (select * from (select * from raw.deep))", "raw.deep@1"),
    ("select * from raw.a cross join lateral (select * from raw.b where b.id = a.id) l", "raw.a@1 raw.b@1"),
    ("with recursive t as (select 1 as n union all select n + 1 from t where n < 5) select * from t", ""),
    ("select * from range(10)", ""),
    ("select * from generate_series(1, 3) g(n), raw.a", "raw.a@1"),
    ("select * from unnest([1, 2]) u(x)", ""),
    ("from raw.a", "raw.a@1"),
    ("select 1", ""),
    ("select * from raw.a -- from raw.b\n/* from raw.c */", "raw.a@1"),
    ("select 'from raw.b' from raw.a", "raw.a@1"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), CASES)
def test_references(sql: str, expected: str) -> None:
    found = references(parse_query(sql, "m.sql", 1), "m.sql", 1)
    said = {f"{one.table}@{one.line}".replace(" ", "_") for one in found}
    assert said == set(expected.split())
    assert len(found) == len(said)


def test_lines_are_those_of_the_file() -> None:
    found = references(parse_query("select *\nfrom raw.a", "m.sql", 41), "m.sql", 41)
    assert [one.line for one in found] == [42]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select *\nfrom public.a", "m.sql:11: there is no schema 'public'"),
        ("select * from shop.raw.a", "m.sql:10: there is no schema"),
        ("select * from information_schema.tables", "m.sql:10: there is no schema 'information_schema'"),
    ],
)
def test_another_schema_is_refused(sql: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        references(parse_query(sql, "m.sql", 10), "m.sql", 10)
    assert said in str(caught.value)
    assert "source tables are raw.TABLE" in caught.value.hint


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select *\nfrom raw.a\nwhere (", "m.sql:12: SQL: "),
        ("select a,\n  b c d\nfrom raw.a", "m.sql:11: SQL: "),
        ("select 'open\nfrom raw.a", "m.sql:10: SQL: "),
        ("create table x as select 1", "m.sql:10: a model is one SELECT"),
        ("select 1; select 2", "m.sql:10: a model is one SELECT"),
        ("insert into x select 1", "m.sql:10: a model is one SELECT"),
        ("values (1), (2)", "m.sql:10: a model is one SELECT"),
        ("drop table x", "m.sql:10: a model is one SELECT"),
        ("-- nothing", "m.sql:10: a model is one SELECT"),
    ],
)
def test_what_cannot_be_read_has_its_line(sql: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_query(sql, "m.sql", 10)
    assert str(caught.value).startswith(said)
    assert "\x1b" not in str(caught.value)
