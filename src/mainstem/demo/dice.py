"""Chance that falls the same on every machine and every version of Python."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Whole numbers from `Random.random()`, the one method that Python promises never to change."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit - 1`."""
        return int(self._random() * limit)

    def percent(self, chance: int) -> bool:
        """True in `chance` of 100 cases."""
        return self._random() * 100 < chance

    def pick(self, items: Sequence[T]) -> T:
        """One item, each as likely as the others."""
        return items[int(self._random() * len(items))]

    def weighted(self, cumulative: Sequence[int], count: int) -> int:
        """An index below `count`; `cumulative` holds the running sums of the weights."""
        return bisect_right(cumulative, int(self._random() * cumulative[count - 1]), 0, count)

    def fill(self, pattern: str) -> str:
        """The pattern with each 9 a digit and each A a letter."""
        letters = "BCDFGHJKLMNPRSTVWX"
        digit, letter = "9", "A"
        return "".join(
            str(self.below(10)) if c == digit else self.pick(letters) if c == letter else c for c in pattern
        )


def running(weights: Sequence[int]) -> list[int]:
    """The running sums of the weights, for `Dice.weighted`."""
    return list(accumulate(weights))
