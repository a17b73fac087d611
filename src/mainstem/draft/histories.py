"""Histories that the source keeps itself (prices with valid_from and valid_to): dimensions with one row a
version; a fact refers to the version that held on its date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mainstem.draft import dims, fact_columns, lexicon, naming
from mainstem.draft.columns import Use
from mainstem.draft.facts import Found
from mainstem.draft.graph import Node
from mainstem.draft.shapes import Shape, payload
from mainstem.draft.star import AsOf, DateRole, Hop, Path
from mainstem.schema import Column, Kind

_TEMPORAL = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)


@dataclass(frozen=True, slots=True)
class History:
    """A table of versions: `owner` leads to what the versions are of."""

    table: str
    owner: Hop
    since: Column
    until: Column


def history_of(found: Found, node: Node) -> History | None:
    """The history that a table keeps, if at most one version holds at a time: its key is the owner and the
    start, or it has but one owner. Several at a time (the insurers of a patient) are no versions."""
    if found.shapes[node.name] is not Shape.HISTORY or node.name in found.facts or not node.key:
        return None
    start, end = node.columns(Use.START)[0], node.columns(Use.END)[0]
    if start.type.kind not in _TEMPORAL or end.type.kind not in _TEMPORAL:
        return None
    owners = [hop for hop in node.links if {*hop.columns, start.name} == set(node.key)]
    if not owners and len(node.links) == 1 and not set(node.links[0].columns) & set(node.key):
        owners = list(node.links)
    said = [c for c in payload(node) if c not in (start.name, end.name)]
    if len(owners) != 1 or not (said or len(node.links) > 1):
        return None
    return History(node.name, owners[0], start, end)


def with_histories(found: Found, plan: dims.Plan) -> dims.Plan:
    """The plan with a dimension for each history whose owner a dated fact refers to."""
    links = {fact: list(paths) for fact, paths in plan.links.items()}
    as_of: dict[tuple[str, Path], AsOf] = {}
    bases = dict.fromkeys(plan.bases)
    why = {name: list(told) for name, told in plan.why.items()}
    folds = dict(plan.folds)
    for node in found.graph.nodes.values():
        history = history_of(found, node)
        if history is None or node.name in bases:
            continue
        for fact, path, date in _uses(found, plan, history):
            links[fact].append(path)
            as_of[fact, path] = AsOf(
                history.owner.columns, history.since.name, history.until.name, date,
                exact=_exact(found, fact, history, date),
            )  # fmt: skip
            bases[node.name] = None
        if node.name in bases:
            own = dims.folds(found, node.name, frozenset(bases))
            folds[node.name] = tuple(path for path in own if path[0] != history.owner)
            owner = naming.entity(found.graph[history.owner.target]).replace("_", " ")
            why[node.name].append(
                f"A history (type 2) of the {owner}, one row a version; a fact refers to the one that held "
                f"on its date (the last begun by {history.since.name}), none after {history.until.name}."
            )
    return replace(
        plan, bases=tuple(bases), folds=folds, links={f: tuple(p) for f, p in links.items()}, as_of=as_of,
        why={name: tuple(told) for name, told in why.items()},
    )  # fmt: skip


def _uses(found: Found, plan: dims.Plan, history: History) -> Iterator[tuple[str, Path, DateRole]]:
    """The facts whose row, or header, refers to the owner once; prices alone only where something is
    counted that they are the price of."""
    node, owner = found.graph[history.table], history.owner
    priced = bool(node.columns(Use.PRICE)) and not node.columns(Use.TEXT, Use.LABEL, Use.FLAG, Use.SEMI)
    for fact, paths in plan.links.items():
        date = _happened(found, fact, plan)
        to_owner = [path for path in paths if path[-1].target == owner.target]
        if date is None or len(to_owner) != 1 or (priced and not found.graph[fact].columns(Use.ADDITIVE)):
            continue
        (path,) = to_owner
        last = path[-1]
        near = {fact, *(step[-1].target for step in plan.reached[fact].joined)}
        if last.table in near and last.target_columns == owner.target_columns:
            yield fact, (*path[:-1], Hop(last.table, last.columns, history.table, owner.columns)), date


def _happened(found: Found, fact: str, plan: dims.Plan) -> DateRole | None:
    """The date at which a fact's row happened: not a planned one, not one that may not have come yet."""
    node = found.graph[fact]
    roles = fact_columns.dates(found, node, fact_columns.headers(found, fact, plan), naming.Names())
    return next(
        (r for r in roles if not (r.later or r.text or set(r.name.split("_")) & lexicon.PLANNED)), None
    )


def _exact(found: Found, fact: str, history: History, date: DateRole) -> bool:
    """Whether both sides know the same kind of moment; else their days are compared."""
    owner = found.graph[date.path[-1].target if date.path else fact]
    return owner.table.column(date.column).type.kind is history.since.type.kind
