"""What a run would read and cost, before it runs: pure, from the plan, the lake's state and a price table."""

from mainstem.cost.estimate import Estimate, StepCost, estimate, reads
from mainstem.cost.prices import Prices, prices_of

__all__ = ["Estimate", "Prices", "StepCost", "estimate", "prices_of", "reads"]
