"""Offices, employees and customers of the demo's shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mainstem.demo.dice import Dice
from mainstem.demo.words import (
    COUNTRIES,
    DEFAULT_OFFICE,
    GIVEN_NAMES,
    OFFICES,
    SHARED_POSTAL_CODE,
    SHARING_CITIES,
    STAFF_NAMES,
    TERRITORY_OFFICE,
    Country,
)

REPS_PER_OFFICE = 3
FIRST_CUSTOMER = 101


@dataclass(frozen=True, slots=True)
class Customer:
    """A row of `customers`, and how it buys: `day` it joined (0: the first), `weight` among buyers."""

    row: tuple[object, ...]
    day: int
    weight: int


def offices() -> list[tuple[object, ...]]:
    """Rows of `offices`."""
    return [(code, city, country, territory, postal) for code, city, country, territory, postal in OFFICES]


def employees() -> list[tuple[object, ...]]:
    """Rows of `employees`: one president, a manager an office, and its sales representatives.

    The president reports to nobody (NULL); everybody else to the row above in the tree.
    """
    rows: list[tuple[object, ...]] = [_employee(1000, OFFICES[0][0], None, "President")]
    for position, office in enumerate(OFFICES):
        manager = 1100 + position * 10
        rows.append(_employee(manager, office[0], 1000, "Sales Manager"))
        rows.extend(
            _employee(manager + 1 + rep, office[0], manager, "Sales Rep") for rep in range(REPS_PER_OFFICE)
        )
    return rows


def _employee(number: int, office: str, boss: int | None, title: str) -> tuple[object, ...]:
    last = STAFF_NAMES[(number * 7 // 3) % len(STAFF_NAMES)]
    first = GIVEN_NAMES[number % len(GIVEN_NAMES)]
    return (number, last, first, f"{number}@shop.example", office, boss, title)


def customers(dice: Dice, start: date, days: int) -> list[Customer]:
    """All customers in the order in which they joined, so that numbers and dates rise together."""
    joining: list[tuple[int, int, Country, int]] = []
    for country in COUNTRIES:
        for nth in range(country.customers):
            day = 0 if dice.percent(45) else dice.below(days * 9 // 10)
            joining.append((day, len(joining), country, nth))
    joining.sort(key=lambda entry: entry[:2])
    return [
        _customer(dice, FIRST_CUSTOMER + position, country, nth, day, start)
        for position, (day, _, country, nth) in enumerate(joining)
    ]


def _customer(dice: Dice, number: int, country: Country, nth: int, day: int, start: date) -> Customer:
    city, _, state = dice.pick(country.cities).partition(", ")
    family = dice.pick(country.families)
    joined = start + timedelta(days=day if day else -1 - dice.below(700))
    office = TERRITORY_OFFICE.get(country.name, DEFAULT_OFFICE)
    manager = 1100 + 10 * int(office) - 10
    # Every nineteenth has no representative; every seventeenth has never bought anything.
    rep = None if number % 19 == 0 else manager + 1 + dice.below(REPS_PER_OFFICE)
    prospect = number % 17 == 0
    # Two of Norway's rows were typed with blanks behind the name.
    padding = "  " if country.name == "Norway" and nth in (3, 8) else ""
    firm = dice.pick(country.firms).format(family)
    row = (
        number,
        f"{firm}, {city}" if dice.percent(70) else firm,
        f"{dice.pick(GIVEN_NAMES)} {family}",
        city,
        state or None,
        _postal_code(dice, country, city, nth),
        country.name + padding,
        rep,
        (5 + dice.below(120)) * 1000 if not prospect else 0,
        joined.isoformat(),
    )
    return Customer(row, day, 0 if prospect else 2 + dice.below(10) * dice.below(10))


def _postal_code(dice: Dice, country: Country, city: str, nth: int) -> str | None:
    if city in SHARING_CITIES:
        return SHARED_POSTAL_CODE
    if not country.postal or (country.name == "Ireland" and nth % 4 == 0):
        return None
    return dice.fill(country.postal)
