"""The benchmark's scorer: name-blind precision, recall and F1 of a drafted star against a published one."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "stars"
HELD_OUT = frozenset({"bikestores", "healthcare", "jaffle_shop", "olist"})
"""Not looked at until the rules stood."""

UNSEEN = "unseen"
"""The folder of the schemas that came after the rules."""

WEIGHTS = {"fact": 0.25, "dim": 0.20, "fold": 0.15, "link": 0.15, "measure": 0.15, "date": 0.10}

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """Agreement in one respect; `asked` is 0 where there is nothing to agree on."""

    precision: float
    recall: float
    f1: float
    asked: int


def names() -> list[str]:
    """The benchmark's schemas."""
    return sorted(path.stem for path in (DATA / "schemas").glob("*.json"))


def unseen() -> list[str]:
    """Schemas of other trades whose stars were written down before any draft of them was looked at."""
    return sorted(path.stem for path in (DATA / UNSEEN / "schemas").glob("*.json"))


def schema(name: str) -> dict[str, Any]:
    """One operational schema."""
    return _read("schemas", name)


def gold(name: str) -> dict[str, Any]:
    """The published model of one schema."""
    return _read("gold", name)


def _read(folder: str, name: str) -> dict[str, Any]:
    path = DATA / folder / f"{name}.json"
    if not path.exists():
        path = DATA / UNSEEN / folder / f"{name}.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _part(draft: set[Any], required: set[Any], optional: set[Any] | None = None) -> Part:
    hits = len(draft & required)
    wrong, lost = len(draft - required - (optional or set())), len(required - draft)
    precision = hits / (hits + wrong) if hits + wrong else (0.0 if lost else 1.0)
    recall = hits / (hits + lost) if hits + lost else 1.0
    both = precision + recall
    return Part(precision, recall, 2 * precision * recall / both if both else 0.0, len(required) + wrong)


def score(draft: Json, model: Json) -> dict[str, Part]:
    """The six parts, by the names of WEIGHTS."""
    asked = {_grain(fact): fact for fact in model["facts"]}
    drafted = {_grain(fact): fact for fact in draft["facts"]}
    required = {grain for grain, fact in asked.items() if not fact.get("optional")}
    parts = {"fact": _part(set(drafted), required, set(asked) - required)}
    parts |= _dimensions(draft, model)
    common = set(asked) & set(drafted)
    if required and not common:
        return parts | dict.fromkeys(("link", "measure", "date"), Part(0.0, 0.0, 0.0, 1))
    base = {d["name"]: d["base_table"] for d in model["dims"]}
    mine = {d["name"]: d["base_table"] for d in draft["dims"]}
    parts["link"] = _part(
        {(g, mine[n]) for g in common for n in drafted[g]["dims"]},
        {(g, base[n]) for g in common for n in asked[g]["dims"]},
        {(g, base[n]) for g in common for n in asked[g].get("optional_dims", [])},
    )
    for what in ("measure", "date"):
        parts[what] = _part(
            {(g, x) for g in common for x in drafted[g][f"{what}s"]},
            {(g, x) for g in common for x in asked[g][f"{what}s"]},
            {(g, x) for g in common for x in asked[g].get(f"optional_{what}s", [])},
        )
    return parts


def grain_accuracy(draft: Json, model: Json) -> float:
    """Of the required facts whose business process a drafted fact touches, the share with their grain."""
    asked = [fact for fact in model["facts"] if not fact.get("optional")]
    grains = [set(fact["grain_tables"]) for fact in draft["facts"]]
    touched = [
        fact
        for fact in asked
        if any(grain & {*fact["grain_tables"], *fact["joined_tables"]} for grain in grains)
    ]
    drafted = {_grain(fact) for fact in draft["facts"]}
    return sum(_grain(fact) in drafted for fact in touched) / len(touched) if touched else 0.0


def _grain(fact: Json) -> Hashable:
    return tuple(sorted(fact["grain_tables"]))


def _dimensions(draft: Json, model: Json) -> dict[str, Part]:
    asked = {d["base_table"]: d for d in model["dims"]}
    drafted = {d["base_table"]: d for d in draft["dims"]}
    required = {base for base, d in asked.items() if not d.get("optional")}
    common = set(asked) & set(drafted)
    return {
        "dim": _part(set(drafted), required, set(asked) - required),
        "fold": _part(
            {(b, s) for b in common for s in drafted[b]["source_tables"][1:]},
            {(b, s) for b in common for s in asked[b]["source_tables"][1:]},
            {(b, s) for b in common for s in asked[b].get("optional_sources", [])},
        ),
    }


def overall(parts: Mapping[str, Part]) -> float:
    """The weighted mean of the parts that were asked."""
    asked = [what for what in WEIGHTS if parts[what].asked]
    return sum(WEIGHTS[what] * parts[what].f1 for what in asked) / sum(WEIGHTS[what] for what in asked)
