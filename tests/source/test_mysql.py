"""MySQL and MariaDB as a source: URLs, introspection, one consistent view, clear refusals."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pytest

from mainstem.errors import SourceRefused, SourceUnavailable, UsageError, ValueNotExact
from mainstem.ingest.cursor import same_moment
from mainstem.schema import Database, ForeignKey, Table
from mainstem.source.mysql import MySQLSource
from mainstem.source.mysql.address import TLS, parse_url
from mainstem.source.port import SourceOptions
from servers.mariadb import MariaDB

SHOP = """
CREATE TABLE customers (
  id INT PRIMARY KEY, email VARCHAR(50) NOT NULL UNIQUE COMMENT 'where to write', name VARCHAR(50),
  hidden INT INVISIBLE DEFAULT 7, shouted VARCHAR(50) AS (UPPER(name)) VIRTUAL,
  stored VARCHAR(50) AS (LOWER(name)) STORED
) COMMENT='who buys';
CREATE TABLE orders (
  id INT PRIMARY KEY, customer INT, CONSTRAINT f FOREIGN KEY (customer) REFERENCES customers (id)
);
CREATE TABLE `order lines` (
  `order` INT, `line no` INT, sku VARCHAR(20), PRIMARY KEY (`order`, `line no`), UNIQUE KEY s (sku(5)),
  FOREIGN KEY (`order`) REFERENCES orders (id)
);
CREATE TABLE pairs (a INT, b INT, FOREIGN KEY (a, b) REFERENCES `order lines` (`order`, `line no`));
CREATE TABLE keyless (a INT, b TEXT);
CREATE TABLE empty_one (a INT NOT NULL, b VARCHAR(5) NOT NULL);
CREATE TABLE loose (a INT) ENGINE=MyISAM;
CREATE TABLE historic (a INT) WITH SYSTEM VERSIONING;
CREATE VIEW names AS SELECT name FROM customers;
CREATE SEQUENCE counter;
INSERT INTO customers (id, email, name) VALUES (1, 'a@x', 'Ann'), (2, 'b@x', 'Bob'), (3, 'c@x', NULL);
INSERT INTO orders VALUES (10, 1), (11, NULL);
INSERT INTO historic VALUES (1); UPDATE historic SET a = 2;
"""
NASTY_NAMES = [
    *(
        "CamelCase",
        "we ird",
        "back`tick",
        "``",
        "quo'te",
        'dou"ble',
        "select",
        "Größe",
        "日本",
        "a.b",
        "a%sb",
    ),
    *(
        "%(x)s",
        "back\\slash",
        "x; DROP TABLE t; --",
        "/*c*/",
        "semi;colon",
        "-dash",
        "1digit",
        "tab\tbed",
        "{brace}",
    ),
]
PASSWORDS = [
    *("plain", "a b", "p@ss", "p:ss", "p/ss", "p?ss", "p#ss", "p%41ss", "100%", "a&b=c", "quo'te", 'dou"ble'),
    *(
        "back\\slash",
        "`tick`",
        "$HOME",
        "umlaut-ü",
        "emoji-😀",
        "new\nline",
        "[::1]",
        "+plus+",
        ";",
        "--x",
        "*" * 200,
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("mariadb")) as running:
        running.create_database("shop")
        running.execute(SHOP, "shop")
        yield running


@pytest.fixture
def shop(server: MariaDB) -> MySQLSource:
    return admin(server, "shop")


def admin(
    server: MariaDB, database: str, options: SourceOptions | None = None, *, compiled: bool = True
) -> MySQLSource:
    at = (server.host, server.port, server.user, server.password, database)
    return MySQLSource(*at, options=options, compiled=compiled)


def rows(source: MySQLSource, table: Table) -> list[dict[str, object]]:
    with source.snapshot() as snapshot:
        return [row for batch in snapshot.read(table) for row in batch.to_pylist()]


def table_of(source: MySQLSource, name: str) -> Table:
    return source.introspect().table(name)


# URLs


def test_a_url_says_everything() -> None:
    at = parse_url("mariadb://us%40er:p%40%2F%3A@db.example:3307/sh%20op?ssl_mode=required&connect_timeout=3")
    assert (at.host, at.port, at.user, at.password, at.database) == (
        "db.example",
        3307,
        "us@er",
        "p@/:",
        "sh op",
    )
    assert (at.tls, at.connect_timeout) == (TLS.REQUIRED, 3.0)
    assert "p@/:" not in repr(at)


def test_a_url_may_leave_out_what_has_a_default() -> None:
    at = parse_url("mysql://reader@/shop?unix_socket=/run/my.sock")
    assert (at.host, at.port, at.password, at.unix_socket) == ("localhost", 3306, "", "/run/my.sock")
    assert parse_url("mysql://r@[::1]:3308/x").host == "::1"


@pytest.mark.parametrize(
    "url",
    [
        *("postgres://x@y/z", "mysql:/x", "", "mysql://u:secret@h:0/d", "mysql://u:secret@h:x/d"),
        *("mysql://u:secret@h/d?local_infile=1", "mysql://u:secret@h/d?read_default_file=/etc/my.cnf"),
        *(
            "mysql://u:secret@h/d?init_command=x",
            "mysql://u:secret@h/d?ssl_mode=maybe",
            "mysql://u:secret@[::1/d",
        ),
        *(
            "mysql://u:secret@h/d?connect_timeout=0",
            "mysql://%ff:secret@h/d",
            "mysql://u:secret@h/d?SSL_CA=x",
        ),
    ],
)
def test_a_wrong_url_is_a_usage_error_without_the_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        MySQLSource.from_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_works(server: MariaDB, password: str) -> None:
    server.create_user("reader", password, ["SELECT ON shop.*"])
    encoded = f"mysql://reader:{quote(password, safe='')}@{server.host}:{server.port}/shop"
    assert table_of(MySQLSource.from_url(encoded), "orders").primary_key == ("id",)
    given = MySQLSource(server.host, server.port, "reader", password, "shop")
    assert given.introspect().name == "shop"


# introspection


@pytest.fixture(scope="module")
def found(server: MariaDB) -> Database:
    return admin(server, "shop").introspect()


def test_tables_and_nothing_else(found: Database) -> None:
    names = ["customers", "empty_one", "historic", "keyless", "loose", "order lines", "orders", "pairs"]
    assert [table.name for table in found.tables] == names
    assert (found.engine, found.name) == ("mariadb", "shop")
    assert found.version[0].isdigit()


def test_hidden_and_generated_columns_are_columns(found: Database) -> None:
    customers = found.table("customers")
    assert [c.name for c in customers.columns] == ["id", "email", "name", "hidden", "shouted", "stored"]
    assert [c.nullable for c in customers.columns[:3]] == [False, False, True]
    assert (customers.comment, customers.columns[1].comment) == ("who buys", "where to write")
    assert customers.columns[1].native == "varchar(50)"
    assert (customers.source_schema, customers.source_name) == ("shop", "customers")
    assert customers.rows >= 0 < customers.bytes


def test_keys(found: Database) -> None:
    assert found.table("customers").unique_keys == (("email",),)
    lines = found.table("order lines")
    assert lines.primary_key == ("order", "line no")
    assert lines.unique_keys == (("sku",),)
    assert lines.foreign_keys == (ForeignKey(("order",), "orders", ("id",)),)
    assert found.table("pairs").foreign_keys == (ForeignKey(("a", "b"), "order lines", ("order", "line no")),)
    assert found.table("keyless").primary_key == ()


def test_rows_of_all_columns(shop: MySQLSource) -> None:
    first = {"id": 1, "email": "a@x", "name": "Ann", "hidden": 7, "shouted": "ANN", "stored": "ann"}
    assert rows(shop, table_of(shop, "customers"))[0] == first
    assert rows(shop, table_of(shop, "historic")) == [{"a": 2}]
    assert rows(shop, table_of(shop, "empty_one")) == []


def test_include_and_exclude(server: MariaDB) -> None:
    options = SourceOptions(include=("or*", "customers"), exclude=("* lines",))
    found = admin(server, "shop", options).introspect()
    assert [table.name for table in found.tables] == ["customers", "orders"]
    alone = admin(server, "shop", SourceOptions(include=("orders",))).introspect()
    assert alone.table("orders").foreign_keys == (), "a reference to a table that is left out"


def test_several_schemas(server: MariaDB) -> None:
    server.create_database("north")
    server.create_database("south")
    server.execute("CREATE TABLE north.t (a INT); CREATE TABLE south.t (a INT); CREATE TABLE south.u (a INT)")
    found = admin(server, "", SourceOptions(schemas=("north", "south"))).introspect()
    assert [table.name for table in found.tables] == ["north_t", "south_t", "u"]
    assert found.table("south_t").source_schema == "south"


def test_names_that_differ_in_case_alone_are_refused_unless_excluded(server: MariaDB) -> None:
    server.create_database("twins")
    server.execute("CREATE TABLE Item (a INT); CREATE TABLE item (a INT)", "twins")
    server.create_database("Twins")
    with pytest.raises(UsageError, match="Item and item"):
        admin(server, "twins").introspect()
    found = admin(server, "twins", SourceOptions(exclude=("item",))).introspect()
    assert [table.name for table in found.tables] == ["Item"]
    assert (
        admin(server, "Twins", SourceOptions(schemas=("Twins", "mysql"), include=("[Ii]tem",)))
        .introspect()
        .tables
        == ()
    )


def test_no_database_named(server: MariaDB) -> None:
    with pytest.raises(UsageError, match="no database"):
        admin(server, "").introspect()


def test_any_name_works(server: MariaDB) -> None:
    for database in ("na`me d%s", "select"):
        server.create_database(database)
        for number, name in enumerate(NASTY_NAMES):
            quoted = "`" + name.replace("`", "``") + "`"
            server.execute(
                f"CREATE TABLE {quoted} ({quoted} INT, b INT); INSERT INTO {quoted} VALUES ({number}, 1)",
                database,
            )
        source = admin(server, database)
        found = source.introspect()
        assert sorted(table.name for table in found.tables) == sorted(NASTY_NAMES)
        with source.snapshot() as snapshot:
            for number, name in enumerate(NASTY_NAMES):
                table = found.table(name)
                (batch,) = snapshot.read(table)
                assert batch.to_pylist() == [{name: number, "b": 1}]
                text = source.dialect.text(table.columns[0], source.dialect.form(table.columns[0]))
                assert snapshot.select(f"SELECT {text} FROM {source.dialect.ref(table)}") == [(str(number),)]


# one view


def test_a_snapshot_does_not_move(server: MariaDB, shop: MySQLSource) -> None:
    orders = table_of(shop, "orders")
    with shop.snapshot() as before:
        server.execute("INSERT INTO orders VALUES (99, 1)", "shop")
        assert [batch.num_rows for batch in before.read(orders)] == [2]
        assert before.select("SELECT COUNT(*) FROM shop.orders") == [(2,)]
        with shop.snapshot() as after:
            assert [batch.num_rows for batch in after.read(orders)] == [3]
            assert before.position["gtid"] != after.position["gtid"]
    server.execute("DELETE FROM orders WHERE id = 99", "shop")


def test_the_position_is_the_snapshots_own(server: MariaDB, shop: MySQLSource) -> None:
    server.execute("INSERT INTO keyless VALUES (1, 'x')", "shop")
    here = server.execute("SELECT @@gtid_binlog_pos").strip()
    file, offset = server.execute("SHOW MASTER STATUS").split("\t")[:2]
    with shop.snapshot() as snapshot:
        position = snapshot.position
    assert (position["gtid"], position["binlog_file"], position["binlog_position"]) == (here, file, offset)
    assert position["server_id"] == "1"
    assert json.loads(position["non_transactional"]) == ["loose"]


def test_two_snapshots_of_one_moment_are_known(server: MariaDB, shop: MySQLSource) -> None:
    with shop.snapshot() as first, shop.snapshot() as second:
        server.execute("INSERT INTO keyless VALUES (2, 'y')", "shop")
        with shop.snapshot() as later:
            assert same_moment(first.position, second.position)
            assert not same_moment(first.position, later.position)


def test_the_session_is_pinned_and_cannot_write(server: MariaDB, shop: MySQLSource) -> None:
    server.execute(
        "SET GLOBAL time_zone='+05:30', GLOBAL sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES,"
        "PAD_CHAR_TO_FULL_LENGTH', GLOBAL sql_select_limit=1"
    )
    try:
        with shop.snapshot() as snapshot:
            pinned = snapshot.select(
                "SELECT @@time_zone, @@sql_mode, @@character_set_results, @@tx_read_only"
            )
            assert pinned == [("+00:00", "", "utf8mb4", 1)]
            customers = table_of(shop, "customers")
            assert sum(batch.num_rows for batch in snapshot.read(customers)) == 3
            with pytest.raises(SourceRefused):
                snapshot.select("DELETE FROM shop.orders")
        with shop.snapshot() as snapshot, pytest.raises(SourceRefused):
            snapshot.select("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE shop.keyless")
    finally:
        server.execute(
            "SET GLOBAL time_zone='SYSTEM', GLOBAL sql_mode=DEFAULT, GLOBAL sql_select_limit=DEFAULT"
        )
    assert server.execute("SELECT COUNT(*) FROM orders", "shop") == "2\n"


def test_small_batches_are_the_same_rows(server: MariaDB, shop: MySQLSource) -> None:
    server.execute(
        "CREATE OR REPLACE TABLE many AS SELECT seq AS a, REPEAT('x', seq % 300) AS b FROM seq_1_to_5000",
        "shop",
    )
    table = table_of(shop, "many")
    with shop.snapshot() as snapshot:
        small = list(snapshot.read(table, batch_bytes=10_000))
        large = list(snapshot.read(table))
    assert len(small) > 20
    assert len(large) == 1
    assert pa.Table.from_batches(small).combine_chunks() == pa.Table.from_batches(large).combine_chunks()
    server.execute("DROP TABLE many", "shop")


def test_a_row_beyond_a_packet(server: MariaDB) -> None:
    """Rows of 16 MB and more come in several packets; 2²⁴−1 bytes exactly are followed by an empty one."""
    server.execute("SET GLOBAL max_allowed_packet = 128 * 1024 * 1024")
    server.create_database("wide")
    server.execute("CREATE TABLE w (id INT, b LONGBLOB)", "wide")
    overhead = 1 + 1 + 4  # the id's length and digit, the blob's length
    sizes = [0xFFFFFF - overhead, 0xFFFFFF - overhead + 1, 0xFFFFFF - overhead - 1, 40_000_000, 3]
    for number, size in enumerate(sizes):
        server.execute(f"INSERT INTO w VALUES ({number}, REPEAT(CHAR({65 + number}), {size}))", "wide")
    for compiled in (False, True):
        source = MySQLSource(
            server.host, server.port, server.user, server.password, "wide", compiled=compiled
        )
        table = table_of(source, "w")
        dialect = source.dialect
        with source.snapshot() as snapshot:
            read = [row for batch in snapshot.read(table) for row in batch.to_pylist()]
            hashes = snapshot.select(
                f"SELECT {dialect.text(table.columns[1], dialect.form(table.columns[1]))} FROM w"
            )
        assert [(row["id"], row["b"] == bytes([65 + row["id"]]) * sizes[row["id"]]) for row in read] == [
            (number, True) for number in range(len(sizes))
        ]
        assert [int(text) for (text,) in hashes] == [zlib.crc32(row["b"]) for row in read]


# refusals and findings


def test_a_wrong_password_is_refused_and_not_repeated(server: MariaDB) -> None:
    source = MySQLSource(server.host, server.port, server.user, "s3cret-wrong", "shop")
    with pytest.raises(SourceRefused, match="user name or the password") as caught:
        source.introspect()
    assert "s3cret" not in str(caught.value)


def test_an_unknown_database_is_refused(server: MariaDB) -> None:
    with pytest.raises(SourceRefused, match="no such database"):
        admin(server, "nowhere").introspect()


def test_a_foreign_database_is_refused(server: MariaDB) -> None:
    server.create_user("stranger", "x", [])
    with pytest.raises(SourceRefused, match="may not use"):
        MySQLSource(server.host, server.port, "stranger", "x", "shop").introspect()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:1 cannot be reached: Connection refused"):
        MySQLSource("127.0.0.1", 1, "a", "b", "c").introspect()
    with pytest.raises(SourceUnavailable, match="none cannot be reached: No such file"):
        MySQLSource("", 0, "a", "b", "c", unix_socket=str(tmp_path / "none")).introspect()


def test_a_missing_privilege_names_the_table(server: MariaDB, shop: MySQLSource) -> None:
    server.create_user("partly", "x", ["SELECT ON shop.orders"])
    source = MySQLSource(server.host, server.port, "partly", "x", "shop")
    assert [table.name for table in source.introspect().tables] == ["orders"]
    customers = table_of(shop, "customers")
    with source.snapshot() as snapshot, pytest.raises(SourceRefused, match=r"customers: .*may not read"):
        list(snapshot.read(customers))


def test_a_reader_with_select_alone_is_all_that_is_needed(server: MariaDB) -> None:
    server.create_user("reader", "x", ["SELECT ON shop.*"])
    source = MySQLSource(server.host, server.port, "reader", "x", "shop")
    with source.snapshot() as snapshot:
        assert snapshot.position["gtid"]
        assert [batch.num_rows for batch in snapshot.read(table_of(source, "customers"))] == [3]
    findings = source.diagnose()
    assert {f.level for f in findings if f.subject != "snapshot"} == {"ok"}
    assert [f.message for f in findings if f.level == "warning"] == [
        "not covered by a consistent snapshot (no transactions): loose"
    ]


@pytest.mark.parametrize(
    ("grants", "named"),
    [
        (["ALL ON *.*"], "ALL PRIVILEGES"),
        (["FILE ON *.*", "SELECT ON shop.*"], "FILE"),
        (["SUPER ON *.*", "SELECT ON shop.*"], "SUPER"),
        (["SELECT, INSERT, UPDATE (name) ON shop.customers"], "INSERT, UPDATE"),
        (["SELECT, DROP, DELETE ON shop.*"], "DELETE, DROP"),
    ],
)
def test_surplus_privileges_are_found(server: MariaDB, grants: list[str], named: str) -> None:
    server.create_user("mighty", "x", grants)
    findings = MySQLSource(server.host, server.port, "mighty", "x", "shop").diagnose()
    warnings = [f.message for f in findings if f.subject == "privileges" and f.level == "warning"]
    assert any(message.endswith(named) for message in warnings), warnings


def test_doctor_reports_what_it_cannot_reach(server: MariaDB) -> None:
    findings = MySQLSource(server.host, server.port, server.user, "wrong", "shop").diagnose()
    assert [(f.level, f.subject) for f in findings] == [("error", "server")]
    server.create_user("blind", "x", ["SELECT ON mysql.func"])
    blind = MySQLSource(server.host, server.port, "blind", "x", "mysql").diagnose()
    assert ("ok", "server") in [(f.level, f.subject) for f in blind]


def test_a_unix_socket(server: MariaDB) -> None:
    source = MySQLSource.from_url(
        f"mysql://{server.user}:{quote(server.password, safe='')}@/shop?unix_socket={server.socket}"
    )
    assert {"id": 10, "customer": 1} in rows(source, table_of(source, "orders"))


def test_close_ends_the_connections_and_is_safe_twice(server: MariaDB, shop: MySQLSource) -> None:
    orders = table_of(shop, "orders")
    with shop.snapshot() as snapshot:
        shop.close()
        shop.close()
        with pytest.raises(SourceUnavailable, match="has ended"):
            list(snapshot.read(orders))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_read_that_stops_early_keeps_the_snapshot(server: MariaDB, compiled: bool) -> None:
    server.create_database("early")
    server.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(300)); "
        "INSERT INTO t SELECT seq, REPEAT('x', 300) FROM seq_1_to_60000",
        "early",
    )
    source = admin(server, "early", compiled=compiled)
    table = table_of(source, "t")
    with source.snapshot() as snapshot:
        server.execute("DELETE FROM t WHERE id = 60000", "early")
        for _ in range(3):
            batches = iter(snapshot.read(table, batch_bytes=1 << 16))
            next(batches)
            batches.close()  # type: ignore[attr-defined]
            assert snapshot.select("SELECT COUNT(*) FROM t") == [(60000,)]
        assert sum(batch.num_rows for batch in snapshot.read(table)) == 60000


@pytest.mark.parametrize("compiled", [True, False])
def test_a_refused_value_keeps_the_snapshot(server: MariaDB, compiled: bool) -> None:
    """The packet before the refused one may be any, so may the bytes that are on their way."""
    server.create_database("refused")
    server.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, day DATE, a LONGBLOB); "
        "INSERT INTO t SELECT seq, IF(seq % 1000 = 7, '0000-00-00', '2024-01-01'), REPEAT('x', 2000) "
        "FROM seq_1_to_20000; "
        "UPDATE t SET a = REPEAT(CHAR(255), 15000000) WHERE id = 9",
        "refused",
    )
    source = admin(server, "refused", compiled=compiled)
    table = table_of(source, "t")
    with source.snapshot() as snapshot:
        server.execute("DELETE FROM t WHERE id = 1", "refused")
        for _ in range(3):
            with pytest.raises(ValueNotExact, match="day"):
                list(snapshot.read(table))
            assert snapshot.select("SELECT COUNT(*) FROM t") == [(20000,)]


def test_one_call_at_a_time(shop: MySQLSource) -> None:
    customers = table_of(shop, "customers")
    with shop.snapshot() as snapshot:
        batches = iter(snapshot.read(customers, batch_bytes=1))
        next(batches)
        with pytest.raises(RuntimeError, match="one call at a time"):
            snapshot.select("SELECT 1")
        assert sum(batch.num_rows for batch in batches) == 2
        assert snapshot.select("SELECT 1") == [(1,)]


def test_a_proof_may_take_longer_than_the_timeout(server: MariaDB) -> None:
    with admin(server, "shop", SourceOptions(timeout=0.3)).snapshot() as snapshot:
        assert snapshot.select("SELECT SLEEP(1)") == [(0,)]


def test_a_proof_text_past_max_allowed_packet_is_an_error(server: MariaDB) -> None:
    """The server answers NULL with a warning; taken for a value it would be a checksum of nothing."""
    server.create_database("packets")
    server.execute("CREATE TABLE p (a VARCHAR(15000)); INSERT INTO p VALUES (REPEAT('x', 15000))", "packets")
    before = server.execute("SELECT @@GLOBAL.max_allowed_packet").strip()
    source = admin(server, "packets")
    table = table_of(source, "p")
    dialect = source.dialect
    sql = f"SELECT {dialect.row_hash([dialect.text(c, dialect.form(c)) for c in table.columns * 3])} FROM p"
    with source.snapshot() as snapshot:
        assert snapshot.select(sql)[0][0] is not None
    server.execute("SET GLOBAL max_allowed_packet = 16384")
    try:
        with source.snapshot() as snapshot, pytest.raises(SourceRefused, match="max_allowed_packet"):
            snapshot.select(sql)
    finally:
        server.execute(f"SET GLOBAL max_allowed_packet = {before}")
