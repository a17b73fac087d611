"""The other samples and the demo: drafted, run, proven, and equal to what the source says itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from e2e.conftest import PASSWORD, READER, SAMPLES, Workplace, begin, load_mariadb, url_of
from mainstem.demo import truths
from mainstem.engine.session import extension
from servers.mariadb import MariaDB
from servers.postgres import Postgres


def tables_of(place: Workplace) -> set[str]:
    release = json.loads(place.well("releases", "--output", "json"))[0]
    return set(release["tables"])


def holds(place: Workplace) -> dict[str, str]:
    """Every proof of the newest receipt holds; the headlines of its facts."""
    receipt = place.receipt()
    assert receipt["status"] == "published"
    assert all(table["holds"] and table["proof"] == "full" for table in receipt["tables"])
    assert all(proof["holds"] for model in receipt["models"] for proof in model["proofs"])
    return {m["table"]: m["headline"] for m in receipt["models"] if m["headline"]}


def test_sakila(mariadb: MariaDB, tmp_path: Path) -> None:
    load_mariadb(mariadb, "sakila.mysql.sql", "sakila")
    place = begin(tmp_path, "sakila", url_of(mariadb, "sakila"))
    place.well("run")
    headlines = holds(place)
    assert headlines["mart.fact_payments"] == "16,049 rows and 67,416.51 equal the source"
    assert headlines["mart.fact_rentals"].startswith("16,044 rows")
    assert {"mart.dim_films", "mart.dim_customers", "mart.dim_stores", "mart.dim_staff"} <= tables_of(place)


def expected_sales(client: Callable[[str], str], sql: str) -> dict[str, str]:
    return dict(line.split("\t")[:2] for line in client(sql).splitlines() if line)


def test_chinook_in_mariadb(mariadb: MariaDB, tmp_path: Path) -> None:
    dump = (SAMPLES / "chinook.mysql.sql").read_bytes()
    mariadb.client(dump)
    mariadb.create_user(READER, PASSWORD, ["SELECT ON *.*"])
    place = begin(
        tmp_path, "Chinook", url_of(mariadb, "Chinook"), {"CHINOOK_URL": url_of(mariadb, "Chinook")}
    )
    place.well("run")
    assert holds(place)["mart.fact_invoice_lines"] == "2,240 rows and 2,328.60 equal the source"
    truth = expected_sales(
        lambda sql: mariadb.execute(sql, "Chinook"),
        "select g.Name, sum(l.UnitPrice * l.Quantity) from InvoiceLine l join Track t using (TrackId) "
        "join Genre g using (GenreId) group by 1",
    )
    mine = place.pairs(
        "select genre_name, sum(amount) from fact_invoice_lines join dim_tracks using (track_key) group by 1"
    )
    assert mine == truth


def test_chinook_in_postgres(postgres: Postgres, tmp_path: Path) -> None:
    load_postgres(postgres, "chinook.pg.sql", "chinook")
    place = begin(tmp_path, "chinook", url_of(postgres, "chinook"))
    place.well("run")
    assert holds(place)["mart.fact_invoice_lines"] == "2,240 rows and 2,328.60 equal the source"


def test_northwind(postgres: Postgres, tmp_path: Path) -> None:
    load_postgres(postgres, "northwind.pg.sql", "northwind")
    place = begin(tmp_path, "northwind", url_of(postgres, "northwind"))
    place.well("run")
    headlines = holds(place)
    assert any(text.startswith("2,155 rows") for text in headlines.values()), headlines
    truth = expected_sales(
        lambda sql: postgres.execute(sql, "northwind"),
        "select c.category_name, count(*) from order_details d join products p using (product_id) "
        "join categories c using (category_id) group by 1",
    )
    fact = next(table for table, text in headlines.items() if text.startswith("2,155 rows"))
    mine = place.pairs(
        f"select category_name, count(*) from {fact} join dim_products using (product_key) group by 1"
    )
    assert mine == truth


def test_a_hospital_in_two_schemas(postgres: Postgres, tmp_path: Path) -> None:
    """Versions of prices, many-to-many diagnoses, roles, beds that add up over wards and not over days."""
    load_postgres(postgres, "hospital.pg.sql", "hospital", ("clinical", "billing"))
    place = begin(tmp_path, "hospital", url_of(postgres, "hospital") + "?schema=clinical,billing")
    place.well("run")
    headlines = holds(place)
    assert headlines["mart.fact_invoice_lines"] == "3,540 rows and 1,145,215.00 equal the source"
    assert headlines["mart.fact_admissions"].startswith("1,200 rows")
    assert headlines["mart.fact_bed_counts"].startswith("455 rows")
    assert "bridge_admission_diagnoses" in {name.removeprefix("mart.") for name in tables_of(place)}
    model = (place.root / "models" / "fact_admissions.sql").read_text(encoding="utf-8")
    assert "description: Stays in hospital, from the front desk to discharge." in model
    truth = expected_sales(
        lambda sql: postgres.execute(sql, "hospital"),
        "select p.price_list, sum(l.quantity * p.unit_price) from billing.invoice_lines l "
        "join billing.invoices i using (invoice_id) "
        "join billing.service_prices p on p.service_code = l.service_code "
        "and i.invoiced_on between p.valid_from and coalesce(p.valid_to, '9999-12-31') group by 1",
    )
    mine = place.pairs(
        "select price_list, sum(f.quantity * d.unit_price) from fact_invoice_lines f "
        "join dim_service_prices d using (service_price_key) group by 1"
    )
    assert len(truth) == 3
    assert mine == truth
    shares = place.rows(
        "select count(*) as n, sum(s) as admissions from "
        "(select sum(weight) as s from bridge_admission_diagnoses group by admission_id) "
        "where abs(s - 1) < 1e-9"
    )
    counted = postgres.execute(
        "select count(distinct admission_id) from clinical.admission_diagnoses", "hospital"
    )
    assert shares[0]["n"] == int(counted)


def load_postgres(server: Postgres, dump: str, database: str, schemas: tuple[str, ...] = ("public",)) -> None:
    """A sample readable by `READER`. Chinook's dump makes its own database."""
    content = (SAMPLES / dump).read_bytes()
    if b"CREATE DATABASE" in content:
        server.psql(content)
    else:
        server.load(SAMPLES / dump, database)
    if not server.execute(f"select 1 from pg_roles where rolname = '{READER}'"):
        server.create_role(READER, PASSWORD)
    for schema in schemas:
        grants = f"grant usage on schema {schema} to {READER}"
        server.execute(f"{grants}; grant select on all tables in schema {schema} to {READER}", database)


def test_the_demo(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.well("demo", "--no-serve", "--dir", "shop")
    place.root = tmp_path / "shop"
    truth = truths(place.root / "shop.db")
    row = place.rows("select count(*) as n, sum(amount) as a from fact_order_lines")[0]
    assert row["n"] == truth["rows"]["order_lines"]
    assert row["a"] == str(truth["sales"])
    assert holds(place)["mart.fact_order_lines"].endswith("equal the source")


def test_other_readers_see_the_same(classicmodels: Workplace, mariadb: MariaDB) -> None:
    """pyiceberg and DuckDB's own iceberg_scan, against the server's own client."""
    from pyiceberg.table import StaticTable

    release = json.loads(classicmodels.well("releases", "--output", "json"))[0]
    with duckdb.connect() as connection:
        for name in ("avro", "iceberg"):
            connection.execute(f"load '{extension(name)}'")
        for table, pinned in release["tables"].items():
            namespace, name = table.split(".", 1)
            scanned = StaticTable.from_metadata(pinned["metadata"]).scan().to_arrow()
            sql = "select * from iceberg_scan(?)"
            by_duckdb = connection.execute(sql, [pinned["metadata"]]).to_arrow_table()
            assert by_duckdb.num_rows == scanned.num_rows == pinned["rows"]
            assert sorted(map(str, by_duckdb.to_pylist())) == sorted(map(str, scanned.to_pylist()))
            if namespace == "raw":
                assert (
                    int(mariadb.execute(f"select count(*) from `{name}`", "classicmodels")) == pinned["rows"]
                )
    amount = mariadb.execute("select sum(quantityOrdered * priceEach) from orderdetails", "classicmodels")
    details = StaticTable.from_metadata(release["tables"]["raw.orderdetails"]["metadata"]).scan().to_arrow()
    mine = sum(row["quantityOrdered"] * row["priceEach"] for row in details.to_pylist())
    assert str(mine) == amount.strip()


@pytest.mark.parametrize("select", ["raw.customers", "+dim_customers", "fact_payments,state:modified"])
def test_selections_run(classicmodels: Workplace, select: str) -> None:
    done = classicmodels.call("run", "--select", select)
    assert done.returncode == 0, done.stderr
