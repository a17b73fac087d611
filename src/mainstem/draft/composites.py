"""Foreign keys of several columns that nobody declared: columns of the same names as another table's key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mainstem.draft import lexicon, words
from mainstem.draft.profile import ACCEPT, ASK, Profile, contained_key, score_link
from mainstem.draft.star import Hop, Proposal
from mainstem.schema import Column, Kind, Table

_SAME = 1.0  # the names agree, and one of them names the table: shipment_no, leg_no → legs
_ALIKE = 0.6  # the names agree: order_no, line_no

_INTEGERS = (Kind.INT, Kind.LONG, Kind.DECIMAL)


def named(
    tables: list[Table], said: Mapping[str, tuple[str, ...]], loose: bool
) -> Iterator[tuple[float, Hop]]:
    """Every link of two or three columns that names make likely, with the worth of the names.

    The target's key must have a column that is no foreign key by itself (`leg_no`): a pair of foreign keys
    (store, product) stands in many tables that have nothing to do with each other.
    """
    for target in tables:
        key = target.primary_key
        linked = {c for fk in target.foreign_keys for c in fk.columns}
        telling = [column for column in key if column not in linked]
        if not 2 <= len(key) <= 3 or not telling:
            continue
        own = set(words.meanings(said[target.name])[-1:]) - lexicon.LINE
        worth = _SAME if any(own & set(_said(column)) for column in telling) else _ALIKE
        if worth < _SAME and not loose:
            continue
        for table in tables:
            found = _same_columns(table, target)
            if found and not _declared(table, target, found) and not _equals(table, target, found):
                yield worth, Hop(table.name, found, target.name, key)


def proposals(
    tables: list[Table], said: Mapping[str, tuple[str, ...]], profile: Profile, loose: bool
) -> list[Proposal]:
    """The composite links with their evidence: the best target of the same columns, taken or asked for."""
    best: dict[tuple[str, tuple[str, ...]], Proposal] = {}
    for worth, hop in named(tables, said, loose):
        contained = profile.contained.get((hop.table, contained_key(hop.columns), hop.target))
        score = score_link(worth, contained)
        if score < (ACCEPT if contained is None else ASK):
            continue
        told = "by name alone" if contained is None else f"{contained:.0%} of its values are found there"
        because = "by its names" if contained is None else "by its names and its values"
        made = Proposal(
            hop, round(score, 4), f"score {score:.2f}: name {worth:.2f}, {told}", score >= ACCEPT, because
        )
        before = best.get((hop.table, hop.columns))
        if before is None or (made.score, before.hop.target) > (before.score, made.hop.target):
            best[hop.table, hop.columns] = made
    return list(best.values())


def _said(name: str) -> tuple[str, ...]:
    return words.meanings(words.split(name)) or (name,)


def _same_columns(table: Table, target: Table) -> tuple[str, ...]:
    """The columns of a table that are called like the target's key, in the key's order; nothing if one of
    them is missing or of another type."""
    if table.name == target.name:
        return ()
    by_words: dict[tuple[str, ...], Column] = {}
    for own in table.columns:
        by_words.setdefault(_said(own.name), own)
    found = []
    for name in target.primary_key:
        column: Column | None = by_words.get(_said(name))
        if column is None or not _alike(column, target.column(name)):
            return ()
        found.append(column.name)
    return tuple(found)


def _alike(one: Column, other: Column) -> bool:
    kinds = {one.type.kind, other.type.kind}
    return len(kinds) == 1 or kinds <= set(_INTEGERS)


def _declared(table: Table, target: Table, columns: tuple[str, ...]) -> bool:
    return any(fk.ref_table == target.name and set(fk.columns) & set(columns) for fk in table.foreign_keys)


def _equals(table: Table, target: Table, columns: tuple[str, ...]) -> bool:
    """Two tables of one and the same key: which of them refers to the other, names do not say."""
    return set(table.primary_key) == set(columns) and not len(_said(table.name)) > len(_said(target.name))
