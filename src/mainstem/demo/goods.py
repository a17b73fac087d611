"""Product lines and products of the demo's shop."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.demo.dice import Dice
from mainstem.demo.words import LINES, MAKERS, Line

PRODUCTS_PER_LINE = 18
# By position within a line: never sold (a new one and a discontinued one), and sold no more.
NEVER_SOLD = {("Lighting", 4), ("Toys", 11)}
DISCONTINUED = (6, 11)


@dataclass(frozen=True, slots=True)
class Product:
    """A row of `products`, and how it sells: `cents` a piece, `weight`, and its line's months."""

    row: tuple[object, ...]
    code: str
    cents: int
    weight: int
    discontinued: bool
    line: Line


def product_lines() -> list[tuple[object, ...]]:
    """Rows of `product_lines`."""
    return [(line.name, line.description) for line in LINES]


def products(dice: Dice) -> list[Product]:
    """All products, line by line."""
    return [
        _product(dice, line, number, position)
        for number, line in enumerate(LINES, start=1)
        for position in range(PRODUCTS_PER_LINE)
    ]


def _product(dice: Dice, line: Line, number: int, position: int) -> Product:
    low, high = line.cents
    # A product of two draws: many cheap ones, few dear ones. List prices end in 90 cents.
    span = (high - low) * dice.below(1000) * dice.below(1000) // 1_000_000
    cents = (low + span) // 100 * 100 + 90
    cost = cents * (45 + dice.below(25)) // 100
    goods = line.goods[position % len(line.goods)]
    quality = line.qualities[(position // len(line.goods) + position) % len(line.qualities)]
    discontinued = position in DISCONTINUED
    code = f"S{number}_{1000 + position * 37}"
    row = (
        code,
        f"{quality} {goods}",
        line.name,
        dice.pick(MAKERS),
        0 if discontinued else dice.below(9000),
        cost / 100,
        cents / 100,
        int(discontinued),
    )
    weight = 0 if (line.name, position) in NEVER_SOLD else 4 + dice.below(12) * dice.below(12)
    # Dear things sell more slowly.
    if cents > 20_000:
        weight = (weight + 2) // 3
    return Product(row, code, cents, weight, discontinued, line)
