"""PostgreSQL as a source, against a real server: introspection, one view, faults, privileges."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from oracle import checksum

from mainstem.contract.reconcile import Side, fingerprint, forms
from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable, ValueNotExact
from mainstem.schema import ForeignKey, Table
from mainstem.source.port import SourceOptions
from mainstem.source.postgres import PostgresSource, copying
from mainstem.source.postgres.decode import Choice
from servers.postgres import Postgres

SHOP = """
CREATE SCHEMA sales; CREATE SCHEMA empty; CREATE SCHEMA old;
CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN cost AS price;
CREATE TABLE customers (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, "Name" varchar(40),
  shouted text GENERATED ALWAYS AS (upper("Name")) STORED
);
COMMENT ON TABLE customers IS 'Who buys'; COMMENT ON COLUMN customers.email IS 'unique';
CREATE TABLE sales.orders (
  id bigint PRIMARY KEY, customer int REFERENCES customers, amount cost, gone int, day date NOT NULL
);
ALTER TABLE sales.orders DROP COLUMN gone;
CREATE TABLE sales.lines (
  "order" bigint REFERENCES sales.orders, no int, PRIMARY KEY ("order", no),
  a int, b int, UNIQUE (b, a)
);
CREATE UNIQUE INDEX ON sales.lines (a) INCLUDE (b);
CREATE UNIQUE INDEX ON sales.lines (b) WHERE a > 1;
CREATE UNIQUE INDEX ON sales.lines ((a + b));
CREATE TABLE events (at date NOT NULL, what text, PRIMARY KEY (at, what)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE old.events_0 PARTITION OF events DEFAULT PARTITION BY LIST (what);
CREATE TABLE old.events_0_0 PARTITION OF old.events_0 DEFAULT;
CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent);
CREATE TABLE nothing (); CREATE TABLE hollow (a int);
CREATE VIEW v AS SELECT 1 AS a; CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
INSERT INTO customers (email, "Name") VALUES ('a@b', 'Ann'), ('c@d', NULL);
INSERT INTO sales.orders VALUES (1, 1, 9.99, '2024-01-02'), (2, NULL, NULL, '2024-01-03');
INSERT INTO events VALUES ('2024-05-01', 'x'), ('1999-01-01', 'y');
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3);
ANALYZE;
"""
DECODERS: list[Choice] = ["python", "compiled"]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def shop(server: Postgres) -> str:
    """The URL of a database that no test changes."""
    server.create_database("shop")
    server.psql(SHOP.encode(), "shop")
    return server.url("shop")


@pytest.fixture
def scratch(server: Postgres) -> str:
    """The URL of an empty database, made anew for each test."""
    server.create_database("scratch")
    return server.url("scratch")


def _values(source: PostgresSource, table: Table, column: str) -> list[object]:
    with source.snapshot() as snapshot:
        return [v for batch in snapshot.read(table) for v in batch.column(column).to_pylist()]


def _is_proven(source: PostgresSource, table: Table) -> bool:
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        found = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    return (found.rows, found.checksum) == checksum(source.dialect, table, batches)


def test_introspection(shop: str) -> None:
    database = PostgresSource.from_url(shop, SourceOptions(schemas=("public", "sales"))).introspect()
    assert (database.engine, database.name) == ("postgres", "shop")
    assert [table.name for table in database.tables] == [
        "child", "customers", "events", "hollow", "parent", "sales__lines", "sales__orders",
    ]  # fmt: skip
    customers = database.table("customers")
    assert [(c.name, c.native, str(c.type), c.nullable) for c in customers.columns] == [
        ("id", "integer", "int", False),
        ("email", "text", "string", False),
        ("Name", "character varying(40)", "string", True),
        ("shouted", "text", "string", True),
    ]
    assert (customers.primary_key, customers.unique_keys) == (("id",), (("email",),))
    assert (customers.comment, customers.column("email").comment, customers.rows) == ("Who buys", "unique", 2)
    assert customers.bytes > 0
    orders = database.table("sales__orders")
    assert [c.name for c in orders.columns] == ["id", "customer", "amount", "day"]
    assert (str(orders.column("amount").type), orders.column("amount").native) == (
        "decimal(10,2)",
        "numeric(10,2)",
    )
    assert orders.foreign_keys == (ForeignKey(("customer",), "customers", ("id",)),)
    assert (orders.source_schema, orders.source_name) == ("sales", "orders")
    lines = database.table("sales__lines")
    assert lines.primary_key == ("order", "no")
    assert lines.unique_keys == (("b", "a"), ("a",))
    assert lines.foreign_keys == (ForeignKey(("order",), "sales__orders", ("id",)),)
    assert database.table("events").rows == 2


def test_a_key_into_a_table_that_is_left_out(shop: str) -> None:
    database = PostgresSource.from_url(shop + "?schema=sales").introspect()
    assert [table.name for table in database.tables] == ["lines", "orders"]
    assert database.table("orders").foreign_keys == ()
    assert database.table("lines").foreign_keys == (ForeignKey(("order",), "orders", ("id",)),)


def test_schemas_that_nobody_named_are_told(server: Postgres, shop: str) -> None:
    """A database may have its tables elsewhere than in `public`; whoever named schemas has chosen."""
    assert dict(PostgresSource.from_url(shop).introspect().aside) == {"sales": 2}
    assert PostgresSource.from_url(shop + "?schema=sales").introspect().aside == ()


def test_include_and_exclude(shop: str) -> None:
    options = SourceOptions(schemas=("public", "sales"), include=("sales__*", "c*"), exclude=("child",))
    names = [table.name for table in PostgresSource.from_url(shop, options).introspect().tables]
    assert names == ["customers", "sales__lines", "sales__orders"]


def test_a_partition_whose_root_is_not_read_is_a_table(shop: str) -> None:
    source = PostgresSource.from_url(shop + "?schema=old")
    database = source.introspect()
    assert [table.name for table in database.tables] == ["events_0_0"]
    assert _values(source, database.tables[0], "what") == ["y"]


@pytest.mark.parametrize("decoder", DECODERS)
def test_partitions_and_inheritance(shop: str, decoder: Choice) -> None:
    source = PostgresSource.from_url(shop, decoder=decoder)
    database = source.introspect()
    assert sorted(map(str, _values(source, database.table("events"), "what"))) == ["x", "y"]
    assert _values(source, database.table("parent"), "a") == [1]
    assert _values(source, database.table("child"), "a") == [2]
    fresh = PostgresSource.from_url(shop, decoder=decoder)  # which has not introspected
    assert _values(fresh, database.table("parent"), "a") == [1]
    assert all(_is_proven(source, table) for table in database.tables)


@pytest.mark.parametrize("decoder", DECODERS)
def test_an_empty_table(shop: str, decoder: Choice) -> None:
    source = PostgresSource.from_url(shop, decoder=decoder)
    table = source.introspect().table("hollow")
    with source.snapshot() as snapshot:
        assert list(snapshot.read(table)) == []
        found = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    assert (found.rows, found.checksum) == (0, 0)


def test_schemas_that_hold_nothing(server: Postgres, shop: str, scratch: str) -> None:
    with pytest.raises(SourceRefused, match="no schema 'nowhere'"):
        PostgresSource.from_url(shop + "?schema=nowhere").introspect()
    with pytest.raises(SourceRefused, match="no tables in schema 'empty'"):
        PostgresSource.from_url(shop + "?schema=empty").introspect()
    assert PostgresSource.from_url(scratch).introspect().tables == ()
    server.execute("CREATE SCHEMA crm; CREATE TABLE crm.t (a int)", "scratch")
    with pytest.raises(SourceRefused, match="no tables in schema 'public'") as caught:
        PostgresSource.from_url(scratch).introspect()
    assert "crm" in caught.value.hint


def test_names_that_differ_in_case_only(server: Postgres, scratch: str) -> None:
    server.execute('CREATE TABLE t (a int); CREATE TABLE "T" (a int)', "scratch")
    with pytest.raises(SourceRefused, match="same name"):
        PostgresSource.from_url(scratch).introspect()
    source = PostgresSource.from_url(scratch, SourceOptions(exclude=("T",)))
    assert [table.name for table in source.introspect().tables] == ["t"]


NAMES = [
    'Se"lect; DROP TABLE "x',
    "select",
    "with space",
    "Größe [€]'`",
    "x" * 63,
    "é" * 31,
    "%s{0}",
    "a.b",
    "\\",
]


@pytest.mark.parametrize("name", NAMES)
def test_nasty_names(server: Postgres, scratch: str, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    other = '"s' + name.replace('"', '""')[:40] + '"'
    server.execute(
        f"CREATE SCHEMA {other}; CREATE TABLE {other}.{quoted} ({quoted} int PRIMARY KEY, b text);"
        f"INSERT INTO {other}.{quoted} VALUES (7, 'seven')",
        "scratch",
    )
    schema = server.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 's%'", "scratch").strip("\n")
    source = PostgresSource.from_url(scratch, SourceOptions(schemas=(schema,)))
    table = source.introspect().table(name)
    assert _values(source, table, name) == [7]
    assert _is_proven(source, table)


def test_a_database_of_a_nasty_name(server: Postgres) -> None:
    name = "d b'\"/?#%é"
    server.create_database(name)
    server.execute("CREATE TABLE t AS SELECT 1 AS a", name)
    assert PostgresSource.from_url(server.url(name)).introspect().name == name


@pytest.mark.parametrize("password", ["p@ss:w/rd?#%", 'it\'s \\ "q"', "é中😀", " lead and trail ", "%41"])
def test_nasty_passwords(server: Postgres, shop: str, password: str) -> None:
    server.execute("DROP ROLE IF EXISTS somebody")
    server.create_role("somebody", password)
    findings = PostgresSource.from_url(server.url("shop", "somebody", password)).diagnose()
    assert findings[0].message.startswith("PostgreSQL")
    with pytest.raises(SourceRefused, match="user and password") as caught:
        PostgresSource.from_url(server.url("shop", "somebody", password + "x")).introspect()
    assert password.strip() not in str(caught.value)


def test_refused_logins(server: Postgres, shop: str) -> None:
    for user, database in (("nobody-here", "shop"), (server.user, "no such database")):
        source = PostgresSource.from_url(server.url(database, user, server.password))
        with pytest.raises(SourceRefused) as caught:
            source.introspect()
        assert server.password not in str(caught.value)
        assert [finding.level for finding in source.diagnose()] == ["error"]
    with pytest.raises(SourceRefused, match="TLS"):
        PostgresSource.from_url(shop + "?sslmode=require").introspect()


def _certificate(directory: Path) -> None:
    """A self-signed certificate for 127.0.0.1 as server.crt and server.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today)
        .not_valid_after(today + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "server.crt").write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    (directory / "server.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def test_encrypted_connections(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    _certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _certificate(tmp_path / "other")
    server = Postgres()
    for name in ("server.crt", "server.key"):
        copied = server.directory / name
        copied.write_bytes((tmp_path / name).read_bytes())
        server.hand_over(copied)
    own = server.directory
    server.options = ("ssl=on", f"ssl_cert_file={own}/server.crt", f"ssl_key_file={own}/server.key")
    with server:
        server.execute(
            "CREATE TABLE t AS SELECT i, repeat('x', i % 20000) AS s FROM generate_series(1, 3000) i"
        )
        url = server.url("postgres") + "?sslmode=verify-full&sslrootcert="
        for decoder in DECODERS:
            source = PostgresSource.from_url(url + quote(str(tmp_path / "server.crt")), decoder=decoder)
            table = source.introspect().table("t")
            assert _is_proven(source, table)
        with pytest.raises(SourceRefused, match="certificate was not accepted"):
            PostgresSource.from_url(url + quote(str(tmp_path / "other" / "server.crt"))).introspect()
        with pytest.raises(SourceRefused, match="sslrootcert cannot be read"):
            PostgresSource.from_url(url + quote(str(tmp_path / "none.crt"))).introspect()


def test_without_the_compiled_fetcher(
    server: Postgres, scratch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.execute(
        "CREATE TABLE t AS SELECT i, repeat('x', 100) AS s FROM generate_series(1, 30000) i", "scratch"
    )
    source = PostgresSource.from_url(scratch)
    table = source.introspect().table("t")
    compiled = _values(source, table, "i")
    monkeypatch.setattr(copying, "pgcopy", None)
    assert _values(source, table, "i") == compiled == list(range(1, 30_001))


def test_the_fetcher_is_compiled_where_libpq_can_be_called(scratch: str) -> None:
    compiled = find_spec("mainstem.source._kernel.pgcopy") is not None
    with psycopg.connect(scratch) as connection:
        assert isinstance(copying.fetcher_of(connection.pgconn), copying.PlainFetcher) is not compiled


CLOSED = """
import sys
from mainstem.errors import SourceUnavailable
from mainstem.source.postgres import PostgresSource
source = PostgresSource.from_url(sys.argv[1])
table = source.introspect().table("t")
with source.snapshot() as snapshot:
    batches = snapshot.read(table, batch_bytes=1)
    next(batches)
    source.close()
    try:
        next(batches)
    except SourceUnavailable:
        print("lost")
"""


def test_a_read_goes_no_further_when_its_connection_was_closed(server: Postgres, scratch: str) -> None:
    server.execute(
        "CREATE TABLE t AS SELECT i, repeat('x', 1000) AS s FROM generate_series(1, 20000) i", "scratch"
    )
    # libpq is called by address: memory that was given back is filled, so that its use would be noticed.
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, scratch],
        env={**os.environ, "MALLOC_PERTURB_": "165"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "lost\n"), done.stderr


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(SourceUnavailable, match="Connection refused"):
        PostgresSource.from_url(f"postgresql://u:secret@127.0.0.1:{port}/d").introspect()


def test_a_view_does_not_see_later_commits(server: Postgres, scratch: str) -> None:
    server.execute("CREATE TABLE t AS SELECT 1 AS a", "scratch")
    source = PostgresSource.from_url(scratch)
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        position = dict(snapshot.position)
        server.execute("INSERT INTO t VALUES (2)", "scratch")
        assert [v for batch in snapshot.read(table) for v in batch.column("a").to_pylist()] == [1]
        assert snapshot.select("SELECT count(*) FROM public.t") == [(1,)]
    with source.snapshot() as snapshot:
        assert snapshot.position["snapshot"] != position["snapshot"]
        assert snapshot.position["system_identifier"] == position["system_identifier"]
    assert {"lsn", "timeline", "standby"} <= position.keys()


def test_the_session_is_pinned_whatever_the_user_is_set_to(server: Postgres, shop: str) -> None:
    server.execute("DROP ROLE IF EXISTS odd")
    server.create_role("odd", "pw")
    for setting in ("DateStyle = 'German'", "TimeZone = 'Asia/Tokyo'", "bytea_output = 'escape'",
                    "IntervalStyle = 'iso_8601'", "extra_float_digits = -15", "search_path = 'sales'",
                    "client_encoding = 'LATIN1'", "statement_timeout = '2s'"):  # fmt: skip
        server.execute(f"ALTER ROLE odd SET {setting}")
    with PostgresSource.from_url(server.url("shop", "odd", "pw")).snapshot() as snapshot:
        row = snapshot.select(
            "SELECT '2024-01-02'::date::text, '2024-01-02 03:04+00'::timestamptz::text, '\\x00'::bytea::text,"
            " '1 day'::interval::text, (0.1::float8 + 0.2::float8)::text, current_schemas(false)::text"
            " FROM pg_sleep(2.1)"
        )[0]
    assert row == (
        "2024-01-02",
        "2024-01-02 03:04:00+00",
        "\\x00",
        "1 day",
        "0.30000000000000004",
        "{pg_catalog}",
    )


def test_parts_of_a_lost_connection(shop: str) -> None:
    """The server's version is asked of the connection: lost, it is the source that went away."""
    source = PostgresSource.from_url(shop)
    table = source.introspect().tables[0]
    with source.snapshot() as snapshot:
        snapshot._session.pgconn.finish()
        with pytest.raises(SourceUnavailable):
            snapshot.parts(table)


def test_nothing_can_be_written(shop: str) -> None:
    with PostgresSource.from_url(shop).snapshot() as snapshot:
        with pytest.raises(SourceRefused, match="25006"):
            snapshot.select("DELETE FROM public.customers RETURNING 1")
        assert snapshot.select("SELECT count(*) FROM public.customers") == [(2,)]


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_copy_without_its_end_is_not_taken_for_whole(
    shop: str, decoder: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream ends between two rows: only its missing trailer says so, or the number of rows."""
    source = PostgresSource.from_url(shop, decoder=decoder)
    table = source.introspect().table("customers")

    class Cut(copying.Copied):
        def __iter__(self) -> Iterator[bytes]:
            stream = b"".join(super().__iter__())
            yield (
                stream.removesuffix(b"\xff\xff")
                if decoder == "compiled"
                else stream[: stream.index(b"\n") + 1]
            )

    monkeypatch.setattr("mainstem.source.postgres.source.Copied", Cut)
    with source.snapshot() as snapshot, pytest.raises(SourceUnavailable, match="ended the read early"):
        list(snapshot.read(table))


def test_a_reader_with_select_alone(server: Postgres, scratch: str) -> None:
    server.drop_role("reader")
    server.execute(
        "CREATE TABLE seen AS SELECT 1 AS a; CREATE TABLE hidden AS SELECT 2 AS a;"
        "CREATE TABLE half AS SELECT 3 AS a, 4 AS b",
        "scratch",
    )
    server.create_role("reader", "pw")
    source = PostgresSource.from_url(server.url("scratch", "reader", "pw"))
    with pytest.raises(SourceRefused, match="none of the tables"):
        source.introspect()
    server.execute("GRANT SELECT ON seen TO reader; GRANT SELECT (a) ON half TO reader", "scratch")
    database = source.introspect()
    assert [table.name for table in database.tables] == ["half", "seen"]
    with source.snapshot() as snapshot:
        assert snapshot.position["snapshot"]
        with pytest.raises(SourceRefused, match="may not read") as caught:
            list(snapshot.read(database.table("half")))
        assert str(caught.value.where) == "half"
        assert "GRANT SELECT" in caught.value.hint
        (batch,) = snapshot.read(database.table("seen"))  # the view survived the refusal
    assert batch.column("a").to_pylist() == [1]
    messages = [finding.message for finding in source.diagnose()]
    assert any("no SELECT on half, hidden" in message for message in messages)
    server.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", "scratch")
    assert {finding.level for finding in source.diagnose()} == {"ok"}
    server.execute("GRANT DELETE ON seen TO reader; ALTER ROLE reader CREATEDB", "scratch")
    messages = [finding.message for finding in source.diagnose() if finding.level == "warning"]
    assert messages == ["the user has CREATEDB", "the user may write seen"]
    server.drop_role("reader")


def test_row_level_security_is_not_taken_for_few_rows(server: Postgres, scratch: str) -> None:
    server.execute("DROP ROLE IF EXISTS tenant")
    server.execute(
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY few ON t USING (a = 0)",
        "scratch",
    )
    server.create_role("tenant", "pw", ["SELECT ON t"], "scratch")
    source = PostgresSource.from_url(server.url("scratch", "tenant", "pw"))
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        with pytest.raises(SourceRefused, match="row-level security") as caught:
            list(snapshot.read(table))
        with pytest.raises(SourceRefused):
            snapshot.select("SELECT count(*) FROM public.t")
    assert "BYPASSRLS" in caught.value.hint
    assert "row security" in [finding.subject for finding in source.diagnose()]
    assert _values(PostgresSource.from_url(scratch), table, "a") == [1]
    server.execute("DROP OWNED BY tenant; DROP ROLE tenant", "scratch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ALTER TABLE t DROP COLUMN b", "altered"),
        ("ALTER TABLE t RENAME COLUMN b TO c", "altered"),
        ("DROP TABLE t", "no longer"),
        ("ALTER TABLE t ALTER b TYPE text; UPDATE t SET b = 'x'", "altered"),
    ],
)
def test_a_table_changed_since_it_was_looked_at(
    server: Postgres, scratch: str, change: str, message: str
) -> None:
    server.execute("CREATE TABLE t AS SELECT 1 AS a, 2 AS b", "scratch")
    source = PostgresSource.from_url(scratch)
    table = source.introspect().table("t")
    server.execute(change, "scratch")
    with source.snapshot() as snapshot, pytest.raises(SourceRefused, match=message) as caught:
        list(snapshot.read(table))
    assert str(caught.value.where) == ("t" if change == "DROP TABLE t" else "t.b")


@pytest.mark.parametrize("decoder", DECODERS)
def test_many_batches_hold_all_rows(server: Postgres, scratch: str, decoder: Choice) -> None:
    server.execute(
        "CREATE TABLE t AS SELECT i, 'row ' || i AS s FROM generate_series(1, 200000) i", "scratch"
    )
    source = PostgresSource.from_url(scratch, decoder=decoder)
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table, batch_bytes=1))
    assert len(batches) > 2
    assert [v for batch in batches for v in batch.column("i").to_pylist()] == list(range(1, 200_001))


def test_a_read_given_up_leaves_the_view_usable(server: Postgres, scratch: str) -> None:
    server.execute("CREATE TABLE t AS SELECT i FROM generate_series(1, 500000) i", "scratch")
    source = PostgresSource.from_url(scratch)
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        rows = snapshot.read(table, batch_bytes=1)
        next(rows)
        rows.close()  # type: ignore[attr-defined]
        assert snapshot.select("SELECT count(*) FROM public.t") == [(500_000,)]
        assert sum(batch.num_rows for batch in snapshot.read(table)) == 500_000


def test_an_error_of_the_caller_stays_the_callers(shop: str) -> None:
    with pytest.raises(OSError, match="disk full"), PostgresSource.from_url(shop).snapshot():
        raise OSError("disk full")


def test_a_value_that_does_not_fit_ends_one_table_only(server: Postgres, scratch: str) -> None:
    server.execute(
        "CREATE TABLE bad AS SELECT 'infinity'::date AS d; CREATE TABLE good AS SELECT 1 AS a", "scratch"
    )
    source = PostgresSource.from_url(scratch)
    database = source.introspect()
    with source.snapshot() as snapshot:
        with pytest.raises(ValueNotExact):
            list(snapshot.read(database.table("bad")))
        assert [batch.num_rows for batch in snapshot.read(database.table("good"))] == [1]


def test_text_of_an_unknown_encoding(server: Postgres) -> None:
    server.create_database("ascii", encoding="SQL_ASCII")
    server.execute("CREATE TABLE t (a text); INSERT INTO t VALUES (E'caf\\xe9')", "ascii")
    source = PostgresSource.from_url(server.url("ascii"))
    table = source.introspect().table("t")
    with source.snapshot() as snapshot, pytest.raises(ValueNotExact, match="not UTF-8"):
        list(snapshot.read(table))


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_wide_table(server: Postgres, scratch: str, decoder: Choice) -> None:
    columns = ", ".join(f"c{i} smallint" for i in range(1590))
    server.execute(f"CREATE TABLE t ({columns}); INSERT INTO t (c7) VALUES (7)", "scratch")
    source = PostgresSource.from_url(scratch, decoder=decoder)
    assert _is_proven(source, source.introspect().table("t"))


def test_random_rows(server: Postgres, scratch: str) -> None:
    """Both decoders give the same, and the server agrees."""
    server.execute(
        "SELECT setseed(0.5); CREATE TABLE t AS SELECT i, (random() < 0.5) AS b,"
        " (random() * 1e9)::int - 500000000 AS n, ((random() - 0.5) * 1e15)::numeric(20,5) AS d,"
        " (random() * 1e4)::numeric(38,34) AS e, random() - 0.5 AS x, (random() * 1e30)::real AS y,"
        " timestamp '1900-01-01' + random() * interval '200 years' AS at,"
        " timestamptz '1900-01-01' + random() * interval '200 years' AS tz,"
        " date '0001-01-01' + (random() * 3652058)::int AS day,"
        " (random() * interval '24 hours')::time AS clock,"
        " CASE WHEN random() < 0.9 THEN repeat(chr(33 + (random() * 900)::int), i % 9) END AS s,"
        " repeat(' ', (random() * 3)::int)::char(4) AS c, decode(md5(random()::text), 'hex') AS raw"
        " FROM generate_series(1, 5000) i",
        "scratch",
    )
    batches = []
    for decoder in DECODERS:
        source = PostgresSource.from_url(scratch, decoder=decoder)
        table = source.introspect().table("t")
        assert _is_proven(source, table)
        with source.snapshot() as snapshot:
            batches.append(list(snapshot.read(table)))
    assert batches[0] == batches[1]


class Stall:
    """A TCP proxy that stops forwarding the server's bytes when told to, without closing anything."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.go = threading.Event()
        self.go.set()
        self.held = threading.Event()
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.go.set()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, holds: bool) -> None:
        try:
            while data := source.recv(65536):
                if holds and not self.go.is_set():
                    self.held.set()
                    self.go.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def stall(port: int) -> Iterator[Stall]:
    proxy = Stall(port)
    try:
        yield proxy
    finally:
        proxy.close()


def test_a_stalled_server_is_noticed(server: Postgres, scratch: str) -> None:
    server.execute(
        "CREATE TABLE t AS SELECT i, repeat('x', 200) FROM generate_series(1, 200000) i", "scratch"
    )
    with stall(server.port) as proxy:
        url = scratch.replace(f":{server.port}/", f":{proxy.port}/")
        source = PostgresSource.from_url(url, SourceOptions(timeout=0.5))
        table = source.introspect().table("t")
        with source.snapshot() as snapshot:
            rows = snapshot.read(table, batch_bytes=1)
            next(rows)
            proxy.go.clear()
            with pytest.raises(SourceUnavailable, match=r"nothing for 0\.5 seconds"):
                list(rows)
            assert proxy.held.is_set()
    with stall(server.port) as proxy:
        url = scratch.replace(f":{server.port}/", f":{proxy.port}/") + "?connect_timeout=2"
        with PostgresSource.from_url(url, SourceOptions(timeout=0.5)).snapshot() as snapshot:
            proxy.go.clear()
            with pytest.raises(SourceUnavailable, match="nothing for"):
                snapshot.select("SELECT 1")
            assert proxy.held.is_set()


def test_a_query_that_takes_long_is_no_stall(shop: str) -> None:
    with PostgresSource.from_url(shop, SourceOptions(timeout=1.5)).snapshot() as snapshot:
        assert snapshot.select("SELECT pg_sleep(2.5)::text") == [("",)]


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_backend_ended_in_mid_read(server: Postgres, scratch: str, decoder: Choice) -> None:
    server.execute(
        "CREATE TABLE t AS SELECT i, repeat('x', 200) FROM generate_series(1, 300000) i", "scratch"
    )
    source = PostgresSource.from_url(scratch, decoder=decoder)
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        rows = snapshot.read(table, batch_bytes=1)
        next(rows)
        ended = server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mainstem'",
            "scratch",
        )
        assert "t" in ended
        with pytest.raises(SourceUnavailable):
            list(rows)
        with pytest.raises(MainstemError):
            snapshot.select("SELECT 1")


def test_a_server_killed_in_mid_read_and_started_again() -> None:
    with Postgres() as server:
        server.execute("CREATE TABLE t AS SELECT i, repeat('x', 200) FROM generate_series(1, 300000) i")
        source = PostgresSource.from_url(server.url("postgres"))
        table = source.introspect().table("t")
        with source.snapshot() as snapshot:
            rows = snapshot.read(table, batch_bytes=1)
            next(rows)
            server.kill()
            with pytest.raises(SourceUnavailable):
                list(rows)
        with pytest.raises(SourceUnavailable):
            source.introspect()
        server.start()
        server.execute("TRUNCATE t; INSERT INTO t VALUES (1, 'x')")
        assert _values(source, table, "i") == [1]


def test_close_ends_the_connections(server: Postgres, shop: str) -> None:
    source = PostgresSource.from_url(shop + "?application_name=closing")
    with source.snapshot() as snapshot:
        source.close()
        source.close()
        with pytest.raises(SourceUnavailable):
            snapshot.select("SELECT 1")


def test_diagnose_warns_of_a_superuser(shop: str) -> None:
    assert "the user is a superuser" in [f.message for f in PostgresSource.from_url(shop).diagnose()]
