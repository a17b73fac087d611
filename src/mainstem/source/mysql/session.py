"""One connection: logged in, its settings pinned and read back, read-only. PyMySQL lives here."""

from __future__ import annotations

import math
import re
import selectors
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import COMMAND, SERVER_STATUS
from pymysql.protocol import FieldDescriptorPacket

from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable, Where
from mainstem.source.mysql.address import TLS, Address
from mainstem.source.mysql.failures import translate

_NO_LIMIT = 18446744073709551615  # sql_select_limit's largest: no limit
_DAY = 86400  # seconds
_COMPARED = 1000  # characters of a statement
_LONGEST = 0xFFFFFF  # bytes of a packet
_PROBE_SHARE = 0.75  # of the timeout: a dead connection is given up within twice the timeout
_PACKET_OVERFLOW = 1301  # ER_WARN_ALLOWED_PACKET_OVERFLOWED: a function gave NULL instead of a long text

_UNREACHABLE = "check host, port (or unix_socket) in the URL, and that the server runs"

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a result set: MYSQL_TYPE code, collation id, decimals."""

    code: int
    charset: int
    scale: int


class _Connection(Connection):
    """PyMySQL's connection; for `preferred` TLS without loading the system's certificates (20 ms)."""

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        return sslp if isinstance(sslp, ssl.SSLContext) else _unverified()


class _Ahead:
    """Bytes that were taken from a stream, then the stream."""

    def __init__(self, pending: bytes, stream: Any) -> None:
        self._pending = pending
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Exactly so many bytes. SourceUnavailable if the stream ends before."""
        taken, self._pending = self._pending[:size], self._pending[size:]
        if len(taken) < size:
            taken += self._stream.read(size - len(taken))
        if len(taken) < size:
            raise SourceUnavailable("the connection to the server was lost")
        return bytes(taken)


def _connection(**arguments: Any) -> Any:
    """Typed as Any: half of what is used here is PyMySQL's internals."""
    return _Connection(**arguments)


class Session:
    """A read-only connection. Every error that leaves it is one of ours."""

    def __init__(self, address: Address, timeout: float, *, patient: bool = True) -> None:
        """Connect. `timeout`: seconds without any byte after which a read or write is given up; a patient
        session asks the server first whether it is still at work."""
        self.patient = patient
        self.address = address
        self.timeout = timeout
        self._sent = ""
        try:
            self.connection = _connection(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password.encode("utf-8", "surrogateescape"),
                database=address.database or None,
                unix_socket=address.unix_socket or None,
                charset="utf8mb4",
                local_infile=False,
                autocommit=True,
                connect_timeout=address.connect_timeout,
                read_timeout=timeout,
                write_timeout=timeout,
                program_name="mainstem",
                defer_connect=True,
                **_tls(address),
            )
            self.connection._secure = bool(address.unix_socket)  # allows a password in clear, for PAM
            self.connection.connect(_socket(address))
        except (pymysql.MySQLError, OSError, RuntimeError) as error:
            raise translate(error) from None
        self.version = str(self.connection.get_server_info()).removeprefix("5.5.5-")  # MariaDB < 11.0
        self.is_mariadb = "mariadb" in self.version.lower()
        self.numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        try:
            self._pin()
        except BaseException:
            self.close()
            raise

    def rows(self, sql: str, where: Where | None = None) -> Rows:
        """All rows of a statement whose result is small, as Python values. It may take long (a checksum
        over a table): silence is no failure as long as the server says that it is at work.

        A function that gave NULL because its text grew past max_allowed_packet is an error, not a NULL.
        """
        with self.translated(where):
            rows, warnings = self._query(sql)
            if warnings and any(code == _PACKET_OVERFLOW for _, code, _ in self._query("SHOW WARNINGS")[0]):
                raise SourceRefused(
                    "a text grew past the server's max_allowed_packet",
                    where=where,
                    hint="raise max_allowed_packet in the server, or set proof: count for the table",
                )
        return rows

    def _query(self, sql: str) -> tuple[Rows, int]:
        """→ rows, number of warnings."""
        connection = self.connection
        connection._execute_command(COMMAND.COM_QUERY, sql)
        while not self._answered():
            if not (self.patient and self._at_work()):
                raise TimeoutError
        connection._read_query_result()
        return list(connection._result.rows or ()), connection._result.warning_count

    def _answered(self) -> bool:
        """Wait for the first byte of an answer, at most the timeout."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection._sock, selectors.EVENT_READ)
            return bool(selector.select(self.timeout))

    def _at_work(self) -> bool:
        """Ask, through a connection of its own, whether the server still works on our statement."""
        sql = "SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = "
        other = Session(self.address, self.timeout * _PROBE_SHARE, patient=False)
        try:
            states = other.rows(f"{sql}{self.connection.thread_id():d}")
        finally:
            other.close()
        return states == [("Query",)]

    def end_statements_after(self, seconds: float) -> None:
        """The server ends SELECTs that take longer (0: none), where it can: MySQL from 5.7.8 on."""
        if self.is_mariadb:
            self.rows(f"SET SESSION max_statement_time={seconds:.6f}")
        elif self._time_limit:
            limit = max(int(seconds * 1000), 1) if seconds else 0
            self.rows(f"SET SESSION max_execution_time={limit:d}")

    @property
    def _time_limit(self) -> str:
        """The server's variable for the longest statement; empty where it has none."""
        if self.is_mariadb:
            return "max_statement_time"
        return "max_execution_time" if self.numbers >= (5, 7, 8) else ""

    def start_query(self, sql: str) -> list[Field]:
        """Send a SELECT and read its header: what follows on the wire is the first row's packet."""
        connection = self.connection
        self._sent = sql
        connection._execute_command(COMMAND.COM_QUERY, sql)
        first = connection._read_packet()
        if first.is_ok_packet() or first.is_load_local_packet():
            raise SourceRefused("the server did not answer a query with a result set")
        count = first.read_length_encoded_integer()
        fields = [connection._read_packet(FieldDescriptorPacket) for _ in range(count)]
        connection._read_packet()  # EOF
        return [Field(field.type_code, field.charsetnr, field.scale) for field in fields]

    def read_packet(self) -> bytes | None:
        """The next packet of a result set; None for the one that ends it."""
        packet = self.connection._read_packet()
        return None if packet.is_eof_packet() else bytes(packet.get_all_data())

    def take_buffered(self) -> bytes:
        """What PyMySQL has received and not used yet; from here on `receive` alone may read."""
        reader = self.connection._rfile
        return bytes(reader.read(len(reader.peek())))

    def receive(self, into: memoryview) -> int:
        """At least one byte from the socket (or through TLS); waits at most the session's timeout."""
        count = self.connection._sock.recv_into(into)
        if not count:
            raise SourceUnavailable("the connection to the server was lost")
        return int(count)

    def drain(self, pending: bytes = b"") -> None:
        """Have the server end a result that is under way, and throw away what it has sent: the transaction
        stays. `pending`: bytes taken from the connection and not used, from the beginning of a packet. Never
        raises; the connection is dropped if it fails."""
        try:
            self._end_statement()
            self._skip(pending)
            # The order may have come when all was sent: then it is the next statement that it ends.
            with suppress(pymysql.MySQLError):
                self._query("SELECT 1")
            self._query("SELECT 1")
        except (MainstemError, pymysql.MySQLError, OSError, RuntimeError, AssertionError):
            self.abandon()

    def _end_statement(self) -> None:
        """Kill the statement, through a connection of its own, if that sees it at work: behind a balancer it
        may have come to another server, where the number is somebody else's."""
        number = self.connection.thread_id()
        other = Session(self.address, self.timeout, patient=False)
        try:
            seen = other.rows(
                f"SELECT COMMAND, INFO FROM information_schema.PROCESSLIST WHERE ID = {number:d}"
            )
            if not seen:
                raise SourceUnavailable("the server does not know the connection")
            command, text = seen[0]
            if command == "Query" and str(text)[:_COMPARED] == self._sent[:_COMPARED]:
                other.rows(f"KILL QUERY {number:d}")
        finally:
            other.close()

    def _skip(self, pending: bytes) -> None:
        """Read up to the packet that ends a result set: an EOF packet, or an error."""
        reader = _Ahead(pending, self.connection._rfile)
        continued = False  # a packet of 16 MB - 1 goes on in the next one, whatever that begins with
        while True:
            length = int.from_bytes(reader.read(4)[:3], "little")
            first = reader.read(length)[:1]
            if not continued and (first == b"\xff" or (first == b"\xfe" and length < 9)):
                return
            continued = length == _LONGEST

    @property
    def sequence(self) -> int:
        """The number that the next packet must have."""
        return int(self.connection._next_seq_id)

    @contextmanager
    def translated(self, where: Where | None = None) -> Iterator[None]:
        """Foreign errors inside become ours."""
        try:
            yield
        except (pymysql.MySQLError, OSError, RuntimeError, AssertionError) as error:
            raise translate(error, where) from None

    def quoted(self, text: str) -> str:
        """A string literal."""
        return str(self.connection.escape(text))

    @property
    def is_open(self) -> bool:
        return bool(self.connection.open)

    def close(self) -> None:
        """Say goodbye to the server; safe to call twice."""
        if self.connection.open:
            self.connection.close()

    def abandon(self) -> None:
        """Drop the connection without a word: a result set is still under way."""
        self.connection._force_close()

    def _pin(self) -> None:
        """Set what changes the meaning or the text of a value, and read it back (the server may refuse
        silently, or a proxy swallow it)."""
        endless = f", {limit}=0" if (limit := self._time_limit) else ""
        self.rows(
            "SET SESSION time_zone='+00:00', sql_mode='', sql_big_selects=1, "
            f"sql_select_limit={_NO_LIMIT}, net_write_timeout={_DAY}, net_read_timeout={_DAY}, "
            f"lock_wait_timeout={max(1, math.ceil(self.timeout))}{endless}"
        )
        self.rows("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        wanted = {
            "time_zone": "+00:00",
            "sql_mode": "",
            "sql_select_limit": str(_NO_LIMIT),
            "net_write_timeout": str(_DAY),
            "character_set_client": "utf8mb4",
            "character_set_connection": "utf8mb4",
            "character_set_results": "utf8mb4",
            "transaction_read_only": "ON",
        }
        names = ", ".join(f"'{name}'" for name in (*wanted, "tx_read_only"))
        found: dict[str, str] = dict(self.rows(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})"))
        if "tx_read_only" in found:  # its name before MySQL 5.7.20 and MariaDB 11.1
            found["transaction_read_only"] = found["tx_read_only"]
        wrong = sorted(name for name, setting in wanted.items() if found.get(name) != setting)
        if wrong:
            raise SourceRefused(f"the server did not keep the session's settings: {', '.join(wrong)}")
        if self.connection.server_status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES:
            raise SourceRefused("the server did not keep the session's sql_mode")


def _socket(address: Address) -> socket.socket:
    """A connected socket. PyMySQL's own way would leave one open behind a failure."""
    if not address.unix_socket:
        try:
            opened = socket.create_connection((address.host, address.port), address.connect_timeout)
        except OSError:
            raise SourceUnavailable("the server cannot be reached", hint=_UNREACHABLE) from None
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return opened
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.settimeout(address.connect_timeout)
        opened.connect(address.unix_socket)
    except OSError:
        opened.close()
        raise SourceUnavailable("the server cannot be reached", hint=_UNREACHABLE) from None
    return opened


def _tls(address: Address) -> dict[str, Any]:
    """PyMySQL's arguments. Over a Unix socket nothing leaves the machine: encrypted on demand only."""
    if address.tls is TLS.DISABLED or (address.unix_socket and address.tls is TLS.PREFERRED):
        return {"ssl_disabled": True}
    if address.tls is TLS.PREFERRED and not address.ssl_ca:
        return {}
    if address.tls is TLS.VERIFY_IDENTITY or address.ssl_ca:
        try:
            context = ssl.create_default_context(cafile=address.ssl_ca or None)
        except OSError as error:
            raise SourceRefused("the file that ssl_ca names cannot be read as certificates") from error
        context.check_hostname = address.tls is TLS.VERIFY_IDENTITY
        return {"ssl": context}
    return {"ssl": _unverified()}


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
