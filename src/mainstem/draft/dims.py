"""Which tables are dimensions, and what folds into each. Works on what the facts reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mainstem.draft import lexicon
from mainstem.draft.columns import LEFT_OUT, Use
from mainstem.draft.facts import Found, is_person
from mainstem.draft.graph import Node
from mainstem.draft.shapes import Shape, identity, payload
from mainstem.draft.star import AsOf, Hop, Path
from mainstem.draft.walk import Reached, ancestors, is_geo, reach, small_class, works_here


@dataclass(frozen=True)
class Plan:
    """Dimensions by base table (in order of discovery) with the paths that fold into each, the facts' links,
    and the bridges with their ends (host first)."""

    reached: Mapping[str, Reached]
    bases: tuple[str, ...]
    folds: Mapping[str, tuple[Path, ...]]
    links: Mapping[str, tuple[Path, ...]]
    bridges: Mapping[str, tuple[Hop, ...]]
    gathered: Mapping[str, tuple[tuple[str, Hop, Hop], ...]]
    why: Mapping[str, tuple[str, ...]]
    as_of: Mapping[tuple[str, Path], AsOf] = field(default_factory=dict)


def plan(found: Found) -> Plan:
    """Roots, subtypes, promotions, bridges, folds, in this order."""
    why: dict[str, list[str]] = {name: [] for name in found.graph.nodes}
    reached = {fact: reach(found, fact) for fact in found.facts}
    links: dict[str, list[Path]] = {fact: list(r.roots) for fact, r in reached.items()}
    roots = dict.fromkeys(path[-1].target for paths in links.values() for path in paths)
    links = {fact: [_to_base(found, path, roots) for path in paths] for fact, paths in links.items()}
    bases = dict.fromkeys(path[-1].target for paths in links.values() for path in paths)
    _promote(found, links, bases, why)
    _conform(found, links, bases, why)
    bridges = _bridges(found, reached, bases, why)
    folded = {base: folds(found, base, frozenset(bases)) for base in bases}
    gathered = _gathered(found, bridges, bases)
    _explain_folds(found, folded, why)
    return Plan(
        reached, tuple(bases), folded, {f: tuple(_distinct(p)) for f, p in links.items()}, bridges, gathered,
        {n: tuple(dict.fromkeys(w)) for n, w in why.items()},
    )  # fmt: skip


def _distinct(paths: list[Path]) -> list[Path]:
    """One link a pair of (first columns, target): two paths over the same column to one base are one."""
    seen: set[tuple[str, tuple[str, ...], str]] = set()
    kept = []
    for path in paths:
        mark = (path[0].table, path[-1].columns, path[-1].target)
        if mark not in seen:
            seen.add(mark)
            kept.append(path)
    return kept


def _to_base(found: Found, path: Path, roots: Mapping[str, None]) -> Path:
    """A subtype (sales person of employee) links to its supertype where facts refer to that as well,
    or where the supertype is the same kind of thing."""
    longer = path
    while True:
        node = found.graph[longer[-1].target]
        up = identity(node)
        if up is None or found.shapes[node.name] is not Shape.EXTENSION:
            return path
        longer = (*longer, up)
        if up.target in roots:
            return longer


def _promote(
    found: Found, links: dict[str, list[Path]], bases: dict[str, None], why: dict[str, list[str]]
) -> None:
    for paths in links.values():
        direct = {path[-1].target for path in paths}
        for path in list(paths):
            for further in ancestors(found, path[-1].target, frozenset(bases)):
                if len(further) > 2 or not works_here(found, further[-1]):
                    continue
                target = further[-1].target
                base = _to_base(found, (*path, *further), bases)
                if base[-1].target in direct or path[-1].target == target:
                    continue
                direct.add(base[-1].target)
                paths.append(base)
                bases.setdefault(base[-1].target)
                why[base[-1].target].append(
                    f"People who work for {path[-1].target}: a dimension of its own (role)."
                )


def _conform(
    found: Found, links: dict[str, list[Path]], bases: dict[str, None], why: dict[str, list[str]]
) -> None:
    """A to-one ancestor that is a dimension of its own folds in nowhere: each fact that has it only through
    another dimension (the member whose field it was) links to it, so that both share it."""
    stop = frozenset(bases)
    for fact, paths in links.items():
        direct = {path[-1].target for path in paths}
        for path in list(paths):
            for further in ancestors(found, path[-1].target, stop):
                node = found.graph[further[-1].target]
                if node.name not in stop or node.name in direct or small_class(node) or is_geo(node):
                    continue
                direct.add(node.name)
                paths.append((*path, *further))
                why[node.name].append(f"{fact} has it through {path[-1].target}: one dimension for both.")


def folds(found: Found, base: str, bases: frozenset[str]) -> tuple[Path, ...]:
    """To-one ancestors fold unless they are dimensions; places and small classes fold anyway."""
    kept: list[Path] = []
    closed: set[Path] = set()
    for path in ancestors(found, base, frozenset()):
        if path[:-1] and path[:-1] in closed:
            closed.add(path)
            continue
        node = found.graph[path[-1].target]
        anyway = is_geo(node) or small_class(node)
        event = node.name in found.facts or node.name in found.absorbed or node.name in found.events
        if event or (node.name in bases and not anyway):
            closed.add(path)
            continue
        kept.append(path)
    for hop in found.graph.children[base]:
        child = found.graph[hop.table]
        if (
            found.shapes[child.name] is Shape.EXTENSION
            and identity(child) == hop
            and child.name not in bases
            and _adds(found, base, child)
        ):
            kept.append((Hop(base, hop.target_columns, child.name, hop.columns),))
    return tuple(kept)


def _adds(found: Found, base: str, child: Node) -> bool:
    """Whether a one-to-one table says something that its parent does not."""
    known = {name.lower() for name in found.graph[base].said_of}
    told = [name for name in payload(child) if name.lower() not in known]
    return bool(told) and not (set(child.means) & lexicon.TECHNICAL) and not is_subtype_entity(found, child)


def is_subtype_entity(found: Found, child: Node) -> bool:
    """A subtype that others refer to is an entity of its own (employee of person)."""
    return bool(found.graph.children[child.name]) and is_person(found.graph[child.name])


def _bridges(
    found: Found, reached: Mapping[str, Reached], bases: dict[str, None], why: dict[str, list[str]]
) -> dict[str, tuple[Hop, ...]]:
    """Associations with at least one end in the star; their other ends become dimensions."""
    joined = {fact: {p[-1].target for p in r.joined} | {fact} for fact, r in reached.items()}
    in_facts = {table for tables in joined.values() for table in tables}
    folded = {p[-1].target for base in bases for p in ancestors(found, base, frozenset(bases))} - set(bases)
    kept: dict[str, tuple[Hop, ...]] = {}
    for name, shape in found.shapes.items():
        node = found.graph[name]
        if shape is not Shape.BRIDGE or name in found.facts:
            continue
        hosts = [
            h for h in node.links if h.target in bases or (h.target in in_facts and h.target in found.facts)
        ]
        hosts += [h for h in node.links if h.target in found.absorbed]
        others = [h for h in node.links if h not in hosts]
        if not hosts or (name in in_facts and found.shapes[name] is not Shape.BRIDGE):
            continue
        if any(h.target in folded or not _worth(found, h.target) for h in others):
            why[name].append("Not drafted: one of its ends is no dimension of this star.")
            continue
        kept[name] = (*hosts, *others)
        for hop in others:
            bases.setdefault(hop.target)
            why[hop.target].append(f"Dimension at the far end of the many-to-many {name}.")
    return kept


def _worth(found: Found, table: str) -> bool:
    node = found.graph[table]
    if found.shapes[table] not in (Shape.PLAIN, Shape.EXTENSION) or table in found.facts:
        return False
    return any(node.uses[c.name] not in LEFT_OUT | {Use.KEY} for c in node.table.columns) or bool(node.key)


def _gathered(
    found: Found, bridges: Mapping[str, tuple[Hop, ...]], bases: Mapping[str, None]
) -> dict[str, tuple[tuple[str, Hop, Hop], ...]]:
    """A many-to-many small classification (categories of a film) is also one text attribute of its owner."""
    result: dict[str, list[tuple[str, Hop, Hop]]] = {}
    for name, ends in bridges.items():
        if len(ends) != 2:
            continue
        for owner, other in (ends, ends[::-1]):
            node = found.graph[other.target]
            owned = owner.target in bases and not small_class(found.graph[owner.target])
            if (
                owned
                and small_class(node)
                and node.columns(Use.LABEL)
                and not is_geo(node)
                and not node.links
            ):
                result.setdefault(owner.target, []).append((name, owner, other))
    return {base: tuple(items) for base, items in result.items()}


def _explain_folds(found: Found, folds: Mapping[str, tuple[Path, ...]], why: dict[str, list[str]]) -> None:
    for base, paths in folds.items():
        for path in paths:
            why[path[-1].target].append(f"Folds into the dimension of {base} (to-one).")
