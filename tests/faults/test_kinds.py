"""The table of faults in the documentation is the one that is tested."""

from __future__ import annotations

from faults import kinds


def test_every_kind_has_its_tests() -> None:
    assert set(kinds.tests()) == {kind.id for kind in kinds.KINDS}
    first = [kind.id for kind in kinds.KINDS if int(kind.id[2:]) <= 35]
    assert len(first) >= 25


def test_the_page_is_up_to_date() -> None:
    text = kinds.PAGE.read_text()
    assert kinds.written(text) == text, "run: python tests/faults/kinds.py"
