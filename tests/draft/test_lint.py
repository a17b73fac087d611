"""The drafted SQL is clean under the configuration that every project gets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter

from mainstem.draft import SQLFLUFF, draft, from_benchmark, render
from mainstem.schema import Database
from sweeps import swept

from .score import schema
from .sketch import database
from .test_histories import CLINIC
from .test_profiled import FLAGS
from .test_values import SHOP

ROOT = Path(__file__).parents[2]


def _benchmark(name: str) -> Database:
    return from_benchmark(schema(name))


SOURCES: dict[str, Callable[[], Database]] = {
    **{name: partial(_benchmark, name) for name in ("classicmodels", "sakila", "chinook", "northwind")},
    "histories": lambda: database(CLINIC),
    "long names": lambda: database(
        """
        service_departments: service_department_code text, service_department_name
        service_department_prices: service_department_code text -> service_departments, effective_valid_from_date date, effective_valid_to_date? date, unit_price num, currency, key (service_department_code, effective_valid_from_date)
        service_department_visits: id, service_department_code text -> service_departments, happened_on date, quantity_of_services_delivered int, standard_unit_price_each_service real, discount_percentage_granted real
        """  # noqa: E501
    ),
    "shop": lambda: database(SHOP, "mysql"),
    "flags": lambda: database(FLAGS),
    "shares": lambda: database(
        """
        accounts: id, iban
        owners: id, owner_name
        account_owners: account_id -> accounts, owner_id -> owners, percent num, key (account_id, owner_id)
        postings: id, account_id -> accounts, posted date, amount num
        """
    ),
    "bridge": lambda: database(
        """
        films: film_id, title
        categories: category_id, name
        film_category: film_id -> films, category_id -> categories, key (film_id, category_id)
        rentals: rental_id, film_id -> films, rental_date_of_the_copy_in_the_shop date, return_date_of_the_copy_in_the_shop? date
        """  # noqa: E501
    ),
}


def test_the_committed_configuration_is_the_one_that_is_written() -> None:
    assert (ROOT / ".sqlfluff").read_text(encoding="utf-8") == SQLFLUFF


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", swept(SOURCES, *(set(SOURCES) - {"sakila", "chinook", "northwind"})))
def test_drafted_models_are_clean(name: str) -> None:
    linter = Linter(config=FluffConfig.from_string(SQLFLUFF))
    source = SOURCES[name]()
    for file in render(draft(source), source):
        if file.path.endswith(".sql"):
            found = linter.lint_string(file.text, fname=file.path).get_violations()
            assert [f"{file.path}:{v.line_no} {v.rule_code()} {v.desc()}" for v in found] == []


@pytest.mark.filterwarnings("default")
def test_the_linter_sees_what_is_not_clean() -> None:
    linter = Linter(config=FluffConfig.from_string(SQLFLUFF))
    assert linter.lint_string("SELECT a,b from x join y on x.a=y.a\n").get_violations()
