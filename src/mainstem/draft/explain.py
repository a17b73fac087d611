"""The draft in words: what each source table became, and why."""

from __future__ import annotations

from mainstem.draft.star import Fact, Star


def explain(star: Star) -> str:
    """Facts with their grain, dimensions, bridges, keys that nobody declared, what the data says, then every
    source table with its score, reasons, near misses and alternatives."""
    lines: list[str] = []
    for fact in star.facts:
        lines += _fact(star, fact)
    for dimension in star.dimensions:
        folded = ", ".join(dict.fromkeys(path[-1].target for path in dimension.folded))
        versions = ", one row a version" if dimension.name in star.histories else ""
        lines.append(
            f"{dimension.name}: {dimension.table}" + (f" with {folded}" if folded else "") + versions
        )
    lines += [
        f"{fact.junk.name}: {len(fact.junk.columns)} flags of {fact.name}" for fact in star.facts if fact.junk
    ]
    lines += [
        f"{bridge.name}: {bridge.table}, many-to-many, with a weight that adds up to 1"
        for bridge in star.bridges
    ]
    taken = [proposal for proposal in star.proposals if proposal.accepted]
    lines += ["", "Foreign keys that nobody declared:"] if taken else []
    lines += [f"  {proposal}" for proposal in taken]
    lines += ["", "To know:"] if star.notes else []
    lines += [f"  {note}" for note in star.notes]
    lines += ["", "Every source table:"]
    for verdict in star.verdicts:
        score = f" (score {verdict.score:.1f})" if verdict.score is not None else ""
        lines.append(f"  {verdict.table} → {verdict.became}{score}")
        lines += [f"      {reason}" for reason in verdict.why]
        lines += [f"      {verdict.near_miss}"] if verdict.near_miss else []
        lines += [f"      alternative: {verdict.alternative}"] if verdict.alternative else []
    return "\n".join(lines) + "\n"


def _fact(star: Star, fact: Fact) -> list[str]:
    names = [link.name for link in fact.links] + ([fact.junk.key_name] if fact.junk else [])
    numbers = ", ".join(f"{m.name} ({m.additive.value})" for m in fact.measures) or "none: rows are counted"
    dates = ", ".join(f"{role.name}_date" for role in fact.dates) or "none"
    return [
        f"{fact.name}: {fact.statement} (raw.{fact.table})",
        f"  keys: {', '.join(names) or 'none'}",
        f"  dates: {dates}",
        f"  measures: {numbers}",
    ]
