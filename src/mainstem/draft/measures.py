"""The numbers of a fact: what adds up, over what, and the amounts that can be derived."""

from __future__ import annotations

from mainstem.draft import lexicon, naming, words
from mainstem.draft.columns import MEASURES, Use
from mainstem.draft.graph import Graph, Node
from mainstem.draft.star import Additivity, Measure
from mainstem.schema import Column, Kind

_FLOATS = (Kind.FLOAT, Kind.DOUBLE)
_ADDS = {Use.ADDITIVE: Additivity.FULL, Use.SEMI: Additivity.SEMI, Use.PRICE: Additivity.NONE}
_DIGITS = {Kind.INT: 10, Kind.LONG: 19}
_WIDEST = 38


def measures_of(graph: Graph, node: Node, taken: naming.Names, dated: bool) -> tuple[Measure, ...]:
    """Rules 20 and 21, over the grain table alone: a header's numbers are never copied onto its lines."""
    result = []
    for column in node.columns(*MEASURES):
        adds = _ADDS[node.uses[column.name]]
        said = set(node.said_of[column.name])
        money = bool(set(words.meanings(node.said_of[column.name])) & lexicon.MONEY)
        if not dated and adds is Additivity.FULL:
            adds = Additivity.NONE if said & {"cost", "price", "value"} else Additivity.SEMI
        name = taken.take(naming.column(node, column.name))
        comment = column.comment.strip().splitlines()[0].strip() if column.comment.strip() else ""
        result.append(Measure(name, column.name, adds, comment, "", money, column.type.kind not in _FLOATS))
    derived = _amount(graph, node, taken) if dated else None
    return (*result, derived) if derived else tuple(result)


def _amount(graph: Graph, node: Node, taken: naming.Names) -> Measure | None:
    """quantity × price × (1 − discount), where the table has no amount of its own."""
    additive = node.columns(Use.ADDITIVE)
    if any(
        set(words.meanings(node.said_of[c.name]))
        & {"amount", "total", "subtotal", "extended", "revenue", "price"}
        for c in additive
    ):
        return None
    quantities = [
        c
        for c in additive
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
    quantity, price = quantities[0], prices[0]
    discount = next((c for c in node.columns(Use.PRICE) if "discount" in node.said_of[c.name]), None)
    factors = [_decimal(quantity, 18), _decimal(price, 18)]
    width = _width(quantity) + _width(price)
    fraction = discount is not None and _is_fraction(graph, node, discount)
    if discount is not None and fraction:
        factors.append(f"(1 - {_decimal(discount, 9)})")
        width += 10
    if width > _WIDEST:
        return None
    told = " × ".join(naming.column(node, c.name).replace("_", " ") for c in (quantity, price))
    name = taken.take("amount" if discount is None or fraction else "gross_amount", "line_amount")
    if discount is not None:
        told += (
            " × (1 − discount)"
            if fraction
            else "; the discount is not taken off: whether it is a share or a sum is not known"
        )
    return Measure(name, "", Additivity.FULL, told[:1].upper() + told[1:] + ".", " * ".join(factors), True)


def _decimal(column: Column, digits: int) -> str:
    name = words.quote(column.name)
    marked = "{" + name + "}"
    return f"cast({marked} as decimal({digits}, 4))" if column.type.kind in _FLOATS else marked


def _width(column: Column) -> int:
    if column.type.kind is Kind.DECIMAL:
        return column.type.precision
    return _DIGITS.get(column.type.kind, 18)


def _is_fraction(graph: Graph, node: Node, column: Column) -> bool:
    """A discount from 0 to 1: by the data, else by its type or its name."""
    figures = graph.profile.column(node.name, column.name)
    if figures is not None and figures.high is not None and figures.low is not None:
        return figures.low >= 0 and figures.high <= 1
    if set(node.said_of[column.name]) & {"price", "amount", "value"}:
        return False
    kind = column.type
    return kind.kind in _FLOATS or (
        kind.kind is Kind.DECIMAL and kind.precision - kind.scale <= 2 and kind.scale >= 2
    )
