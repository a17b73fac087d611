"""What stands in the models: hand-made rows with the traps of real sources, and the answers by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from mainstem.draft import ColumnProfile, Profile, draft, render
from mainstem.draft.star import Additivity
from mainstem.schema import Column, Database, ForeignKey, Kind, Table, Type

from .sketch import database
from .world import Rows, World, build

SHOP = """
sales_reps: id, first_name, last_name
customers: id, customer_name, postal_code?, country, sales_rep_id? -> sales_reps
product_lines: product_line text, description?
products: code text, product_name, product_line text -> product_lines, list_price num
orders: number int, order_date date, shipped_date? date, status, freight num, customer_id? -> customers
order_lines: order_number int -> orders, product_code text -> products, quantity int, unit_price num, key (order_number, product_code)
"""  # noqa: E501

ROWS: Rows = {
    "sales_reps": [[1, "Ada", "Ray"]],
    "customers": [[10, "Ashe", "94217", "Norway  ", 1], [11, "Bell", None, "Norway", None]],
    "product_lines": [["Cars", None]],
    "products": [["P1", "One", "Cars", 5], ["P2", "Two", "Gone", 7]],
    "orders": [
        [100, date(2024, 1, 2), date(2024, 1, 9), "Shipped", 20, 10],
        [101, date(2024, 2, 3), None, "Open", 30, 11],
        [102, date(2024, 2, 4), None, "Open", 40, None],
    ],
    "order_lines": [
        [100, "P1", 3, Decimal("10.10")],
        [100, "P2", 2, Decimal("1.05")],
        [101, "P1", 1, Decimal("9.99")],
        [102, "P9", 4, Decimal("2.00")],  # no such product
        [999, "P1", 1, Decimal("1.00")],  # no such order
    ],
}


def shop(engine: str = "mysql", profile: Profile | None = None) -> World:
    source = database(SHOP, engine)
    return build(source, render(draft(source, profile), source), ROWS)


def test_promises_hold_over_orphans_and_nulls() -> None:
    assert shop().broken() == []


def test_rows_and_amounts_are_the_lines() -> None:
    world = shop()
    assert world.one("select count(*) from mart.fact_order_lines") == 5
    assert world.one("select sum(amount) from mart.fact_order_lines") == Decimal("51.39")
    assert world.one("select typeof(sum(amount)) from mart.fact_order_lines") == "DECIMAL(38,2)"


def test_header_amounts_stay_with_the_header() -> None:
    world = shop()
    assert "freight" not in world.columns("fact_order_lines")
    assert world.one("select sum(freight) from mart.fact_orders") == 90


def test_what_is_not_there_goes_to_the_unknown_member() -> None:
    world = shop()
    keys = world.rows(
        "select order_number, product_key, customer_key, sales_rep_key, shipped_date_key, ordered_date_key "
        "from mart.fact_order_lines order by all"
    )
    assert keys == [
        (100, "P1", "10", "1", "2024-01-09", "2024-01-02"),
        (100, "P2", "10", "1", "2024-01-09", "2024-01-02"),
        (101, "P1", "11", "missing", "not_yet", "2024-02-03"),
        (102, "missing", "missing", "missing", "not_yet", "2024-02-04"),
        (999, "P1", "missing", "missing", "missing", "missing"),
    ]
    assert world.rows("select * from mart.dim_customers where customer_key = 'missing'") == [
        ("missing", None, "Unknown", "Unknown", "Unknown", None)
    ]


def test_joining_every_dimension_keeps_the_rows() -> None:
    world = shop()
    joined = """
        select count(*), sum(amount) from mart.fact_order_lines
        join mart.dim_customers using (customer_key) join mart.dim_products using (product_key)
        join mart.dim_sales_reps on sales_rep_key = dim_sales_reps.sales_rep_key
        join mart.dim_dates on date_key = ordered_date_key
    """.replace("on sales_rep_key =", "on fact_order_lines.sales_rep_key =")
    assert world.rows(joined) == [(5, Decimal("51.39"))]


@pytest.mark.parametrize(
    ("engine", "countries"), [("mysql", ["Norway"]), ("postgres", ["Norway", "Norway  "])]
)
def test_padded_text_is_one_value_where_the_source_says_so(engine: str, countries: list[str]) -> None:
    found = shop(engine).rows(
        "select distinct country from mart.dim_customers where customer_key <> 'missing' order by 1"
    )
    assert [row[0] for row in found] == countries


def test_fixed_width_text_of_postgres_is_cut() -> None:
    text = Column("name", Type(Kind.STRING), False, "character(10)")
    orders = Table(
        "orders",
        (
            Column("id", Type(Kind.INT), False),
            Column("c_id", Type(Kind.INT)),
            Column("order_date", Type(Kind.DATE)),
        ),
        ("id",),
        (),
        (ForeignKey(("c_id",), "clients", ("id",)),),
    )
    clients = Table("clients", (Column("id", Type(Kind.INT), False), text), ("id",))
    source = Database("postgres", "x", "", (clients, orders))
    world = build(source, render(draft(source), source), {"clients": [[1, "Ann       "]], "orders": []})
    assert world.one("select client_name from mart.dim_clients where client_key = '1'") == "Ann"


def test_days_cover_the_roles_and_survive_an_outlier() -> None:
    source = database(SHOP)
    rows: Rows = {
        **ROWS,
        "orders": [
            [1, date(2024, 1, 1), date(9999, 12, 31), "s", 1, 10],
            [2, date(2024, 3, 1), None, "s", 1, 10],
        ],
    }
    world = build(source, render(draft(source), source), rows)
    assert world.broken() == []
    assert world.one("select count(*) from mart.dim_dates") == 61 + 1 + 2
    assert world.rows(
        "select quarter, month, month_name, weekday, is_weekend from mart.dim_dates "
        "where date_key = '2024-02-04'"
    ) == [("2024-Q1", "2024-02", "February", "Sunday", True)]


def test_many_to_many_is_a_bridge_and_a_list_never_a_fold() -> None:
    source = database(
        """
        films: film_id, title
        categories: category_id, name
        film_category: film_id -> films, category_id -> categories, key (film_id, category_id)
        actors: actor_id, first_name, last_name
        film_actor: film_id -> films, actor_id -> actors, key (film_id, actor_id)
        rentals: rental_id, film_id -> films, rental_date date, fee num
        """
    )
    rows: Rows = {
        "films": [[1, "A"], [2, "B"]],
        "categories": [[1, "War"], [2, "Comedy"]],
        "film_category": [[1, 1], [1, 2]],
        "actors": [[1, "x", "y"], [2, "v", "w"]],
        "film_actor": [[1, 1], [1, 2], [2, 2]],
        "rentals": [[1, 1, date(2024, 1, 1), Decimal("2.50")]],
    }
    world = build(source, render(draft(source), source), rows)
    assert world.broken() == []
    assert world.rows(
        "select film_id, categories from mart.dim_films where film_key <> 'missing' order by 1"
    ) == [
        (1, "Comedy, War"),
        (2, None),
    ]
    assert world.rows("select film_key, sum(weight) from mart.bridge_film_actors group by 1 order by 1") == [
        ("1", 1.0),
        ("2", 1.0),
    ]


def test_names_that_need_quotes() -> None:
    number, text = Type(Kind.INT), Type(Kind.STRING)
    columns = (Column("Kunden-Nr", number, False), Column("select", text), Column('a"b', text))
    people = Table("Kunden Übersicht", columns,
                   ("Kunden-Nr",))  # fmt: skip
    orders = Table(
        "order",
        (
            Column("Order", number, False),
            Column("Kunden-Nr", number),
            Column("Order Date", Type(Kind.DATE)),
            Column("Total Amount", Type(Kind.DECIMAL, 10, 2)),
            Column("from", text),
        ),
        ("Order",),
        (),
        (ForeignKey(("Kunden-Nr",), "Kunden Übersicht", ("Kunden-Nr",)),),
        comment="the end */ of a comment",
    )
    source = Database("mariadb", "x", "", (people, orders))
    files = render(draft(source), source)
    rows: Rows = {
        "Kunden Übersicht": [[1, "x", "y"]],
        "order": [[7, 1, date(2024, 1, 1), 5, "z"], [8, 2, None, 6, None]],
    }
    world = build(source, files, rows)
    assert world.broken() == []
    assert all(file.path.isascii() for file in files)
    assert world.one("select sum(total_amount) from mart.fact_orders") == 11


def test_composite_keys_are_text_joined_by_bars() -> None:
    source = database(
        """
        depots: region text, number int, depot_name, key (region, number)
        deliveries: id, region text, number int, quantity int, delivery_date date
        """
    )
    first, second = source.tables
    link = ForeignKey(("region", "number"), "depots", ("region", "number"))
    source = Database("postgres", "x", "", (first, Table(second.name, second.columns, ("id",), (), (link,))))
    rows: Rows = {"depots": [["N", 1, "a"]], "deliveries": [[1, "N", 1, 5, None], [2, "S", 1, 6, None]]}
    world = build(source, render(draft(source), source), rows)
    assert world.broken() == []
    assert world.rows("select depot_key from mart.fact_deliveries order by delivery_id") == [
        ("N|1",),
        ("missing",),
    ]


def test_a_link_between_text_and_a_number_compares_text() -> None:
    source = database(
        """
        clients: id, client_name
        orders: id, client_id text -> clients, order_date date
        """
    )
    rows: Rows = {"clients": [[1, "a"]], "orders": [[1, "1", None], [2, "x", None]]}
    world = build(source, render(draft(source), source), rows)
    assert world.broken() == []
    assert world.rows("select client_key from mart.fact_orders order by order_id") == [("1",), ("missing",)]


LINES = """
products: id, name
orders: id, order_date date
order_lines: id, order_id -> orders, product_id -> products, quantity int, unit_price num, discount {type}
"""


@pytest.mark.parametrize(
    ("type_", "profile", "name"),
    [
        ("real", None, "amount"),
        ("num", None, "gross_amount"),
        ("num", ColumnProfile(low=0, high=0.25), "amount"),
        ("real", ColumnProfile(low=0, high=30), "gross_amount"),
    ],
)
def test_a_discount_is_taken_off_only_where_it_is_known_to_be_a_share(
    type_: str, profile: ColumnProfile | None, name: str
) -> None:
    source = database(LINES.replace("{type}", type_))
    known = Profile(columns={("order_lines", "discount"): profile}) if profile else None
    (fact,) = draft(source, known).facts
    (derived,) = [measure for measure in fact.measures if measure.expression]
    assert derived.name == name
    assert ("discount" in derived.expression) == (name == "amount")


def test_a_discount_from_floats_is_exact_money() -> None:
    source = database(LINES.replace("{type}", "real"))
    rows: Rows = {
        "orders": [[1, date(2024, 1, 1)]],
        "products": [[1, "a"]],
        "order_lines": [[1, 1, 1, 3, Decimal("9.80"), 0.15]],
    }
    world = build(source, render(draft(source), source), rows)
    assert world.broken() == []
    assert world.one("select amount from mart.fact_order_lines") == Decimal("24.990000")


def test_how_measures_add_up() -> None:
    source = database(
        """
        accounts: id, iban
        postings: id, account_id -> accounts, posting_date date, amount num, balance num, exchange_rate num, line_no int, year int, number_of_items int
        """  # noqa: E501
    )
    (fact,) = draft(source).facts
    assert {measure.name: measure.additive for measure in fact.measures} == {
        "amount": Additivity.FULL,
        "balance": Additivity.SEMI,
        "exchange_rate": Additivity.NONE,
        "number_of_items": Additivity.FULL,
    }


def test_secrets_blobs_and_audit_columns_are_left_out() -> None:
    source = database(
        """
        users: id, user_name, password_hash, api_token, picture_html, created_at time, updated_at time, last_update time
        visits: id, user_id -> users, visited_at time, updated_at time
        """  # noqa: E501
    )
    world = build(source, render(draft(source), source), {})
    assert world.columns("dim_users") == ["user_key", "user_id", "user_name"]
    assert "updated_at" not in world.columns("fact_visits")


def test_created_at_dates_an_event_that_has_no_other_date() -> None:
    source = database(
        """
        users: id, user_name, created_at time
        orders: id, user_id -> users, total num, created_at time, updated_at time
        """
    )
    (fact,) = draft(source).facts
    assert [role.name for role in fact.dates] == ["created"]


def test_a_table_like_an_account_is_no_header_of_its_transactions() -> None:
    source = database(
        """
        districts: id, name
        accounts: id, district_id -> districts, opened date
        transactions: id, account_id -> accounts, booked date, amount num
        """
    )
    star = draft(source)
    assert [fact.table for fact in star.facts] == ["transactions"]
    assert "accounts" in {dimension.table for dimension in star.dimensions}
    assert [role.column for role in star.facts[0].dates] == ["booked"]
