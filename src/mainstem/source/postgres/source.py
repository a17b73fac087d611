"""The source itself: a repeatable-read, read-only transaction a snapshot, one COPY a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
from psycopg import pq
from psycopg.errors import QueryCanceled

from mainstem.errors import MainstemError, OutOfTime, SourceRefused, SourceUnavailable, UsageError, Where
from mainstem.schema import Database, Table
from mainstem.source.port import APPLIED, Finding, SourceOptions
from mainstem.source.postgres import session as sessions
from mainstem.source.postgres.copying import Copied, drain
from mainstem.source.postgres.decode import Choice, decoder_of
from mainstem.source.postgres.diagnose import findings
from mainstem.source.postgres.dialect import HASH_PROBE, PostgresDialect
from mainstem.source.postgres.introspect import PARENTS, SERVER, tables_of
from mainstem.source.postgres.layout import Layout, altered, layout_of, require_unaltered
from mainstem.source.postgres.misfit import Misfit, error_of
from mainstem.source.postgres.pages import PAGES, literal_name, number_of_parts, page_ranges
from mainstem.source.postgres.session import Session, mapped, statement
from mainstem.source.postgres.types import wire
from mainstem.source.postgres.url import Address, parse

_PROBE_SHARE = 0.75  # of the timeout: a dead connection is given up within twice the timeout
_MAX_BATCH = 1 << 30  # bytes: a batch's texts must fit 32-bit offsets, with one more piece on top
_POSITION = """
SELECT pg_current_snapshot()::text, pg_is_in_recovery(),
  (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text
"""
_APPLIED = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text END"
_CONTROL = """
SELECT (pg_control_system()).system_identifier::text, (pg_control_checkpoint()).timeline_id::text
"""
_MAY_CONTROL = """
SELECT has_function_privilege('pg_control_system()', 'EXECUTE')
  AND has_function_privilege('pg_control_checkpoint()', 'EXECUTE')
"""


class PostgresSnapshot:
    """One repeatable-read transaction. A statement that fails leaves the view as it was."""

    def __init__(
        self,
        session: Session,
        position: Mapping[str, str],
        address: Address,
        dialect: PostgresDialect,
        choice: Choice,
        tables: Callable[[], Sequence[Table]],
        beside: Callable[[str], AbstractContextManager[PostgresSnapshot]],
    ) -> None:
        self.position = position
        self._beside = beside
        self._tables = tables
        self._layouts: dict[str, Layout] = {}
        self._session = session
        self._address = address
        self._dialect = dialect
        self._choice = choice

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        """All rows, or those that fulfil `where`, in batches of about `batch_bytes`, by COPY."""
        place, wanted = Where(table=table.name), f" WHERE {where}" if where else ""
        with self._kept(place):
            self._require_readable(table, place)
            self._require_layout(table)
            columns = ", ".join(wire(column) for column in table.columns)
            decoder = decoder_of(table, self._choice)
            query = f"SELECT {decoder.lead}{columns} FROM {self._dialect.ref(table)}{wanted}"
            sql = f"COPY ({query}) TO STDOUT (FORMAT {decoder.form})"
            stream = Copied(self._session, sql)
            size = rows = 0
            try:
                for chunk in stream:
                    decoder.feed(chunk)
                    size += len(chunk)
                    if size >= min(batch_bytes, _MAX_BATCH) and decoder.rows:
                        rows += decoder.rows
                        yield decoder.take()
                        size = 0
                if not decoder.done or rows + decoder.rows != stream.rows:
                    raise SourceUnavailable("the server ended the read early", where=place, hint="run again")
                if decoder.rows:
                    yield decoder.take()
            except Misfit as misfit:
                raise error_of(misfit, table) from None

    def parts(self, table: Table) -> Sequence[str]:
        """See `Divisible`: ranges of pages, which a server reads alone since version 14."""
        with mapped(self._address, Where(table=table.name)):  # asked of the connection
            server = self._session.info.server_version
        number = number_of_parts(table, server)
        return page_ranges(self.select(PAGES.format(name=literal_name(table))), number) if number else ()

    def order(self, table: Table) -> str:
        """See `Divisible`: pages have one order."""
        return ""

    @contextmanager
    def twin(self) -> Iterator[PostgresSnapshot]:
        """See `Divisible`: another transaction with this one's exported snapshot."""
        with mapped(self._address):
            ((name,),) = statement(self._session, "SELECT pg_export_snapshot()")
        with self._beside(name) as snapshot:
            yield snapshot

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        """See the port. The time limit goes back with the savepoint, or is taken back."""
        with self._kept(None):
            if not seconds:
                return statement(self._session, sql)
            try:
                self._session.execute(f"SET LOCAL statement_timeout = {max(int(seconds * 1000), 1)}".encode())
                rows = statement(self._session, sql)
            except QueryCanceled:
                raise OutOfTime("the question took longer than it may") from None
            self._session.execute(b"SET LOCAL statement_timeout = 0")
            return rows

    @contextmanager
    def _kept(self, where: Where | None) -> Iterator[None]:
        """Whatever goes wrong inside, the transaction and its view survive, as long as the connection
        does: a savepoint before, back to it after an error."""
        with mapped(self._address, where):
            self._session.execute("SAVEPOINT mainstem")
        try:
            with mapped(self._address, where):
                yield
        except BaseException:
            self._recover()
            raise
        with mapped(self._address, where):
            self._session.execute("RELEASE SAVEPOINT mainstem")

    def _recover(self) -> None:
        session = self._session
        if session.closed or session.pgconn.status != pq.ConnStatus.OK:
            return
        try:
            with mapped(self._address):
                if session.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                    sessions.cancel(session)
                    drain(session)
                session.execute("ROLLBACK TO SAVEPOINT mainstem")
        except MainstemError:
            session.pgconn.finish()  # the first error is the one to tell

    def _require_layout(self, table: Table) -> None:
        """The columns are those that introspection saw, in this view and in the table as it is now."""
        if not self._layouts:
            self._layouts = {seen.name: layout_of(seen) for seen in self._tables()}
        if not self._layouts.get(table.name, {}).items() >= layout_of(table).items():
            raise altered(table, self._layouts.get(table.name, {}))
        require_unaltered(self._session, self._dialect, table)

    def _require_readable(self, table: Table, where: Where) -> None:
        name = literal_name(table)
        ((found, secured),) = statement(
            self._session,
            f"SELECT to_regclass('{name}') IS NOT NULL, row_security_active(to_regclass('{name}')::oid)",
        )
        if not found:
            raise SourceRefused("is no longer in the source", where=where, hint="run again")
        if secured:
            raise SourceRefused(
                "has row-level security: its user would see a part of the rows only",
                where=where,
                hint="give the source a user with BYPASSRLS, or exclude the table",
            )


class PostgresSource:
    """A PostgreSQL database. A snapshot has a connection of its own."""

    def __init__(
        self, address: Address, options: SourceOptions | None = None, *, decoder: Choice = "auto"
    ) -> None:
        """`decoder` forces the compiled or the plain one (for tests); nothing is opened yet."""
        self.address = address
        self.options = options or SourceOptions()
        self.dialect = PostgresDialect()
        self._decoder: Choice = decoder
        self._sessions: set[Session] = set()
        if self.options.schemas and address.schemas:
            raise UsageError("schemas are named in the URL and in the options", hint="keep one of them")

    @classmethod
    def from_url(
        cls, url: str, options: SourceOptions | None = None, *, decoder: Choice = "auto"
    ) -> PostgresSource:
        """`postgresql://user:password@host:port/database` (or `postgres://…`), parts percent-encoded.

        Options of the URL: sslmode, sslrootcert, connect_timeout, schema (comma-separated),
        application_name. Raises UsageError for anything else.
        """
        return cls(parse(url), options, decoder=decoder)

    def introspect(self) -> Database:
        with self._connected() as session, mapped(self.address):
            self._look(session)
            schemas = self.options.schemas or self.address.schemas
            tables = tables_of(partial(statement, session), schemas, self.options)
            ((version, name, seen),) = statement(session, SERVER)
            server = session.info.server_version
        tables = tuple(replace(table, parts=number_of_parts(table, server)) for table in tables)
        aside = Counter(schema for schema in seen if not schemas and schema != "public")
        return Database("postgres", name, version, tables, tuple(aside.items()))

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """One consistent view; leaving the context rolls back and closes the connection."""
        with self._viewing("") as snapshot:
            yield snapshot

    @contextmanager
    def _viewing(self, exported: str) -> Iterator[PostgresSnapshot]:
        """A transaction with a view of its own, or with one that another transaction has exported."""
        with self._connected() as session:
            with mapped(self.address):
                applied = {} if exported else _applied(session)
                session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                if exported:
                    session.execute(f"SET TRANSACTION SNAPSHOT '{exported}'".encode())
                position = _position(session) | applied
                if not exported:
                    self._look(session)
            schemas = self.options.schemas or self.address.schemas
            look = partial(tables_of, partial(statement, session), schemas, self.options)
            yield PostgresSnapshot(
                session, position, self.address, self.dialect, self._decoder, look, self._viewing
            )

    def diagnose(self) -> Sequence[Finding]:
        """Version, encryption, surplus and missing privileges, row-level security."""
        try:
            with self._connected() as session, mapped(self.address):
                return findings(
                    partial(statement, session),
                    self.options.schemas or self.address.schemas or ("public",),
                    encrypted=bool(session.pgconn.ssl_in_use),
                    host=self.address.host,
                )
        except MainstemError as error:
            return [Finding("error", "connection", error.message, error.hint)]

    def close(self) -> None:
        for session in list(self._sessions):
            sessions.close(session)
        self._sessions.clear()

    @contextmanager
    def _connected(self) -> Iterator[Session]:
        session = sessions.connect(self.address, self.options.timeout)
        session.on_silence = lambda: self._works(session.info.backend_pid)
        self._sessions.add(session)
        try:
            yield session
        finally:
            self._sessions.discard(session)
            sessions.close(session)

    def _look(self, session: Session) -> None:
        ((probed,),) = statement(session, HASH_PROBE)
        self.dialect.knows_hash(probed)
        self.dialect.parents.clear()
        self.dialect.parents.update((schema, name) for schema, name in statement(session, PARENTS))

    def _works(self, pid: int) -> bool:
        """Is the server still at work for us? Asked over a second connection when a query is silent."""
        try:
            other = sessions.connect(self.address, self.options.timeout * _PROBE_SHARE)
        except MainstemError:
            return False
        try:
            with mapped(self.address):
                rows = statement(
                    other,
                    "SELECT FROM pg_stat_activity WHERE state = 'active' "
                    f"AND wait_event_type IS DISTINCT FROM 'Client' AND pid = {pid}",
                )
            return bool(rows)
        except MainstemError:
            return False
        finally:
            sessions.close(other)


def _applied(session: Session) -> dict[str, str]:
    """Of a standby: asked before the snapshot is there, which has at least that."""
    ((lsn,),) = statement(session, _APPLIED)
    return {APPLIED: lsn} if lsn else {}


def _position(session: Session) -> dict[str, str]:
    ((snapshot, standby, lsn),) = statement(session, _POSITION)
    position = {"snapshot": snapshot, "lsn": lsn or "", "standby": "yes" if standby else "no"}
    if statement(session, _MAY_CONTROL) == [(True,)]:
        ((system, timeline),) = statement(session, _CONTROL)
        position |= {"system_identifier": system, "timeline": timeline}
    return position
