"""Keys that nobody declared: primary keys, and foreign keys by name, type and (where known) contents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mainstem.draft import composites, lexicon, words
from mainstem.draft.profile import ACCEPT, ASK, ENOUGH, Profile, score_link
from mainstem.draft.star import Hop, Proposal
from mainstem.schema import Column, Kind, Table

ROLE = 0.5
"""Worth of a name that says a table and not its key (`origin_hub`): taken with the values, never alone."""

WEAK = 0.3
"""Worth of a name that only mentions the table: with all values found it is asked for, never taken."""

_FAMILY = {
    Kind.INT: "number", Kind.LONG: "number", Kind.DECIMAL: "number", Kind.STRING: "text",
    Kind.BINARY: "bytes",
}  # fmt: skip


def with_key(table: Table, profile: Profile) -> Table:
    """The table with a primary key: declared, else unique and not null, else by name and position."""
    if table.primary_key:
        return table
    for unique in sorted(table.unique_keys, key=len):
        if all(not table.column(c).nullable for c in unique):
            return replace(table, primary_key=unique)
    if not table.columns:
        return table
    own = set(words.meanings(words.split(table.source_name or table.name)))
    for column in table.columns[:2]:
        said = words.meanings(words.split(column.name))
        first = column.name == table.columns[0].name
        named = (
            said in (("id",), ("key",), ("uuid",))
            or (first and len(said) == 1 and said[0] in lexicon.CODES)
            or (
                bool(said)
                and said[-1] in ("id", "key", "code", "number", "uuid")
                and own
                and set(said[:-1]) == own
            )
        )
        if not named or any(column.name in k.columns for k in table.foreign_keys):
            continue
        if profile.unique(table.name, column.name) is not False:
            return replace(table, primary_key=(column.name,))
    return _by_contents(table, profile)


def _by_contents(table: Table, profile: Profile) -> Table:
    """A leading column of codes or numbers in which no two rows agree, by the data alone."""
    if profile.seen(table.name) < ENOUGH:
        return table
    for column in table.columns[:2]:
        said = set(words.meanings(words.split(column.name)))
        plain = column.type.kind in (Kind.INT, Kind.LONG, Kind.STRING)
        if plain and not said & lexicon.MONEY and profile.unique(table.name, column.name):
            return replace(table, primary_key=(column.name,))
    return table


def foreign_keys(
    tables: list[Table], said: Mapping[str, tuple[str, ...]], profile: Profile
) -> tuple[dict[str, tuple[Hop, ...]], tuple[Proposal, ...]]:
    """Undeclared links by table, and the proposals behind them: taken from `ACCEPT`, asked from `ASK` where
    the data was looked at. One target a column, no two tables that point at each other."""
    search = _Search(tables, said, profile)
    found: dict[str, list[Hop]] = {}
    proposals: list[Proposal] = []
    for table, column in _unlinked(tables):
        best = search.best(table, column)
        if best and best.accepted:
            found.setdefault(table.name, []).append(best.hop)
        if best:
            proposals.append(best)
    for together in composites.proposals(tables, said, profile, search.loose):
        if together.accepted:
            found.setdefault(together.hop.table, []).append(together.hop)
        proposals.append(together)
    kept = {name: tuple(hops) for name, hops in _without_cycles(tables, found).items()}
    proposals = [p for p in proposals if not p.accepted or p.hop in kept.get(p.hop.table, ())]
    return kept, tuple(proposals)


def candidates(tables: list[Table], said: Mapping[str, tuple[str, ...]], profile: Profile) -> list[Hop]:
    """Every link that a name makes likely enough to look at the values."""
    search = _Search(tables, said, profile)
    single = [hop for table, column in _unlinked(tables) for _, hop in search.named(table, column)]
    return single + [hop for _, hop in composites.named(tables, said, search.loose)]


def _unlinked(tables: list[Table]) -> Iterator[tuple[Table, Column]]:
    for table in tables:
        linked = {c for key in table.foreign_keys for c in key.columns}
        for column in table.columns:
            if column.name not in linked and column.type.kind in _FAMILY:
                yield table, column


class _Search:
    """Tables by the words of their keys and of their names, so that a column need not look at all of them.

    Where a database declares its foreign keys, only a name that says the whole key is believed.
    """

    def __init__(self, tables: list[Table], said: Mapping[str, tuple[str, ...]], profile: Profile) -> None:
        self._profile = profile
        self.loose = sum(bool(table.foreign_keys) for table in tables) < 0.3 * len(tables)
        self._by_key: dict[tuple[str, ...], list[Table]] = {}
        self._by_name: dict[tuple[str, ...], list[Table]] = {}
        self._by_tail: dict[tuple[str, ...], list[Table]] = {}
        for table in tables:
            if len(table.primary_key) != 1:
                continue
            name = words.meanings(said[table.name])
            self._by_key.setdefault(_said(table.primary_key[0]), []).append(table)
            self._by_name.setdefault(name, []).append(table)
            for start in range(1, len(name)):
                self._by_tail.setdefault(name[start:], []).append(table)

    def named(self, table: Table, column: Column) -> list[tuple[float, Hop]]:
        """The links of a column that its name allows, each with the worth of the name."""
        alone = table.primary_key == (column.name,)
        found: dict[str, tuple[float, Hop]] = {}
        for name, target in self._candidates(table, column):
            key = target.column(target.primary_key[0])
            if (target.name == table.name and column.name == key.name) or (
                alone and not _extends(table, target)
            ):
                continue
            if _FAMILY.get(key.type.kind) != _FAMILY[column.type.kind]:
                continue
            if name > found.get(target.name, (0.0,))[0]:
                found[target.name] = name, Hop(table.name, (column.name,), target.name, target.primary_key)
        return list(found.values())

    def best(self, table: Table, column: Column) -> Proposal | None:
        """The link of a column with the highest score; the first by name among equals."""
        scored = []
        for name, hop in self.named(table, column):
            contained = self._profile.contained.get((table.name, column.name, hop.target))
            score = score_link(name, contained)
            if score >= (ACCEPT if contained is None else ASK):
                scored.append((-score, hop.target, hop, name, contained))
        if not scored:
            return None
        score, _, hop, name, contained = min(scored, key=lambda item: item[:2])
        told = "by name alone" if contained is None else f"{contained:.0%} of its values are found there"
        evidence = f"score {-score:.2f}: name {name:.2f}, {told}"
        because = "by its name" if contained is None else "by its name and its values"
        return Proposal(hop, round(-score, 4), evidence, -score >= ACCEPT, because)

    def _candidates(self, table: Table, column: Column) -> Iterator[tuple[float, Table]]:
        said = _said(column.name)
        owners = self._by_key.get(said, [])
        if (
            len(owners) == 1
            and owners[0].name != table.name
            and ((len(said) > 1 and _names_a_key(said)) or said[0] in lexicon.CODES)
        ):
            yield 1.0, owners[0]
        if self.loose and (column.type.kind is not Kind.STRING or "uuid" in column.native):
            yield from ((0.9, t) for t in self._by_name.get(said, ()))  # orders.customer → customers.id
        if self.loose and self._profile.looked:
            yield from ((ROLE, t) for start in range(len(said)) for t in self._by_name.get(said[start:], ()))
        if len(said) < 2 or not _names_a_key(said):
            return
        stem = said[:-1]
        yield from ((1.0, t) for t in self._by_name.get(stem, ()))
        if stem[-1] in ("parent", "manager", "supervisor", "boss") and table.primary_key:
            same_word = _said(table.primary_key[0])[-1] == said[-1]
            yield from ((0.9, t) for t in (table,) if same_word and len(table.primary_key) == 1)
        if not self.loose:
            return
        for start in range(1, len(stem)):
            named = self._by_name.get(stem[start:], ())
            yield from ((0.9, t) for t in named if _said(t.primary_key[0])[-1] == said[-1])
        if stem[-1] not in lexicon.CLASS | lexicon.LINE:
            yield from ((0.75, t) for t in self._by_tail.get(stem, ()))
        for word in stem:
            likely = WEAK if word == stem[-1] else WEAK - 0.05
            yield from ((likely, t) for t in self._by_name.get((word,), ()))
        if stem[-1] in lexicon.PARTY:  # account_manager_id → staff
            yield from ((WEAK, t) for name, tables in self._by_name.items() for t in tables
                        if name[-1] in lexicon.PERSON_ROLE)  # fmt: skip


def _said(name: str) -> tuple[str, ...]:
    return words.meanings(words.split(name)) or (name,)


def _names_a_key(said: tuple[str, ...]) -> bool:
    return said[-1] in lexicon.KEY_WORDS or said[-1] == "number"


def _extends(table: Table, target: Table) -> bool:
    """A table with the same key that says more about the same thing: `film_text` of `film`."""
    own, other = words.meanings(words.split(table.name)), words.meanings(words.split(target.name))
    return len(own) > len(other) and own[: len(other)] == other


def _without_cycles(tables: list[Table], found: dict[str, list[Hop]]) -> dict[str, list[Hop]]:
    declared = {(t.name, k.ref_table) for t in tables for k in t.foreign_keys}
    kept: dict[str, list[Hop]] = {}
    taken = set(declared)
    for name, hops in found.items():
        for hop in hops:
            if hop.target != name and (hop.target, name) in taken:
                continue
            taken.add((name, hop.target))
            kept.setdefault(name, []).append(hop)
    return kept
