"""Keys that nobody declared: primary keys, and foreign keys by name, type and (where known) contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mainstem.draft import lexicon, words
from mainstem.draft.profile import Profile
from mainstem.draft.star import Hop
from mainstem.schema import Column, Kind, Table

ACCEPT = 0.7
"""Score from which a candidate is taken (Rostin et al. 2009; weights in docs/drafting.md)."""

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
        figures = profile.column(table.name, column.name)
        rows = profile.rows.get(table.name, -1)
        if (
            figures is None
            or rows < 0
            or figures.distinct < 0
            or (figures.distinct == rows and not figures.nulls)
        ):
            return replace(table, primary_key=(column.name,))
    return table


def foreign_keys(
    tables: list[Table], said: Mapping[str, tuple[str, ...]], profile: Profile
) -> dict[str, tuple[Hop, ...]]:
    """Undeclared links by table. One target a column, no two tables that point at each other."""
    targets = [t for t in tables if len(t.primary_key) == 1]
    spoken = {t.name: words.meanings(said[t.name]) for t in targets}
    by_key: dict[tuple[str, ...], int] = {}
    for target in targets:
        name = words.meanings(words.split(target.primary_key[0]))
        by_key[name] = by_key.get(name, 0) + 1
    found: dict[str, list[Hop]] = {}
    for table in tables:
        linked = {c for key in table.foreign_keys for c in key.columns}
        for column in table.columns:
            if column.name in linked or column.type.kind not in _FAMILY:
                continue
            best = _best(table, column, targets, spoken, by_key, profile)
            if best:
                found.setdefault(table.name, []).append(best)
    return {name: tuple(hops) for name, hops in _without_cycles(tables, found).items()}


def _best(
    table: Table,
    column: Column,
    targets: list[Table],
    spoken: Mapping[str, tuple[str, ...]],
    by_key: Mapping[tuple[str, ...], int],
    profile: Profile,
) -> Hop | None:
    best: tuple[float, str, Hop] | None = None
    for target in targets:
        key = target.column(target.primary_key[0])
        if target.name == table.name and column.name == key.name:
            continue
        if _FAMILY.get(key.type.kind) != _FAMILY[column.type.kind]:
            continue
        name = _name_score(column, key, spoken[target.name], by_key, table.name == target.name)
        if name < 0.5:
            continue
        score = _score(name, profile.contained.get((table.name, column.name, target.name)))
        if column.name in table.primary_key and len(table.primary_key) == 1 and not _extends(table, target):
            continue
        candidate = (score, target.name, Hop(table.name, (column.name,), target.name, (key.name,)))
        if score >= ACCEPT and (best is None or (-score, target.name) < (-best[0], best[1])):
            best = candidate
    return best[2] if best else None


def _score(name: float, contained: float | None) -> float:
    """.45 name + .35 coverage + .20 range; without data the name alone has to carry it."""
    return name if contained is None else 0.45 * name + 0.55 * contained


def _extends(table: Table, target: Table) -> bool:
    """A table with the same key that says more about the same thing: `film_text` of `film`."""
    own, other = words.meanings(words.split(table.name)), words.meanings(words.split(target.name))
    return len(own) > len(other) and own[: len(other)] == other


def _name_score(
    column: Column, key: Column, target: tuple[str, ...], by_key: Mapping[tuple[str, ...], int], same: bool
) -> float:
    said = words.meanings(words.split(column.name))
    key_said = words.meanings(words.split(key.name))
    if (
        said == key_said
        and len(said) == 1
        and said[0] in lexicon.CODES
        and by_key[key_said] == 1
        and not same
    ):
        return 1.0
    if said == target and not same and (column.type.kind is not Kind.STRING or "uuid" in column.native):
        return 0.9  # orders.customer → customers.id
    if not said or said[-1] not in lexicon.KEY_WORDS | {"number"}:
        return 0.0
    if said == key_said and len(key_said) > 1 and by_key[key_said] == 1 and not same:
        return 1.0
    stem = said[:-1]
    if not stem:
        return 0.0
    if stem == target:
        return 1.0
    if same:
        return (
            0.9
            if stem[-1] in ("parent", "manager", "supervisor", "boss") and said[-1] == key_said[-1]
            else 0.0
        )
    if len(target) <= len(stem) and stem[-len(target) :] == target:
        return 0.9
    if (
        len(stem) < len(target)
        and target[-len(stem) :] == stem
        and stem[-1] not in lexicon.CLASS | lexicon.LINE
    ):
        return 0.75
    return 0.0


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
