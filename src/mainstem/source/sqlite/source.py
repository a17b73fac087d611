"""The source itself: one read-only connection an operation, one transaction a snapshot."""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote as percent_encoded
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from mainstem.arrow import schema_of
from mainstem.errors import (
    MainstemError,
    OutOfTime,
    SourceRefused,
    SourceUnavailable,
    UsageError,
    ValueNotExact,
    Where,
)
from mainstem.schema import Column, Database, Table
from mainstem.source.guard import own_columns
from mainstem.source.port import Finding, OutOfRange, SourceOptions
from mainstem.source.sqlite import decode
from mainstem.source.sqlite.dialect import SQLiteDialect, quote, read_sql, register
from mainstem.source.sqlite.introspect import tables_of

_OLDEST = (3, 37, 0)  # pragma_table_list
_FIRST_ROWS = 4096
_STEPS = 20_000  # of the virtual machine: about a millisecond
_MOST_ROWS = 1 << 17
_CHECKED_BYTES = 256 << 20
_WAL_INDEX_HEADER = 48  # bytes; https://www.sqlite.org/walformat.html, section 2.1
_POSITION_TRIES = 5


class SQLiteSnapshot:
    """One read transaction. Other processes may write meanwhile; this view does not see it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        position: Mapping[str, str],
        out_of_range: Mapping[tuple[str, str], OutOfRange],
    ) -> None:
        self.position = position
        self._connection = connection
        self._out_of_range = out_of_range

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        """All rows, or those that fulfil `where`, in batches of about `batch_bytes`."""
        schema = schema_of(table.columns)
        names = ", ".join(f"{read_sql(column)} AS c{i}" for i, column in enumerate(table.columns))
        wanted = f" WHERE {where}" if where else ""
        count = _FIRST_ROWS
        with _mapped(table):
            self._require_columns(table)
            rows = self._connection.execute(f"SELECT {names} FROM main.{quote(table.source_name)}{wanted}")
            while found := rows.fetchmany(count):
                arrays = [
                    decode.array(values, table, column, as_text=self._as_text(table, column))
                    for values, column in zip(zip(*found, strict=True), table.columns, strict=True)
                ]
                batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
                count = min(max(int(batch_bytes * len(found) / max(batch.nbytes, 1)), 1), _MOST_ROWS)
                yield batch

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        """See the port. SQLite asks every few thousand of its steps whether to go on."""
        end = monotonic() + seconds
        with _mapped():
            self._connection.set_progress_handler((lambda: monotonic() >= end) if seconds else None, _STEPS)
            try:
                return self._connection.execute(sql).fetchall()
            finally:
                self._connection.set_progress_handler(None, 0)

    def _as_text(self, table: Table, column: Column) -> bool:
        return self._out_of_range.get((table.name, column.name)) is OutOfRange.TEXT

    def _require_columns(self, table: Table) -> None:
        # SQLite takes a quoted name that is no column for a string: a column dropped since would read
        # as its own name.
        found = self._connection.execute(
            "SELECT name, type FROM pragma_table_xinfo(?)", (table.source_name,)
        ).fetchall()
        present = {name.lower(): declared for name, declared in found}
        for column in own_columns(table):
            where = Where(table=table.name, column=column.name)
            if column.name.lower() not in present:
                raise SourceRefused("is no longer in the source", where=where, hint="run again")
            if column.native and present[column.name.lower()] != column.native:
                raise SourceRefused("was altered since it was looked at", where=where, hint="run again")


class SQLiteSource:
    """A SQLite file, opened read-only. Connections live as long as one operation."""

    def __init__(self, path: Path, options: SourceOptions | None = None) -> None:
        """`path` of the database file; nothing is opened yet."""
        if sqlite3.sqlite_version_info < _OLDEST:
            raise UsageError(f"Python's SQLite is {sqlite3.sqlite_version}, at least 3.37 is needed")
        self.path = path
        self.options = options or SourceOptions()
        self.dialect = SQLiteDialect()
        self._open: set[sqlite3.Connection] = set()

    @classmethod
    def from_url(
        cls, url: str, options: SourceOptions | None = None, *, base: Path | None = None
    ) -> SQLiteSource:
        """`sqlite:////absolute/path.db` or `sqlite:///relative.db` (to `base`, or the working directory).

        Raises UsageError for anything else: a host, a query, no path.
        """
        parts = urlsplit(url)
        path = unquote(parts.path)[1:]
        if parts.scheme != "sqlite" or parts.netloc or not path or path == ":memory:":
            raise UsageError(
                "not the URL of a SQLite file", hint="write sqlite:///file.db or sqlite:////absolute/file.db"
            )
        if parts.query or parts.fragment:
            raise UsageError(
                "a SQLite URL takes no options", hint="write ? as %3F and # as %23 in the file's name"
            )
        return cls((base or Path()) / path, options)

    def introspect(self) -> Database:
        with self._connected() as connection, _mapped():
            tables = tables_of(connection, self.options)
        return Database("sqlite", self.path.stem, sqlite3.sqlite_version, tables)

    @contextmanager
    def snapshot(self) -> Iterator[SQLiteSnapshot]:
        """One read transaction; leaving the context rolls it back and closes the connection."""
        with self._connected() as connection:
            with _mapped():
                position = self._begin(connection)
            yield SQLiteSnapshot(connection, position, self.options.out_of_range)

    def diagnose(self) -> Sequence[Finding]:
        """Whether the file can be read and is sound (checked page by page up to 256 MB)."""
        try:
            with self._connected() as connection, _mapped():
                (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
                findings = [
                    Finding("ok", "connection", f"opened read-only, SQLite {sqlite3.sqlite_version}"),
                    Finding("ok", "journal", f"journal mode {journal}"),
                ]
                if self.path.stat().st_size <= _CHECKED_BYTES:
                    sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
                    findings.append(
                        Finding("ok", "file", "its pages are sound")
                        if sound
                        else Finding(
                            "error", "file", "it is damaged", "run PRAGMA integrity_check; restore it"
                        )
                    )
                return findings
        except MainstemError as error:
            return [Finding("error", "connection", error.message, error.hint)]

    def close(self) -> None:
        for connection in list(self._open):
            connection.close()
        self._open.clear()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with _mapped():
            connection = self._connect()
        self._open.add(connection)
        try:
            yield connection
        finally:
            self._open.discard(connection)
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise SourceRefused(f"there is no file {self.path}", hint="check the source's URL")
        uri = f"file:{percent_encoded(str(self.path.absolute()))}?mode=ro"
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=self.options.timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            register(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _begin(self, connection: sqlite3.Connection) -> dict[str, str]:
        """Begin the read transaction at a known position: the file's state is looked at before and
        after the first read, and it is begun again if a commit came in between."""
        position = self._state()
        for _ in range(_POSITION_TRIES):
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            before, position = position, self._state()
            if before == position:
                return position
            connection.execute("ROLLBACK")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return {**position, "exact": "no"}

    def _state(self) -> dict[str, str]:
        """What changes with each commit: the file's size, time and change counter, and the header of
        the write-ahead log's index (https://www.sqlite.org/fileformat.html, section 1.3)."""
        stat = self.path.stat()
        with self.path.open("rb") as file:
            header = file.read(100)
        counter = struct.unpack(">I", header[24:28])[0] if len(header) == 100 else 0
        state = {
            "size": str(stat.st_size),
            "mtime_ns": str(stat.st_mtime_ns),
            "change_counter": str(counter),
        }
        index = Path(f"{self.path.resolve()}-shm")
        if index.is_file():
            with index.open("rb") as file:
                state["wal_index"] = file.read(_WAL_INDEX_HEADER).hex()
        return state


@contextmanager
def _mapped(table: Table | None = None) -> Iterator[None]:
    """Errors of SQLite and of the file system as Mainstem's own, without a value in the message."""
    try:
        yield
    except sqlite3.Error as error:
        raise _error_of(error, table) from None
    except OSError as error:
        raise SourceUnavailable(f"the SQLite file cannot be read: {error.strerror}") from None


def _error_of(error: sqlite3.Error, table: Table | None) -> MainstemError:
    text = str(error)
    if match := re.match(r"Could not decode to UTF-8 column 'c(\d+)'", text):
        name = table.columns[int(match[1])].name if table else ""
        where = Where(table=table.name if table else "", column=name)
        return ValueNotExact(
            "holds text that is not UTF-8", where=where, hint="correct the text or store it as a BLOB"
        )
    where = Where(table=table.name if table else "")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return OutOfTime("the question took longer than it may", where=where)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        hint = "run again when it has ended, or raise the source's timeout in mainstem.yml"
        return SourceUnavailable("another program holds the SQLite file locked", where=where, hint=hint)
    if code == sqlite3.SQLITE_NOTADB:
        return SourceRefused(
            "the file is not a SQLite database, or is encrypted",
            where=where,
            hint="check the source's URL",
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return SourceRefused(
            "the SQLite file is damaged", where=where, hint="run PRAGMA integrity_check; restore a backup"
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return SourceRefused(
            "the SQLite file cannot be opened",
            where=where,
            hint="check its permissions; with a write-ahead log the directory must be writable, too",
        )
    if code == sqlite3.SQLITE_IOERR:
        return SourceUnavailable("the SQLite file cannot be read", where=where)
    if code == sqlite3.SQLITE_ERROR and text.startswith(("no such table", "no such column")):
        return SourceRefused("the table has changed since it was looked at", where=where, hint="run again")
    return SourceRefused(f"SQLite refused the query ({error.__class__.__name__})", where=where)
