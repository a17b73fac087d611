"""The table of planted bugs is true: each text stands in the tree once, and what comes of it is Python."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest

from mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: str(one.plants).replace(" ", "-"))
def test_it_can_be_planted(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    assert text.count(mutant.before) == 1, "the source has moved on: bring tests/mutants/table.py along"
    ast.parse(text.replace(mutant.before, mutant.after))
    for word in shlex.split(mutant.tests):
        if word.startswith("tests/"):
            assert (ROOT / word).exists(), word


def test_there_are_fifty() -> None:
    assert len(MUTANTS) >= 50
    assert len({mutant.plants for mutant in MUTANTS}) == len(MUTANTS)
