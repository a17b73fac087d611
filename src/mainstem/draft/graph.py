"""The source as a graph: tables with classified columns, and the to-one links between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mainstem.draft import keys, lexicon, words
from mainstem.draft.columns import DATES, MEASURES, Named, Use, use_of
from mainstem.draft.profile import ENOUGH, ColumnProfile, Profile
from mainstem.draft.star import Hop, Proposal
from mainstem.schema import Column, Database, Kind, Table

_SAYING = frozenset({Use.TEXT, Use.CODE, Use.LABEL, Use.PERSON, Use.FLAG})
_SHORT = re.compile(r"(?:n?(?:var)?char|character(?: varying)?)(?:\([1-5]\))?$|enum")


@dataclass(frozen=True)
class Node:
    """A table with what the rules ask of it. `means` are the words of its name, singular; `head` the last."""

    table: Table
    said: tuple[str, ...]
    means: tuple[str, ...]
    key: tuple[str, ...]
    uses: Mapping[str, Use]
    said_of: Mapping[str, tuple[str, ...]]
    links: tuple[Hop, ...]  # to other tables, audit links left out
    own: tuple[Hop, ...]  # to itself
    audit: tuple[Hop, ...]
    inferred: frozenset[tuple[str, ...]] = frozenset()

    @property
    def name(self) -> str:
        """The lake name."""
        return self.table.name

    @property
    def head(self) -> str:
        """The noun that the name is about: `order_items` → item."""
        tail = [
            w
            for w in self.means
            if w not in ("header", "table", "data", "master", "info", "record", "fact", "dim")
        ]
        return tail[-1] if tail else self.means[-1] if self.means else ""

    @property
    def parents(self) -> frozenset[str]:
        """The tables it refers to."""
        return frozenset(hop.target for hop in self.links)

    def columns(self, *uses: Use) -> tuple[Column, ...]:
        """The columns of these uses, in the table's order."""
        return tuple(c for c in self.table.columns if self.uses[c.name] in uses)

    @property
    def measures(self) -> tuple[Column, ...]:
        """Additive, semi-additive and price columns."""
        return self.columns(*MEASURES)

    @property
    def dates(self) -> tuple[Column, ...]:
        """Columns that date the row."""
        return self.columns(*DATES)

    def link(self, columns: Iterable[str]) -> Hop | None:
        """The link over exactly these columns."""
        wanted = tuple(columns)
        return next((hop for hop in (*self.links, *self.own) if hop.columns == wanted), None)


@dataclass(frozen=True)
class Graph:
    """All tables by lake name, in the source's order, and who refers to whom."""

    database: Database
    nodes: Mapping[str, Node]
    children: Mapping[str, tuple[Hop, ...]]
    profile: Profile
    proposals: tuple[Proposal, ...] = ()

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]


def build(database: Database, profile: Profile | None = None) -> Graph:
    """Classify all columns, find keys and links that nobody declared, set audit links apart."""
    known = profile or Profile()
    tables = [keys.with_key(table, known) for table in database.tables]
    said = _table_words(tables)
    found, proposals = keys.foreign_keys(tables, said, known)
    everywhere = _audit_links(tables)
    nodes: dict[str, Node] = {}
    for table in tables:
        nodes[table.name] = _node(table, said[table.name], found.get(table.name, ()), everywhere, known)
    children: dict[str, list[Hop]] = {name: [] for name in nodes}
    for node in nodes.values():
        for hop in node.links:
            children[hop.target].append(hop)
    by_target = {name: tuple(hops) for name, hops in children.items()}
    return Graph(database, nodes, by_target, known, proposals)


def candidates(database: Database, profile: Profile) -> list[Hop]:
    """Links that nobody declared and that names make likely: what to ask the data about."""
    tables = [keys.with_key(table, profile) for table in database.tables]
    return keys.candidates(tables, _table_words(tables), profile)


def _table_words(tables: list[Table]) -> dict[str, tuple[str, ...]]:
    split = {table.name: words.split(table.source_name or table.name) or ("table",) for table in tables}
    prefix = words.common_prefix(list(split.values()), 0.6) if len(split) > 3 else ""
    noise = {prefix, "tbl", "tb", "t", "vw", "stg", "raw"} - {""}
    bare = {n: (w[1:] if len(w) > 1 and w[0] in noise else w) for n, w in split.items()}
    tails = {"tbl", "tab", "t"}
    return {n: (w[:-1] if len(w) > 1 and w[-1] in tails else w) for n, w in bare.items()}


def _audit_links(tables: list[Table]) -> frozenset[tuple[str, str]]:
    """(column, target) pairs that more than half of the tables carry: who touched the row."""
    count: dict[tuple[str, str], int] = {}
    for table in tables:
        for key in table.foreign_keys:
            if len(key.columns) == 1:
                pair = (key.columns[0].lower(), key.ref_table)
                count[pair] = count.get(pair, 0) + 1
    least = max(4, len(tables) // 2 + 1)
    return frozenset(pair for pair, times in count.items() if times >= least)


def _node(
    table: Table,
    said: tuple[str, ...],
    inferred: tuple[Hop, ...],
    everywhere: frozenset[tuple[str, str]],
    profile: Profile,
) -> Node:
    declared = [Hop(table.name, k.columns, k.ref_table, k.ref_columns) for k in table.foreign_keys]
    hops = [*dict.fromkeys([*declared, *inferred])]
    said_of = _column_words(table)
    means = words.meanings(word for word in said if not word.isdigit()) or said
    linked = {c for hop in hops for c in hop.columns}
    uses: dict[str, Use] = {}
    for column in table.columns:
        own = said_of[column.name]
        named = Named(
            column, own, words.meanings(own), means, column.name in table.primary_key, column.name in linked,
            profile.column(table.name, column.name),
        )  # fmt: skip
        uses[column.name] = _by_data(named, use_of(named), profile.seen(table.name))
    audit = [
        h for h in hops if _is_audit(h, said_of, everywhere) and not set(h.columns) & set(table.primary_key)
    ]
    rest = [h for h in hops if h not in audit]
    for hop in audit:
        uses.update(dict.fromkeys(hop.columns, Use.AUDIT))
    _created_is_event(table, uses, rest, means)
    own_links = tuple(h for h in rest if h.target == table.name)
    links = tuple(h for h in rest if h.target != table.name)
    return Node(table, said, means, table.primary_key, uses, said_of, links, own_links, tuple(audit),
                frozenset(h.columns for h in inferred))  # fmt: skip


def _by_data(named: Named, use: Use, rows: int) -> Use:
    """What the values say against the name: nothing at all, or a flag."""
    figures = named.profile
    if figures is None or rows < ENOUGH or use not in _SAYING:
        return use
    if figures.nulls >= 1:
        return Use.JUNK
    unit = bool(set(named.means) & lexicon.UNIT)  # two currencies are no yes and no
    two = use in (Use.TEXT, Use.CODE) and not unit and _two_valued(named.column, figures)
    return Use.FLAG if two else use


def _two_valued(column: Column, figures: ColumnProfile) -> bool:
    if figures.distinct != 2:
        return False
    if column.type.kind in (Kind.INT, Kind.LONG):
        return (figures.low, figures.high) == (0, 1)
    return column.type.kind is Kind.STRING and bool(_SHORT.match(column.native.lower()))


def _column_words(table: Table) -> dict[str, tuple[str, ...]]:
    """Words of each column without a prefix that the whole table shares (`L_`, `C_`, `au_`)."""
    split = {c.name: words.split(c.name) or ("column",) for c in table.columns}
    foreign = {c for key in table.foreign_keys for c in key.columns}
    own = [w for name, w in split.items() if name not in foreign]
    prefix = words.common_prefix(own, 0.85)
    if prefix and (len(prefix) <= 3 or prefix not in lexicon.VOCABULARY):
        return {n: (w[1:] if len(w) > 1 and w[0] == prefix else w) for n, w in split.items()}
    return split


def _is_audit(
    hop: Hop, said_of: Mapping[str, tuple[str, ...]], everywhere: frozenset[tuple[str, str]]
) -> bool:
    if len(hop.columns) != 1:
        return False
    if (hop.columns[0].lower(), hop.target) in everywhere:
        tail = said_of[hop.columns[0]]
        return bool(set(tail) & (lexicon.AUDIT_VERBS | {"by", "editor"}))
    said = [w for w in said_of[hop.columns[0]] if w not in lexicon.KEY_WORDS]
    return (
        bool(said)
        and all(w in lexicon.AUDIT_VERBS | {"by", "user"} for w in said)
        and bool(set(said) & lexicon.AUDIT_VERBS)
    )


def _created_is_event(table: Table, uses: dict[str, Use], links: list[Hop], means: tuple[str, ...]) -> None:
    """`created_at` is the date of an order that has no other: web frameworks name it so."""
    if any(use in DATES for use in uses.values()) or not links:
        return
    spoken = bool(set(means) & (lexicon.EVENT | lexicon.LINE))
    measured = any(use in (Use.ADDITIVE, Use.PRICE) for use in uses.values())
    described = any(use in (Use.PERSON,) for use in uses.values())
    if described or not (spoken or (measured and len({h.target for h in links}) > 1)):
        return
    for column in table.columns:
        said = set(words.split(column.name))
        temporal = column.type.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
        if uses[column.name] is Use.AUDIT and temporal and said & lexicon.CREATED and said <= lexicon.CREATED:
            uses[column.name] = Use.DATE
            return
