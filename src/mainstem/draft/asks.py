"""What is to be asked of the data beyond its columns: values of likely keys, sums over lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.draft.columns import Use
from mainstem.draft.derive import factors, line_amounts
from mainstem.draft.facts import find
from mainstem.draft.graph import Graph, Node, build, candidates
from mainstem.draft.measures import is_fraction
from mainstem.draft.profile import Profile
from mainstem.draft.star import Hop
from mainstem.schema import Database


@dataclass(frozen=True, slots=True)
class SumOverLines:
    """Is `column` of the header the sum over its lines of one of `products`? A product is the columns to be
    multiplied; a last one with `discounted` is a share that is taken off."""

    link: Hop  # from the line to its header
    column: str
    products: tuple[tuple[str, ...], ...]
    discounted: tuple[str, ...] = ()


def inclusions(database: Database, profile: Profile) -> list[Hop]:
    """Undeclared links whose values are worth a look: those that names make likely."""
    return candidates(database, profile)


def sums(database: Database, profile: Profile) -> list[SumOverLines]:
    """The amounts of headers that may be sums over their lines."""
    graph = build(database, profile)
    found = find(graph)
    asked = []
    for line, hop in found.lines.items():
        header = graph[hop.target]
        products, discounted = _products(graph, graph[line])
        if len(hop.columns) == 1 and (products or discounted):
            asked += [SumOverLines(hop, c.name, products, discounted) for c in header.columns(Use.ADDITIVE)]
    return asked


def _products(graph: Graph, line: Node) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    own = tuple((column.name,) for column in line_amounts(line))
    parts = factors(line)
    if parts is None:
        return own, ()
    quantity, price, discount = parts
    if discount is not None and is_fraction(graph, line, discount):
        return (*own, (quantity.name, price.name)), (quantity.name, price.name, discount.name)
    return (*own, (quantity.name, price.name)), ()
