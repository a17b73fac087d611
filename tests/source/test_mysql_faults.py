"""What breaks while MySQL is being read: every fault is an error of the right kind, none is an end of rows.

Each fault is seen to happen: bytes went through the proxy, the server was dead, the table was altered."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable
from mainstem.schema import Table
from mainstem.source.mysql import MySQLSource
from mainstem.source.mysql.address import TLS
from mainstem.source.port import SourceOptions
from servers.mariadb import MariaDB

ROWS = 30_000  # of about 600 bytes: more than all buffers on the way hold
DECODERS = [pytest.param(False, id="python"), pytest.param(True, id="compiled")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    directory = tmp_path_factory.mktemp("mariadb")
    certificate, key = self_signed(directory)
    options = [f"ssl-cert={certificate}", f"ssl-key={key}", f"ssl-ca={certificate}"]
    with MariaDB(directory / "server", options) as running:
        fill(running)
        yield running


def fill(server: MariaDB) -> None:
    server.create_database("big")
    server.execute(
        "CREATE TABLE t ENGINE=InnoDB AS SELECT seq AS id, REPEAT(CHAR(65 + seq % 26), 600) AS pad "
        f"FROM seq_1_to_{ROWS}",
        "big",
    )


def self_signed(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "cert.pem", directory / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


def source(server: MariaDB, port: int = 0, **more: object) -> MySQLSource:
    arguments = {"tls": TLS.DISABLED, "options": SourceOptions(timeout=20.0), **more}
    return MySQLSource(server.host, port or server.port, server.user, server.password, "big", **arguments)  # type: ignore[arg-type]


def read_until_it_breaks(opened: MySQLSource, table: Table, fault: Callable[[], object]) -> int:
    """Rows handed over in all; the fault happens after the first batch."""
    count = 0
    with opened.snapshot() as snapshot:
        for number, batch in enumerate(snapshot.read(table, batch_bytes=100_000)):
            count += batch.num_rows
            if number == 0:
                fault()
    return count


@pytest.mark.parametrize("compiled", DECODERS)
def test_without_a_fault_all_rows_arrive(server: MariaDB, compiled: bool) -> None:
    """The control: the tests below would see an error if any came."""
    opened = source(server, compiled=compiled)
    assert read_until_it_breaks(opened, opened.introspect().table("t"), lambda: None) == ROWS


def test_the_server_is_killed_while_it_sends(tmp_path: Path) -> None:
    with MariaDB(tmp_path / "own") as own:
        fill(own)
        for compiled in (False, True):
            opened = source(own, compiled=compiled)
            table = opened.introspect().table("t")
            with pytest.raises(SourceUnavailable):
                read_until_it_breaks(opened, table, own.kill)
            assert own.process is None
            with pytest.raises(SourceUnavailable, match="cannot be reached"):
                opened.introspect()
            own.start()
            assert read_until_it_breaks(opened, table, lambda: None) == ROWS


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("what", ["CONNECTION", "QUERY"])
def test_the_reader_is_killed_in_the_server(server: MariaDB, compiled: bool, what: str) -> None:
    opened = source(server, compiled=compiled)
    table = opened.introspect().table("t")

    def kill() -> None:
        (identifier,) = server.execute(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = 'big' AND INFO LIKE 'SELECT %pad%'"
            " AND ID <> CONNECTION_ID()"
        ).split()
        server.execute(f"KILL {what} {identifier}")

    with pytest.raises(SourceUnavailable):
        read_until_it_breaks(opened, table, kill)


# the network


class Proxy:
    """Passes bytes between a client and the server; after `limit` bytes from the server it does `fault`:
    stall, close (FIN), reset (RST) or flip (one bit of the packet's header)."""

    def __init__(self, server: MariaDB, fault: str, limit: int) -> None:
        self.fault, self.limit = fault, limit
        self.passed = 0
        self.fired = threading.Event()
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = (server.host, server.port)
        self.threads: list[threading.Thread] = []
        self.sockets: list[socket.socket] = [self.listener]
        self._run(self._accept)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self.threads:
            thread.join(10)

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(self.target)
            self.sockets += [client, upstream]
            self._run(self._pump, client, upstream, False)
            self._run(self._pump, upstream, client, True)

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(65536):
                if counted and self.passed + len(data) > self.limit:
                    target.sendall(data[: max(0, self.limit - self.passed)])
                    self.passed = self.limit
                    self._break(target)
                    return
                target.sendall(data)
                self.passed += len(data) if counted else 0
        except OSError:
            pass

    def _break(self, client: socket.socket) -> None:
        self.fired.set()
        if self.fault == "stall":
            self.over.wait(60)
        elif self.fault == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        elif self.fault == "close":
            client.shutdown(socket.SHUT_RDWR)
            client.close()
        elif self.fault == "garbage":
            client.sendall(b"\x05\x00\x00\x63hello" * 100)
            client.shutdown(socket.SHUT_RDWR)
            client.close()


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("limit", [0, 30, 3_000_000])
@pytest.mark.parametrize("fault", ["stall", "close", "reset", "garbage"])
def test_the_network_breaks(server: MariaDB, fault: str, limit: int, compiled: bool) -> None:
    table = source(server).introspect().table("t")
    with Proxy(server, fault, limit) as proxy:
        opened = source(server, proxy.port, compiled=compiled, options=SourceOptions(timeout=0.5))
        with pytest.raises(SourceUnavailable) as caught:
            read_until_it_breaks(opened, table, lambda: None)
        assert proxy.fired.is_set()
        assert proxy.passed == limit
        if fault == "stall":
            assert "too long" in str(caught.value)


def test_a_proof_query_is_not_answered(server: MariaDB) -> None:
    """The server has answered long since, the answer is stuck on the way."""
    with Proxy(server, "stall", 1 << 40) as proxy:
        with source(server, proxy.port, options=SourceOptions(timeout=0.5)).snapshot() as snapshot:
            assert snapshot.select("SELECT 1") == [(1,)]
            proxy.limit = proxy.passed
            with pytest.raises(SourceUnavailable, match="too long"):
                snapshot.select("SELECT 1")
        assert proxy.fired.is_set()


@pytest.mark.parametrize("compiled", DECODERS)
def test_the_connection_ends_before_the_last_packet(server: MariaDB, compiled: bool) -> None:
    """All rows are there, the end-of-result packet is not: not complete."""
    table = source(server).introspect().table("t")
    with Proxy(server, "close", 1 << 40) as proxy:
        assert (
            read_until_it_breaks(source(server, proxy.port, compiled=compiled), table, lambda: None) == ROWS
        )
        whole = proxy.passed
    with Proxy(server, "close", whole - 1) as proxy:
        with pytest.raises(SourceUnavailable):
            read_until_it_breaks(source(server, proxy.port, compiled=compiled), table, lambda: None)
        assert proxy.fired.is_set()


# the table changes


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize(
    ("change", "error", "place"),
    [
        ("DROP COLUMN b", SourceRefused, "changing.b: was altered since"),
        ("RENAME COLUMN b TO c", SourceRefused, "changing.b: was altered since"),
        ("MODIFY b VARCHAR(20)", SourceRefused, "changing.b: was altered since"),
        ("MODIFY b DECIMAL(12,4)", SourceRefused, "changing.b: was altered since"),
        ("MODIFY d TIMESTAMP NULL", SourceRefused, "changing.d: was altered since"),
        ("MODIFY s VARBINARY(20)", SourceRefused, "changing.s: was altered since"),
        ("RENAME TO changed", SourceRefused, "changing: the table is not there any more"),
    ],
)
def test_the_table_is_altered_after_introspection(
    server: MariaDB, compiled: bool, change: str, error: type[MainstemError], place: str
) -> None:
    server.create_database("drift")
    server.execute(
        "CREATE TABLE changing (a INT, b DECIMAL(10,2), d DATETIME, s VARCHAR(20));"
        "INSERT INTO changing VALUES (1, 2.50, '2024-01-01', 'x')",
        "drift",
    )
    opened = MySQLSource(
        server.host, server.port, server.user, server.password, "drift", tls=TLS.DISABLED, compiled=compiled
    )
    table = opened.introspect().table("changing")
    server.execute(f"ALTER TABLE changing {change}", "drift")
    with opened.snapshot() as snapshot, pytest.raises(error) as caught:
        list(snapshot.read(table))
    assert str(caught.value).startswith(place)


def test_the_table_is_rebuilt_under_the_snapshot(server: MariaDB) -> None:
    server.create_database("drift")
    server.execute("CREATE TABLE r (a INT); INSERT INTO r VALUES (1)", "drift")
    opened = MySQLSource(server.host, server.port, server.user, server.password, "drift", tls=TLS.DISABLED)
    table = opened.introspect().table("r")
    with opened.snapshot() as snapshot:
        server.execute("ALTER TABLE r ADD COLUMN b INT FIRST, ALGORITHM=COPY", "drift")
        with pytest.raises(SourceUnavailable, match="altered while the snapshot"):
            list(snapshot.read(table))


# TLS


@pytest.mark.parametrize("compiled", DECODERS)
@pytest.mark.parametrize("mode", [TLS.PREFERRED, TLS.REQUIRED, TLS.VERIFY_IDENTITY])
def test_rows_through_tls(server: MariaDB, mode: TLS, compiled: bool) -> None:
    authority = str(server.directory.parent / "cert.pem")
    opened = source(
        server, tls=mode, ssl_ca=authority if mode is TLS.VERIFY_IDENTITY else "", compiled=compiled
    )
    assert read_until_it_breaks(opened, opened.introspect().table("t"), lambda: None) == ROWS
    with opened.snapshot() as snapshot:
        assert snapshot.select("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1]
    assert "encryption" in [finding.subject for finding in opened.diagnose()]


def test_plain_text_where_tls_is_off(server: MariaDB) -> None:
    with source(server).snapshot() as snapshot:
        assert snapshot.select("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1] == ""


def test_a_certificate_that_no_one_vouches_for_is_refused(server: MariaDB) -> None:
    with pytest.raises(SourceRefused, match="certificate"):
        source(server, tls=TLS.VERIFY_IDENTITY).introspect()


def test_a_certificate_for_another_host_is_refused(server: MariaDB) -> None:
    authority = str(server.directory.parent / "cert.pem")
    arguments = (server.port, server.user, server.password, "big")
    named = MySQLSource("localhost", *arguments, tls=TLS.VERIFY_IDENTITY, ssl_ca=authority)
    with pytest.raises(SourceRefused, match="certificate"):
        named.introspect()
    unnamed = MySQLSource("localhost", *arguments, tls=TLS.REQUIRED, ssl_ca=authority)
    assert unnamed.introspect().table("t").name == "t"


def test_a_user_that_must_use_tls(server: MariaDB) -> None:
    server.create_user("secure", "x", ["SELECT ON big.*"])
    server.execute("ALTER USER secure REQUIRE SSL")
    arguments = (server.host, server.port, "secure", "x", "big")
    assert MySQLSource(*arguments, tls=TLS.REQUIRED).introspect().name == "big"
    with pytest.raises(SourceRefused):
        MySQLSource(*arguments, tls=TLS.DISABLED).introspect()


def test_tls_is_never_given_up_silently(tmp_path: Path) -> None:
    with MariaDB(tmp_path / "plain") as plain:
        plain.create_database("big")
        assert source(plain, tls=TLS.PREFERRED).introspect().tables == ()
        with pytest.raises(SourceRefused, match="TLS"):
            source(plain, tls=TLS.REQUIRED).introspect()


def test_a_missing_authority_file_is_named(server: MariaDB, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="ssl_ca"):
        source(server, tls=TLS.REQUIRED, ssl_ca=str(tmp_path / "none.pem")).introspect()


# a hostile server


def test_a_server_that_asks_for_a_file_gets_none(server: MariaDB, tmp_path: Path) -> None:
    """LOAD DATA LOCAL turned around: the answer to a query asks the client for a file of its own."""
    secret = tmp_path / "secret.txt"
    secret.write_text("canary")
    received: list[bytes] = []

    def rogue() -> None:
        client, _ = listener.accept()
        with client:
            greeting = b"\x0a5.5.5-10.11.0-MariaDB\0" + struct.pack("<I", 1) + b"saltsalt\0"
            greeting += struct.pack("<HBHHB", 0xF7FF, 45, 2, 0x81FF, 21) + bytes(10)
            greeting += b"saltsaltsalt\0mysql_native_password\0"
            client.sendall(packet(0, greeting))
            client.recv(65536)  # the login
            client.sendall(packet(2, fine))
            client.recv(65536)  # SET NAMES
            client.sendall(packet(1, fine))
            client.recv(65536)  # the first statement of our own
            client.sendall(packet(1, b"\xfb" + str(secret).encode()))
            while data := client.recv(65536):
                received.append(data)

    def packet(sequence: int, payload: bytes) -> bytes:
        return struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload

    fine = b"\0\0\0\2\0\0\0"  # OK, autocommit
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=rogue, daemon=True)
        thread.start()
        with pytest.raises(MainstemError):
            source(server, listener.getsockname()[1]).introspect()
        thread.join(10)
    assert not thread.is_alive(), "the server saw the connection end"
    assert b"canary" not in b"".join(received)
