"""Names taken apart and put together."""

from __future__ import annotations

import doctest
import subprocess
import sys

import pytest

from mainstem.draft import words


def test_doctests() -> None:
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("salesRepEmployeeNumber", "sales rep employee number"),
        ("ORDER_DATE", "order date"),
        ("orderdate", "order date"),
        ("BusinessEntityID", "business entity id"),
        ("HTTPServerError", "http server error"),
        ("Ort-Größe", "ort größe"),
        ("productlines", "product lines"),
        ("xyzzy", "xyzzy"),
    ],
)
def test_split(name: str, said: str) -> None:
    assert " ".join(words.split(name)) == said


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("category", "categories"),
        ("person", "people"),
        ("address", "addresses"),
        ("status", "statuses"),
        ("movie", "movies"),
        ("staff", "staff"),
        ("diagnosis", "diagnoses"),
        ("box", "boxes"),
        ("invoice", "invoices"),
    ],
)
def test_plural_and_back(one: str, many: str) -> None:
    assert words.plural(one) == many
    assert words.singular(many) == one


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("orders", "orders"),
        ("order", '"order"'),
        ("Order", '"Order"'),
        ("a b", '"a b"'),
        ('a"b', '"a""b"'),
        ("1a", '"1a"'),
    ],
)
def test_quote(name: str, sql: str) -> None:
    assert words.quote(name) == sql


def test_drafting_imports_no_engine() -> None:
    heavy = "'duckdb', 'sqlglot', 'pandas', 'pyarrow', 'pydantic', 'pyiceberg'"
    code = f"import sys, mainstem.draft;print([m for m in ({heavy}) if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
