"""The table of faults in the documentation is the one that is tested."""

from __future__ import annotations

from faults.kinds import KINDS, PAGE, tests, written


def test_every_kind_has_its_tests() -> None:
    made = tests()
    assert set(made) == {kind.id for kind in KINDS}
    first = [kind.id for kind in KINDS if int(kind.id[2:]) <= 35]
    assert len(first) >= 25


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text()
    assert written(text) == text, "run: python tests/faults/kinds.py"
