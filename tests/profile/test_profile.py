"""What a look at the data finds, on real servers: the same figures from all of them, within the limits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mainstem import wiring
from mainstem.draft import Profile, draft
from mainstem.errors import OutOfTime, SourceRefused, SourceUnavailable
from mainstem.profile.bounds import Limits
from mainstem.profile.look import profile_source, told
from mainstem.schema import Database
from mainstem.source.port import Snapshot, Source, SourceOptions
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from sources import Wrapped

TABLES = """
create table people (id int primary key, full_name varchar(40) not null, country varchar(20), nickname varchar(20));
create table orders (
  order_no int primary key, person_ref int, contact_person_ref int, order_date date not null,
  total decimal(10,2) not null, freight decimal(10,2) not null, channel char(1));
create table order_lines (
  order_no int not null, line_no int not null, quantity int not null, unit_price decimal(10,2) not null,
  primary key (order_no, line_no));
"""  # noqa: E501
PEOPLE = [
    (1, "Ann", "Norway"), (2, "Bo", "Norway  "), (3, "Cy", "Spain"), (4, "Di", "SPAIN"), (5, "Ed", None)
]  # fmt: skip


def rows() -> str:
    """Twelve orders of two lines each; the total is their sum, the freight is not; person 9 is nobody."""
    statements = [
        f"insert into people values ({i}, '{n}', {'null' if c is None else repr(c)}, null);"
        for i, n, c in PEOPLE
    ]
    for number in range(1, 13):
        who, contact = (9 if number == 12 else number % 5 + 1), number % 5 + 1
        total = number * 2.5 + 3 * 1.25
        statements.append(
            f"insert into orders values ({number}, {who}, {contact}, '2024-01-{number:02d}', {total}, 4.5, "
            "'w');"
        )
        statements.append(f"insert into order_lines values ({number}, 1, {number}, 2.5);")
        statements.append(f"insert into order_lines values ({number}, 2, 3, 1.25);")
    return "\n".join(statements)


def _sqlite(folder: Path, sql: str) -> str:
    with closing(sqlite3.connect(folder / "s.db")) as connection:
        connection.executescript(sql)
    return f"sqlite:///{folder / 's.db'}"


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database on each server in turn."""
    return made(request, tmp_path_factory.mktemp("looked"), "looked", TABLES + rows())


def made(request: pytest.FixtureRequest, folder: Path, name: str, sql: str) -> str:
    """A database on the server that the fixture is for."""
    if request.param == "mariadb":
        maria: MariaDB = request.getfixturevalue("mariadb")
        maria.create_database(name)
        maria.execute(sql, name)
        return f"{maria.url}{name}"
    if request.param == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        postgres.create_database(name)
        postgres.execute(sql, name)
        return postgres.url(name)
    return _sqlite(folder, sql)


COMPOSITE = """
create table bills (bill_no int primary key, billed date not null);
create table bill_lines (
  bill_no int not null, line_no int not null, amount decimal(10,2), primary key (bill_no, line_no));
create table credits (credit_id int primary key, bill_no int, line_no int, credited date not null,
  amount decimal(10,2) not null);
insert into bills values (1, '2024-01-01'), (2, '2024-01-02');
insert into bill_lines values (1, 1, 5), (1, 2, 6), (2, 1, 7);
insert into credits values (1, 1, 2, '2024-02-01', 1), (2, 2, 1, '2024-02-02', 1), (3, 2, 1, '2024-02-02', 1),
  (4, 1, null, '2024-02-03', 1);
"""


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgres"])
def composite(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key of two columns that nobody declared, on each server in turn."""
    return made(request, tmp_path_factory.mktemp("composite"), "composite", COMPOSITE)


@contextmanager
def opened(url: str) -> Iterator[tuple[Source, Database]]:
    source = wiring.open_source(url, SourceOptions())
    try:
        yield source, source.introspect()
    finally:
        source.close()


def look(url: str, limits: Limits | None = None) -> Profile:
    with opened(url) as (source, database):
        return profile_source(source, database, limits)


def test_figures_are_the_same_on_every_server(url: str) -> None:
    profile = look(url)
    assert profile.rows == {"people": 5, "orders": 12, "order_lines": 24}
    assert (profile.sampled, profile.unasked) == (frozenset(), ())
    country = profile.columns["people", "country"]
    assert (country.distinct, country.blanks, country.cases, round(country.nulls, 2)) == (4, 1, 1, 0.2)
    assert profile.columns["people", "nickname"].nulls == 1
    quantity = profile.columns["order_lines", "quantity"]
    assert (quantity.low, quantity.high, quantity.distinct) == (1, 12, 12)
    assert profile.unique("orders", "order_no") is True
    assert profile.unique("order_lines", "order_no") is False
    assert profile.unique("orders", "gone") is None


def test_keys_that_nobody_declared_come_with_their_evidence(url: str) -> None:
    with opened(url) as (source, database):
        profile = profile_source(source, database)
        star = draft(database, profile)
    assert round(profile.contained["orders", "person_ref", "people"], 2) == 0.83
    assert profile.contained["orders", "contact_person_ref", "people"] == 1
    (fact,) = (fact for fact in star.facts if fact.table == "order_lines")
    assert "person_key" in {link.name for link in fact.links}
    taken = {p.hop.columns[0]: p for p in star.proposals if p.accepted}
    asked = {p.hop.columns[0]: p for p in star.proposals if not p.accepted}
    assert "83% of its values are found there" in taken["person_ref"].evidence
    assert set(asked) == {"contact_person_ref"}
    assert any("--link orders.contact_person_ref=people" in note for note in star.notes)


def test_keys_of_several_columns_are_found_by_their_values(composite: str) -> None:
    with opened(composite) as (source, database):
        profile = profile_source(source, database)
        star = draft(database, profile)
    assert profile.contained["credits", "bill_no, line_no", "bill_lines"] == 1
    taken = {p.hop.columns: p for p in star.proposals if p.accepted}
    assert "100% of its values are found there" in taken["bill_no", "line_no"].evidence


def test_lines_are_added_up(url: str) -> None:
    with opened(url) as (source, database):
        profile = profile_source(source, database)
        star = draft(database, profile)
    assert profile.adds_up == {
        ("orders", "total", "order_lines"): 1.0, ("orders", "freight", "order_lines"): 0.0
    }  # fmt: skip
    (verdict,) = (v for v in star.verdicts if v.table == "orders")
    assert "freight cannot be derived" in " ".join(verdict.why)
    assert (
        "In the data, total equals the sum of its lines. In the data, freight is seldom the sum"
        in " ".join(verdict.why)
    )


def test_a_sample_is_told_and_no_part_of_a_document_is_compared(url: str) -> None:
    profile = look(url, Limits(rows=5))
    assert profile.sampled == {"orders", "order_lines"}
    assert profile.seen("orders") == 6
    assert profile.rows["people"] == 5
    assert profile.adds_up["orders", "total", "order_lines"] == 1.0
    assert any("first 5 rows: order_lines, orders" in line for line in told(profile, Limits(rows=5)))


def test_time_is_limited(url: str) -> None:
    ticks = iter(range(100))
    with opened(url) as (source, database):
        profile = profile_source(source, database, Limits(seconds=3), clock=lambda: float(next(ticks)))
    assert (len(profile.looked), len(profile.unasked)) == (2, 1)
    assert (profile.contained, profile.adds_up) == ({}, {})
    assert "not looked at within 3 seconds: 1 table" in " ".join(told(profile, Limits(seconds=3)))


@pytest.mark.parametrize("limits", [Limits(rows=0), Limits(seconds=0)])
def test_nothing_is_asked_if_nothing_may_be(url: str, limits: Limits) -> None:
    profile = look(url, limits)
    assert (profile.looked, len(profile.unasked)) == ({}, 3)


ENDLESS = {
    "sqlite": "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n",
    "mariadb": "select sleep(3600)",
    "postgres": "select 1 from pg_sleep(3600)",
}
"""Questions that only a time limit ends."""


def test_a_question_under_way_is_ended_and_the_snapshot_goes_on(url: str) -> None:
    with opened(url) as (source, database), source.snapshot() as snapshot:
        (orders,) = (source.dialect.ref(table) for table in database.tables if table.name == "orders")
        with pytest.raises(OutOfTime):
            snapshot.select(ENDLESS[database.engine], 0.2)
        assert snapshot.select(f"select count(*) from {orders}") == [(12,)]
        assert snapshot.select(f"select count(*) from {orders}", 60) == [(12,)]


class Slow(Wrapped):
    """A source in which the questions about one table never end by themselves."""

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        engine = self.inner.introspect().engine
        with self.inner.snapshot() as snapshot:
            yield _Slow(snapshot, ENDLESS[engine])


class _Slow:
    def __init__(self, snapshot: Snapshot, endless: str) -> None:
        self.position = snapshot.position
        self.read = snapshot.read
        self._select = snapshot.select
        self._endless = endless

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        return self._select(self._endless if "people" in sql else sql, seconds)


def test_a_table_that_takes_too_long_is_left_and_told(url: str) -> None:
    with opened(url) as (source, database):
        profile = profile_source(Slow(source), database, Limits(seconds=1))
    assert "people" in profile.unasked
    assert profile.unfinished
    lines = " ".join(told(profile, Limits(seconds=1)))
    assert "drafted by their names" in lines
    assert "not asked of the data within 1 seconds: " in lines


class Refusing(Wrapped):
    """A source whose server refuses some questions, or goes away at them."""

    refuse: Callable[[str], Exception | None]

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self.inner.snapshot() as snapshot:
            yield _Refusing(snapshot, self.refuse)


class _Refusing:
    def __init__(self, snapshot: Snapshot, refuse: Callable[[str], Exception | None]) -> None:
        self.position = snapshot.position
        self.read = snapshot.read
        self._select = snapshot.select
        self._refuse = refuse

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        error = self._refuse(sql)
        if error is not None:
            raise error
        return self._select(sql, seconds)


def refusing(source: Source, refuse: Callable[[str], Exception | None]) -> Source:
    wrapped = Refusing(source)
    wrapped.refuse = refuse
    return wrapped


def test_a_question_that_is_refused_costs_only_its_answer(url: str) -> None:
    def refuse(sql: str) -> Exception | None:
        return SourceRefused("no") if "distinct" in sql and "people" in sql else None

    with opened(url) as (source, database):
        profile = profile_source(refusing(source, refuse), database)
    assert profile.columns["people", "nickname"].nulls == 1
    assert profile.columns["people", "country"].distinct == -1
    assert profile.columns["orders", "order_no"].distinct == 12
    assert {target for _, _, target in profile.contained} == {"orders"}


def test_a_server_that_goes_away_ends_it(url: str) -> None:
    with opened(url) as (source, database), pytest.raises(SourceUnavailable):
        profile_source(refusing(source, lambda sql: SourceUnavailable("gone")), database)


def test_types_without_equality_or_order_are_asked_less(mariadb: MariaDB, postgres: Postgres) -> None:
    postgres.create_database("types")
    postgres.execute(
        """
        create type mood as enum ('a', 'b');
        create table t (id int primary key, j json, x xml, u uuid, m mood, p point, b bytea, i interval,
          n numeric(8,2), c char(8), mo money, arr int[], ts timestamptz, tm time, f boolean, bits bit(3));
        insert into t (id, j, m, c, n, f) values (1, '{}', 'a', 'x', 1.5, true),
          (2, '{}', 'b', 'x ', 2.5, false);
        """,
        "types",
    )
    mariadb.create_database("types")
    mariadb.execute(
        """
        create table t (id int primary key, j json, e enum('a','b'), s set('a','b'), b blob, ti time, y year,
          bits bit(3), l longtext, v varbinary(3), n decimal(5,1), c char(8), g geometry, f double);
        insert into t (id, j, e, c, n) values (1, '{}', 'a', 'x', 1.5), (2, '{}', 'b', 'x ', 2.5);
        """,
        "types",
    )
    for url in (postgres.url("types"), f"{mariadb.url}types"):
        profile = look(url)
        number = profile.columns["t", "n"]
        assert (number.low, number.high, number.distinct) == (1.5, 2.5, 2)
        text = profile.columns["t", "c"]
        assert (text.distinct, text.blanks) == (1, 0)
        assert profile.columns["t", "j"].nulls == 0
