"""The order in which models run: a graph of references, its errors and its selections. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter

from mainstem.errors import UsageError, Where
from mainstem.model.reading import Reference
from mainstem.schema import HISTORY, MART, RAW, TableName
from mainstem.text import nearest


@dataclass(frozen=True, slots=True)
class Node:
    """A table of the graph. Raw tables have no file and no references."""

    name: TableName
    file: str = ""
    references: tuple[Reference, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """All tables, raw and mart, each after those that it reads."""

    nodes: Mapping[TableName, Node]
    order: tuple[TableName, ...]

    def parents(self, name: TableName) -> tuple[TableName, ...]:
        """What a table reads directly."""
        return tuple(dict.fromkeys(reference.table for reference in self.nodes[name].references))

    def ancestors(self, names: Iterable[TableName]) -> set[TableName]:
        """Everything that the tables read, directly or not (themselves left out)."""
        return _closure(names, self.parents)

    def descendants(self, names: Iterable[TableName]) -> set[TableName]:
        """Everything that reads the tables, directly or not (themselves left out)."""
        children: dict[TableName, list[TableName]] = {name: [] for name in self.nodes}
        for name in self.nodes:
            for parent in self.parents(name):
                children[parent].append(name)
        return _closure(names, lambda name: children[name])


def _closure(names: Iterable[TableName], step: Callable[[TableName], Iterable[TableName]]) -> set[TableName]:
    found: set[TableName] = set()
    pending = list(names)
    while pending:
        for other in step(pending.pop()):
            if other not in found:
                found.add(other)
                pending.append(other)
    return found


def sound_graph(
    raw: Iterable[str],
    models: Sequence[Node],
    broken: Collection[TableName] = (),
    histories: Collection[str] = (),
) -> tuple[Graph, list[UsageError]]:
    """The part of the graph that stands, and the errors of the rest: every unknown table and every cycle,
    each at its file and line. References are resolved without regard to case, as DuckDB does.

    `broken` are models that exist but cannot be read: their readers are left out as well, without an
    error of their own. `histories`: the source tables that have one; it is loaded with the table.
    """
    known = {(RAW, name.casefold()): TableName(RAW, name) for name in raw}
    nodes = {name: Node(name) for name in known.values()}
    for name in histories:
        kept = known[HISTORY, name.casefold()] = TableName(HISTORY, name)
        nodes[kept] = Node(kept, references=(Reference(TableName(RAW, name), 0),))
    known |= {(MART, name.name.casefold()): name for name in (*broken, *(node.name for node in models))}
    errors: list[UsageError] = []
    lost = set(broken)
    for node in models:
        resolved = []
        for reference in node.references:
            target = known.get((reference.table.namespace, reference.table.name.casefold()))
            if target is None:
                errors.append(_unknown(reference, node.file, known.values()))
                lost.add(node.name)
            else:
                resolved.append(Reference(target, reference.line))
        nodes[node.name] = replace(node, references=tuple(resolved))
    while True:
        sound = _without(nodes, lost)
        try:
            order = TopologicalSorter({n: [r.table for r in node.references] for n, node in sound.items()})
            return Graph(sound, tuple(order.static_order())), errors
        except CycleError as error:
            errors.append(_cycle(error.args[1], sound))
            lost.update(error.args[1])


def _without(nodes: Mapping[TableName, Node], lost: Iterable[TableName]) -> dict[TableName, Node]:
    """The nodes that neither are lost nor read, directly or not, one that is."""
    gone = set(lost)
    while True:
        more = {
            n for n, node in nodes.items() if n not in gone and any(r.table in gone for r in node.references)
        }
        if not more:
            return {name: node for name, node in nodes.items() if name not in gone}
        gone |= more


def _unknown(reference: Reference, file: str, known: Iterable[TableName]) -> UsageError:
    table = reference.table
    names = [name.name if name.namespace == MART else str(name) for name in known]
    if table.namespace == HISTORY:
        message, hint = f"there is no {table}", nearest(str(table), names, "tables")
        if any(name.casefold() == f"{RAW}.{table.name}".casefold() for name in names):
            hint = f"{table.name}: {{history: scd2}} among the source's tables keeps one"
    elif table.namespace == RAW:
        message, hint = f"there is no source table {table}", nearest(str(table), names, "tables")
    else:
        # The commonest slip: a source table without its schema.
        same = [name for name in names if name.casefold() == f"{RAW}.{table.name}".casefold()]
        hint = f"did you mean {same[0]}?" if same else nearest(table.name, names, "tables")
        message = f"there is no model {table.name}"
    return UsageError(message, where=Where(file, reference.line), hint=hint)


def _cycle(names: Sequence[TableName], nodes: Mapping[TableName, Node]) -> UsageError:
    # graphlib lists the cycle from parent to child; people read it as "a reads b".
    path = list(reversed(names))
    start = min(range(len(path) - 1), key=lambda i: path[i])
    path = [*path[start:-1], *path[:start], path[start]]
    node = nodes[path[0]]
    line = next(r.line for r in node.references if r.table == path[1])
    text = " reads ".join(name.name for name in path)
    hint = "let one of them read the source's tables instead"
    return UsageError(f"the models form a cycle: {text}", where=Where(node.file, line), hint=hint)


def select(
    graph: Graph, include: Sequence[str], exclude: Sequence[str], modified: Set[TableName]
) -> set[TableName]:
    """The tables that dbt's selection grammar names.

    Each item is a name (`fact_orders`, `raw.orders`, with `*` and `?`), `tag:NAME`, `state:modified`,
    with `+` before it for all that it reads and after it for all that reads it (`2+` for two steps);
    items joined by `,` must all hold; several items add up. No item selects everything.
    Raises UsageError for an item that names nothing.
    """
    chosen = _union(graph, include, modified) if include else set(graph.nodes)
    return chosen - _union(graph, exclude, modified)


def _union(graph: Graph, items: Sequence[str], modified: Set[TableName]) -> set[TableName]:
    found: set[TableName] = set()
    for item in (part for text in items for part in text.split()):
        sets = [_one(graph, part, modified) for part in item.split(",") if part]
        found |= set.intersection(*sets) if sets else set()
    return found


def _one(graph: Graph, item: str, modified: Set[TableName]) -> set[TableName]:
    before, name, after = _split(item)
    if name.startswith("tag:"):
        base = {n for n, node in graph.nodes.items() if name[4:] in node.tags}
    elif name == "state:modified":
        base = set(modified) & set(graph.nodes)
        return base | _steps(graph, base, before, up=True) | _steps(graph, base, after, up=False)
    else:
        base = {n for n in graph.nodes if _matches(n, name)}
    if not base:
        names = [n.name if n.namespace == MART else str(n) for n in graph.nodes]
        if name.startswith("tag:"):
            names = [f"tag:{tag}" for node in graph.nodes.values() for tag in node.tags]
        raise UsageError(f"the selection {item!r} names no table", hint=nearest(name, names, "tables"))
    return base | _steps(graph, base, before, up=True) | _steps(graph, base, after, up=False)


def _matches(name: TableName, pattern: str) -> bool:
    folded = pattern.casefold()
    if fnmatchcase(str(name).casefold(), folded):
        return True
    return name.namespace == MART and "." not in pattern and fnmatchcase(name.name.casefold(), folded)


def _split(item: str) -> tuple[int, str, int]:
    """`2+name+` → (2, "name", -1): how many steps up and down, -1 for all of them."""
    before = after = 0
    head, plus, rest = item.partition("+")
    if plus and (not head or head.isdigit()) and rest:
        before, item = (int(head) if head else -1), rest
    head, plus, rest = item.rpartition("+")
    if plus and (not rest or rest.isdigit()) and head:
        after, item = (int(rest) if rest else -1), head
    return before, item, after


def _steps(graph: Graph, base: set[TableName], depth: int, *, up: bool) -> set[TableName]:
    if depth < 0:
        return graph.ancestors(base) if up else graph.descendants(base)
    found: set[TableName] = set()
    edge = base
    for _ in range(depth):
        edge = {
            other
            for name in edge
            for other in (graph.parents(name) if up else [n for n in graph.nodes if name in graph.parents(n)])
        }
        found |= edge
    return found
