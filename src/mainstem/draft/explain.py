"""The draft in words: what each source table became, and why."""

from __future__ import annotations

from mainstem.draft.star import Fact, Star


def explain(star: Star) -> str:
    """Facts with their grain, dimensions, bridges, then every source table with its score and reasons."""
    lines: list[str] = []
    for fact in star.facts:
        lines += _fact(star, fact)
    for dimension in star.dimensions:
        folded = ", ".join(dict.fromkeys(path[-1].target for path in dimension.folded))
        lines.append(f"{dimension.name}: {dimension.table}" + (f" with {folded}" if folded else ""))
    lines += [f"{bridge.name}: {bridge.table}, many-to-many" for bridge in star.bridges]
    lines += ["", "Every source table:"]
    for verdict in star.verdicts:
        score = f" (score {verdict.score:.1f})" if verdict.score is not None else ""
        lines.append(f"  {verdict.table} → {verdict.became}{score}")
        lines += [f"      {reason}" for reason in verdict.why]
        lines += [f"      {verdict.near_miss}"] if verdict.near_miss else []
    return "\n".join(lines) + "\n"


def _fact(star: Star, fact: Fact) -> list[str]:
    names = ", ".join(link.name for link in fact.links) or "none"
    numbers = ", ".join(f"{m.name} ({m.additive.value})" for m in fact.measures) or "none: rows are counted"
    dates = ", ".join(f"{role.name}_date" for role in fact.dates) or "none"
    return [
        f"{fact.name}: {fact.statement} (raw.{fact.table})",
        f"  keys: {names}",
        f"  dates: {dates}",
        f"  measures: {numbers}",
    ]
