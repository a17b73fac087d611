"""What the data says about the source that its schema does not: remarks for the user, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mainstem.draft.columns import LEFT_OUT, Use
from mainstem.draft.facts import Found
from mainstem.draft.graph import Graph
from mainstem.draft.profile import ENOUGH
from mainstem.draft.shapes import Shape
from mainstem.draft.star import Star, link_text
from mainstem.schema import Kind
from mainstem.text import joined

Rule = Callable[[Found, Star], Iterator[str]]


def link_reasons(graph: Graph, table: str) -> list[str]:
    """Why the undeclared links of a table were taken."""
    return [
        f"Nobody declared it: {link_text(proposal.hop)} ({proposal.because})."
        for proposal in graph.proposals
        if proposal.accepted and proposal.hop.table == table
    ]


def _sampled(found: Found, star: Star) -> Iterator[str]:
    profile = found.graph.profile
    for table in sorted(profile.sampled):
        seen = profile.seen(table) - 1
        yield f"{table} is larger than what was looked at: decided by its first {seen:,} rows."


def _asked(found: Found, star: Star) -> Iterator[str]:
    for proposal in found.graph.proposals:
        if not proposal.accepted:
            hop = proposal.hop
            answer = f"--link {hop.table}.{','.join(hop.columns)}={hop.target}"
            yield f"Is this a foreign key? {proposal}. If so: {answer}"


def _split_groups(found: Found, star: Star) -> Iterator[str]:
    for (table, column), figures in found.graph.profile.columns.items():
        node = found.graph.nodes.get(table)
        if node is None or node.uses.get(column, Use.AUDIT) in LEFT_OUT | {Use.KEY}:
            continue
        if figures.blanks > 0:
            yield (
                f"{table}.{column}: {figures.blanks} of {figures.distinct} values differ from another only "
                "by blanks at their ends; the draft trims them in dimensions."
            )
        if figures.cases > 0:
            yield (
                f"{table}.{column}: {figures.cases} of {figures.distinct} values differ from another only "
                "by upper and lower case; lower() would join them."
            )


def _empty_columns(found: Found, star: Star) -> Iterator[str]:
    profile = found.graph.profile
    for node in found.graph.nodes.values():
        if profile.seen(node.name) < ENOUGH:
            continue
        empty = [
            c.name
            for c in node.table.columns
            if node.uses[c.name] is Use.JUNK
            and (f := profile.column(node.name, c.name)) is not None
            and f.nulls >= 1
        ]
        if empty:
            yield f"{node.name}: {', '.join(empty)} never has a value; left out."


def _numbers_as_texts(found: Found, star: Star) -> Iterator[str]:
    """PostgreSQL's numeric without precision holds what no decimal does: it arrives as text, and adds up as
    none."""
    for node in found.graph.nodes.values():
        texts = [
            column.name
            for column in node.table.columns
            if column.native.lower() in ("numeric", "decimal")
            and column.type.kind is Kind.STRING
            and node.uses[column.name] not in LEFT_OUT | {Use.KEY}
        ]
        if texts:
            yield (
                f"{node.name}: {joined(texts)}: a numeric without precision arrives as text, so no measure "
                "was drafted; in a model: cast(… as decimal(18, 4))."
            )


def _mostly_missing(found: Found, star: Star) -> Iterator[str]:
    for fact in star.facts:
        for link in fact.links:
            hop = link.path[0]
            figures = found.graph.profile.column(hop.table, hop.columns[0])
            if figures is not None and figures.nulls >= 0.5:
                yield (
                    f"{fact.name}.{link.name}: {figures.nulls:.0%} of the rows have none; they are 'missing'."
                )


def _histories(found: Found, star: Star) -> Iterator[str]:
    drafted = {dimension.table for dimension in star.dimensions}
    for name, shape in found.shapes.items():
        if shape is Shape.HISTORY and name not in found.facts and name not in drafted:
            yield (
                f"{name} keeps a history (from, to), but no dated fact refers to one version of it: several "
                "may hold at a time, or no fact refers to what it is the history of. Left out."
            )


RULES: tuple[Rule, ...] = (
    _asked, _split_groups, _numbers_as_texts, _mostly_missing, _empty_columns, _histories, _sampled,
)  # fmt: skip


def notes_of(found: Found, star: Star) -> tuple[str, ...]:
    """All remarks, questions first."""
    return tuple(dict.fromkeys(note for rule in RULES for note in rule(found, star)))
