"""docs/sources.md is up to date, complete, and its GRANTs are enough."""

from __future__ import annotations

import re
from pathlib import Path

from cases.mappings import PAGE, filled, parts
from mainstem.source.mysql import address
from mainstem.source.mysql.adapter import MySQLSource
from mainstem.source.postgres import PostgresSource, url
from servers.mariadb import MariaDB
from servers.postgres import Postgres

TEXT = PAGE.read_text()


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def grants(title: str) -> str:
    match = re.search(r"```sql\n(.*?)```", section(title), re.DOTALL)
    assert match
    return match[1]


def test_the_generated_parts_are_up_to_date() -> None:
    assert filled(TEXT) == TEXT, "run scripts/type-mappings"


def test_a_page_that_is_behind_is_noticed() -> None:
    name, content = next(iter(parts().items()))
    assert filled(TEXT.replace(content, "| old |")) == TEXT
    assert TEXT.replace(content, "| old |") != TEXT
    assert name in TEXT


def test_every_option_of_the_urls_is_named() -> None:
    for title, keys in (("MySQL and MariaDB", address._KEYS), ("PostgreSQL", url._KEYS)):
        named = set(re.findall(r"`(\w+)`", section(title).partition("```sql")[0]))
        assert set(keys) <= named


def test_the_grants_for_mariadb_are_enough(mariadb: MariaDB) -> None:
    mariadb.create_database("shop")
    mariadb.execute("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (7);", "shop")
    mariadb.execute("DROP USER IF EXISTS 'reader'@'%';" + grants("MySQL and MariaDB"))
    source = MySQLSource(mariadb.host, mariadb.port, "reader", "secret", "shop")
    assert {finding.level for finding in source.diagnose()} == {"ok"}
    (table,) = source.introspect().tables
    with source.snapshot() as snapshot:
        assert [row for batch in snapshot.read(table) for row in batch.to_pylist()] == [{"a": 7}]


def test_the_grants_for_postgres_are_enough(postgres: Postgres) -> None:
    postgres.create_database("granted")
    postgres.execute("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (7);", "granted")
    postgres.drop_role("reader")
    postgres.execute(grants("PostgreSQL") + "CREATE TABLE later (a int);", "granted")
    source = PostgresSource.from_url(postgres.url("granted", "reader", "secret"))
    assert {finding.level for finding in source.diagnose()} == {"ok"}
    tables = source.introspect().tables
    assert [table.name for table in tables] == ["later", "t"]
    with source.snapshot() as snapshot:
        assert [row for batch in snapshot.read(tables[1]) for row in batch.to_pylist()] == [{"a": 7}]
    postgres.drop_role("reader")


def test_the_script_can_be_executed() -> None:
    script = Path(__file__).parents[2] / "scripts" / "type-mappings"
    assert script.stat().st_mode & 0o111
