"""Sweeps: the same protection at many points. `make test` has some of them, `make sweep` the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

sweep = pytest.mark.sweep


def every(step: int, points: Iterable[Any], first: int = 0) -> list[Any]:
    """The parameters of a sweep: each `step`-th, from the `first` on, is in the suite, the others are left to
    `make sweep`."""
    return [one if n % step == first else pytest.param(one, marks=sweep) for n, one in enumerate(points)]


def swept(points: Iterable[Any], *kept: Any) -> list[Any]:
    """The same with those named that are in the suite."""
    return [one if one in kept else pytest.param(one, marks=sweep) for one in points]
