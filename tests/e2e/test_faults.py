"""What goes wrong at a user's: the documented exit code, a clear message, the last release untouched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import PASSWORD, READER, Workplace, begin, url_of
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from servers.proxy import Proxy
from sweeps import sweep

FEW, SOME, MANY = 2_000, 30_000, 60_000  # rows: SOME outlast the buffers on the way, MANY a small disk
TABLES = """
create table products (product_code int primary key, product_name varchar(40) not null);
insert into products values (1, 'car'), (2, 'ship'), (3, 'plane');
create table sales (
  sale_id int primary key, product_code int not null references products (product_code),
  sold_on date not null, quantity int not null, price decimal(10,2) not null, note varchar(200) not null);
insert into sales
  select n, 1 + n % 3, {day}, n % 7 + 1, (n % 1000) / 100.0, repeat('x', 150)
  from {numbers};
"""
MARIA = {
    "day": "date_add('2024-01-01', interval n % 365 day)",
    "numbers": "(select seq as n from seq_1_to_{}) s",
}
PG = {"day": "date '2024-01-01' + n % 365", "numbers": "generate_series(1, {}) as s(n)"}
BREAKS = 2_000_000  # bytes
Server = MariaDB | Postgres


def fill(server: Server, database: str, rows: int) -> None:
    words = MARIA if isinstance(server, MariaDB) else PG
    sql = TABLES.format(day=words["day"], numbers=words["numbers"].format(rows))
    server.create_database(database)
    server.execute(sql, database)
    if isinstance(server, MariaDB):
        server.create_user(READER, PASSWORD, ["SELECT ON *.*"])
        return
    if not server.execute(f"select 1 from pg_roles where rolname = '{READER}'"):
        server.create_role(READER, PASSWORD)
    server.execute(f"grant select on all tables in schema public to {READER}", database)


@pytest.fixture(params=["mariadb", "postgres"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def rows() -> int:
    """How many rows the source has; a test that needs more says so."""
    return FEW


@pytest.fixture
def place(server: Server, rows: int, tmp_path: Path) -> Workplace:
    """A project on a database of its own, run once."""
    fill(server, "shop", rows)
    made = begin(tmp_path, "shop", url_of(server, "shop"))
    made.well("run")
    return made


def untouched(place: Workplace, rows: int = FEW) -> None:
    """Readers still see the first release, whole."""
    releases = place.well("releases")
    assert "*  r0001" in releases
    assert place.rows("select count(*) as n from fact_sales") == [{"n": rows}]


def test_a_dropped_table(server: Server, place: Workplace) -> None:
    server.execute("drop table sales", "shop")
    done = place.call("run")
    assert done.returncode == 2
    assert "models/fact_sales.sql" in done.stderr
    assert "raw.sales" in done.stderr
    untouched(place)


def test_a_renamed_column(server: Server, place: Workplace) -> None:
    server.execute("alter table sales rename column price to unit_price", "shop")
    plan = place.call("plan")
    done = place.call("run")
    assert plan.returncode == done.returncode == 2
    for said in (plan.stderr, done.stderr):
        assert "models/fact_sales.sql:" in said
        assert "unit_price" in said, "the nearest name is told"
    untouched(place)


def test_a_column_renamed_that_no_model_reads(server: Server, place: Workplace) -> None:
    server.execute("alter table products add column colour varchar(10)", "shop")
    assert "colour added" in place.well("plan")
    place.well("run")
    assert place.rows("select count(*) as n from raw.products where colour is null") == [{"n": 3}]


def test_a_wrong_password(server: Server, place: Workplace) -> None:
    right = place.env["SHOP_URL"]
    place.env["SHOP_URL"] = right.replace(":p%40ss", ":secret-p%40ss", 1)
    for command in ("run", "plan", "doctor"):
        done = place.call(command)
        assert done.returncode == 4, command
        assert "secret-p" not in done.stdout + done.stderr
    place.env["SHOP_URL"] = right
    untouched(place)


def test_no_server(server: Server, place: Workplace) -> None:
    place.env["SHOP_URL"] = place.env["SHOP_URL"].replace(f":{server.port}/", ":9/", 1)
    done = place.call("run")
    assert done.returncode == 4
    assert done.stderr.count("\n") < 12, "a message, not a stack trace"
    untouched(place)


@pytest.fixture
def broken(request: pytest.FixtureRequest, server: Server, place: Workplace) -> Iterator[Proxy]:
    """The project's source behind a proxy that breaks in the middle of the big table's rows."""
    server.execute("update sales set note = repeat('y', 160) where sale_id % 2 = 0", "shop")
    with Proxy(server.host, server.port, request.param, after=BREAKS) as proxy:
        place.env["SHOP_URL"] = place.env["SHOP_URL"].replace(f":{server.port}/", f":{proxy.port}/", 1)
        yield proxy


@pytest.mark.parametrize("rows", [SOME])
@pytest.mark.parametrize(
    ("server", "broken"),
    [
        ("mariadb", "cut"),
        ("postgres", "reset"),
        pytest.param("mariadb", "reset", marks=sweep),
        pytest.param("postgres", "cut", marks=sweep),
    ],
    indirect=True,
)
def test_a_read_that_breaks_off(broken: Proxy, place: Workplace, rows: int) -> None:
    done = place.call("run")
    assert broken.fired
    assert broken.bytes >= BREAKS
    assert done.returncode == 4, done.stderr
    assert "raw.sales" in done.stderr
    assert "Traceback" not in done.stderr
    untouched(place, rows)


def test_the_server_dies_and_comes_back(tmp_path: Path) -> None:
    """kill -9 of the server while rows travel; afterwards the next run is well."""
    with MariaDB(tmp_path / "server") as server:
        fill(server, "shop", SOME)
        place = begin(tmp_path, "shop", url_of(server, "shop"))
        place.well("run")
        server.execute("update sales set quantity = quantity + 1", "shop")
        with Proxy(server.host, server.port, "stall", after=2_000_000) as proxy:
            direct = place.env["SHOP_URL"]
            place.env["SHOP_URL"] = direct.replace(f":{server.port}/", f":{proxy.port}/", 1)
            config = place.root / "mainstem.yml"
            config.write_text(
                config.read_text().replace("proof: full", "timeout: 2\n    retries: 0\n    proof: full")
            )
            done = place.call("run", timeout=30)
            assert proxy.fired
            assert done.returncode == 4, done.stderr
        server.kill()
        place.env["SHOP_URL"] = direct
        assert place.call("run").returncode == 4
        untouched(place, SOME)
        server.start()
        place.well("run")
        truth = server.execute("select sum(quantity * price) from sales", "shop").strip()
        assert place.rows("select sum(amount) as a from fact_sales") == [{"a": truth}]


FULL_DISK = """
set -e
cp -a .mainstem "$1"
mount -t tmpfs -o size=$(( $(du -sk .mainstem | cut -f1) + 300 ))k tmpfs .mainstem
cp -a "$1"/.mainstem/. .mainstem/
set +e
"$2" -m mainstem run --full-refresh; echo "exit $?"
"$2" -m mainstem releases
"$2" -m mainstem query 'select count(*) as n from fact_sales' --output csv
"""


@pytest.mark.parametrize("rows", [MANY])
def test_a_full_disk(place: Workplace, rows: int, tmp_path: Path) -> None:
    """The state on a small disk, in a mount namespace of its own (no privilege is needed)."""
    import os
    import subprocess
    import sys

    (tmp_path / "kept").mkdir()
    assert shutil.which("unshare"), "util-linux is part of every Debian"
    done = subprocess.run(
        [
            "unshare",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            FULL_DISK,
            "sh",
            str(tmp_path / "kept"),
            sys.executable,
        ],
        cwd=place.root,
        env={**os.environ, **place.env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "exit 4" in done.stdout, done.stdout + done.stderr
    assert "full" in done.stderr or "space" in done.stderr
    assert "*  r0001" in done.stdout
    assert done.stdout.rstrip().endswith(str(rows))
