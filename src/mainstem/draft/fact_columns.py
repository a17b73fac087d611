"""The columns of a fact that are neither keys to dimensions nor measures: documents, dates, attributes."""

from __future__ import annotations

from mainstem.draft import dims, lexicon, naming
from mainstem.draft.columns import LEFT_OUT, Use
from mainstem.draft.facts import Found
from mainstem.draft.graph import Node
from mainstem.draft.shapes import Shape
from mainstem.draft.star import DateRole, Hop, Path, SourceColumn
from mainstem.schema import Kind

_QUIET = LEFT_OUT | {Use.KEY}
_ESSAYS = ("mediumtext", "longtext", "ntext", "clob", "nclob")  # too long to stand on every row of a fact


def note(node: Node, column: str) -> str:
    """The first line of the column's comment in the source."""
    comment = node.table.column(column).comment
    return comment.strip().splitlines()[0].strip() if comment and comment.strip() else ""


def _header_of(found: Found, table: str) -> Hop | None:
    return found.lines.get(table) or found.satellites.get(table)


def headers(found: Found, table: str, plan: dims.Plan) -> tuple[Path, ...]:
    """The paths to the headers whose dates and status fold in, nearest first."""
    result: list[Path] = []
    here = table
    path: Path = ()
    while True:
        hop = _header_of(found, here)
        if hop is None or any(step.target == hop.target for step in path):
            return tuple(result)
        path = (*path, hop)
        result.append(path)
        here = hop.target


def degenerate(found: Found, node: Node, plan: dims.Plan, taken: naming.Names) -> tuple[SourceColumn, ...]:
    """Numbers of documents: the keys of headers and of other events that the row belongs to."""
    result = []
    for path in plan.reached[node.name].joined:
        hop = path[-1]
        if found.shapes[hop.target] in (Shape.PASS, Shape.BRIDGE) or len(path) > 3:
            continue
        source = found.graph[hop.table]
        for column in hop.columns:
            if len(path) == 1 and column in node.key:
                continue
            said = (
                naming.column(source, column)
                if source.said_of[column] != ("id",)
                else f"{naming.entity(source)}_id"
            )
            result.append(
                SourceColumn(
                    taken.take(said, f"{naming.entity(source)}_{said}"),
                    column,
                    path[:-1],
                    note(source, column),
                )
            )
    return tuple(result)


def dates(found: Found, node: Node, headers: tuple[Path, ...], taken: naming.Names) -> tuple[DateRole, ...]:
    """The roles of the date dimension: those of the row, then those of its headers."""
    wanted: list[tuple[Path, Node]] = [((), node)]
    wanted += [(path, found.graph[path[-1].target]) for path in headers]
    if not any(source.dates for _, source in wanted):
        wanted += _lent(node, found)
    result = []
    for path, source in wanted:
        lent = bool(path) and path not in headers
        columns = source.columns(Use.DATE) or source.columns(Use.HIRE) if lent else source.dates
        for column in columns:
            said = naming.event_date(source, column.name)
            role = taken.role(said, f"{naming.entity(source)}_{said}")
            later = column.nullable and (
                bool(set(source.said_of[column.name]) & lexicon.LATER) or source.uses[column.name] is Use.END
            )
            has_time = column.type.kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
            result.append(DateRole(role, column.name, path, later, has_time, column.type.kind is Kind.STRING))
    return tuple(result)


def _lent(node: Node, found: Found) -> list[tuple[Path, Node]]:
    """A row without any date takes that of what it is part of: a race, a flight, the parent in its key."""
    lent: list[tuple[Path, Node]] = []
    for hop in node.links:
        target = found.graph[hop.target]
        takes_place = target.head in lexicon.EVENT_PARENT | lexicon.CALENDAR
        if (takes_place or set(hop.columns) <= set(node.key)) and target.columns(Use.DATE, Use.HIRE):
            lent.append(((hop,), target))
    return lent[:1]


def attributes(
    found: Found, node: Node, headers: tuple[Path, ...], taken: naming.Names
) -> tuple[SourceColumn, ...]:
    """Status, flags, texts of the row and of its headers."""
    result = []
    sources: list[tuple[Path, Node]] = [((), node), *((p, found.graph[p[-1].target]) for p in headers)]
    for path, source in sources:
        for column in source.table.columns:
            use = source.uses[column.name]
            if (
                use in _QUIET
                or column.native.lower() in _ESSAYS
                or use in (Use.ADDITIVE, Use.SEMI, Use.PRICE, Use.DATE, Use.START, Use.END)
                or column.name in source.key
            ):
                continue
            said = naming.column(source, column.name)
            result.append(
                SourceColumn(
                    taken.take(said, f"{naming.entity(source)}_{said}"),
                    column.name,
                    path,
                    note(source, column.name),
                )
            )
    return tuple(result)
