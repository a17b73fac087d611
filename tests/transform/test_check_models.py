"""Before anything runs: every fault of every model, at its line, with the nearest names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mainstem.errors import ConfigErrors
from mainstem.graph import project_graph
from mainstem.project.load import load_project
from mainstem.schema import RAW, Table, TableName
from mainstem.transform.check import check_models
from support import DIM_CUSTOMERS, make_project, mart, table

TABLES = [
    table("customers", "customer_number int, customer_name text, country text", ["customer_number"]),
    table("lines", "order_number int, quantity int, price decimal(10,2), day date, rate double, note text"),
    table("Odd Name", "a text"),
]


def _check(root: Path, models: Mapping[str, str]) -> dict[TableName, tuple[str, ...]]:
    project = load_project(make_project(root, models, source=""))
    tables: dict[TableName, Table] = {TableName(RAW, one.name): one for one in TABLES}
    graph = project_graph(project, [one.name for one in TABLES])
    return check_models(graph, project.models, {name: one.columns for name, one in tables.items()})


def _errors(root: Path, models: Mapping[str, str]) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        _check(root, models)
    return [str(error) for error in caught.value.errors]


def test_what_is_right_gives_its_columns(tmp_path: Path) -> None:
    found = _check(
        tmp_path,
        {
            "dim_customers": DIM_CUSTOMERS,
            "z": "select * exclude (note) from raw.lines",
            "o": 'from raw."Odd Name"',
        },
    )
    assert found[mart("dim_customers")] == ("customer_key", "customer_name", "country")
    assert found[mart("z")] == ("order_number", "quantity", "price", "day", "rate")
    assert found[mart("o")] == ("a",)


HEADER = "/* mainstem\n{}\n*/\n"
CASES = [
    ("select quantty from raw.lines", "models/m.sql:1:", "quantity"),
    ("select quantity\nfrom raw.lines\nwhere prize > 1", "models/m.sql:3:", "price"),
    (HEADER.format("kind: fact") + "select quantity,\n  uper(note)\nfrom raw.lines",
     "models/m.sql:5:", "upper"),
    ("select quantity + note as x from raw.lines where quantity = 'abc'", "models/m.sql:1:", ""),
    ("select day + price as x from raw.lines", "models/m.sql:1:", ""),
    ("select quantity, count(*) from raw.lines", "models/m.sql:1:", "GROUP BY"),
    ("with a as (select 1 as b)\nselect a.c from a", 'models/m.sql:2: table "a" does not have', ""),
    ("select * from read_csv('/etc/hosts')", "models/m.sql:1: a model reads tables, not files", "raw.TABLE"),
    ("select nope from dim_customers", "models/m.sql:1:", ""),
    (HEADER.format("key: [order_numbr]") + "select order_number from raw.lines",
     "models/m.sql:2: the header speaks of a column order_numbr", "did you mean order_number?"),
    (HEADER.format("columns:\n  a: x\n  notes: y") + "select note, 1 as a from raw.lines",
     "models/m.sql:4: the header speaks of a column notes", "did you mean note?"),
    (HEADER.format("measures:\n  amont: {}") + "select 1 as amount",
     "models/m.sql:3: the header speaks of a column amont", "did you mean amount?"),
    (HEADER.format("checks:\n  - not_null: [a]\n  - unique: [b]") + "select 1 as a",
     "models/m.sql:4: the header speaks of a column b", "a"),
    (HEADER.format("checks:\n  - accepted_values: {c: [1]}") + "select 1 as a",
     "models/m.sql:3: the header speaks of a column c", "a"),
    (HEADER.format("measures:\n  a: {equals: quantity}") + "select 1 as a",
     "models/m.sql:3: `equals` needs a grain", ""),
    (HEADER.format("grain: {table: raw.lines}\nmeasures:\n  a: {equals: quantty * price}") + "select 1 as a",
     "models/m.sql:4:", "quantity"),
    (HEADER.format("grain:\n  table: raw.lines\n  where: quantity >") + "select 1 as a",
     "models/m.sql:4:", ""),
    (HEADER.format("grain:\n  table: raw.lines\n  where: canceled") + "select 1 as a", "models/m.sql:4:", ""),
    (HEADER.format("grain:\n  statement: x\n  table: mart.dim_customers") + "select 1 as a",
     "models/m.sql:4: the grain is a source table (raw.TABLE), not mart.dim_customers", ""),
    (HEADER.format("checks:\n  - sql: select * from dim_costumers") + "select 1 as a", "models/m.sql:3:", ""),
    (HEADER.format("columns:\n  a: {references: dim_customers.customer_ky}") + "select 1 as a",
     "models/m.sql:3: dim_customers has no column customer_ky", "did you mean customer_key"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "said", "hint"), CASES, ids=[f"{said[13:60]}|{sql[-30:]}" for sql, said, _ in CASES]
)
def test_a_fault_has_its_line_and_the_nearest_names(tmp_path: Path, sql: str, said: str, hint: str) -> None:
    (error,) = _errors(tmp_path, {"m": sql, "dim_customers": DIM_CUSTOMERS})
    assert error.startswith(said)
    assert hint in error
    assert "LINE " not in error
    assert "^" not in error


def test_all_faults_at_once_and_none_that_only_follow(tmp_path: Path) -> None:
    errors = _errors(
        tmp_path,
        {
            "a": "select nope from raw.lines",
            "b": "select x from a",  # follows from a
            "c": "select * from b",
            "d": HEADER.format("key: [k]\ncolumns: {l: x}\nmeasures: {m: {}}") + "select 1 as one",
        },
    )
    assert [error.partition(": ")[0] for error in errors] == [
        "models/a.sql:1", "models/d.sql:2", "models/d.sql:3", "models/d.sql:4",
    ]  # fmt: skip


def test_names_in_the_header_are_those_of_the_result_without_regard_to_case(tmp_path: Path) -> None:
    sql = (
        HEADER.format("key: [K]\ncolumns: {k: {references: DIM_CUSTOMERS.Customer_Key}}") + "select 'x' as k"
    )
    assert _check(tmp_path, {"m": sql, "dim_customers": DIM_CUSTOMERS})


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_text('/etc/passwd')",
        "select * from sqlite_scan('shop.db', 'x')",
    ],
)
def test_a_model_reads_tables_and_no_files(tmp_path: Path, sql: str) -> None:
    assert len(_errors(tmp_path, {"m": sql})) == 1


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    error, other = _errors(
        tmp_path, {"m": "select 1 as a, 2 as b, 3 as A", "n": "select l.*, quantity from raw.lines l"}
    )
    assert error.startswith("models/m.sql:1: the SELECT returns two columns a and A\n  → the 1. and the 3.")
    assert other.startswith("models/n.sql:1: the SELECT returns two columns quantity\n  → the 2. and the 7.")
