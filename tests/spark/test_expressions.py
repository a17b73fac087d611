"""Each expression on both engines: the same values and the same type, or refused with its line."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from mainstem.compile import compile_query
from mainstem.compile.known import SAME
from mainstem.compile.letters import LOWER_FROM, UPPER_FROM
from mainstem.compile.rules import RULES, Rule
from mainstem.errors import ConfigErrors, EngineFailed
from spark import expressions
from spark.conftest import Both

SCALARS = expressions.listed(expressions.SCALARS)
AGGREGATES = expressions.listed(expressions.AGGREGATES)
CHUNK = 60  # columns of one statement
_FOUND: dict[str, tuple[object, object]] = {}
_APART: set[str] = set()  # chunks that failed together


def query_of(listed: list[str], key: str) -> str:
    columns = ", ".join([*([key] if key else []), *(f"{one} as x{n}" for n, one in enumerate(listed))])
    return f"select {columns} from raw.t"


def results(both: Both, listed: list[str], key: str) -> list[tuple[object, object]]:
    """What each engine gives for each expression: its type, then its values in the order of the key."""
    sql = query_of(listed, key)
    tables = [both.duckdb.query(sql), both.spark.query(compile_query(sql, both.binder.describe).sql)]
    if key:
        tables = [table.sort_by(key) for table in tables]
    sides = [
        [(str(field.type), column.to_pylist()) for field, column in zip(t.schema, t.columns, strict=True)]
        for t in tables
    ]
    first = 1 if key else 0
    return list(zip(*(side[first:] for side in sides), strict=True))


def found(both: Both, expression: str, listed: list[str], key: str) -> tuple[object, object]:
    """The result of one expression: computed with its neighbours, alone if they fail together."""
    at = listed.index(expression) // CHUNK * CHUNK
    neighbours = listed[at : at + CHUNK]
    if expression not in _FOUND and neighbours[0] not in _APART:
        try:
            _FOUND.update(zip(neighbours, results(both, neighbours, key), strict=True))
        except EngineFailed:
            _APART.add(neighbours[0])
    if expression not in _FOUND:
        (_FOUND[expression],) = results(both, [expression], key)
    return _FOUND[expression]


def plain(side: object, digits: int = 0) -> object:
    """Values that compare: no number equals no number, minus zero is zero."""
    assert isinstance(side, tuple)
    type_, values = side

    def one(value: object) -> object:
        if isinstance(value, float):
            if math.isnan(value):
                return "nan"
            return float(f"{value:.{digits}g}") if digits else value + 0.0
        return value

    return type_, [one(value) for value in values]


@pytest.mark.parametrize("expression", SCALARS)
def test_scalar(both: Both, expression: str) -> None:
    mine, theirs = found(both, expression, SCALARS, "k")
    assert plain(theirs) == plain(mine)


@pytest.mark.parametrize("expression", AGGREGATES)
def test_aggregate(both: Both, expression: str) -> None:
    mine, theirs = found(both, expression, AGGREGATES, "")
    digits = 9 if expression.startswith(("std", "var", "sum(f", "sum(g", "avg(f", "avg(g")) else 0
    assert plain(theirs, digits) == plain(mine, digits)


def test_there_are_150() -> None:
    assert len(set(SCALARS + AGGREGATES)) >= 150


@pytest.mark.parametrize(("expression", "said"), expressions.REFUSED)
def test_refused(both: Both, expression: str, said: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        compile_query(f"select\n  {expression} as x\nfrom raw.t", both.binder.describe, "models/m.sql", 7)
    assert said in str(caught.value)
    assert len(caught.value.errors) == 1, "one reason, not what follows from it"
    assert "models/m.sql:8: on Spark: " in str(caught.value)


@cache
def _nodes() -> frozenset[type[exp.Expr]]:
    every = [parse_one(query_of([one], ""), dialect="duckdb") for one in SCALARS + AGGREGATES]
    return frozenset(type(node) for tree in every for node in tree.walk())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_an_expression(rule: Rule) -> None:
    nodes = rule.nodes
    shown = _nodes() | {exp.Explode, exp.Month, exp.Concat}
    assert any(node in shown for node in nodes), nodes


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_in_the_docs(rule: Rule) -> None:
    page = Path(__file__).parents[2] / "docs" / "spark.md"
    name = rule.name.replace("|", "\\|")
    assert f"| {name} | {rule.reason} |" in page.read_text(encoding="utf-8")


STRUCTURE = """
with a as (select s, b, count(*) as n from raw.t group by s, b),
b as (select * exclude (n) from a union all select 'x', null union all select null, true)
select b.s, upper(coalesce(b.s, 'none')) as u, count(*) as n, sum(a.n) as m
from b left join a on a.s is not distinct from b.s
group by b.s, upper(coalesce(b.s, 'none')) having count(*) > 0
order by 1 desc
;
select * replace (k + 1 as k) from (select k, s from raw.t) q where k < 5
;
select k, s from raw.t qualify row_number() over (partition by b order by k desc) = 1
;
select unnest(generate_series(day, due, interval 10 day)) as m, k from raw.t where k in (1, 2, 6)
;
select k from raw.t except select k from raw.t where b
;
select t.k, (select count(*) from raw.t o where o.j = t.j) as n from raw.t
;
with recursive_free as (select 1 as one) select one, k from recursive_free cross join raw.t where not exists (
  select 1 from raw.t x where x.k = raw.t.k and x.b)
;
select distinct j, b from raw.t
;
select j, count(*) filter (where d > 0) as n from raw.t group by j order by n desc nulls last limit 100
;
select a.k, c.k as other from raw.t a join raw.t c using (j)
;
select * from (values (1, 'a'), (2, 'b')) v(n, t)
;
select k from raw.t semi join (select 7 as i) x on t.i = x.i
;
select k, case when s like '%a%' then 1.5 else 2 end as x from raw.t limit 0
"""


@pytest.mark.parametrize("sql", [one.strip() for one in STRUCTURE.split("\n;\n")], ids=lambda s: s[:40])
def test_structure(both: Both, sql: str) -> None:
    mine = both.duckdb.query(sql)
    theirs = both.spark.query(compile_query(sql, both.binder.describe).sql)
    assert theirs.schema == mine.schema
    assert sorted(map(str, theirs.to_pylist())) == sorted(map(str, mine.to_pylist()))


def test_upper_and_lower_of_every_letter(both: Both) -> None:
    """All letters that Unicode has, and the negative control: Spark's own upper and lower differ."""
    step = 0x3000
    ranges = [range(start, start + step) for start in range(1, 0x30000, step)]
    texts = ["|".join(chr(c) for c in cps if not 0xD800 <= c <= 0xDFFF) for cps in ranges]
    listed = ", ".join("('" + text.replace("'", "''").replace("\\", "/") + "')" for text in texts)
    sql = f"select upper(x) as u, lower(x) as l from (values {listed}) v(x)"
    mine = both.duckdb.query(sql).to_pylist()
    theirs = both.spark.query(compile_query(sql, both.binder.describe).sql).to_pylist()
    assert sorted(map(str, mine)) == sorted(map(str, theirs))
    own = both.spark.query(f"select upper('{UPPER_FROM}') as u, lower('{LOWER_FROM}') as l").to_pylist()
    assert (
        own != both.duckdb.query(f"select upper('{UPPER_FROM}') as u, lower('{LOWER_FROM}') as l").to_pylist()
    )


def test_what_is_the_same_is_shown() -> None:
    """Each value or function that is let through as it is stands in an expression."""
    functions = {node for node in SAME if issubclass(node, exp.Func)}
    missing = {str(node.__name__) for node in functions - _nodes()}
    plumbing = {"Exists", "GenerateSeries", "Stddev", "Variance", "Contains", "And", "Or"}
    assert missing <= plumbing | {"StddevSamp"}, missing
