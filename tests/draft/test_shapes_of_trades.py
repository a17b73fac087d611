"""What the drafts of unlike trades showed: each rule with its case, and one beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml

from mainstem.draft import ColumnProfile, Profile, Star, draft, render
from mainstem.draft.star import Additivity, Fact
from mainstem.schema import Column, Database, Kind, Type

from .sketch import database
from .world import Rows, build


def fact(star: Star, table: str) -> Fact:
    (found,) = (fact for fact in star.facts if fact.table == table)
    return found


def adds(star: Star, table: str) -> dict[str, Additivity]:
    return {measure.name: measure.additive for measure in fact(star, table).measures}


def board(source: Database, name: str, profile: Profile | None = None) -> dict[str, Any]:
    files = {file.path: file.text for file in render(draft(source, profile), source, profile)}
    document: dict[str, Any] = yaml.safe_load(files[f"dashboards/{name}.yml"])
    return document


# --- bridges --------------------------------------------------------------------------------------------

STAYS = """
patients: id, patient_name
diagnoses: code text, diagnosis_name
admissions: id, patient_id -> patients, admitted date, cost num
admission_diagnoses: admission_id -> admissions, code text -> diagnoses, key (admission_id, code)
"""


def test_a_bridge_of_a_fact_shares_out_each_of_its_rows() -> None:
    source = database(STAYS)
    rows: Rows = {
        "patients": [[1, "a"]],
        "diagnoses": [["X", "x"], ["Y", "y"]],
        "admissions": [[1, 1, date(2024, 1, 1), 10], [2, 1, date(2024, 1, 2), 10]],
        "admission_diagnoses": [[1, "X"], [1, "Y"], [2, "X"]],
    }
    world = build(source, render(draft(source), source), rows)
    found = world.rows(
        "select admission_id, diagnosis_key, weight from mart.bridge_admission_diagnoses order by all"
    )
    assert [(a, c, float(w)) for a, c, w in found] == [(1, "X", 0.5), (1, "Y", 0.5), (2, "X", 1.0)]


# --- numbers --------------------------------------------------------------------------------------------

WARDS = """
wards: id, ward_name
bed_counts: ward_id -> wards, counted_on date, occupied_beds int, on_hand int, key (ward_id, counted_on)
ward_costs: ward_id -> wards, booked_on date, cost num, key (ward_id, booked_on)
"""


def test_counts_at_a_date_of_the_key_add_up_over_all_but_time() -> None:
    star = draft(database(WARDS))
    assert adds(star, "bed_counts") == {"occupied_beds": Additivity.SEMI, "on_hand": Additivity.SEMI}
    assert adds(star, "ward_costs") == {"cost": Additivity.FULL}, "what happened on a day does add up"


def test_a_dashboard_of_levels_shows_levels_first() -> None:
    shown = board(database(WARDS), "fact_bed_counts")
    assert next(iter(shown["measures"])) == "average_occupied_beds"
    assert shown["measures"]["average_occupied_beds"]["format"] == ",.1f"
    assert shown["measures"]["snapshots"]["count"] == "*", "a number of rows is not called as the level"


READINGS = """
lab_tests: id, test_name, unit
results: id, lab_test_id -> lab_tests, taken date, result_value num, cost num
"""


def test_readings_of_several_kinds_are_not_summed_and_not_averaged() -> None:
    star = draft(database(READINGS))
    assert adds(star, "results") == {"result_value": Additivity.NONE, "cost": Additivity.FULL}
    assert not [name for name in board(database(READINGS), "fact_results")["measures"] if "value" in name]
    alone = READINGS.replace(", unit", "")
    assert adds(draft(database(alone)), "results")["result_value"] is Additivity.FULL, "the control"


def test_a_column_of_two_currencies_is_no_flag_and_its_amounts_are_not_summed() -> None:
    source = database(
        "clients: id, client_name\n"
        "bills: id, client_id -> clients, billed date, currency, fee num, gross_weight_kg num"
    )
    (clients, bills) = source.tables
    columns = tuple(
        Column("currency", Type(Kind.STRING), False, "char(3)") if c.name == "currency" else c
        for c in bills.columns
    )
    source = Database("postgres", "s", "", (clients, replace(bills, columns=columns)))
    for many, adding in ((2, Additivity.NONE), (1, Additivity.FULL)):
        profile = Profile(
            rows={"bills": 1000},
            looked={"bills": 1000},
            columns={("bills", "currency"): ColumnProfile(distinct=many)},
        )
        assert adds(draft(source, profile), "bills") == {"fee": adding, "gross_weight_kg": Additivity.FULL}


# --- dimensions -----------------------------------------------------------------------------------------

FARM = """
regions: id, region_name
members: id, farm_name, region_id -> regions
fields: id, member_id -> members, field_name
harvests: id, field_id -> fields, harvested date, quantity num
payouts: id, member_id -> members, paid date, amount num
"""


def test_an_ancestor_that_is_a_dimension_of_its_own_is_shared() -> None:
    star = draft(database(FARM))
    assert {link.dimension for link in fact(star, "harvests").links} == {"dim_fields", "dim_members"}
    alone = "\n".join(line for line in FARM.splitlines() if not line.startswith("payouts"))
    assert {link.dimension for link in fact(draft(database(alone)), "harvests").links} == {"dim_fields"}


def test_a_role_that_no_fact_has_is_named_in_its_dimension() -> None:
    star = draft(
        database(
            """
            physicians: id, first_name, last_name
            patients: id, patient_name, general_practitioner_id? -> physicians
            visits: id, patient_id -> patients, attending_id -> physicians, visited date, cost num
            """
        )
    )
    names = {attribute.name for attribute in star.dimension("dim_patients").attributes}
    assert {"general_practitioner_first_name", "general_practitioner_last_name"} <= names


def test_who_did_what_in_the_application_is_no_fact() -> None:
    text = """
    staff: id, first_name, last_name
    login_audit: id, staff_id -> staff, logged_at time, ip_address
    sales: id, staff_id -> staff, sold date, amount num
    """
    assert {f.table for f in draft(database(text)).facts} == {"sales"}
    calls = text.replace("login_audit", "call_log")
    assert {f.table for f in draft(database(calls)).facts} == {"sales", "call_log"}, "calls are the business"


# --- keys and names -------------------------------------------------------------------------------------

HUBS = """
hubs: hub_code text, hub_name
shipments: shipment_no int, origin_hub, destination_hub, booked date, weight_total num
"""


def test_a_text_that_says_a_table_is_a_key_if_its_values_are() -> None:
    source = database(HUBS)
    assert not draft(source).proposals, "never by its name alone"
    contained = {("shipments", f"{role}_hub", "hubs"): 1.0 for role in ("origin", "destination")}
    star = draft(source, Profile(looked={"shipments": 10}, contained=contained))
    assert {link.name for link in fact(star, "shipments").links} == {"origin_hub_key", "destination_hub_key"}


def test_what_is_planned_has_not_happened() -> None:
    star = draft(
        database(
            "clients: id, client_name\n"
            "orders: id, client_id -> clients, order_date date, planned_delivery_date date"
        )
    )
    assert {role.name for role in fact(star, "orders").dates} == {"ordered", "planned_delivery"}


def test_the_tables_comment_describes_the_model() -> None:
    source = database("clients: id, client_name\nsales: id, client_id -> clients, sold date, amount num")
    clients, sales = source.tables
    told = replace(sales, comment="What we sold over the counter\nand more")
    files = {f.path: f.text for f in render(draft(source), Database("postgres", "s", "", (clients, told)))}
    assert "description: What we sold over the counter." in files["models/fact_sales.sql"]


# --- dashboards -----------------------------------------------------------------------------------------

SPLITS = """
clients: id, client_name, segment
goods: id, good_name, category
sales: id, client_id -> clients, good_id -> goods, sold date, amount num
"""


@pytest.mark.parametrize(
    ("segments", "categories", "color"),
    [(30, 4, "category"), (5, 40, "segment"), (30, 30, None), (1, 5, "category")],
)
def test_the_area_is_stacked_by_what_has_few_values(
    segments: int, categories: int, color: str | None
) -> None:
    figures = {
        ("clients", "segment"): ColumnProfile(distinct=segments),
        ("goods", "category"): ColumnProfile(distinct=categories),
    }
    looked = dict.fromkeys(("clients", "goods", "sales"), 1000)
    layout = board(database(SPLITS), "fact_sales", Profile(rows=looked, looked=looked, columns=figures))[
        "layout"
    ]
    assert layout[-1][0]["area"].get("color") == color


def test_one_attribute_in_two_roles_is_one_split() -> None:
    source = database(
        """
        accounts: id, account_name, segment
        shipments: id, account_id -> accounts, shipper_account_id -> accounts, booked date, fee num
        """
    )
    assert len([name for name in board(source, "fact_shipments")["dimensions"] if "segment" in name]) == 1


LENDING = """
Branch_Office: branch_code text, branch_name, town
TBL_genre: id, label
Title: isbn text, title, genre_id -> TBL_genre
copy: barcode int, isbn -> Title, branch -> Branch_Office, shelf, binding
PERSON_T: pno int, surname, given, kind, home_branch -> Branch_Office
loan_item: loan_no int, barcode -> copy, borrower -> PERSON_T, lent_by -> PERSON_T, lent_on date, fine num
"""


def test_what_a_name_carries_along_is_left_out_of_the_stars_names() -> None:
    """A table's `_T`, a key's own name before its table's, a word that role and table share."""
    source = database(LENDING)
    files = {file.path: file.text for file in render(draft(source), source)}
    people, copies = files["models/dim_people.sql"], files["models/dim_copies.sql"]
    assert "key: [person_key]" in people
    assert "as home_branch_office_town" in people
    assert "as title" in copies
    assert "isbn_title" not in copies
    assert "as genre_label" in copies


def test_a_dashboard_splits_by_what_things_are_and_not_by_what_people_are_called() -> None:
    found = board(database(LENDING), "fact_loan_items")["dimensions"]
    assert "genre_label" in found
    assert "borrower_kind" in found
    assert not [name for name in found if "given" in name or "surname" in name]


# --- names and notes ------------------------------------------------------------------------------------

VANS = """
depots: id, depotName, city
vans: id, depot_id -> depots, home_depot -> depots, plate
trips: id, van_id -> vans, depot_id -> depots, day date, weight num
"""


def test_a_name_is_not_said_twice() -> None:
    star = draft(database(VANS))
    (vans,) = (dimension for dimension in star.dimensions if dimension.table == "vans")
    names = [attribute.name for attribute in vans.attributes]
    assert "home_depot_name" in names
    assert not any("depot_depot" in name for name in names)


def test_a_numeric_without_precision_is_told() -> None:
    """It arrives as text, so that nothing is summed: somebody who expects a measure should read why."""
    source = database(VANS)
    assert not any("without precision" in note for note in draft(source).notes)
    tables = []
    for table in source.tables:
        columns = tuple(
            replace(c, type=Type(Kind.STRING), native="numeric") if c.name == "weight" else c
            for c in table.columns
        )
        tables.append(replace(table, columns=columns))
    notes = draft(replace(source, tables=tuple(tables))).notes
    assert [note for note in notes if "without precision" in note and note.startswith("trips: weight")]
