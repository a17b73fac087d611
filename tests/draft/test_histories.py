"""Histories that the source keeps itself: a dimension of versions, and facts that refer to the right one."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from mainstem.draft import Star, draft, explain, render, to_benchmark

from .sketch import database
from .world import Rows, World, build

CLINIC = """
services: code text, service_name, service_group
service_prices: code text -> services, valid_from date, valid_to? date, unit_price num, price_list, key (code, valid_from)
visits: id, code text -> services, visited date, quantity int, amount num
"""  # noqa: E501

PRICES = [
    ["XRAY", date(2022, 1, 1), date(2022, 12, 31), 40, "A"],
    ["XRAY", date(2023, 1, 1), date(2023, 6, 30), 50, "B"],
    ["XRAY", date(2024, 1, 1), None, 60, "C"],
    ["MRI", date(2022, 1, 1), date(2023, 3, 1), 200, "A"],  # ends on the day on which the next one begins
    ["MRI", date(2023, 3, 1), None, 220, "B"],
    ["MRI", date(2023, 2, 1), date(2023, 12, 31), 210, "overlap"],
]
VISITS = [
    [1, "XRAY", date(2022, 12, 31), 1, 40], [2, "XRAY", date(2023, 1, 1), 1, 50],
    [3, "XRAY", date(2023, 8, 1), 1, 50], [4, "XRAY", date(2021, 5, 1), 1, 9],
    [5, "XRAY", date(2025, 1, 1), 1, 60],
    [6, "MRI", date(2023, 3, 1), 1, 220], [7, "MRI", date(2023, 2, 28), 1, 210],
    [8, "GONE", date(2023, 2, 28), 1, 1],
]  # fmt: skip
ROWS: Rows = {
    "services": [["XRAY", "X-ray", "I"], ["MRI", "MRI", "I"]],
    "service_prices": PRICES,
    "visits": VISITS,
}


def world(text: str = CLINIC, rows: Rows = ROWS) -> World:
    source = database(text)
    return build(source, render(draft(source), source), rows)


def histories(text: str) -> frozenset[str]:
    return draft(database(text)).histories


def test_a_fact_refers_to_the_version_that_held_on_its_date_and_no_row_is_doubled() -> None:
    made = world()
    assert made.broken() == []
    found = dict(made.rows("select visit_id, service_price_key from mart.fact_visits"))
    assert found == {
        1: "XRAY|2022-01-01",
        2: "XRAY|2023-01-01",
        3: "missing",  # over by then, and the next one had not begun
        4: "missing",  # before the first
        5: "XRAY|2024-01-01",
        6: "MRI|2023-03-01",
        7: "MRI|2023-02-01",
        8: "missing",
    }
    prices = made.rows(
        "select visit_id, unit_price from mart.fact_visits join mart.dim_service_prices "
        "using (service_price_key) "
        "where unit_price is not null order by visit_id"
    )
    assert prices == [(1, 40), (2, 50), (5, 60), (6, 220), (7, 210)]


def test_two_versions_of_one_start_double_nothing() -> None:
    text = CLINIC.replace("service_prices: code", "service_prices: id, code").replace(
        ", key (code, valid_from)", ""
    )
    prices = [[n, *row] for n, row in enumerate([*PRICES, PRICES[1]], start=1)]
    made = world(text, {**ROWS, "service_prices": prices})
    assert made.one("select count(*) from mart.fact_visits") == len(VISITS)
    assert made.broken() == []


def test_a_plain_join_would_double_rows() -> None:
    """What the start of the next version is for."""
    source = database(CLINIC)
    files = render(draft(source), source)
    plain = [
        type(f)(f.path, f.text.replace("visits.visited < service_prices.next_valid_from", "true"))
        for f in files
    ]
    assert any("rows" in told for told in build(source, plain, ROWS).broken())


def test_moments_are_compared_as_moments_and_days_as_days() -> None:
    rows: Rows = {
        "machines": [[1, "Lathe"]],
        "machine_settings": [
            [1, datetime(2024, 1, 1, 10), datetime(2024, 1, 1, 12), "slow"],
            [1, datetime(2024, 1, 1, 12), None, "fast"],
        ],
        "cycles": [[1, 1, datetime(2024, 1, 1, 11), 3], [2, 1, datetime(2024, 1, 1, 13), 3]],
    }
    text = """
    machines: id, machine_name
    machine_settings: m_id -> machines, valid_from time, valid_to? time, speed, key (m_id, valid_from)
    cycles: id, machine_id -> machines, happened_at time, pieces_count int
    """
    asked = (
        "select speed from mart.fact_cycles join mart.dim_machine_settings using (machine_setting_key) "
        "order by cycle_id"
    )
    assert world(text, rows).rows(asked) == [("slow",), ("fast",)]
    by_day = text.replace("happened_at time", "happened_on date")
    rows = {**rows, "cycles": [[1, 1, date(2024, 1, 1), 3]]}
    assert world(by_day, rows).rows(asked) == [("fast",)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("key (code, valid_from)", "l_id -> services, key (code, l_id, valid_from)"), "several at a time"),
        (("visited date, ", ""), "no date of the fact"),
        (("visits: id, code text -> services", "visits: id, code text"), "no fact refers to the owner"),
        ((", quantity int, amount num", ""), "nothing is counted that has a price"),
    ],
)  # fmt: skip
def test_no_versions_where_none_can_be_told(change: tuple[str, str], why: str) -> None:
    plain = CLINIC.replace(", price_list", "")
    assert histories(plain), "the control"
    assert not histories(plain.replace(*change)), why


def test_a_history_is_said_to_be_one_and_stands_apart_in_the_benchmarks_form() -> None:
    star: Star = draft(database(CLINIC))
    assert "dim_service_prices: service_prices, one row a version" in explain(star)
    assert "A history (type 2) of the service" in explain(star)
    document = to_benchmark(star)
    assert [dim["base_table"] for dim in document["dims"]] == ["services"]
    assert document["histories"] == [{"name": "dim_service_prices", "base_table": "service_prices"}]
    assert Decimal(star.facts[0].score) >= 3
