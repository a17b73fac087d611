"""A table's rows as Arrow batches, while the server sends them (unbuffered)."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pyarrow as pa
from pymysql.err import raise_mysql_exception

from mainstem.arrow import schema_of
from mainstem.errors import SourceRefused, SourceUnavailable, ValueNotExact, Where
from mainstem.schema import Table
from mainstem.source.guard import own_columns
from mainstem.source.mysql.charsets import doubtful, lost_statement
from mainstem.source.mysql.decode import Problem, decode_batch, not_exact, split_row
from mainstem.source.mysql.mapping import fits, native_text, quote, selected, wire
from mainstem.source.mysql.session import Session

try:
    from mainstem.source._kernel import mysqlrows
except ImportError:  # no compiler where it was installed
    mysqlrows = None  # type: ignore[assignment]

COMPILED: bool = mysqlrows is not None
_BLOCK = 1 << 20  # bytes asked of the socket at once
_PIECE = 1 << 20  # bytes that are Python objects at a time: those take ten times the room
_MAX_BATCH = 1 << 30  # bytes: a batch's texts must fit 32-bit offsets, with one more row on top


def read(
    session: Session, table: Table, batch_bytes: int, *, compiled: bool = True, where: str = ""
) -> Iterator[pa.RecordBatch]:
    """All rows, or those that fulfil `where`. The iteration ends only after the end-of-result packet was
    seen; if the server goes away it raises. A reader that stops early, or refuses a value, has the server
    end the statement: the connection, and with it the snapshot, stays."""
    place = Where(table=table.name)
    batches = _batches(session, table, min(max(1, batch_bytes), _MAX_BATCH), compiled, where)
    try:
        while True:
            with session.translated(place):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch
    finally:
        batches.close()


def require_unicode(session: Session, table: Table) -> None:
    """ValueNotExact if a text of the table would arrive as question marks. Nothing is under way then."""
    columns = doubtful(table)
    if not columns:
        return
    (found,) = session.rows(lost_statement(table, columns), Where(table=table.name))
    for column, lost in zip(columns, found, strict=True):
        if lost:
            raise not_exact(table, column, Problem.CHARSET)


def select_statement(table: Table) -> str:
    """The SELECT of a read: every column by name, those hidden from `SELECT *` too."""
    columns = ", ".join(selected(column) for column in table.columns)
    return f"SELECT {columns} FROM {quote(table.source_schema)}.{quote(table.source_name)}"


def require_unaltered(session: Session, table: Table) -> None:
    """Look at the table, which keeps its definition as it is until the transaction ends (metadata lock),
    then compare the definition with what introspection saw."""
    name = f"{quote(table.source_schema)}.{quote(table.source_name)}"
    session.rows(f"SELECT 1 FROM {name} LIMIT 0", Where(table=table.name))
    rows = session.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, CHARACTER_SET_NAME "
        "FROM information_schema.COLUMNS "
        f"WHERE TABLE_SCHEMA = {session.quoted(table.source_schema)} "
        f"AND TABLE_NAME = {session.quoted(table.source_name)}"
    )
    exact = (table.source_schema, table.source_name)  # the server compares these names without case
    now = {row[2]: (native_text(row[3], row[5]), row[4] == "YES") for row in rows if row[:2] == exact}
    for column in own_columns(table):
        native, nullable = now.get(column.name, ("", False))
        if (native, nullable or column.guarded) != (column.native, column.nullable):
            raise SourceRefused(
                "was altered since it was looked at",
                where=Where(table=table.name, column=column.name),
                hint="run again: mainstem plan shows what changed",
            )


def _batches(
    session: Session, table: Table, batch_bytes: int, compiled: bool, where: str
) -> Generator[pa.RecordBatch, None, None]:
    require_unaltered(session, table)
    fields = session.start_query(select_statement(table) + (f" WHERE {where}" if where else ""))
    for column, field in zip(table.columns, fields, strict=True):
        if not fits(column, field.code, field.charset, field.scale):
            session.drain()
            raise SourceRefused(
                "the column's type is not what introspection saw",
                where=Where(table=table.name, column=column.name),
                hint="the table was altered meanwhile; run again",
            )
    if compiled and COMPILED:
        yield from _compiled_batches(session, table, batch_bytes)
    else:
        yield from _python_batches(session, table, batch_bytes)


def _python_batches(session: Session, table: Table, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    schema = schema_of(table.columns)
    width = len(table.columns)
    rows: list[list[bytes | None]] = []
    decoded: list[pa.RecordBatch] = []
    size = total = 0
    complete = False
    try:
        while (data := session.read_packet()) is not None:
            rows.append(split_row(data, width))
            size += len(data)
            if size >= min(batch_bytes, _PIECE):
                decoded.append(decode_batch(table, list(zip(*rows, strict=True)), schema))
                total += size
                rows, size = [], 0
            if total >= batch_bytes:
                yield pa.concat_batches(decoded)
                decoded, total = [], 0
        complete = True
        if rows:
            decoded.append(decode_batch(table, list(zip(*rows, strict=True)), schema))
        if decoded:
            yield pa.concat_batches(decoded)
    except (ValueNotExact, GeneratorExit):
        if not complete:
            session.drain()
        raise
    except (OSError, SourceUnavailable):
        session.abandon()
        raise


def _compiled_batches(session: Session, table: Table, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """Whole blocks from the socket into one buffer; the kernel decodes what packets are complete in it."""
    schema = schema_of(table.columns)
    columns = table.columns
    decoder = mysqlrows.RowDecoder(
        [wire(column) for column in columns],
        [column.type.precision for column in columns],
        [column.type.scale for column in columns],
        [column.nullable for column in columns],
        session.sequence,
        batch_bytes,
    )
    pending = session.take_buffered()
    buffer = bytearray(max(_BLOCK, 2 * len(pending)))
    start, end = 0, len(pending)
    buffer[:end] = pending
    state = mysqlrows.MORE
    try:
        while state != mysqlrows.DONE:
            state = decoder.feed(buffer, start, end)
            start += decoder.consumed
            if state == mysqlrows.MORE:
                start, end, buffer = _made_room(buffer, start, end, decoder.needed)
                end += session.receive(memoryview(buffer)[end:])
                continue
            if state not in (mysqlrows.FULL, mysqlrows.DONE):
                raise _failure(decoder, table, state)
            batch = decoder.take(schema)
            if batch is not None:
                yield batch
    finally:
        if state in (mysqlrows.FULL, mysqlrows.PROBLEM):
            session.drain(bytes(buffer[start:end]))
        elif state not in (mysqlrows.DONE, mysqlrows.ERROR):
            session.abandon()


def _made_room(buffer: bytearray, start: int, end: int, needed: int) -> tuple[int, int, bytearray]:
    """Move the packet under way to the front when it would not fit behind; grow for one that is larger
    than the buffer. → start, end, buffer."""
    if start == end:
        return 0, 0, buffer
    if start + max(needed, _BLOCK // 4) <= len(buffer):
        return start, end, buffer
    rest = buffer[start:end]
    if needed > len(buffer):
        buffer = bytearray(needed + _BLOCK)
    buffer[: len(rest)] = rest
    return 0, len(rest), buffer


def _failure(decoder: mysqlrows.RowDecoder, table: Table, state: int) -> Exception:
    if state == mysqlrows.PROBLEM:
        return not_exact(table, table.columns[decoder.column], Problem(decoder.problem))
    if state == mysqlrows.ERROR:
        raise_mysql_exception(decoder.error)
    return SourceUnavailable("the server's answer is not the MySQL protocol", where=Where(table=table.name))
