"""The junk dimension: four or more flags of one fact become one key."""

from __future__ import annotations

from mainstem.draft import lexicon, naming
from mainstem.draft.columns import Use
from mainstem.draft.graph import Graph, Node
from mainstem.draft.star import Junk, SourceColumn
from mainstem.schema import Kind

LEAST = 4
"""Flags from which a junk dimension pays (Kimball: a handful of indicators)."""

FEW = 12
"""Values up to which a text is an indicator, where the data was looked at."""


def junk_of(
    graph: Graph, node: Node, one: str, attributes: tuple[SourceColumn, ...], names: naming.Names
) -> tuple[Junk | None, tuple[SourceColumn, ...]]:
    """The junk dimension of a fact, if it pays, and the attributes that stay on the fact itself."""
    flags = tuple(a for a in attributes if is_indicator(graph, node, a))
    if len(flags) < LEAST:
        return None, attributes
    name = names.take(f"dim_{one}_flags", f"dim_{node.name.lower()}_flags")
    junk = Junk(name, name.removeprefix("dim_"), flags)
    return junk, tuple(a for a in attributes if a not in flags)


def is_indicator(graph: Graph, node: Node, attribute: SourceColumn) -> bool:
    """A flag, or a text of few values; a status stays on the fact, where people look for it."""
    owner = graph[attribute.path[-1].target if attribute.path else node.name]
    use = owner.uses[attribute.column]
    if use is Use.FLAG:
        return True
    if use is not Use.TEXT or owner.table.column(attribute.column).type.kind is not Kind.STRING:
        return False
    figures = graph.profile.column(owner.name, attribute.column)
    said = set(owner.said_of[attribute.column])
    enough = graph.profile.seen(owner.name) >= 100
    return figures is not None and enough and 0 < figures.distinct <= FEW and not said & lexicon.STATUS
