"""The drafted SQL is clean under the configuration that every project gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter

from mainstem.draft import SQLFLUFF, draft, from_benchmark, render

from .score import schema
from .sketch import database
from .test_profiled import FLAGS
from .test_values import SHOP

ROOT = Path(__file__).parents[2]
SOURCES = {
    "classicmodels": lambda: from_benchmark(schema("classicmodels")),
    "shop": lambda: database(SHOP, "mysql"),
    "flags": lambda: database(FLAGS),
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
@pytest.mark.parametrize("name", SOURCES)
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
