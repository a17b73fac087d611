"""What became of every source table, and why: so that a draft can be argued with."""

from __future__ import annotations

from mainstem.draft import dims
from mainstem.draft.facts import THRESHOLD, Found
from mainstem.draft.shapes import Shape
from mainstem.draft.star import Star, Verdict


def verdicts_of(found: Found, plan: dims.Plan, star: Star) -> tuple[Verdict, ...]:
    """One verdict for every source table, in the source's order."""
    facts = {fact.table: fact.name for fact in star.facts}
    dimensions = {dim.table: dim.name for dim in star.dimensions}
    bridges = {bridge.table: bridge.name for bridge in star.bridges}
    folded: dict[str, list[str]] = {}
    for dim in star.dimensions:
        for path in dim.folded:
            folded.setdefault(path[-1].target, []).append(dim.name)
    joined: dict[str, list[str]] = {}
    for fact in star.facts:
        for path in fact.joined:
            joined.setdefault(path[-1].target, []).append(fact.name)
    result = []
    for name in found.graph.nodes:
        became = facts.get(name) or dimensions.get(name) or bridges.get(name) or ""
        if not became and name in folded:
            became = "folded into " + ", ".join(dict.fromkeys(folded[name]))
        if not became and name in joined:
            became = "joined into " + ", ".join(dict.fromkeys(joined[name]))
        score = found.scores.get(name)
        near = ""
        if name not in facts and name not in found.absorbed and score is not None and score >= THRESHOLD - 1:
            parts = ", ".join(found.parts[name])
            near = f"near miss: fact score {score:.1f} of {THRESHOLD:.0f} ({parts})"
            if score >= THRESHOLD:
                near = f"near miss: its score would make it a fact, its form does not: {score:.1f} ({parts})"
        why = [w for w in (found.shape_why[name], *found.why[name], *plan.why[name]) if w]
        result.append(
            Verdict(
                name,
                became or "left out",
                score,
                tuple(dict.fromkeys(why)) or (_default_why(became),),
                near,
                _alternative(found, name, facts),
            )
        )
    return tuple(result)


def _alternative(found: Found, table: str, facts: dict[str, str]) -> str:
    """What one could do instead, where another choice is as defensible."""
    if table in found.absorbed:
        return (
            f"a fact of its own at the grain of {table}, for questions that count documents and not lines "
            f"(count distinct of its key in {facts.get(found.absorbed[table], 'the lines')} says the same)."
        )
    shape, score = found.shapes[table], found.scores.get(table)
    if table in facts and score is not None and score < THRESHOLD + 0.5:
        return "a dimension, or nothing: its score is close to the threshold."
    if table not in facts and score is not None and score >= THRESHOLD - 1 and shape is Shape.PLAIN:
        return "a fact, if its rows are what happens in the business and not what it happens to."
    if shape is Shape.HISTORY:
        return "a factless fact with one row a period, to count who had which state when."
    if shape is Shape.BRIDGE and table not in facts:
        return "a factless fact, to count the pairs themselves."
    return ""


def _default_why(became: str) -> str:
    if became.startswith("dim_"):
        return "A fact refers to it: a dimension."
    return "No fact of this star refers to it." if not became else "To-one from the rows it folds into."
