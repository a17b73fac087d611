"""One connection: pinned settings, a watch over silence, errors as Mainstem's own."""

from __future__ import annotations

import select
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import pq, waiting

from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable, UsageError, ValueNotExact, Where
from mainstem.source.postgres.url import Address

RV = TypeVar("RV")
OLDEST = 13
CONNECT_SECONDS = 15
_SLICE = 0.25  # seconds between looks at the clock

# Everything on which a text of the server depends, and what keeps the session a reader.
SETTINGS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "quote_all_identifiers": "off",  # regclass and its like
    "row_security": "off",
    "default_transaction_read_only": "on",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "jit": "off",
    "search_path": "pg_catalog",
}


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A psycopg connection that waits for bytes `silence_limit` seconds at most, then asks `on_silence`
    whether to go on. After a refusal the connection is closed."""

    silence_limit: float = 60.0
    on_silence: Callable[[], bool] | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.in_use = Lock()
        """Held by whoever calls libpq behind psycopg's back, and by whoever ends the connection."""

    def wait(
        self,
        gen: Generator[waiting.Wait, waiting.Ready, RV],
        interval: float = 0,
        timeout: float | None = None,
    ) -> RV:
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(self._ready(wanted))
        except StopIteration as stop:
            value: RV = stop.value
            return value

    def wait_readable(self) -> None:
        """Return when there are bytes to read; SourceUnavailable after `silence_limit` seconds."""
        self._ready(waiting.Wait.R)

    def _ready(self, wanted: waiting.Wait) -> waiting.Ready:
        poll = select.poll()
        mask = (select.POLLIN if wanted & waiting.Wait.R else 0) | (
            select.POLLOUT if wanted & waiting.Wait.W else 0
        )
        poll.register(self.pgconn.socket, mask)
        deadline = monotonic() + self.silence_limit
        while True:
            left = deadline - monotonic()
            found = poll.poll(max(min(left, _SLICE), 0) * 1000)
            if found:
                return _ready_of(found[0][1], wanted)
            if left <= 0:
                if self.on_silence is None or not self.on_silence():
                    self.pgconn.finish()
                    raise SourceUnavailable(
                        f"the server has sent nothing for {self.silence_limit:g} seconds",
                        hint="run again; raise the source's `timeout` if the server is that slow",
                    )
                deadline = monotonic() + self.silence_limit


def _ready_of(events: int, wanted: waiting.Wait) -> waiting.Ready:
    if events & ~(select.POLLIN | select.POLLOUT):  # an error shows when libpq reads or writes
        return waiting.Ready(int(wanted))
    read = waiting.Ready.R if events & select.POLLIN else waiting.Ready.NONE
    write = waiting.Ready.W if events & select.POLLOUT else waiting.Ready.NONE
    return waiting.Ready(int(read) | int(write))


def connect(address: Address, timeout: float) -> Session:
    """A connection with pinned settings, read back. Raises SourceRefused or SourceUnavailable."""
    with mapped(address, connecting=True):
        session = Session.connect(autocommit=True, prepare_threshold=None, **_parameters(address, timeout))
    session.silence_limit = timeout
    try:
        with mapped(address):
            _pin(session)
            session.execute(f"SET lock_timeout = {max(int(timeout * 1000), 1)}".encode())
    except MainstemError:
        session.close()
        raise
    return session


def _parameters(address: Address, timeout: float) -> dict[str, Any]:
    """libpq's parameters; a part that the URL leaves out is left to libpq (PGUSER, ~/.pgpass)."""
    named = {"user": address.user, "password": address.password, "sslrootcert": address.sslrootcert}
    return {
        "host": address.host,
        "port": address.port,
        "dbname": address.database,
        "sslmode": address.sslmode,
        "application_name": address.application_name,
        "connect_timeout": address.connect_timeout or max(int(min(timeout, CONNECT_SECONDS)), 2),
        "keepalives": 1,
        "keepalives_idle": max(int(timeout / 2), 1),
        "keepalives_interval": max(int(timeout / 6), 1),
        "keepalives_count": 3,
        "tcp_user_timeout": int(timeout * 1000),
        **{key: value for key, value in named.items() if value},
    }


def _pin(session: Session) -> None:
    if session.info.server_version < OLDEST * 10_000:
        raise UsageError(
            f"PostgreSQL {session.info.server_version // 10_000} is too old", hint=f"{OLDEST} or newer"
        )
    settings = list(SETTINGS.items())
    values = ", ".join(f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in settings)
    session.execute(f"SELECT {values}".encode())
    names = ", ".join(f"pg_catalog.current_setting('{name}')" for name, _ in settings)
    found = session.execute(f"SELECT {names}".encode()).fetchone() or ()
    for (name, value), got in zip(settings, found, strict=True):
        if got != value:
            raise SourceRefused(f"the server does not keep the setting {name} = {value}")


def statement(session: Session, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a statement, fetched at once."""
    return session.execute(sql.encode()).fetchall()


def close(session: Session) -> None:
    """End the connection; a statement that still runs is cancelled first. Never raises."""
    if session.closed:
        return
    if session.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
        cancel(session)
    with session.in_use:
        session.close()


def cancel(session: Session) -> None:
    """Ask the server to end the running statement. Never raises: the connection is closed if it fails."""
    try:
        session.cancel_safe(timeout=5)
    except (psycopg.Error, OSError):
        with session.in_use:
            session.pgconn.finish()


@contextmanager
def mapped(address: Address, where: Where | None = None, *, connecting: bool = False) -> Iterator[None]:
    """psycopg's errors as Mainstem's own, by SQLSTATE; without values, without the password."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate:
            raise _error_of(error.sqlstate, where) from None
        if connecting and (refused := _refused_login(str(error), address)):
            raise refused from None
        raise _unavailable(str(error), address, where) from None
    except OSError as error:
        raise SourceUnavailable(
            f"the connection to {address.host}:{address.port} failed: {error.strerror}", where=where
        ) from None


_LOCKED = {
    "40P01": "the server ended the transaction to break a deadlock",
    "55P03": "another session held its lock on the table for longer than the source's timeout",
}
_CHANGED = ("42P01", "42703", "3F000", "42704", "42804", "42846")
_REFUSED_LOGINS = (
    ("password authentication failed", "the server refused user and password"),
    ("no password supplied", "the server asks for a password, and the URL has none"),
    ("no pg_hba.conf entry", "the server allows no login from here with this user and database"),
    ("role ", "the server does not know this user, or does not let it log in"),
    ("database ", "there is no such database, or the user may not connect to it"),
    ("root certificate file", "the file of sslrootcert cannot be read"),
    ("certificate", "the server's certificate was not accepted"),
    ("SSL", "the server does not offer TLS as sslmode demands"),
)
_LATER = (
    "starting up",
    "shutting down",
    "in recovery mode",
    "too many",
    "connection slots",
    "closed the connection",
)


def _error_of(sqlstate: str, where: Where | None) -> MainstemError:
    if sqlstate == "42501":
        return SourceRefused(
            "the source's user may not read it",
            where=where,
            hint="GRANT SELECT (and USAGE on the schema) to the user, or exclude the table",
        )
    if sqlstate in ("22021", "22P05"):  # the server checks what it sends, unless its encoding is UTF8
        return ValueNotExact(
            "holds text that is not UTF-8", where=where, hint="correct the text in the source"
        )
    if sqlstate in _CHANGED:
        return SourceRefused("it has changed since it was looked at", where=where, hint="run again")
    if sqlstate in _LOCKED:
        return SourceUnavailable(f"{_LOCKED[sqlstate]} (SQLSTATE {sqlstate})", where=where, hint="run again")
    if sqlstate[:2] in ("08", "53", "57", "58", "XX") or sqlstate in ("40001", "25P03"):
        return SourceUnavailable(f"the server broke off (SQLSTATE {sqlstate})", where=where, hint="run again")
    return SourceRefused(f"the server refused the statement (SQLSTATE {sqlstate})", where=where)


def _refused_login(text: str, address: Address) -> MainstemError | None:
    """Did the server say no? A failed login carries no SQLSTATE: libpq keeps the text alone."""
    if any(word in text for word in _LATER) or not any(
        word in text for word in ("FATAL", "SSL", "certificate")
    ):
        return None
    found = (message for word, message in _REFUSED_LOGINS if word in text)
    message = next(found, "the server refused the login")
    who = f"user {address.user!r}, " if address.user else ""
    place = f"{address.host}:{address.port}, {who}database {address.database!r}"
    return SourceRefused(f"{message} ({place})", hint="check the source's URL")


def _unavailable(text: str, address: Address, where: Where | None) -> MainstemError:
    reason = next((word for word in _REASONS if word in text), "the connection was lost")
    place = f"{address.host}:{address.port}"
    return SourceUnavailable(f"{place} cannot be reached: {reason}", where=where, hint="is the server up?")


_REASONS = (
    "Connection refused",
    "timeout expired",
    "could not translate host name",
    "failed to resolve host",
    "No route to host",
    "Network is unreachable",
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "server closed the connection unexpectedly",
)
