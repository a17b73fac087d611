"""Shapes of tables that are neither fact nor dimension by themselves: ordered rules, the first wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mainstem.draft import lexicon
from mainstem.draft.columns import LEFT_OUT, Use
from mainstem.draft.graph import Graph, Node
from mainstem.draft.star import Hop


class Shape(StrEnum):
    """What a table is by its form alone."""

    PLAIN = "plain"
    TECHNICAL = "technical"
    MEDIA = "media"
    PASS = "pass-through"
    BRIDGE = "bridge"
    HISTORY = "history"
    EXTENSION = "extension"


@dataclass(frozen=True, slots=True)
class Rule:
    """`test` says whether a table has the shape; `why` is told to the user."""

    shape: Shape
    test: Callable[[Graph, Node], bool]
    why: str


def payload(node: Node) -> list[str]:
    """Columns that say something: no key, no foreign key, no audit, no blob."""
    quiet = LEFT_OUT | {Use.KEY}
    return [c.name for c in node.table.columns if node.uses[c.name] not in quiet and c.name not in node.key]


def identity(node: Node) -> Hop | None:
    """The link that makes the table one-to-one with its parent: it covers exactly the primary key."""
    return next((hop for hop in node.links if node.key and set(hop.columns) == set(node.key)), None)


def _technical(graph: Graph, node: Node) -> bool:
    if not node.table.columns:
        return True
    if node.means[:2] in (("schema", "migration"), ("alembic", "version"), ("data", "version")):
        return True
    if node.head == "password" or "password" in node.means:
        return True
    noun = node.head in lexicon.TECHNICAL or (len(node.means) > 1 and node.means[-2:] == ("build", "version"))
    if graph.children[node.name]:
        return False
    return noun and (not node.links or _trail(node))


def _trail(node: Node) -> bool:
    """Who did what in the application (`login_audit`): one link, no number, no word of the business."""
    business = set(node.means) & (lexicon.EVENT - lexicon.HISTORY)
    trail = node.head in ("audit", "log", "trail", "changelog", "trace")
    return trail and not business and len(node.links) < 2 and not node.measures


def _media(graph: Graph, node: Node) -> bool:
    if node.head not in lexicon.MEDIA or node.columns(Use.ADDITIVE):
        return False
    blobs = any(node.uses[c.name] is Use.JUNK for c in node.table.columns)
    filed = any(
        set(said) & {"file", "filename", "path", "url", "extension", "mime"} for said in node.said_of.values()
    )
    return blobs or filed


def _measured_or_dated(node: Node) -> bool:
    return (
        bool(node.dates or node.columns(Use.ADDITIVE, Use.SEMI)) or node.head in lexicon.EVENT | lexicon.LINE
    )


def _pass_through(graph: Graph, node: Node) -> bool:
    if len(node.parents) < 2 or payload(node):
        return False
    return any(_measured_or_dated(graph[hop.table]) for hop in graph.children[node.name])


def _bridge(graph: Graph, node: Node) -> bool:
    linked = {c for hop in node.links for c in hop.columns}
    spoken = node.head in lexicon.EVENT - lexicon.HISTORY and not named_after_ends(graph, node)
    part = node.head in lexicon.LINE and any(graph[p].head in lexicon.EVENT for p in node.parents)
    if len(node.parents) < 2 or node.dates or spoken or part:
        return False
    made_of_links = (
        bool(node.key)
        and set(node.key) <= linked
        and len([h for h in node.links if set(h.columns) & set(node.key)]) > 1
    )
    if not made_of_links:
        said = [node.said_of[name] for name in payload(node)]
        quiet = all(
            set(words) & (lexicon.CLASS | lexicon.FLAG_HEAD | {"role", "primary", "order"} | lexicon.ORDINAL)
            for words in said
        )
        return (
            quiet
            and len(said) <= 2
            and not graph.children[node.name]
            and len(node.parents) == len(node.links)
        )
    return not node.columns(Use.ADDITIVE, Use.SEMI) and not _rated(node)


def named_after_ends(graph: Graph, node: Node) -> bool:
    """`encounter_diagnoses` of encounters and diagnoses: a name that says the two ends and nothing else."""
    ends = [set(graph[parent].means) for parent in node.parents]
    return (
        len(node.means) > 1
        and set(node.means) <= set().union(*ends)
        and sum(node.head in end for end in ends) == 1
    )


def _rated(node: Node) -> bool:
    shares = {"percent", "share", "ratio", "weight", "rate", "per", "proportion", "order", "factor"}
    return any(not set(node.said_of[c.name]) & shares for c in node.columns(Use.PRICE)) or any(
        "grade" in said or "rating" in said for said in node.said_of.values()
    )


def _history(graph: Graph, node: Node) -> bool:
    """Kimball type 2 in the source: who or what, from when to when."""
    if not (node.columns(Use.START) and node.columns(Use.END)) or node.columns(Use.ADDITIVE):
        return False
    if node.head in lexicon.EVENT - lexicon.HISTORY or graph.children[node.name]:
        return False
    identifying = any(set(hop.columns) & set(node.key) for hop in node.links)
    return bool(node.links) and (identifying or bool(set(node.means) & lexicon.HISTORY))


def _extension(graph: Graph, node: Node) -> bool:
    hop = identity(node)
    if hop is None or hop.target == node.name:
        return False
    counted = len(node.measures) if node.columns(Use.ADDITIVE, Use.SEMI) else 0
    leaf_of_numbers = (
        not graph.children[node.name]
        and 0 < counted >= len(node.columns(Use.TEXT))
        and not node.columns(Use.LABEL)
    )
    return not leaf_of_numbers and node.head not in lexicon.EVENT


RULES: tuple[Rule, ...] = (
    Rule(
        Shape.TECHNICAL,
        _technical,
        "technical table: keeps the application running, says nothing of the business",
    ),
    Rule(Shape.MEDIA, _media, "files and pictures: nothing to group or to sum"),
    Rule(Shape.PASS, _pass_through, "only keys, and events refer to it: joined through"),
    Rule(
        Shape.BRIDGE,
        _bridge,
        "only keys of two or more tables, no quantity, no date: a many-to-many association",
    ),
    Rule(
        Shape.HISTORY,
        _history,
        "identifying key and a start/end pair: the history of an entity, not an event",
    ),
    Rule(
        Shape.EXTENSION, _extension, "its key is its parent's key: one-to-one, says more about the same thing"
    ),
)


def shape_of(graph: Graph, node: Node) -> tuple[Shape, str]:
    """The shape of one table and the reason."""
    for rule in RULES:
        if rule.test(graph, node):
            return rule.shape, rule.why
    return Shape.PLAIN, ""
