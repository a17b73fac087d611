"""The user that `mainstem grants` makes can run the whole pipeline, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Workplace, begin, load_mariadb, url_of
from mainstem.errors import UsageError
from mainstem.policy.grants import Reader, password_sql, reader_sql
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import mainstem, table

SHOP = """
create table customers (id int primary key, name varchar(50) not null, updated_at timestamp(6) not null);
insert into customers values (1, 'Ann', '2024-01-01 00:00:00'), (2, 'Bob', '2024-01-02 00:00:00');
create table salaries (id int primary key, amount int not null);
insert into salaries values (1, 1000);
"""
CONFIG = """\
name: shop
sources:
  shop:
    url: "{{{{ env_var('SHOP_URL') }}}}"
    exclude: [salaries]
{more}"""
CURSOR = "    tables:\n      customers: {cursor: updated_at}\n"


def project(root: Path, more: str = "") -> Path:
    root.mkdir()
    (root / "mainstem.yml").write_text(CONFIG.format(more=more))
    return root


def granted(root: Path, url: str) -> str:
    """The SQL that the command prints."""
    done = mainstem("grants", cwd=root, env={"SHOP_URL": url})
    assert done.returncode == 0, done.stderr
    return done.stdout


class Maria:
    """A server, a database of its own, the reader's user."""

    def __init__(self, server: MariaDB) -> None:
        self.server = server
        server.create_database("shop grants")
        server.execute(SHOP, "shop grants")
        server.create_database("another")
        server.execute("create table t (a int primary key); insert into t values (1);", "another")
        self.admin = f"{server.url}shop%20grants"
        self.reader = f"mysql://reader:s3cret@{server.host}:{server.port}/shop%20grants"

    def make(self, sql: str) -> None:
        self.server.execute(f"DROP USER IF EXISTS 'reader'@'%'; {sql}")
        self.server.execute(password_sql("mariadb", Reader("reader")).replace("…", "s3cret"))

    def refused(self, sql: str) -> bool:
        """Whether the server refuses a statement of the reader."""
        try:
            self._as_reader(sql)
        except AssertionError as error:
            return "denied" in str(error)
        return False

    def _as_reader(self, sql: str) -> None:
        user, password = self.server.user, self.server.password
        self.server.user, self.server.password = "reader", "s3cret"
        try:
            self.server.execute(sql, "shop grants")
        finally:
            self.server.user, self.server.password = user, password


@pytest.fixture
def maria(mariadb: MariaDB) -> Iterator[Maria]:
    made = Maria(mariadb)
    yield made
    mariadb.execute("DROP USER IF EXISTS 'reader'@'%'")


def test_mariadb_the_reader_can_run_it_all(maria: Maria, tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    maria.make(granted(root, maria.admin))
    done = mainstem("run", cwd=root, env={"SHOP_URL": maria.reader})
    assert done.returncode == 0, done.stderr
    assert (
        '"n": 2'
        in mainstem(
            "query",
            "--output",
            "json",
            "select count(*) n from raw.customers",
            cwd=root,
            env={"SHOP_URL": maria.reader},
        ).stdout
    )
    healthy = mainstem("doctor", cwd=root, env={"SHOP_URL": maria.reader})
    assert "may not write" in healthy.stdout


REFUSED = (
    "insert into customers values (3, 'Eve', now())",
    "update customers set name = 'x'",
    "delete from customers",
    "drop table customers",
    "create table t (a int)",
    "select * from salaries",
    "select * from another.t",
    "select * from mysql.user",
    "create user eve",
    "select 1 into outfile '/tmp/x'",
    "lock tables customers write",
    "select * from information_schema.INNODB_TRX",
)


def test_mariadb_the_reader_can_do_nothing_else(maria: Maria, tmp_path: Path) -> None:
    maria.make(granted(project(tmp_path / "p"), maria.admin))
    assert not maria.refused("select * from customers")
    assert [sql for sql in REFUSED if not maria.refused(sql)] == []


def test_mariadb_a_cursor_needs_process(maria: Maria, tmp_path: Path) -> None:
    sql = granted(project(tmp_path / "p", CURSOR), maria.admin)
    assert "GRANT PROCESS ON *.* TO 'reader'@'%'" in sql
    assert "PROCESS" not in granted(project(tmp_path / "q"), maria.admin)
    maria.make(sql)
    assert not maria.refused("select * from information_schema.INNODB_TRX")
    done = mainstem("run", cwd=tmp_path / "p", env={"SHOP_URL": maria.reader})
    assert done.returncode == 0, done.stderr


def test_mariadb_nobody_can_log_in_before_there_is_a_password(maria: Maria, tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    maria.server.execute(f"DROP USER IF EXISTS 'reader'@'%'; {granted(root, maria.admin)}")
    done = mainstem("run", cwd=root, env={"SHOP_URL": maria.reader.replace(":s3cret", "")})
    assert done.returncode == 4


def test_mariadb_without_one_grant_a_table_is_not_there(maria: Maria, tmp_path: Path) -> None:
    """The negative control: every line is needed."""
    root = project(tmp_path / "p")
    lines = granted(root, maria.admin).splitlines()
    assert len(lines) == 2
    maria.make(lines[0])
    done = mainstem("run", cwd=root, env={"SHOP_URL": maria.reader})
    assert done.returncode != 0


def test_classicmodels_as_drafted_runs_as_the_reader(mariadb: MariaDB, tmp_path: Path) -> None:
    load_mariadb(mariadb, "classicmodels.mysql.sql", "classicmodels")
    place: Workplace = begin(tmp_path, "classicmodels", url_of(mariadb, "classicmodels"))
    sql = place.well("grants", "--user", "star_reader")
    mariadb.execute(f"DROP USER IF EXISTS 'star_reader'@'%'; {sql}")
    mariadb.execute(password_sql("mariadb", Reader("star_reader")).replace("…", "s3cret"))
    url = f"mysql://star_reader:s3cret@{mariadb.host}:{mariadb.port}/classicmodels"
    done = mainstem("run", cwd=place.root, env={**place.env, "CLASSICMODELS_URL": url})
    assert done.returncode == 0, done.stderr
    assert "2,996 rows and 9,604,190.61 equal the source" in done.stdout
    mariadb.execute("DROP USER 'star_reader'@'%'")


@pytest.fixture
def pg(postgres: Postgres) -> Iterator[Postgres]:
    postgres.drop_role("reader")
    postgres.create_database("shop grants")
    postgres.execute(SHOP, "shop grants")
    postgres.execute("create schema other; create table other.t (a int primary key);", "shop grants")
    yield postgres
    postgres.drop_role("reader")


def test_postgres_the_reader_can_run_it_all_and_nothing_else(pg: Postgres, tmp_path: Path) -> None:
    root = project(tmp_path / "p", CURSOR)
    sql = granted(root, pg.url("shop grants"))
    pg.execute(sql + password_sql("postgres", Reader("reader")).replace("…", "s3cret"), "shop grants")
    reader = pg.url("shop grants", "reader", "s3cret")
    done = mainstem("run", cwd=root, env={"SHOP_URL": reader})
    assert done.returncode == 0, done.stderr

    import psycopg

    with psycopg.connect(reader, autocommit=True) as connection:
        for statement in (
            "insert into customers values (3, 'Eve', now())",
            "update customers set name = 'x'",
            "delete from customers",
            "truncate customers",
            "drop table customers",
            "create table t (a int)",
            "select * from salaries",
            "select * from other.t",
            "select * from pg_authid",
            "create role eve",
            "copy customers to program 'true'",
            "select pg_read_file('/etc/passwd')",
            "begin; lock table customers in exclusive mode",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.execute("rollback" if statement.startswith("begin") else "select 1")
        assert connection.execute("select count(*) from customers").fetchone() == (2,)


def test_sqlite_has_no_users(tiny: Path) -> None:
    done = mainstem("grants", cwd=tiny)
    assert done.returncode == 2
    assert "sqlite has no users" in done.stderr


def test_names_mean_themselves() -> None:
    hostile = "a'; DROP TABLE t; --`\""
    tables = [table(hostile, "id int", ["id"])]
    (created, granted_) = reader_sql("mysql", "d", tables, Reader(hostile), late_commits=False)
    assert created == "CREATE USER 'a''; DROP TABLE t; --`\"'@'%' ACCOUNT LOCK"
    assert granted_.startswith("GRANT SELECT ON `d`.`a'; DROP TABLE t; --``\"` TO ")
    assert (
        '"a\'; DROP TABLE t; --`"""'
        in reader_sql("postgres", "d", tables, Reader("r"), late_commits=False)[-1]
    )
    with pytest.raises(UsageError, match="backslash"):
        reader_sql("mysql", "d", tables, Reader("a\\"), late_commits=False)
