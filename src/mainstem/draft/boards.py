"""A dashboard for each fact: figures, two bars by what splits best, one area by month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstem.draft import header, lexicon, words
from mainstem.draft.columns import Use
from mainstem.draft.graph import Graph
from mainstem.draft.star import (
    Additivity,
    DateRole,
    Dimension,
    DraftedFile,
    Fact,
    Link,
    Measure,
    SourceColumn,
    Star,
)
from mainstem.draft.walk import is_geo
from mainstem.schema import Kind, Table

_LABEL = 1.5
_OF_PEOPLE = frozenset({"contact", "title", "salutation", "suffix", "occupation", "job"})
_SELDOM = 0.2  # share of rows without a date from which it is not the one people mean
_BARS = 40  # values up to which a split can be read
_COLORS = 8  # of the palette
_DIGITS = 4  # of an average, behind the point
_MANY = 1_000_000  # rows, above which the days of three attributes make a cube too large for the browser
_PLACES = ("country", "nation", "region", "territory", "state", "province", "city", "town")
_KINDS = (
    "category",
    "line",
    "genre",
    "type",
    "kind",
    "family",
    "group",
    "brand",
    "segment",
    "class",
    "department",
    "status",
)


def board_file(star: Star, fact: Fact, graph: Graph) -> DraftedFile:
    """`dashboards/<fact>.yml`: measures that add up, dimensions with few values, the date people mean."""
    measures = _measures(fact, graph)
    main = _main(fact, measures)
    splits = _splits(star, fact, graph)
    color = _color(star, fact, graph, splits) if {"sum", "count"} & set(measures[main]) else ""
    date = _date(fact, graph)
    dimensions: dict[str, Any] = {name: spec for name, spec, _ in splits}
    if date:
        grain = "month" if graph[fact.table].table.rows > _MANY else "day"
        dimensions["date"] = header.flow(column=f"{date.name}_date", grain=grain)
    title = words.title(fact.name.removeprefix("fact_"))
    rows: list[Any] = [[header.flow(kpi=name) for name in list(measures)[:4]]]
    bars = [{"bar": header.flow(by=name, measure=main)} for name, _, _ in splits[:2]]
    rows += [bars] if bars else []
    if date:
        rows.append([{"area": header.flow(x="date.month", measure=main, color=color, brush="date")}])
    document = {
        "dashboard": fact.name.removeprefix("fact_"),
        "title": title,
        "model": fact.name,
        "measures": measures,
        "dimensions": dimensions,
        "filters": {name: header.flow(multi=True) for name, _, _ in splits[:3]} or None,
        "layout": rows,
    }
    text = header.dump({key: value for key, value in document.items() if value is not None})
    return DraftedFile(f"dashboards/{fact.name}.yml", text)


def _measures(fact: Fact, graph: Graph) -> dict[str, Any]:
    table = graph[fact.table].table
    adding = [m for m in fact.measures if m.additive is Additivity.FULL]
    adding.sort(key=lambda m: _rank(m))
    shown: dict[str, Any] = {m.name: header.flow(sum=m.name, format=_format(m)) for m in adding[:4]}
    levels = [m for m in fact.measures if m.additive is Additivity.SEMI and not m.mixed]
    if not adding:  # a level at a time: what people look at is the level, not how often it was taken
        for m in levels[:3]:
            shown |= _average(m, None, shown, _digits(m, table))
    # "Hub stock: 360" would read as the stock: of levels, the rows are called what they are.
    count = "snapshots" if levels and not adding else fact.name.removeprefix("fact_")
    shown[count if count not in shown else f"{count}_count"] = header.flow(count="*", format=",")
    amount = next((m for m in fact.measures if m.product_of), None)
    for m in fact.measures:
        known = f"average_{m.name}" in shown
        if m.additive is not Additivity.FULL and not m.mixed and not known and len(shown) < 6:
            shown |= _average(m, amount, shown, _digits(m, table))
    return shown


def _average(
    measure: Measure, amount: Measure | None, shown: Mapping[str, Any], digits: int
) -> dict[str, Any]:
    """A price averages over what was sold, not over the rows; a discount that the amount has taken off
    already is in that price."""
    quantity, price, *discount = amount.product_of if amount else ("", "")
    if amount is None or measure.name not in (price, *discount) or not {amount.name, quantity} <= set(shown):
        shape = _format(measure) or f",.{digits}f"
        return {f"average_{measure.name}": header.flow(average=measure.name, format=shape)}
    if measure.name in discount:
        return {}
    name = f"average_{price}_after_discount" if discount else f"average_{price}"
    return {name: header.flow(ratio=header.flow_list([amount.name, quantity]), format=_format(measure))}


def _digits(measure: Measure, table: Table) -> int:
    """As many as the column has (an average tax rate of 0.075 is not 0.1), and one for whole numbers."""
    scale = next((c.type.scale for c in table.columns if c.name == measure.column), 1)
    return min(max(scale, 1), _DIGITS)


def _rank(measure: Measure) -> tuple[int, str]:
    said = set(measure.name.split("_"))
    if said & {"amount", "revenue", "total", "subtotal", "sales"}:
        return 0, ""
    return (1 if measure.money else 2), ""


def _format(measure: Measure) -> str:
    return ",.2f" if measure.money else ""


def _main(fact: Fact, measures: dict[str, Any]) -> str:
    return next(iter(measures))


def _date(fact: Fact, graph: Graph) -> DateRole | None:
    """The date people mean: when it happened, not when it should have or was done with; one that the rows
    have, where the data says so."""
    usable = [
        role for role in fact.dates if not role.later and not set(role.name.split("_")) & lexicon.PLANNED
    ]

    def known(role: DateRole) -> bool:
        owner = role.path[-1].target if role.path else fact.table
        figures = graph.profile.column(owner, role.column)
        return figures is None or figures.nulls <= _SELDOM

    return next(iter((*filter(known, usable), *usable, *fact.dates)), None)


def _splits(star: Star, fact: Fact, graph: Graph) -> list[tuple[str, Any, float]]:
    """Up to three attributes with few values: a kind of thing, a place, a status."""
    found: list[tuple[float, str, Any]] = []
    times: dict[str, int] = {}
    for link in fact.links:
        times[link.dimension] = times.get(link.dimension, 0) + 1
    for link in fact.links:
        dimension = star.dimension(link.dimension)
        for attribute in dimension.attributes:
            score = _score(graph, dimension, attribute, link)
            if score > 0:
                spec: Any = f"{dimension.name}.{attribute.name}"
                if times[dimension.name] > 1:
                    spec = header.flow(column=spec, via=link.name)
                found.append((score, _split_name(graph, link, dimension, attribute, times), spec))
        for item in dimension.gathered:
            found.append((4.5, item.name, f"{dimension.name}.{item.name}"))
    for attribute in fact.attributes:
        if set(attribute.name.split("_")) & lexicon.STATUS - {"code"} and _is_text(
            graph, fact.table, attribute
        ):
            found.append((2.5, attribute.name, attribute.name))
    found.sort(key=lambda item: -item[0])
    chosen: list[tuple[str, Any, float]] = []
    for score, name, spec in found:
        if len(chosen) >= 2 and score <= _LABEL:
            break  # a name of each thing has too many values to stand beside two that split well
        if len(chosen) < 3 and not any(_same(name, spec, c) for c in chosen):
            chosen.append((name, spec, score))
    return chosen


def _color(star: Star, fact: Fact, graph: Graph, splits: list[tuple[str, Any, float]]) -> str:
    """The split by which the course over time is stacked: the first that has few enough values to tell
    their colours apart; without data, the first kind of thing or status."""
    for name, spec, _ in splits:
        column = spec["column"] if isinstance(spec, dict) else spec
        values = _values(star, fact, graph, column)
        kind = bool(set(name.split("_")) & (set(_KINDS) | lexicon.STATUS))
        if 2 <= values <= _COLORS or (values < 0 and kind):
            return name
    return ""


def _values(star: Star, fact: Fact, graph: Graph, column: str) -> int:
    """How many values a column of a star's table has, by the data; -1 if nobody looked."""
    table, _, name = column.rpartition(".")
    dimension = star.dimension(table) if table else None
    attributes = dimension.attributes if dimension else fact.attributes
    base = dimension.table if dimension else fact.table
    for attribute in attributes:
        if attribute.name == name:
            owner = attribute.path[-1].target if attribute.path else base
            figures = graph.profile.column(owner, attribute.column)
            return figures.distinct if figures else -1
    return _COLORS + 1  # a list of names has as many values as there are combinations


def _split_name(
    graph: Graph, link: Link, dimension: Dimension, attribute: SourceColumn, times: Mapping[str, int]
) -> str:
    """`country`, `departure_city` where the dimension has roles, `shipper` for the shipper's name."""
    one = times[dimension.name] == 1
    if _names_it(graph, dimension, attribute):
        return dimension.entity if one else (link.role or dimension.entity)
    said = attribute.name.removesuffix("_name") if not attribute.name.startswith("name") else attribute.name
    return said if one else f"{link.role or dimension.entity}_{said}"


def _names_it(graph: Graph, dimension: Dimension, attribute: SourceColumn) -> bool:
    """Whether the attribute is what one of the dimension's things is called."""
    if attribute.path:
        return False
    node = graph[dimension.table]
    said = node.said_of[attribute.column]
    generic = len(said) == 2 and said[1] == "name" and said[0] in ("company", "full", "display", "legal")
    return node.uses[attribute.column] is Use.LABEL or generic


def _same(name: str, spec: Any, chosen: tuple[str, Any, float]) -> bool:
    """Whether a split says what a chosen one says: the same column in another role, a second place."""
    other, its, _ = chosen

    def column(one: Any) -> Any:
        return one["column"] if isinstance(one, dict) else one

    places = all(set(text.split("_")) & set(_PLACES) for text in (name, other))
    return name == other or column(spec) == column(its) or places


def _is_text(graph: Graph, table: str, attribute: SourceColumn) -> bool:
    owner = graph[attribute.path[-1].target if attribute.path else table]
    return owner.table.column(attribute.column).type.kind in (Kind.STRING, Kind.INT, Kind.LONG, Kind.BOOLEAN)


def _score(graph: Graph, dimension: Dimension, attribute: SourceColumn, link: Link) -> float:
    owner = graph[attribute.path[-1].target if attribute.path else dimension.table]
    use = owner.uses[attribute.column]
    column = owner.table.column(attribute.column)
    said = attribute.name.split("_")
    if (
        column.type.kind is not Kind.STRING
        or use in (Use.CODE, Use.PERSON)
        or attribute.description.startswith("http")
    ):
        return 0.0
    if said[-1] in ("description", "address", "comment", "comments", "notes", "url", "phone", "text"):
        return 0.0
    tail = said[-2:] if said[-1] in ("name", "label") else said[-1:]
    score = _by_name(tail)
    score = _by_values(graph, dimension, attribute, score)
    if score and len(link.path) > 2:
        score -= 0.5
    if score and attribute.path and set(tail) & set(_PLACES) and not is_geo(owner):
        score -= 2.0  # the supplier's country says less than the customer's
    return score - (1.0 if attribute.path and len(attribute.path) > 2 and "country" not in tail else 0.0)


def _by_values(graph: Graph, dimension: Dimension, attribute: SourceColumn, score: float) -> float:
    """What the number of its values says of a split: one is none, few are good, many cannot be read."""
    owner = graph[attribute.path[-1].target if attribute.path else dimension.table]
    use, said = owner.uses[attribute.column], set(owner.said_of[attribute.column])
    named = _names_it(graph, dimension, attribute)
    figures = graph.profile.column(owner.name, attribute.column)
    if figures is None or figures.distinct < 0:
        return score or (_LABEL if named else 0.0)
    if figures.distinct < 2:
        return 0.0
    if figures.distinct > _BARS:
        return max(_LABEL + 0.1, score - 3.0) if score > _LABEL else score or (_LABEL if named else 0.0)
    few = figures.distinct <= _BARS // 2
    person = owner.head in lexicon.PERSON_ROLE or bool(said & _OF_PEOPLE)
    if not score and few and not person and not attribute.path and (named or use in (Use.TEXT, Use.FLAG)):
        return _LABEL + (1.0 if named else 0.5)
    return score or (_LABEL if named else 0.0)


def _by_name(tail: list[str]) -> float:
    """What the words of an attribute promise: a place, a kind of thing."""
    score = 0.0
    for place, worth in zip(_PLACES, (6, 6, 4.5, 4, 3, 3, 1, 1), strict=True):
        if place in tail:
            score = max(score, worth)
    for kind in _KINDS:
        if kind in words.meanings(tail):
            score = max(score, 5.5 if kind in ("category", "line", "genre", "brand", "segment") else 4.0)
    return score
