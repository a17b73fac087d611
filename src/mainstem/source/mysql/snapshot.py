"""One consistent view over all tables, and where in the server's history it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from mainstem.errors import SourceRefused, SourceUnavailable
from mainstem.schema import Table
from mainstem.source.mysql import boundaries
from mainstem.source.mysql.dialect import SEEN
from mainstem.source.mysql.introspect import non_transactional
from mainstem.source.mysql.session import Session
from mainstem.source.port import APPLIED, NON_TRANSACTIONAL, OLDEST_TRANSACTION, SourceOptions

if TYPE_CHECKING:
    import pyarrow as pa


class MySQLSnapshot:
    """A REPEATABLE READ transaction on a connection of its own."""

    def __init__(self, session: Session, database: str, options: SourceOptions, compiled: bool) -> None:
        self._session = session
        self._compiled = compiled
        self._reading = False
        self._loose: list[str] = []
        executed = {} if session.is_mariadb else _gtid_executed(session)
        oldest = _oldest_transaction(session)
        applied = _applied(session) if session.is_mariadb else ""
        loose = non_transactional(session, database, options)
        session.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        position = {"version": session.version, **_identity(session), **executed, **oldest}
        if session.is_mariadb:
            position |= _mariadb_position(session)
            position |= {APPLIED: applied, SEEN: _applied(session)} if applied else {}
        self._loose = loose
        if loose:
            position[NON_TRANSACTIONAL] = json.dumps(loose, ensure_ascii=False)
        self.position: Mapping[str, str] = position

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        """See the port. Stopping before the last batch costs a second connection for a moment."""
        # Here, not at the file's head: a plan reads nothing, and pyarrow takes a fifth of a second.
        from mainstem.source.mysql.reading import read, require_unicode

        self._require_open()
        require_unicode(self._session, table)
        self._reading = True
        try:
            yield from read(self._session, table, batch_bytes, compiled=self._compiled, where=where)
        finally:
            self._reading = False

    def parts(self, table: Table) -> Sequence[str]:
        """See `Divisible`: ranges of the key's first column. A table without transactions is read by one
        statement, or it would be read at several moments."""
        return () if table.name in self._loose else boundaries.conditions(table, self.select)

    def order(self, table: Table) -> str:
        """See `Divisible`: the collation of a key that is a text."""
        return boundaries.order(table, self.select)

    def twin(self) -> AbstractContextManager[MySQLSnapshot]:
        """See `Divisible`. The servers have no way to give a second connection the same view that a reader
        may use (`FLUSH TABLES WITH READ LOCK` blocks writers, and needs RELOAD)."""
        raise SourceRefused("a second connection cannot see the same snapshot")

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        """See the port."""
        self._require_open()
        if not seconds:
            return self._session.rows(sql)
        self._session.end_statements_after(seconds)
        try:
            return self._session.rows(sql)
        finally:
            if self._session.is_open:
                self._session.end_statements_after(0)

    def _require_open(self) -> None:
        if self._reading and self._session.is_open:
            raise RuntimeError("a read of this snapshot is under way: one call at a time")
        if not self._session.is_open:
            raise SourceUnavailable("the snapshot has ended", hint="open a new one")


def _applied(session: Session) -> str:
    """The last transactions of what is, or was, a replica; empty for any other server."""
    ((replicated, last),) = session.rows("SELECT @@GLOBAL.gtid_slave_pos, @@GLOBAL.gtid_current_pos")
    return str(last) if replicated else ""


def _mariadb_position(session: Session) -> dict[str, str]:
    """The exact binary log position of the snapshot (MariaDB's `binlog_snapshot_…` status), if there is a
    binary log: what comes after it is not in the snapshot, what is before it is."""
    status: dict[str, str] = dict(session.rows("SHOW SESSION STATUS LIKE 'binlog_snapshot_%'"))
    found = {name.lower(): str(text) for name, text in status.items()}
    file, offset = found.get("binlog_snapshot_file", ""), found.get("binlog_snapshot_position", "")
    if not file:
        return {}
    position = {"binlog_file": file, "binlog_position": offset}
    gtid = session.rows(f"SELECT BINLOG_GTID_POS({session.quoted(file)}, {int(offset)})")[0][0]
    if gtid:
        position["gtid"] = str(gtid)
    return position


def _oldest_transaction(session: Session) -> dict[str, str]:
    """How long the oldest transaction that may write has been at work; nothing without the privilege
    PROCESS. Asked before the snapshot opens: what is uncommitted then is listed here, or younger."""
    started = "CONVERT_TZ(trx_started, 'SYSTEM', '+00:00')"
    try:
        ((seconds,),) = session.rows(
            f"SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, {started}, UTC_TIMESTAMP())), 0) "
            "FROM information_schema.INNODB_TRX "
            "WHERE trx_is_read_only = 0 AND trx_mysql_thread_id <> CONNECTION_ID()"
        )
    except SourceRefused:
        return {}
    return {OLDEST_TRANSACTION: str(max(int(seconds), 0))}


def _gtid_executed(session: Session) -> dict[str, str]:
    """MySQL: read before the snapshot opens, so that nothing before it can be missing from the snapshot;
    what commits in between is in both."""
    gtid = session.rows("SELECT @@GLOBAL.gtid_executed")[0][0]
    return {"gtid": str(gtid).replace("\n", "")} if gtid else {}


def _identity(session: Session) -> dict[str, str]:
    """Which server this is: a position means nothing on another."""
    names = ("server_uuid", "server_uid", "server_id", "hostname", "port")
    wanted = ", ".join(f"'{name}'" for name in names)
    rows = session.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({wanted})")
    return {str(name): str(text) for name, text in rows if text}
