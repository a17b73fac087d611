"""What columns are for: every rule with a column that it decides, and every kind of number."""

from __future__ import annotations

import pytest

from mainstem.draft import ColumnProfile, words
from mainstem.draft.columns import NUMBERS, RULES, Named, Use, rule_of
from mainstem.schema import Column, Kind, Type

TYPES = {
    "int": Type(Kind.INT), "num": Type(Kind.DECIMAL, 10, 2), "date": Type(Kind.DATE),
    "time": Type(Kind.TIMESTAMP), "text": Type(Kind.STRING), "bool": Type(Kind.BOOLEAN),
    "bytes": Type(Kind.BINARY),
}  # fmt: skip


def named(name: str, kind: str, key: str = "", profile: ColumnProfile | None = None) -> Named:
    said = words.split(name)
    column = Column(name, TYPES[kind], True, kind)
    return Named(column, said, words.meanings(said), ("order",), key == "own", key == "foreign", profile)


CASES = [
    ("audit", "last_edited_by", "text", Use.AUDIT),
    ("audit", "created_at", "time", Use.AUDIT),
    ("secret", "password_hash", "text", Use.SECRET),
    ("junk", "photo", "bytes", Use.JUNK),
    ("flag", "is_gift", "int", Use.FLAG),
    ("flag", "paid", "bool", Use.FLAG),
    ("date", "shipped_on", "date", Use.DATE),
    ("date", "birth_date", "date", Use.BIRTH),
    ("date", "hired_on", "date", Use.HIRE),
    ("date", "valid_from", "date", Use.START),
    ("date", "valid_to", "date", Use.END),
    ("number", "quantity", "int", Use.ADDITIVE),
    ("number", "fiscal_year", "int", Use.CODE),
    ("number", "area_ha", "num", Use.ADDITIVE),
    ("number", "area", "num", Use.CODE),
    ("person", "last_name", "text", Use.PERSON),
    ("person", "email", "text", Use.PERSON),
    ("label", "order_name", "text", Use.LABEL),
    ("text", "remark", "text", Use.TEXT),
    ("text", "tracking_code", "text", Use.CODE),
]


@pytest.mark.parametrize(("rule", "name", "kind", "use"), CASES, ids=[case[1] for case in CASES])
def test_the_rule_and_the_use_of_a_column(rule: str, name: str, kind: str, use: Use) -> None:
    decided, found = rule_of(named(name, kind))
    assert (decided.name, found) == (rule, use)


@pytest.mark.parametrize("key", ["own", "foreign"])
def test_keys(key: str) -> None:
    decided, use = rule_of(named("order_id", "int", key))
    assert (decided.name, use) == ("key", Use.KEY)


def test_every_rule_has_a_name_a_reason_and_a_case() -> None:
    assert {rule.name for rule in RULES} == {case[0] for case in CASES} | {"key"}
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.why for rule in RULES)


SHARE = ColumnProfile(low=0, high=0.25)
NUMBER_CASES = [
    ("number of", "number_of_guests", Use.ADDITIVE),
    ("count", "item_count", Use.ADDITIVE),
    ("code", "line_position", None),
    ("limit", "max_weight", Use.PRICE),
    ("share", "tax", Use.PRICE),
    ("on hand", "packages_on_hand", Use.SEMI),
    ("load", "gross_weight_kg", Use.ADDITIVE),
    ("extended price", "extended_price", Use.ADDITIVE),
    ("rate", "exchange_rate", Use.PRICE),
    ("unit price", "unit_cost", Use.PRICE),
    ("level", "balance", Use.SEMI),
    ("quantity", "amount", Use.ADDITIVE),
]


@pytest.mark.parametrize(("rule", "name", "use"), NUMBER_CASES, ids=[case[1] for case in NUMBER_CASES])
def test_how_a_number_adds_up(rule: str, name: str, use: Use | None) -> None:
    column = named(name, "num", profile=SHARE if rule == "share" else None)
    decided = next(r for r in NUMBERS if r.test(column))
    assert (decided.name, decided.use) == (rule, use)


def test_every_rule_of_numbers_has_a_name_a_reason_and_a_case() -> None:
    assert [case[0] for case in NUMBER_CASES] == [rule.name for rule in NUMBERS]
    assert all(rule.why for rule in NUMBERS)
