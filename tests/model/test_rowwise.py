"""Which models are recognised as made row by row from their grain, and what the others are told."""

from __future__ import annotations

import duckdb
import pytest

from mainstem.model.rowwise import Equal, Joined, Rowwise, rowwise
from mainstem.model.sql import parse_query
from mainstem.schema import RAW, TableName

KEY = ("k", "n")


def of(sql: str, key: tuple[str, ...] = KEY) -> Rowwise | str:
    return rowwise(parse_query(sql, "models/m.sql", 1), key)


def raw(name: str) -> TableName:
    return TableName(RAW, name)


def test_the_chain_of_a_drafted_fact() -> None:
    found = of(
        "with l as (select * from raw.lines), o as (select id as number, c from raw.orders where id > 0), "
        "f as (select l.id as k, l.n, upper(c.x) as x from l left join o on l.o = o.number and o.c <> 3 "
        "inner join customers as c on c.c = o.c) select k, n, x from f where x is not null order by 1"
    )
    assert found == Rowwise(
        raw("lines"),
        {"k": "id", "n": "n"},
        (
            Joined(raw("orders"), (Equal(0, "o", "id"),)),
            Joined(TableName("mart", "customers"), (Equal(1, "c", "c"),)),
        ),
    )
    assert isinstance(found, Rowwise)
    assert found.affected(1, "part.x") == (
        'select distinct t0."id", t0."n" from "raw"."lines" as t0\n'
        'left join "raw"."orders" as t1 on t0."o" = t1."id"\n'
        'join part.x as t2 on t1."c" = t2."c"'
    )


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select k, count(*) as n from raw.a group by k", "groups rows"),
        ("select sum(k) as k from raw.a", "groups rows"),
        ("select distinct k, n from raw.a", "cuts off rows"),
        ("select k, n from raw.a limit 10", "cuts off rows"),
        ("select k, n from raw.a qualify row_number() over (order by k) = 1", "a window"),
        ("select k, lag(n) over (order by k) as n from raw.a", "a window"),
        ("select k, n from raw.a union all select k, n from raw.b", "unites"),
        ("select k, n from raw.a where k in (select k from raw.b)", "subquery"),
        ("select k, (select max(x) from raw.b) as n from raw.a", "groups rows"),
        ("select k, (select x from raw.b) as n from raw.a", "subquery"),
        ("select a.k, b.n from raw.a left join raw.b on a.k = (select 1)", "subquery"),
        ("select k, unnest(x) as n from raw.a", "makes rows"),
        ("select k, n from raw.a, unnest(a.x) as t(n)", "makes rows"),
        ("select k, n from range(3) as r(k)", "makes rows"),
        ("select * from (values (1, 2)) as v(k, n)", "makes rows"),
        ("select k, n from raw.a using sample 3", "makes rows"),
        ("select a.k, a.n from raw.a full join raw.b on a.k = b.k", "FULL JOIN"),
        ("select a.k, a.n from raw.a right join raw.b on a.k = b.k", "RIGHT JOIN"),
        ("select a.k, a.n from raw.a semi join raw.b on a.k = b.k", "SEMI JOIN"),
        ("select a.k, a.n from raw.a anti join raw.b on a.k = b.k", "ANTI JOIN"),
        ("select a.k, a.n from raw.a asof join raw.b on a.k = b.k and a.n >= b.n", "ASOF JOIN"),
        ("select a.k, a.n from raw.a natural join raw.b", "NATURAL JOIN"),
        ("select a.k, a.n from raw.a positional join raw.b", "JOIN"),
        ("select a.k, a.n from raw.a cross join raw.b", "CROSS JOIN"),
        ("select a.k, a.n from raw.a, raw.b where a.k = b.k", "by no plain column"),
        ("select a.k, a.n from raw.a join raw.b on a.k < b.k", "by no plain column"),
        ("select a.k, a.n from raw.a join raw.b on cast(a.k as text) = b.k", "by no plain column"),
        ("select a.k, a.n from raw.a join raw.b on a.k = b.k or a.n = b.n", "by no plain column"),
        ("select a.k, a.n from raw.a join raw.a as b on a.k = b.k", "to itself"),
        ("select a.k, a.n from raw.a join (from raw.b join raw.c using (x)) b on a.k = b.x", "does not join"),
        ("with recursive a as (select 1 as k union select k + 1 from a) select k, k as n from a", "unites"),
        ("with b as (select * from b) select k, n from b", "such a name"),
        ("select k + 1 as k, n * 2 as n from raw.a", "in its key"),
        ("select b.k, b.n from raw.a join raw.b on a.k = b.k", "in its key"),
        ("select k, n from raw.a join raw.b on a.k = b.k", "in its key"),
        ("select raw.a.k, n from raw.a", "by their schema"),
        ("select k, n, random() as r from raw.a", "each time"),
        ("select k, n, my_macro(k) as r from raw.a", "my_macro"),
        ("select k, n, age(t) as r from raw.a", "age"),
        ("with unused as (select * from raw.b) select k, n from raw.a", "does not join"),
    ],
)  # fmt: skip
def test_what_is_built_in_full_says_why(sql: str, reason: str) -> None:
    found = of(sql)
    assert isinstance(found, str), found
    assert reason in found


def test_functions_of_the_moment_are_refused() -> None:
    """Every function that DuckDB itself calls volatile, or steady within one query alone."""
    con = duckdb.connect()
    sql = (
        "select distinct function_name from duckdb_functions() where function_type = 'scalar' "
        "and stability <> 'CONSISTENT' and regexp_full_match(function_name, '[a-z_0-9]+')"
    )
    names = [str(name) for (name,) in con.execute(sql).fetchall()]
    con.close()
    assert len(names) > 20
    assert [n for n in names if isinstance(of(f"select k, n, {n}() as x from raw.a"), Rowwise)] == []
    words = ["current_date", "current_timestamp", "localtimestamp", "localtime", "current_time"]
    assert [w for w in words if isinstance(of(f"select k, n, {w} as x from raw.a"), Rowwise)] == []
