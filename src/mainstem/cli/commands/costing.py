"""What a run would cost, and the budget that stops it: for `plan` and `run`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from mainstem.cli import console
from mainstem.cli.commands.common import Planned
from mainstem.errors import OverBudget, Where
from mainstem.project.load import FILE, Project
from mainstem.project.targets import AwsTarget
from mainstem.text import size

if TYPE_CHECKING:
    from mainstem.cost import Estimate


def estimate_of(project: Project, made: Planned, target: str) -> Estimate | None:
    """The estimate for a target in AWS; None for others, whose machines nobody bills by the run."""
    from mainstem.cost import estimate, prices_of

    config = project.target(target)
    if not isinstance(config, AwsTarget):
        return None
    return estimate(made.plan, made.heads, config, prices_of(config.region, project.config.costs))


def source_bytes(project: Project, made: Planned) -> tuple[int, list[str]]:
    """Bytes that the run would read from the sources at most, and the tables of unknown size."""
    from mainstem.cost import reads
    from mainstem.cost.prices import assumptions

    share = assumptions(project.config.costs).incremental_share
    found = {str(step.name): reads(step, made.heads.get(step.name), share) for step in made.plan.ingest}
    return sum(one or 0 for one in found.values()), [name for name, one in found.items() if one is None]


def over(project: Project, made: Planned, target: str) -> str:
    """How the run would exceed the budget; empty if it would not."""
    budget = project.config.budget
    limit = budget.read_bytes
    if limit is not None and (read := source_bytes(project, made)[0]) > limit:
        return f"it would read ~{size(read)} from the sources; the budget is {budget.read}"
    found = estimate_of(project, made, target) if budget.usd is not None else None
    if found is not None and budget.usd is not None and found.usd > budget.usd:
        return f"it would cost ~${found.usd:,.4f}; the budget is ${budget.usd:,.4f}"
    return ""


def require(project: Project, made: Planned, target: str) -> None:
    """Raise OverBudget if the run would exceed the budget."""
    unknown = source_bytes(project, made)[1] if project.config.budget.read else []
    if unknown:
        console.note(f"the budget does not count {', '.join(unknown)}: the source does not say how large")
    if why := over(project, made, target):
        raise OverBudget(
            f"over the budget: {why}",
            where=Where(FILE, project.document.line(("budget",))),
            hint="--over-budget runs it all the same; --select runs a part; mainstem plan shows the steps",
        )


def value(project: Project, made: Planned, target: str) -> dict[str, object]:
    """The cost as plain values for JSON."""
    found = estimate_of(project, made, target)
    told: dict[str, object] = {"over_budget": over(project, made, target)}
    if found is not None:
        told["cost"] = asdict(found) | {"usd": found.usd, "scan": found.scan}
    return told


def show(project: Project, made: Planned, target: str) -> None:
    """Print the estimate of a target in AWS, and whether the budget holds."""
    found = estimate_of(project, made, target)
    if found is not None:
        _show(found, project.target(target))
    if why := over(project, made, target):
        console.out().print(f"over the budget: {why}; a run would stop", style="red", markup=False)


def _show(found: Estimate, target: object) -> None:
    from rich.table import Table
    from rich.text import Text

    assert isinstance(target, AwsTarget)
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    for title in ("step", "from source", "scanned", "written", "DPU hours", "job", "requests", "a month"):
        table.add_column(title, justify="left" if title == "step" else "right", overflow="fold")
    table.add_column("Athena, read whole", justify="right")
    hours = found.dpu_hours / found.seconds if found.seconds else 0.0
    for step in found.steps:
        source = f"~{size(step.source)}" if step.known else "unknown"
        sizes = (source, f"~{size(step.scanned)}", f"~{size(step.written)}", f"{hours * step.seconds:.4f}")
        prices = [f"${one:.4f}" for one in (step.glue, step.requests, step.storage)]
        athena = f"{size(step.scan)} ${step.athena:.4f}"
        table.add_row(*(Text(one) for one in (step.table, *sizes, *prices, athena)))
    console.out().print()
    console.out().print(table)
    lines = [
        f"a run: ~${found.usd:,.4f}: {found.dpu_hours:.4f} DPU hours of {target.workers} × "
        f"{target.worker_type} in {found.seconds:.0f} s, ${found.usd_glue:,.4f}; "
        f"requests ${found.usd_requests:,.4f}",
        f"a month of storage of what it writes: ~${found.usd_month:,.4f}",
        f"Athena, each table read whole once: {size(found.scan)}, ~${found.usd_athena:,.4f} (not in the run)",
        _origin(found),
    ]
    for line in lines:
        console.out().print(line, markup=False, highlight=False)


def _origin(found: Estimate) -> str:
    prices = found.prices
    own = f"; your own: {', '.join(prices.overridden)}" if prices.overridden else ""
    if prices.known:
        return f"prices of {prices.region} as of {prices.as_of} (docs/cost.md){own}"
    return f"no prices of {prices.region} are known: those of us-east-1 as of {prices.as_of}{own}"
