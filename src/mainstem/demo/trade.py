"""Orders, their lines and their payments: five years with growth, weeks, seasons and a November peak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from mainstem.demo.dice import Dice, running
from mainstem.demo.goods import Product
from mainstem.demo.parties import Customer
from mainstem.demo.words import COMMENTS

START = date(2021, 1, 1)
DAYS = (date(2025, 12, 31) - START).days + 1
FIRST_ORDER = 10_001
# A discontinued product is sold for the last time in this year.
LAST_YEAR_OF_DISCONTINUED = 2023

WEEKDAYS = (118, 112, 106, 104, 96, 62, 42)
MONTHS = (88, 84, 92, 96, 98, 94, 88, 86, 98, 106, 158, 140)
LINES_PER_ORDER = running((18, 22, 20, 15, 10, 6, 4, 2))
PERCENT_OF_LIST = (100, 100, 100, 100, 95, 95, 90, 80)


@dataclass(slots=True)
class Batch:
    """Rows of some days, ready to be written."""

    orders: list[tuple[object, ...]] = field(default_factory=list)
    lines: list[tuple[object, ...]] = field(default_factory=list)
    payments: list[tuple[object, ...]] = field(default_factory=list)


class Trade:
    """Makes the orders, day by day."""

    def __init__(self, dice: Dice, customers: list[Customer], products: list[Product]) -> None:
        self._dice = dice
        self._customers = customers
        self._products = products
        self._buyers = running([customer.weight for customer in customers])
        self._isos = [(START + timedelta(days=day)).isoformat() for day in range(DAYS + 60)]
        self._number = FIRST_ORDER

    def batches(self, order_lines: int) -> Iterator[Batch]:
        """Batches of some thousand rows, in which there are `order_lines` lines in all."""
        shares = running(self._day_weights())
        batch = Batch()
        made = joined = 0
        assortment = self._assortment(START)
        for day in range(DAYS):
            while joined < len(self._customers) and self._customers[joined].day <= day:
                joined += 1
            if self._isos[day].endswith("-01"):
                assortment = self._assortment(START + timedelta(days=day))
            until = order_lines * shares[day] // shares[-1]
            while made < until:
                made += self._order(batch, day, joined, assortment, order_lines - made)
            if len(batch.lines) >= 10_000:
                yield batch
                batch = Batch()
        yield batch

    def _day_weights(self) -> list[int]:
        weights = []
        for day in range(DAYS):
            when = START + timedelta(days=day)
            season = MONTHS[when.month - 1] * WEEKDAYS[when.weekday()]
            if when.month == 11 and when.day >= 22 and when.weekday() in (4, 5, 6, 0):
                season *= 2
            weights.append(season * (1000 + day) * (85 + self._dice.below(31)))
        return weights

    def _assortment(self, when: date) -> list[int]:
        """Running weights of all products in this month."""
        gone = when.year > LAST_YEAR_OF_DISCONTINUED
        return running(
            [
                0 if gone and product.discontinued else product.weight * product.line.months[when.month - 1]
                for product in self._products
            ]
        )

    def _order(self, batch: Batch, day: int, joined: int, assortment: list[int], most: int) -> int:
        """Appends one order with its lines, and its payment if there is one; returns its line count."""
        dice = self._dice
        number = self._number
        self._number += 1
        customer = self._customers[dice.weighted(self._buyers, joined)].row[0]
        count = min(1 + dice.weighted(LINES_PER_ORDER, len(LINES_PER_ORDER)), most)
        total = 0
        for line in range(1, count + 1):
            product = self._products[dice.weighted(assortment, len(assortment))]
            quantity = 1 + dice.below(6) * dice.below(6) // 3
            cents = (product.cents * dice.pick(PERCENT_OF_LIST) + 50) // 100
            total += quantity * cents
            batch.lines.append((number, line, product.code, quantity, cents / 100))
        status, shipped = self._fate(day)
        changed = day if shipped is None else shipped
        iso = self._isos
        batch.orders.append(
            (
                number,
                customer,
                iso[day],
                iso[day + 7 + dice.below(7)],
                None if shipped is None else iso[shipped],
                status,
                dice.pick(COMMENTS) if dice.percent(4) else None,
                f"{iso[changed]} {8 + dice.below(12):02d}:{dice.below(60):02d}:{dice.below(60):02d}",
            )
        )
        if shipped is not None and status == "Shipped":
            paid = shipped + dice.below(30)
            if paid < DAYS and not dice.percent(2):
                batch.payments.append((customer, f"P{number:08d}", iso[paid], total / 100))
        return count

    def _fate(self, day: int) -> tuple[str, int | None]:
        """The order's status, and the day on which it was shipped, None if it was not."""
        dice = self._dice
        left = DAYS - 1 - day
        takes = 1 + dice.below(9)
        if dice.percent(2):
            return "Cancelled", None
        if left < 120 and dice.percent(2):
            return "On Hold", None
        if takes > left:
            return "In Process", None
        return "Returned" if dice.percent(1) else "Shipped", day + takes
