"""From a fact outward along to-one links: what folds in, what is a dimension, by which path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mainstem.draft import lexicon, naming
from mainstem.draft.columns import Use
from mainstem.draft.facts import Found, is_human, is_person
from mainstem.draft.graph import Node
from mainstem.draft.shapes import Shape, identity
from mainstem.draft.star import Hop, Path

DEPTH = 5


@dataclass(frozen=True, slots=True)
class Reached:
    """What a fact refers to. `joined` fold in (headers, events, pass-throughs), `roots` are dimensions."""

    joined: tuple[Path, ...]
    roots: tuple[Path, ...]


def reach(found: Found, fact: str) -> Reached:
    """To-one parents of the line, its header, the events it hangs on, through pass-throughs.

    A table that the fact refers to itself is not taken again from farther away.
    """
    joined: list[Path] = []
    roots: list[Path] = []
    seen: set[str] = {fact}
    level: list[Path] = [()]
    for _ in range(DEPTH):
        following: list[Path] = []
        near: list[Path] = []
        for path in level:
            table = path[-1].target if path else fact
            for hop in found.graph[table].links:
                step = (*path, hop)
                if _folds_in(found, hop.target):
                    if hop.target not in seen:
                        seen.add(hop.target)
                        joined.append(step)
                        following.append(step)
                elif found.shapes[hop.target] not in (Shape.TECHNICAL, Shape.MEDIA):
                    near.append(step)
        have = {path[-1].target for path in roots}
        roots += [path for path in near if path[-1].target not in have]
        level = following
    return Reached(tuple(joined), tuple(roots))


def _folds_in(found: Found, table: str) -> bool:
    if (
        found.shapes[table] is Shape.PASS
        or table in found.absorbed
        or table in found.facts
        or table in found.events
    ):
        return True
    return found.shapes[table] is Shape.BRIDGE


def ancestors(found: Found, table: str, stop: frozenset[str]) -> Iterator[Path]:
    """To-one paths from a dimension's table outward, nearest first; those in `stop` end them."""
    level: list[Path] = [()]
    for _ in range(DEPTH):
        following = []
        for path in level:
            here = path[-1].target if path else table
            for hop in found.graph[here].links:
                if hop.target == table or any(hop.target == step.target for step in path):
                    continue
                if found.shapes[hop.target] in (Shape.TECHNICAL, Shape.MEDIA, Shape.BRIDGE):
                    continue
                step_path = (*path, hop)
                yield step_path
                if hop.target not in stop:
                    following.append(step_path)
        level = following


def small_class(node: Node) -> bool:
    """A classification: a word like type or category, few columns, no numbers, no people."""
    spoken = bool(set(node.means[-1:]) & (lexicon.CLASS | lexicon.GEO))
    described = [c for c in node.table.columns if node.uses[c.name] in (Use.LABEL, Use.TEXT, Use.PERSON)]
    return spoken and len(described) <= 4 and not is_person(node) and not node.dates


def is_geo(node: Node) -> bool:
    """A place on the map that owners refer to: an address, a city, a country."""
    return node.head in lexicon.GEO or node.head == "addres"


def works_here(found: Found, hop: Hop) -> bool:
    """A person who does something for the owner: sales rep, support rep, doctor, teacher."""
    source, target = found.graph[hop.table], found.graph[hop.target]
    if hop == identity(source):
        return False  # a subtype of the person, not somebody else
    if is_geo(source) or set(target.means) & {"department", "company", "organization"}:
        return False
    human = target.head in lexicon.PERSON_ROLE or (is_human(target) and target.head in lexicon.PARTY)
    if not human or (is_human(source) and source.head in lexicon.PERSON_ROLE and target.head == source.head):
        return False
    general = target.head in ("person", "people", "user", "contact", "member")
    return not general or bool(naming.role(hop, source, target))
