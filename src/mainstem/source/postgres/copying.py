"""The stream of a COPY … TO STDOUT, in pieces of about a megabyte, each of whole rows.

The server sends a message a row, eight kilobytes at a time; a Python call for each would cost more than
the server's own work. So libpq's functions are called from the kernel, at the addresses that psycopg's own
module is linked with; where these cannot be found, psycopg's wrappers are called instead.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from typing import Protocol

from psycopg import errors, pq
from psycopg.pq.abc import PGconn, PGresult

from mainstem.source.postgres.session import Session

try:
    from mainstem.source._kernel import pgcopy
except ImportError:  # no compiler when it was installed
    pgcopy = None  # type: ignore[assignment]

CHUNK = 1 << 18  # bytes handed over at once
END = -1
FAILED = -2


class _Fetcher(Protocol):
    def fetch(self) -> int:
        """Collect what comes: 1 for a full piece, 0 if the socket is to be waited for, END, FAILED."""

    def take(self) -> bytes:
        """What has come together since the last time."""


class PlainFetcher:
    """The same through psycopg's wrapper."""

    def __init__(self, connection: PGconn) -> None:
        self._get, self._consume = connection.get_copy_data, connection.consume_input
        self._parts: list[memoryview] = []
        self._size = 0  # of the parts: kept while the socket is waited for

    def fetch(self) -> int:
        """See `_Fetcher`."""
        self._consume()
        while self._size < CHUNK:
            count, part = self._get(1)
            if count <= 0:
                return count
            self._parts.append(part)
            self._size += count
        return 1

    def take(self) -> bytes:
        """See `_Fetcher`."""
        taken = b"".join(self._parts)
        self._parts, self._size = [], 0
        return taken


def fetcher_of(connection: PGconn) -> _Fetcher:
    """The compiled fetcher if there is one, else the plain one."""
    addresses = _addresses()
    pointer: int | None = getattr(connection, "pgconn_ptr", None)
    if pgcopy is None or addresses is None or pointer is None:
        return PlainFetcher(connection)
    return pgcopy.Fetcher(pointer, connection.socket, addresses, CHUNK)


def _addresses() -> tuple[int, int, int] | None:
    """Where the functions are that the kernel calls, in the libpq that psycopg itself is linked with."""
    module = sys.modules.get(pq.PGconn.__module__)
    path = getattr(module, "__file__", None)
    if pq.__impl__ == "python" or path is None:
        return None
    try:
        library = ctypes.CDLL(path)
        functions = (library.PQgetCopyData, library.PQconsumeInput, library.PQfreemem)
    except (OSError, AttributeError):  # linked statically, symbols hidden
        return None
    get, consume, free = (ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions)
    return (get, consume, free) if get and consume and free else None


class Copied:
    """Iterate over a COPY's stream, once. Raises psycopg's errors; SourceUnavailable if no byte comes."""

    rows: int | None = None
    """How many the server says it has sent: known at the end."""

    def __init__(self, session: Session, sql: str) -> None:
        self._session = session
        self._sql = sql

    def __iter__(self) -> Iterator[bytes]:
        session = self._session
        connection = session.pgconn
        on_silence, session.on_silence = session.on_silence, None  # rows must come: silence ends the read
        try:
            connection.send_query(self._sql.encode())
            _expect(session, pq.ExecStatus.COPY_OUT)
            fetcher = fetcher_of(connection)
            while (state := _fetched(session, fetcher)) != END:
                if state == 0:
                    session.wait_readable()
                else:
                    yield fetcher.take()
            if rest := fetcher.take():
                yield rest
            self.rows = _expect(session, pq.ExecStatus.COMMAND_OK).command_tuples
            while _result(session) is not None:
                pass
        finally:
            session.on_silence = on_silence


def _fetched(session: Session, fetcher: _Fetcher) -> int:
    """`fetch` while nobody else can free the connection, which the kernel knows by its address."""
    with session.in_use:
        if session.closed:
            raise errors.OperationalError("the connection is closed")
        state = fetcher.fetch()
    if state == FAILED:
        raise errors.OperationalError(session.pgconn.error_message.decode(errors="replace"))
    return state


def drain(session: Session) -> None:
    """Throw away what a broken-off statement still sends. Raises psycopg's errors."""
    while (result := _result(session)) is not None:
        if result.status == pq.ExecStatus.COPY_OUT:
            fetcher = fetcher_of(session.pgconn)
            while (state := _fetched(session, fetcher)) != END:
                fetcher.take()
                if state == 0:
                    session.wait_readable()


def _result(session: Session) -> PGresult | None:
    connection = session.pgconn
    while connection.is_busy():
        session.wait_readable()
        connection.consume_input()
    return connection.get_result()


def _expect(session: Session, status: pq.ExecStatus) -> PGresult:
    """Take the next result, which must have that status; raise the server's error otherwise."""
    result = _result(session)
    if result is not None and result.status == status:
        return result
    if result is None or result.status != pq.ExecStatus.FATAL_ERROR:
        raise errors.InternalError("unexpected result")
    raise errors.error_from_result(result)
