"""What the data decides that names cannot: each rule with a case that comes out otherwise without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import yaml

from mainstem.draft import ColumnProfile, Profile, draft, explain, inclusions, render, sums, with_links
from mainstem.draft.columns import Use
from mainstem.draft.graph import build as graph_of
from mainstem.draft.star import Additivity, Fact, Star
from mainstem.errors import UsageError
from mainstem.schema import Column, Database, Kind, Type

from .sketch import database
from .test_values import SHOP
from .world import Rows, build, some_rows

Figures = Mapping[tuple[str, str], ColumnProfile]


def seen(source: Database, columns: Figures, rows: int = 1000) -> Profile:
    """A profile in which every table has so many rows."""
    looked = {table.name: rows for table in source.tables}
    return Profile(rows=looked, looked=looked, columns=columns)


def fact(star: Star, table: str) -> Fact:
    (found,) = (fact for fact in star.facts if fact.table == table)
    return found


def board(source: Database, profile: Profile | None, name: str) -> dict[str, Any]:
    files = {file.path: file.text for file in render(draft(source, profile), source, profile)}
    document: dict[str, Any] = yaml.safe_load(files[f"dashboards/{name}.yml"])
    return document


# --- keys -----------------------------------------------------------------------------------------------

LOOSE = """
customers: id, customer_name, key (id)
orders: number int, order_date date, cust_ref int, customer_ref int, amount num, key (number)
"""


@pytest.mark.parametrize(
    ("share", "taken", "asked"), [(1.0, True, False), (0.2, False, True), (0.0, False, False)]
)
def test_an_undeclared_key_is_taken_asked_for_or_forgotten_by_its_values(
    share: float, taken: bool, asked: bool
) -> None:
    source = database(LOOSE)
    profile = Profile(contained={("orders", "customer_ref", "customers"): share})
    star = draft(source, profile)
    assert bool([p for p in star.proposals if p.accepted and p.hop.columns == ("customer_ref",)]) is taken
    assert bool([n for n in star.notes if "--link orders.customer_ref=customers" in n]) is asked


def test_a_taken_key_says_so_in_the_model() -> None:
    source = database(LOOSE)
    profile = Profile(contained={("orders", "customer_ref", "customers"): 1.0})
    files = {file.path: file.text for file in render(draft(source, profile), source, profile)}
    assert "Nobody declared it: orders.customer_ref → customers.id" in files["models/fact_orders.sql"]


def test_what_to_look_at_is_bounded_by_names() -> None:
    source = database(LOOSE)
    asked = {(hop.table, hop.columns[0], hop.target) for hop in inclusions(source, Profile())}
    assert asked == {("orders", "cust_ref", "customers"), ("orders", "customer_ref", "customers")}


def test_a_name_that_only_mentions_a_table_is_never_taken() -> None:
    source = database(
        "customers: id, customer_name\n"
        "orders: number int, order_date date, main_customer_group_ref int, amount num"
    )
    profile = Profile(contained={("orders", "main_customer_group_ref", "customers"): 1.0})
    assert not [p for p in draft(source, profile).proposals if p.accepted]


def test_the_user_says_that_a_link_is_there() -> None:
    source = with_links(database("people: id, name\nsales: no int, buyer int, sold_on date, amount num"),
                        ["sales.buyer=people"])  # fmt: skip
    assert {link.dimension for link in draft(source).facts[0].links} == {"dim_people"}


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("sale.buyer=people", "no table 'sale'"),
        ("sales.buyer=peeple", "no table 'peeple'"),
        ("sales.byer=people", "sales has no column 'byer'"),
        ("sales.buyer=people.nr", "people has no column 'nr'"),
        ("sales", "TABLE.COLUMN=OTHER"),
    ],
)
def test_a_link_that_cannot_be_is_an_error(link: str, told: str) -> None:
    source = database("people: id, name\nsales: no int, buyer int, sold_on date, amount num")
    with pytest.raises(UsageError) as caught:
        with_links(source, [link])
    assert told in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("distinct", "key"), [(1000, ("ean",)), (999, ())])
def test_a_key_by_contents_alone(distinct: int, key: tuple[str, ...]) -> None:
    source = database("stuff: ean text, name, key ()\nsales: id, amount num, sold_on date")
    profile = seen(source, {("stuff", "ean"): ColumnProfile(distinct=distinct)})
    assert graph_of(source, profile)["stuff"].key == key


# --- headers and lines ----------------------------------------------------------------------------------

DOCUMENTS = """
products: id, product_name
clients: id, client_name
orders: id, client_id -> clients, order_date date, total num
order_lines: order_id -> orders, product_id -> products, quantity int, price num, key (order_id, product_id)
"""


def test_what_to_add_up_follows_from_the_lines() -> None:
    (ask,) = sums(database(DOCUMENTS), Profile())
    assert (ask.link.table, ask.link.target, ask.column) == ("order_lines", "orders", "total")
    assert ask.products == (("quantity", "price"),)


@pytest.mark.parametrize(
    ("share", "facts"),
    [
        (None, {"order_lines"}),
        (1.0, {"order_lines"}),
        (0.6, {"order_lines"}),
        (0.1, {"order_lines", "orders"}),
    ],
)
def test_a_total_that_does_not_add_up_keeps_its_own_fact(share: float | None, facts: set[str]) -> None:
    source = database(DOCUMENTS)
    found = {("orders", "total", "order_lines"): share} if share is not None else {}
    star = draft(source, Profile(adds_up=found))
    assert {fact.table for fact in star.facts} == facts
    told = "".join(why for v in star.verdicts if v.table == "orders" for why in v.why)
    assert ("In the data, total" in told) is (share is not None)


def test_a_freight_that_is_on_the_lines_after_all_is_derivable() -> None:
    source = database(DOCUMENTS.replace("total num", "freight num"))
    assert {f.table for f in draft(source).facts} == {"orders", "order_lines"}
    profile = Profile(adds_up={("orders", "freight", "order_lines"): 0.99})
    assert {f.table for f in draft(source, profile).facts} == {"order_lines"}


def test_one_row_a_parent_makes_no_lines() -> None:
    source = database(
        """
        clients: id, client_name
        orders: id, client_id -> clients, order_date date
        order_terms: id, order_id -> orders, client_id -> clients, days int, penalty num
        """
    )
    assert {f.table for f in draft(source).facts} == {"order_terms"}
    unique = seen(source, {("order_terms", "order_id"): ColumnProfile(distinct=1000)})
    assert "orders" in {f.table for f in draft(source, unique).facts}
    several = seen(source, {("order_terms", "order_id"): ColumnProfile(distinct=400)})
    assert {f.table for f in draft(source, several).facts} == {"order_terms"}


# --- flags, units, empty columns ------------------------------------------------------------------------

FLAGS = """
customers: id, customer_name
calls: id, customer_id -> customers, called_at time, minutes int, is_inbound bool, is_vip bool, is_lost bool, was_spam bool, status
"""  # noqa: E501


def test_four_flags_become_one_junk_dimension() -> None:
    source = database(FLAGS)
    star = draft(source)
    found = fact(star, "calls")
    assert found.junk is not None
    assert found.junk.name == "dim_call_flags"
    assert [c.name for c in found.junk.columns] == ["is_inbound", "is_vip", "is_lost", "was_spam"]
    assert [c.name for c in found.attributes] == ["status"]
    rows: Rows = {
        "customers": [[1, "a"]],
        "calls": [
            [1, 1, None, 5, True, False, None, True, "x"],
            [2, 1, None, 6, True, False, None, True, "x"],
            [3, 1, None, 7, False, False, None, True, "x"],
        ],
    }
    world = build(source, render(star, source), rows)
    assert world.broken() == []
    assert world.rows(
        "select is_inbound, sum(minutes) from mart.fact_calls "
        "join mart.dim_call_flags using (call_flags_key) group by 1 order by 1"
    ) == [(False, 7), (True, 11)]
    assert world.one("select count(*) from mart.dim_call_flags") == 3
    assert "dim_call_flags: 4 flags of fact_calls" in explain(star)


def test_three_flags_stay_on_the_fact() -> None:
    found = fact(draft(database(FLAGS.replace(", was_spam bool", ""))), "calls")
    assert found.junk is None
    assert len(found.attributes) == 4


def test_texts_of_few_values_are_indicators_where_the_data_says_so() -> None:
    source = database(FLAGS.replace("is_vip bool", "tone").replace("is_lost bool", "mood"))
    assert fact(draft(source), "calls").junk is None
    few, many = ColumnProfile(distinct=3), ColumnProfile(distinct=300)
    profile = seen(source, {("calls", "tone"): few, ("calls", "mood"): few})
    assert fact(draft(source, profile), "calls").junk is not None
    profile = seen(source, {("calls", "tone"): few, ("calls", "mood"): many})
    assert fact(draft(source, profile), "calls").junk is None


def test_a_flag_by_its_values() -> None:
    number, text = Type(Kind.INT), Type(Kind.STRING)
    source = database("things: id, name, shown text, size text, sort int")
    (table,) = source.tables
    natives = {"shown": ("char(1)", text), "size": ("varchar(80)", text), "sort": ("int", number)}
    columns = tuple(
        Column(c.name, natives[c.name][1], True, natives[c.name][0]) if c.name in natives else c
        for c in table.columns
    )
    source = Database("mysql", "x", "", (replace(table, columns=columns),))
    two = {(table.name, name): ColumnProfile(distinct=2, low=0, high=1) for name in natives}
    uses = graph_of(source, seen(source, two))["things"].uses
    assert (uses["shown"], uses["size"], uses["sort"]) == (Use.FLAG, Use.TEXT, Use.FLAG)
    assert graph_of(source, seen(source, two, rows=10))["things"].uses["shown"] is Use.TEXT


MIXED = """
shops: id, shop_name
sales: id, shop_id -> shops, sold_on date, amount num, quantity int, currency text
"""


@pytest.mark.parametrize(("currencies", "adds"), [(1, Additivity.FULL), (3, Additivity.NONE)])
def test_amounts_in_several_currencies_are_not_summed(currencies: int, adds: Additivity) -> None:
    source = database(MIXED)
    profile = seen(source, {("sales", "currency"): ColumnProfile(distinct=currencies)})
    measures = {m.name: m for m in fact(draft(source, profile), "sales").measures}
    assert measures["amount"].additive is adds
    assert measures["quantity"].additive is Additivity.FULL
    assert ("currency of its row" in measures["amount"].description) is (currencies > 1)
    shown = board(source, profile, "fact_sales")["measures"]
    assert ("amount" in shown) is (currencies == 1)


def test_a_column_that_never_has_a_value_is_left_out_and_told() -> None:
    source = database(
        "shops: id, shop_name, fax, region\nsales: id, shop_id -> shops, sold_on date, amount num"
    )
    empty = {("shops", "region"): ColumnProfile(nulls=1.0, distinct=0)}
    star = draft(source, seen(source, empty))
    assert "region" not in [a.name for a in star.dimension("dim_shops").attributes]
    assert any("shops: region never has a value" in note for note in star.notes)
    few = draft(source, seen(source, empty, rows=3))
    assert "region" in [a.name for a in few.dimension("dim_shops").attributes]


def test_a_link_that_most_rows_lack_is_told() -> None:
    source = database(MIXED)
    star = draft(source, seen(source, {("sales", "shop_id"): ColumnProfile(nulls=0.9, distinct=4)}))
    assert "fact_sales.shop_key: 90% of the rows have none" in " ".join(star.notes)


# --- texts ----------------------------------------------------------------------------------------------


def test_blanks_that_split_a_group_are_trimmed_and_told() -> None:
    source = database("shops: id, shop_name, country\nsales: id, shop_id -> shops, sold_on date, amount num")
    rows = {"shops": [[1, "a", "Norway"], [2, "b", " Norway "], [3, "c", "NORWAY"]], "sales": []}
    profile = seen(source, {("shops", "country"): ColumnProfile(distinct=3, blanks=1, cases=1)})

    def countries(known: Profile | None) -> list[str]:
        world = build(source, render(draft(source, known), source, known), rows)
        found = world.rows(
            "select distinct country from mart.dim_shops where shop_key <> 'missing' order by 1"
        )
        return [value for (value,) in found]

    assert countries(None) == [" Norway ", "NORWAY", "Norway"]
    assert countries(profile) == ["NORWAY", "Norway"]
    notes = " ".join(draft(source, profile).notes)
    assert "shops.country: 1 of 3 values differ from another only by blanks" in notes
    assert "lower() would join them" in notes
    text = {f.path: f.text for f in render(draft(source, profile), source, profile)}["models/dim_shops.sql"]
    assert "they are trimmed" in text


# --- measures and dashboards ----------------------------------------------------------------------------


def test_a_price_averages_over_what_was_sold() -> None:
    source = database(SHOP)
    shown = board(source, None, "fact_order_lines")["measures"]
    assert shown["average_unit_price"] == {"ratio": ["amount", "quantity"], "format": ",.2f"}
    assert shown["amount"]["sum"] == "amount"


def test_a_discounted_price_averages_after_the_discount() -> None:
    source = database(DOCUMENTS.replace("price num", "price num, discount real"))
    shown = board(source, None, "fact_order_lines")["measures"]
    assert shown["average_price_after_discount"]["ratio"] == ["amount", "quantity"]
    assert not {"average_price", "average_discount"} & set(shown)


def test_an_average_rate_has_the_digits_of_its_column() -> None:
    source = database(SHOP.replace("price num", "price num, vat_rate num"))
    shown = board(source, None, "fact_order_lines")["measures"]
    assert shown["average_vat_rate"] == {"average": "vat_rate", "format": ",.2f"}


def test_names_of_a_few_things_split_better_than_titles_of_people() -> None:
    source = database(
        """
        clients: id, client_name, contact_title
        shippers: id, company_name
        orders: id, client_id -> clients, shipper_id -> shippers, order_date date, freight num
        """
    )
    known = {
        ("clients", "client_name"): ColumnProfile(distinct=900),
        ("clients", "contact_title"): ColumnProfile(distinct=12),
        ("shippers", "company_name"): ColumnProfile(distinct=3),
    }
    found = board(source, seen(source, known), "fact_orders")["dimensions"]
    assert next(iter(found)) == "shipper"
    assert "contact_title" not in found


def test_days_between_two_dates_of_a_row() -> None:
    source = database(
        "films: id, title\nrentals: id, film_id -> films, rental_date date, return_date? date, fee num"
    )
    rows = {"films": [[1, "a"]], "rentals": [[1, 1, date(2024, 1, 30), date(2024, 2, 2), Decimal(1)],
                                             [2, 1, date(2024, 1, 30), None, Decimal(1)]]}  # fmt: skip
    world = build(source, render(draft(source), source), rows)
    assert world.broken() == []
    assert world.rows("select rental_id, days_until_returned from mart.fact_rentals order by 1") == [
        (1, 3),
        (2, None),
    ]
    assert board(source, None, "fact_rentals")["measures"]["average_days_until_returned"] == {
        "average": "days_until_returned",
        "format": ",.1f",
    }


SPLITS = """
clients: id, client_name, country, shade
sales: id, client_id -> clients, sold_on date, paid_on date, amount num
"""


@pytest.mark.parametrize(
    ("figures", "splits"),
    [
        ({}, ["country", "client"]),
        ({"country": 1, "shade": 4, "client_name": 900}, ["shade", "client"]),
        ({"country": 20, "shade": 4, "client_name": 900}, ["country", "shade"]),
        ({"country": 20, "shade": 400, "client_name": 900}, ["country", "client"]),
    ],
)
def test_what_splits_best_follows_from_the_values(figures: dict[str, int], splits: list[str]) -> None:
    source = database(SPLITS)
    known = {("clients", name): ColumnProfile(distinct=number) for name, number in figures.items()}
    found = board(source, seen(source, known), "fact_sales")["dimensions"]
    assert [name for name in found if name != "date"] == splits


@pytest.mark.parametrize(("nulls", "date_column"), [(0.0, "sold_date"), (0.9, "paid_date")])
def test_the_date_people_mean_is_one_that_rows_have(nulls: float, date_column: str) -> None:
    source = database(SPLITS)
    profile = seen(source, {("sales", "sold_on"): ColumnProfile(nulls=nulls)})
    assert board(source, profile, "fact_sales")["dimensions"]["date"]["column"] == date_column


# --- shapes ---------------------------------------------------------------------------------------------


def test_a_bridge_weighs_by_its_own_share() -> None:
    source = database(
        """
        accounts: id, iban
        owners: id, owner_name
        account_owners: account_id -> accounts, owner_id -> owners, percent num, key (account_id, owner_id)
        postings: id, account_id -> accounts, posted date, amount num
        """
    )
    rows: Rows = {
        "accounts": [[1, "a"], [2, "b"]],
        "owners": [[1, "x"], [2, "y"]],
        "account_owners": [[1, 1, 75], [1, 2, 25], [2, 1, None], [2, 2, None]],
        "postings": [[1, 1, date(2024, 1, 1), 5]],
    }
    world = build(source, render(draft(source), source), rows)
    assert world.broken() == []
    found = world.rows("select account_key, owner_key, weight from mart.bridge_account_owners order by 1, 2")
    assert [(a, o, float(w)) for a, o, w in found] == [
        ("1", "1", 0.75), ("1", "2", 0.25), ("2", "1", 0.5), ("2", "2", 0.5)
    ]  # fmt: skip


def test_a_history_of_which_several_may_hold_is_explained() -> None:
    source = database(
        """
        staff: id, first_name, last_name
        shops: id, shop_name
        staff_positions: staff_id -> staff, shop_id -> shops, from_date date, to_date? date, position, key (staff_id, shop_id, from_date)
        sales: id, staff_id -> staff, shop_id -> shops, sold_on date, amount num
        """  # noqa: E501
    )
    star = draft(source)
    assert any("staff_positions keeps a history (from, to)" in note for note in star.notes)
    (verdict,) = (v for v in star.verdicts if v.table == "staff_positions")
    assert "one row a period" in verdict.alternative


def test_every_absorbed_header_has_its_alternative() -> None:
    (verdict,) = (v for v in draft(database(DOCUMENTS)).verdicts if v.table == "orders")
    assert verdict.alternative.startswith("a fact of its own")
    assert f"alternative: {verdict.alternative}" in explain(draft(database(DOCUMENTS)))


def test_tables_of_one_name_in_two_schemas() -> None:
    """Lake names differ, the source's names do not: every model has a name of its own."""
    first = database(
        "north__items: id, item_name\nnorth__sales: id, item_id -> north__items, sold_on date, amount num"
    )
    second = database(
        "south__items: id, item_name\nsouth__sales: id, item_id -> south__items, sold_on date, amount num"
    )
    tables = tuple(
        replace(t, source_schema=t.name.partition("__")[0], source_name=t.name.partition("__")[2])
        for t in (*first.tables, *second.tables)
    )
    source = Database("postgres", "x", "", tables)
    star = draft(source)
    assert len({f.name for f in star.facts}) == 2
    assert len({d.name for d in star.dimensions}) == 2
    assert build(source, render(star, source), some_rows(source)).broken() == []


def test_a_profile_of_nothing_changes_nothing() -> None:
    source = database(SHOP)
    assert draft(source, Profile()) == draft(source)
    assert render(draft(source), source, Profile()) == render(draft(source), source)
