"""The numbers of a fact: what adds up, over what, and the amounts that can be derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mainstem.draft import lexicon, naming, words
from mainstem.draft.columns import MEASURES, Use
from mainstem.draft.derive import factors, line_amounts
from mainstem.draft.graph import Graph, Node
from mainstem.draft.star import Additivity, Measure
from mainstem.schema import Column, Kind

_FLOATS = (Kind.FLOAT, Kind.DOUBLE)
_ADDS = {Use.ADDITIVE: Additivity.FULL, Use.SEMI: Additivity.SEMI, Use.PRICE: Additivity.NONE}
_UNITS = (Use.TEXT, Use.CODE, Use.KEY, Use.LABEL)
_READ = frozenset(["value", "result", "measured", "observed", "reading", "numeric"])
_DIGITS = {Kind.INT: 10, Kind.LONG: 19}
_WIDEST = 38


def measures_of(
    graph: Graph, node: Node, taken: naming.Names, dated: bool, units: Sequence[Node] = ()
) -> tuple[Measure, ...]:
    """Of the grain table alone: a header's numbers are never copied onto its lines.
    `units` are the tables (the row's own, its headers) whose columns may say the unit of a number."""
    result = []
    for column in node.columns(*MEASURES):
        adds = _ADDS[node.uses[column.name]]
        said = set(node.said_of[column.name])
        money = _is_money(node.said_of[column.name])
        if not dated and adds is Additivity.FULL:
            adds = Additivity.NONE if said & {"cost", "price", "value"} else Additivity.SEMI
        if adds is Additivity.FULL and _is_level(node, column):
            adds = Additivity.SEMI
        name = taken.take(naming.column(node, column.name))
        comment = column.comment.strip().splitlines()[0].strip() if column.comment.strip() else ""
        made = Measure(name, column.name, adds, comment, "", money, column.type.kind not in _FLOATS)
        result.append(_in_one_unit(graph, _of_its_kind(graph, node, made), units))
    derived = _amount(graph, node, taken, {m.column: m.name for m in result}) if dated else None
    result += [_in_one_unit(graph, derived, units)] if derived else []
    return (*result, *_durations(node, taken))


def _is_money(said: tuple[str, ...]) -> bool:
    """An amount of money by its words; gross and net may be weights."""
    means = set(words.meanings(said))
    return bool(means & lexicon.MONEY) and "weight" not in means and said[-1] not in lexicon.UNIT_TAIL


def _is_level(node: Node, column: Column) -> bool:
    """A count taken at a date of its key (a periodic snapshot): it adds up over all but time."""
    dates = [c for c in node.dates if c.name in node.key]
    if not dates or not any(set(hop.columns) & set(node.key) for hop in node.links):
        return False
    said = {
        w for c in (column, *dates) for w in (*node.said_of[c.name], *words.meanings(node.said_of[c.name]))
    }
    return bool((said | {node.head}) & lexicon.LEVEL)


def _of_its_kind(graph: Graph, node: Node, measure: Measure) -> Measure:
    """A reading whose kind says its unit (a laboratory test, a sensor): kinds do not add up."""
    if measure.additive is not Additivity.FULL or not set(measure.name.split("_")) <= _READ:
        return measure
    for hop in node.links:
        kind = graph[hop.target]
        if any(set(kind.said_of[c.name]) & {"unit", "uom", "units"} for c in kind.table.columns):
            told = f"{words.title(measure.name)}, in the unit of its {naming.entity(kind).replace('_', ' ')}."
            return replace(
                measure, additive=Additivity.NONE, description=measure.description or told, mixed=True
            )
    return measure


def _in_one_unit(graph: Graph, measure: Measure, units: Sequence[Node]) -> Measure:
    """A number whose unit differs from row to row (the data says so) adds up over nothing."""
    if measure.additive is not Additivity.FULL:
        return measure
    wanted = {"currency"} if measure.money else {"unit", "uom", "units"}
    for owner in units:
        for column in owner.table.columns:
            figures = graph.profile.column(owner.name, column.name)
            named = set(owner.said_of[column.name]) & wanted and owner.uses[column.name] in _UNITS
            if named and figures is not None and figures.distinct > 1:
                said = measure.description or f"{words.title(measure.name)}."
                unit = f"In the {words.snake(owner.said_of[column.name]).replace('_', ' ')} of its row"
                told = f"{said} {unit}, of which there are several: not summed across."
                return replace(measure, additive=Additivity.NONE, description=told, mixed=True)
    return measure


def _durations(node: Node, taken: naming.Names) -> tuple[Measure, ...]:
    """Days from the row's date to a later one of the same row (rented, returned) that may not have come."""
    begun = [c for c in node.columns(Use.DATE, Use.START) if _is_day(c) and not _is_late(node, c)]
    ended = [c for c in node.columns(Use.DATE, Use.END) if _is_day(c) and _is_late(node, c)]
    if not begun or not ended:
        return ()
    made = []
    for column in ended:
        role = naming.event_date(node, column.name)
        since = naming.event_date(node, begun[0].name)
        first, last = (f"cast({{{words.quote(c.name)}}} as date)" for c in (begun[0], column))
        told = f"Days from {since.replace('_', ' ')} to {role.replace('_', ' ')}; empty until then."
        name = taken.take(f"days_until_{role}")
        made.append(Measure(name, "", Additivity.NONE, told, f"date_diff('day', {first}, {last})"))
    return tuple(made)


def _is_day(column: Column) -> bool:
    return column.type.kind in (Kind.DATE, Kind.TIMESTAMP)


def _is_late(node: Node, column: Column) -> bool:
    late = bool(set(node.said_of[column.name]) & lexicon.LATER) or node.uses[column.name] is Use.END
    return column.nullable and late


def _amount(graph: Graph, node: Node, taken: naming.Names, names: Mapping[str, str]) -> Measure | None:
    """quantity × price × (1 − discount), where the table has no amount of its own."""
    parts = factors(node)
    if line_amounts(node) or parts is None:
        return None
    quantity, price, discount = parts
    multiplied = [_decimal(quantity, 18), _decimal(price, 18)]
    width = _width(quantity) + _width(price)
    fraction = discount is not None and is_fraction(graph, node, discount)
    if discount is not None and fraction:
        multiplied.append(f"(1 - {_decimal(discount, 9)})")
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
    parts_named = [names[quantity.name], names[price.name]]
    if discount is not None and fraction:
        parts_named.append(names[discount.name])
    told = told[:1].upper() + told[1:] + "."
    return Measure(name, "", Additivity.FULL, told, " * ".join(multiplied), True, True, tuple(parts_named))


def _decimal(column: Column, digits: int) -> str:
    name = words.quote(column.name)
    marked = "{" + name + "}"
    return f"cast({marked} as decimal({digits}, 4))" if column.type.kind in _FLOATS else marked


def _width(column: Column) -> int:
    if column.type.kind is Kind.DECIMAL:
        return column.type.precision
    return _DIGITS.get(column.type.kind, 18)


def is_fraction(graph: Graph, node: Node, column: Column) -> bool:
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
