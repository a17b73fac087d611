"""Which tables are facts, and at which grain. Scores are sums of named parts, so that they can be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mainstem.draft import lexicon
from mainstem.draft.columns import Use
from mainstem.draft.derive import adding_up, underivable
from mainstem.draft.graph import Graph, Node
from mainstem.draft.profile import ENOUGH
from mainstem.draft.shapes import Shape, named_after_ends, shape_of
from mainstem.draft.star import Hop

THRESHOLD = 3.0


@dataclass(frozen=True)
class Found:
    """Everything decided before dimensions: `facts` in the source's order, `scores` of all plain tables."""

    graph: Graph
    shapes: Mapping[str, Shape]
    shape_why: Mapping[str, str]
    events: frozenset[str]
    lines: Mapping[str, Hop]  # a true line → the link to its header
    satellites: Mapping[str, Hop]  # an event that hangs on another and has no date of its own
    scores: Mapping[str, float]
    parts: Mapping[str, tuple[str, ...]]
    facts: tuple[str, ...]
    absorbed: Mapping[str, str]  # header → the fact that takes its columns
    why: Mapping[str, tuple[str, ...]]


def find(graph: Graph) -> Found:
    """Shapes, events, lines, scores, facts, in this order."""
    shaped = {name: shape_of(graph, node) for name, node in graph.nodes.items()}
    shapes = {name: shape for name, (shape, _) in shaped.items()}
    plain = [node for node in graph.nodes.values() if shapes[node.name] is Shape.PLAIN]
    events = frozenset(node.name for node in plain if is_event(graph, node))
    lines, satellites = _lines(graph, plain, events)
    ctv = topology(graph)
    scores, parts = {}, {}
    histories = [node for node in graph.nodes.values() if shapes[node.name] is Shape.HISTORY]
    for node in (*plain, *histories):
        scored = [(label, part(graph, node, ctv, lines, satellites)) for label, part in PARTS]
        scores[node.name] = round(sum(value for _, value in scored), 2)
        parts[node.name] = tuple(f"{label} {value:+.1f}" for label, value in scored if value)
    why: dict[str, list[str]] = {name: [] for name in graph.nodes}
    facts = _choose(graph, plain, events, lines, satellites, scores, why)
    absorbed = _absorb(graph, facts, lines, why)
    facts = [name for name in facts if name not in absorbed] or _last_resort(graph, shapes, scores, why)
    order = list(graph.nodes)
    return Found(
        graph, shapes, {n: w for n, (_, w) in shaped.items()}, events, lines, satellites, scores, parts,
        tuple(sorted(facts, key=order.index)), absorbed, {n: tuple(w) for n, w in why.items()},
    )  # fmt: skip


# --- events ---------------------------------------------------------------------------------------------


def named_as_event(node: Node) -> bool:
    """The noun of the name is something that happens."""
    return node.head in lexicon.EVENT - lexicon.HISTORY or (
        node.head in lexicon.LINE | lexicon.HISTORY and bool(set(node.means[:-1]) & lexicon.EVENT)
    )


_HUMAN = frozenset(
    ["first", "last", "lastname", "firstname", "lname", "fname", "surname", "gender", "sex", "marital"]
)


def is_human(node: Node) -> bool:
    """Describes a human being: first or last name, birth, gender."""
    return any(
        node.uses[c.name] is Use.BIRTH or set(node.said_of[c.name]) & _HUMAN
        for c in node.columns(Use.PERSON, Use.BIRTH)
    )


def is_person(node: Node) -> bool:
    """A human being or a party that one writes to and calls; one lone e-mail or phone does not make one."""
    return is_human(node) or len(node.columns(Use.PERSON)) > 1


def is_event(graph: Graph, node: Node) -> bool:
    """Own date, describes nothing and nobody, and relates, counts, or is called an event."""
    spoken = named_as_event(node)
    if not spoken and node.head in lexicon.ENTITY | lexicon.CLASS | lexicon.GEO:
        return False
    named = any(node.said_of[c.name][-1] == "name" for c in node.columns(Use.LABEL))
    if named and graph.children[node.name] and not node.columns(Use.ADDITIVE):
        return False  # a race, an exam: it has a name, and results refer to it
    if (is_person(node) and not spoken) or (node.columns(Use.LABEL) and not (spoken and _relates(node) > 1)):
        return False
    if not spoken and _hub(graph, node):
        return False
    if node.dates:
        return (spoken and bool(node.links)) or (
            bool(node.links)
            and (len(node.links) > 1 or len(node.dates) > 1 or bool(node.columns(Use.ADDITIVE)))
        )
    return (
        spoken
        and bool(node.links)
        and any(_part_of(graph[h.table], node, h) for h in graph.children[node.name])
    )


def _hub(graph: Graph, node: Node) -> bool:
    """A thing that dated, measured events refer to, and that counts nothing itself: a meter, a contract."""
    children = [graph[hop.table] for hop in graph.children[node.name]]
    return not node.columns(Use.ADDITIVE) and any(
        child.dates and child.columns(Use.ADDITIVE, Use.SEMI, Use.PRICE) and not _stem(child, node)
        for child in children
    )


def _relates(node: Node) -> int:
    return len(node.parents) + len(node.columns(Use.ADDITIVE, Use.SEMI)) + len(node.columns(Use.DATE))


# --- lines and headers ----------------------------------------------------------------------------------


def _lines(graph: Graph, plain: list[Node], events: frozenset[str]) -> tuple[dict[str, Hop], dict[str, Hop]]:
    """A line is a part of its header; a satellite (a payment of an order) is an event of its own."""
    lines: dict[str, Hop] = {}
    satellites: dict[str, Hop] = {}
    for node in plain:
        best: tuple[int, Hop] | None = None
        for hop in node.links:
            header = graph[hop.target]
            if hop.target not in events and not _dateless_header(node, header, hop):
                continue
            part = _part_of(node, header, hop) and not _one_each(graph, node, hop)
            rank = 3 if part else 2 if _hangs_on(node, header, hop) else 0
            if rank and (best is None or rank > best[0]):
                best = (rank, hop)
        if best:
            (lines if best[0] == 3 else satellites)[node.name] = best[1]
    return lines, satellites


def _dateless_header(line: Node, header: Node, hop: Hop) -> bool:
    """A document without links of its own (`invoice(id, date)`), whose lines are named after it."""
    return (
        line.head in lexicon.LINE
        and named_as_event(header)
        and bool(header.dates)
        and not header.columns(Use.LABEL)
        and _stem(line, header)
    )


def _stem(child: Node, parent: Node) -> bool:
    own = [w for w in child.means if w not in lexicon.LINE]
    other = [w for w in parent.means if w not in ("header", "head")]
    return bool(other) and ((bool(own) and own[-1] == other[-1]) or set(other) <= set(own))


def _part_of(child: Node, header: Node, hop: Hop) -> bool:
    own_event = child.head in lexicon.EVENT - lexicon.LINE
    if child.head in lexicon.LINE and (
        len(child.means) > 1 or _in_key(child, hop) or not child.columns(Use.LABEL)
    ):
        return _stem(child, header) or _in_key(child, hop) or _only_header(child, hop)
    return not own_event and (_stem(child, header) or (_in_key(child, hop) and len(child.key) > 1))


def _one_each(graph: Graph, child: Node, hop: Hop) -> bool:
    """Never two rows of one parent, in data that would show it: no lines, whatever the name."""
    many = graph.profile.seen(child.name) >= ENOUGH and child.head not in lexicon.LINE
    return many and len(hop.columns) == 1 and graph.profile.unique(child.name, hop.columns[0]) is True


def _only_header(child: Node, hop: Hop) -> bool:
    return not child.dates and not child.table.column(hop.columns[0]).nullable


def _hangs_on(child: Node, header: Node, hop: Hop) -> bool:
    if child.dates:
        return False
    return bool(child.measures) or named_as_event(child) or _in_key(child, hop)


def _in_key(child: Node, hop: Hop) -> bool:
    return bool(set(hop.columns) & set(child.key))


# --- score ----------------------------------------------------------------------------------------------


def topology(graph: Graph) -> dict[str, float]:
    """SAMSTAR's connection topology value: parents + .8 × their values (Song et al. 2007)."""
    known: dict[str, float] = {}

    def value(name: str, trail: frozenset[str]) -> float:
        if name in known:
            return known[name]
        parents = sorted(graph[name].parents - trail)
        result = (
            sum(1 + 0.8 * value(parent, trail | {parent}) for parent in parents) if len(trail) < 12 else 0.0
        )
        if not trail & graph[name].parents:
            known[name] = result
        return result

    return {name: value(name, frozenset({name})) for name in graph.nodes}


Links = Mapping[str, Hop]
Part = Callable[[Graph, Node, Mapping[str, float], Links, Links], float]


def _numbers(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    if node.columns(Use.ADDITIVE):
        return 2.0
    return 1.5 if node.columns(Use.SEMI) else 1.0 if node.columns(Use.PRICE) else 0.0


def _date(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    if node.dates and not is_person(node):
        return 1.5
    header = lines.get(node.name) or satellites.get(node.name)
    return 1.0 if header and graph[header.target].dates else 0.0


def _parents(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    return 0.6 * min(len(node.links), 3)


def _topology(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    top = max(ctv.values(), default=0.0)
    return round(ctv[node.name] / top, 2) if top else 0.0


def _leaf(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    children = {hop.table for hop in graph.children[node.name]}
    return -0.5 * min(len(children), 4) if children else 1.0


def _spoken(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    if named_as_event(node):
        return 1.0
    thing = node.head in (lexicon.ENTITY | lexicon.CLASS) - lexicon.LINE
    return -1.0 if thing and not named_after_ends(graph, node) else 0.0


def _labelled(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    return -1.5 if node.columns(Use.LABEL) else 0.0


def _human(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    if not is_person(node):
        return 0.0
    return -1.0 if named_as_event(node) else -2.5


def _alone(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    return 0.0 if node.links else -2.0


def _referred(graph: Graph, node: Node, ctv: Mapping[str, float], lines: Links, satellites: Links) -> float:
    thing = node.head in lexicon.ENTITY and not named_as_event(node)
    return -2.0 if thing and _hub(graph, node) else 0.0


PARTS: tuple[tuple[str, Part], ...] = (
    ("numbers", _numbers),
    ("date", _date),
    ("parents", _parents),
    ("topology", _topology),
    ("children", _leaf),
    ("name", _spoken),
    ("label", _labelled),
    ("person", _human),
    ("no parents", _alone),
    ("events refer to it", _referred),
)
"""The score's parts, as they are shown."""


# --- the choice -----------------------------------------------------------------------------------------


def _choose(
    graph: Graph, plain: list[Node], events: frozenset[str], lines: Links, satellites: Links,
    scores: Mapping[str, float], why: dict[str, list[str]],
) -> list[str]:  # fmt: skip
    facts = []
    for node in plain:
        dated = bool(node.dates) or node.name in lines or node.name in satellites
        placed = dated or named_as_event(node) or len(node.links) > 1 or _snapshot(node)
        if scores[node.name] >= THRESHOLD and placed:
            facts.append(node.name)
            why[node.name].append(f"Fact score {scores[node.name]:.1f} (3 or more is a fact).")
        elif node.name in events:
            facts.append(node.name)
            why[node.name].append("An event: dated, describes nothing by itself; never a dimension.")
    return facts


def _snapshot(node: Node) -> bool:
    """Stock on hand, balances: a level of something, keyed by what it is a level of."""
    linked = {column for hop in node.links for column in hop.columns}
    return bool(node.key) and set(node.key) <= linked and bool(node.columns(Use.SEMI))


def _absorb(graph: Graph, facts: list[str], lines: Links, why: dict[str, list[str]]) -> dict[str, str]:
    """A header goes into its line unless it carries a number that the lines cannot give."""
    absorbed: dict[str, str] = {}
    for line, hop in lines.items():
        header = graph[hop.target]
        if line not in facts or header.name in absorbed:
            continue
        kept = underivable(graph.profile, graph[line], header)
        if kept:
            names = ", ".join(kept)
            told = adding_up(graph.profile, graph[line], header)
            why[header.name].append(
                f"Stays a fact beside its lines: {names} cannot be derived from them.{told}"
            )
        else:
            absorbed[header.name] = line
            why[header.name].append(
                f"Header of {line}: one process; its keys, dates and status fold into the lines."
                + adding_up(graph.profile, graph[line], header)
            )
    return absorbed


def _last_resort(
    graph: Graph, shapes: Mapping[str, Shape], scores: Mapping[str, float], why: dict[str, list[str]]
) -> list[str]:
    """Never an empty model. Associations and histories first, else the table that scores best."""
    measured = [
        n
        for n in scores
        if graph[n].columns(Use.ADDITIVE, Use.SEMI)
        and (graph[n].links or graph[n].dates)
        and not is_person(graph[n])
    ]
    if measured:
        chosen = [max(measured, key=lambda n: scores[n])]
    else:
        chosen = [n for n, s in shapes.items() if s in (Shape.BRIDGE, Shape.HISTORY)]
        chosen = (
            [max(chosen, key=lambda n: (len(graph[n].parents), shapes[n] is Shape.HISTORY))] if chosen else []
        )
    if not chosen and scores:
        chosen = [max(scores, key=lambda n: scores[n])]
    for name in chosen:
        why[name].append(
            "No table reaches the score of a fact; this one comes nearest, and a model must not be empty."
        )
    return chosen
