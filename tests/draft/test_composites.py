"""Foreign keys of several columns that nobody declared."""

from __future__ import annotations

import pytest

from mainstem.draft import Profile, draft, inclusions, with_links
from mainstem.draft.star import Star
from mainstem.errors import UsageError

from .sketch import database

FREIGHT = """
shipments: shipment_no int, booked date, key (shipment_no)
legs: shipment_no int, leg_no int, departed time, carrier_name, distance_km num, key (shipment_no, leg_no)
scans: scan_id, shipment_no int, leg_no int, scanned_at time, delay_minutes int
"""
LINES = """
bills: bill_no int, billed date, key (bill_no)
bill_lines: bill_no int, line_no int, amount num, key (bill_no, line_no)
credits: credit_id, bill_no int, line_no int, credited date, amount num
"""


def taken(star: Star) -> set[str]:
    return {str(p).partition(" (")[0] for p in star.proposals if p.accepted and len(p.hop.columns) > 1}


def test_a_pair_that_names_the_table_is_taken_by_name() -> None:
    star = draft(database(FREIGHT))
    assert taken(star) == {"scans.shipment_no, leg_no → legs.shipment_no, leg_no"}
    (scans,) = (fact for fact in star.facts if fact.table == "scans")
    assert "legs" in {path[-1].target for path in scans.joined}


@pytest.mark.parametrize(
    ("share", "accepted", "asked"), [(1.0, True, False), (0.6, False, True), (0.0, False, False)]
)
def test_a_pair_that_does_not_is_taken_by_its_values_alone(share: float, accepted: bool, asked: bool) -> None:
    source = database(LINES)
    assert not taken(draft(source))
    (hop,) = (h for h in inclusions(source, Profile()) if len(h.columns) > 1)
    assert (hop.table, hop.target) == ("credits", "bill_lines")
    profile = Profile(contained={("credits", "bill_no, line_no", "bill_lines"): share})
    star = draft(source, profile)
    assert bool(taken(star)) is accepted
    assert any("--link credits.bill_no,line_no=bill_lines" in note for note in star.notes) is asked


def test_two_foreign_keys_side_by_side_are_no_key_of_another_table() -> None:
    source = database(
        """
        stores: store_id, store_name
        products: product_id, product_name
        stocks: store_id -> stores, product_id -> products, quantity int, key (store_id, product_id)
        sales: sale_id, store_id -> stores, product_id -> products, sold date, amount num
        """
    )
    assert not [h for h in inclusions(source, Profile()) if len(h.columns) > 1]


def test_the_user_says_that_it_is_one() -> None:
    linked = with_links(database(LINES), ["credits.bill_no,line_no=bill_lines"])
    (credited,) = (table for table in linked.tables if table.name == "credits")
    assert credited.foreign_keys[0].columns == ("bill_no", "line_no")
    with pytest.raises(UsageError, match="no key of one column"):
        with_links(database(LINES), ["credits.bill_no=bill_lines"])
    with pytest.raises(UsageError, match="has no column 'lne_no'"):
        with_links(database(LINES), ["credits.bill_no,lne_no=bill_lines"])
