"""Whether a header's numbers are sums over its lines, and what a line amounts to."""

from __future__ import annotations

from mainstem.draft import lexicon, words
from mainstem.draft.columns import Use
from mainstem.draft.graph import Node
from mainstem.draft.profile import Profile
from mainstem.schema import Column

ADDS_UP = 0.95
"""Share of headers that must equal the sum of their lines for the amount to be derivable."""

_OWN = frozenset(
    "freight tax shipping tip fee surcharge gratuity toll discount deposit charge".split()  # noqa: SIM905
)
"""What is added to a document as a whole."""

_AMOUNTS = frozenset({"amount", "total", "subtotal", "extended", "revenue", "price"})


def underivable(profile: Profile, line: Node, header: Node) -> list[str]:
    """The header's additive columns that are no sum over its lines (freight, tax, tips): by the data where
    somebody looked, else by their words."""
    said_line = {w for c in line.measures for w in (*line.said_of[c.name], *_meant(line, c.name))}
    money = bool(said_line & lexicon.MONEY)
    counted = bool(said_line & lexicon.QUANTITY)
    left = []
    for column in header.columns(Use.ADDITIVE):
        share = profile.adds_up.get((header.name, column.name, line.name))
        if share is not None and (share >= ADDS_UP or share < ADDS_UP / 2):
            left += [column.name] if share < ADDS_UP else []
            continue
        said = {*header.said_of[column.name], *_meant(header, column.name)}
        special = said & _OWN
        if special:
            derived = bool(special & said_line) or ("total" in said and money)
        else:
            derived = money if said & lexicon.MONEY else counted if said & lexicon.QUANTITY else False
        if not derived:
            left.append(column.name)
    return left


def _meant(node: Node, column: str) -> tuple[str, ...]:
    from_words = node.said_of[column]
    return tuple(lexicon.ABBREVIATIONS.get(w, w) for w in from_words)


def adding_up(profile: Profile, line: Node, header: Node) -> str:
    """What the data says of the header's amounts, as a sentence; empty where nobody looked."""
    told = []
    for column in header.columns(Use.ADDITIVE):
        share = profile.adds_up.get((header.name, column.name, line.name))
        if share is not None:
            told.append(f" {column.name} equals the sum of its lines for {share:.0%} of the rows looked at.")
    return "".join(told)


def line_amounts(node: Node) -> tuple[Column, ...]:
    """The line's own amounts: additive numbers of money."""
    return tuple(
        c for c in node.columns(Use.ADDITIVE) if set(words.meanings(node.said_of[c.name])) & _AMOUNTS
    )


def factors(node: Node) -> tuple[Column, Column, Column | None] | None:
    """Quantity, price and discount of a line, if it has the first two."""
    quantities = [
        c
        for c in node.columns(Use.ADDITIVE)
        if set(words.meanings(node.said_of[c.name])) & (lexicon.QUANTITY - {"amount", "volume", "number"})
    ]
    prices = [
        c
        for c in node.columns(Use.PRICE)
        if set(node.said_of[c.name]) & {"price", "each"} and "discount" not in node.said_of[c.name]
    ]
    prices = prices or [c for c in node.columns(Use.PRICE) if set(node.said_of[c.name]) >= {"unit", "cost"}]
    if not quantities or not prices:
        return None
    discount = next((c for c in node.columns(Use.PRICE) if "discount" in node.said_of[c.name]), None)
    return quantities[0], prices[0], discount
