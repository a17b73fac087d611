"""Executes a plan: loads and builds in parallel, publishes all of it or nothing, leaves a receipt."""

from mainstem.run.execute import Outcome, execute
from mainstem.run.parts import RunOptions

__all__ = ["Outcome", "RunOptions", "execute"]
