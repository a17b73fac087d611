"""The embedded engine: DuckDB in memory over the lake's files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock

import duckdb
import pyarrow as pa

from mainstem.engine import functions, session, united, views
from mainstem.engine.proofdialect import ProofDialect
from mainstem.engine.results import Shape
from mainstem.engine.session import Limits
from mainstem.errors import EngineFailed, UsageError, Where
from mainstem.schema import MART, Column, TableName


class DuckDB:
    """Engine over one session in memory; see `port.Engine`.

    `temp` is a folder for data that exceeds the memory limit (the project's `.mainstem/tmp`): the session
    makes a folder of its own in it, when it needs one, and deletes it at `close`.
    """

    def __init__(self, temp: Path, limits: Limits | None = None) -> None:
        self.dialect = ProofDialect()
        self._temp = temp / f"duckdb-{os.getpid()}-{id(self):x}"
        self._session = session.open_session(limits or Limits(), self._temp)
        self._lock = Lock()
        self._views: dict[str, TableName] = {}
        self._statements: dict[TableName, str] = {}
        self._iceberg = False
        self._functions = False
        self._closed = False

    def attach(self, tables: Mapping[TableName, str]) -> None:
        """See Engine."""
        for name, location in tables.items():
            self._create(views.of_version(name, location))

    def attach_files(self, name: TableName, files: Sequence[Path], columns: Sequence[Column]) -> None:
        """See Engine."""
        self._create(views.of_files(name, files, columns))

    def query(self, sql: str) -> pa.Table:
        """See Engine."""
        cursor, reader = self._run(sql, 65536)
        try:
            shape = _shape(cursor, reader, strict=False)
            with session.mapped():
                return pa.Table.from_batches([shape.batch(batch) for batch in reader], shape.schema)
        finally:
            cursor.close()

    def stream(self, sql: str, batch_rows: int = 65536) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """See Engine."""
        cursor, reader = self._run(sql, batch_rows)
        try:
            shape = _shape(cursor, reader, strict=True)
        except EngineFailed:
            cursor.close()
            raise
        return shape.schema, _batches(cursor, reader, shape)

    def describe(self, sql: str) -> pa.Schema:
        """See Engine."""
        cursor, reader = self._run(f"SELECT * FROM (\n{self._one(sql)}\n) LIMIT 0", 1)
        try:
            return _shape(cursor, reader, strict=True).schema
        finally:
            cursor.close()

    def close(self) -> None:
        """See Engine."""
        if not self._closed:
            self._closed = True
            self._session.close()
            shutil.rmtree(self._temp, ignore_errors=True)

    def __enter__(self) -> DuckDB:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self, view: views.View) -> None:
        views.require(view)
        with self._lock, session.mapped():
            twin = self._views.setdefault(str(view.name).casefold(), view.name)
            if twin != view.name:
                raise UsageError(
                    f"the tables {twin} and {view.name} differ only in case; DuckDB cannot tell them apart",
                    where=Where(table=str(view.name)),
                    hint="exclude one of them, or rename it in the source",
                )
            if self._statements.get(view.name) == view.statement:
                return
            if view.iceberg and not self._iceberg:
                session.load_iceberg(self._session)
                self._iceberg = True
            cursor = self._session.cursor()
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {views.quote(view.name.namespace)}")
            cursor.execute(view.statement)
            if view.name.namespace == MART:
                # Models are named alone in SQL; a search path would not reach other cursors.
                bare = views.quote(view.name.name)
                cursor.execute(f"CREATE OR REPLACE VIEW main.{bare} AS FROM {views.quote(MART)}.{bare}")
            cursor.close()
            self._statements[view.name] = view.statement

    def _run(self, sql: str, batch_rows: int) -> tuple[duckdb.DuckDBPyConnection, pa.RecordBatchReader]:
        if functions.PREFIX in sql:
            self._register()
        statement = self._one(sql)
        cursor = self._session.cursor()
        try:
            with session.mapped():
                if not statement.upper().startswith("EXPLAIN"):
                    statement = united.computed(cursor, statement)
                return cursor, cursor.execute(statement).to_arrow_reader(batch_rows)
        except BaseException:
            cursor.close()
            raise

    def _one(self, sql: str) -> str:
        """The text of the only statement; EngineFailed if it is none, several, or no SELECT."""
        with session.mapped():
            statements = self._session.extract_statements(sql)
        if len(statements) != 1:
            raise EngineFailed(f"one SELECT is expected, not {len(statements)} statements")
        statement = statements[0]
        if statement.type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise EngineFailed(f"a SELECT is expected, not {statement.type.name}")
        return str(statement.query).strip().rstrip(";")

    def _register(self) -> None:
        with self._lock:
            if not self._functions:
                functions.register(self._session)
                self._functions = True


def _shape(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader, *, strict: bool) -> Shape:
    described = cursor.description or []
    names, words = [str(d[0]) for d in described], [str(d[1]) for d in described]
    return Shape(reader.schema, names, words, strict=strict)


def _batches(
    cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader, shape: Shape
) -> Iterator[pa.RecordBatch]:
    try:
        while True:
            try:
                with session.mapped():
                    batch = reader.read_next_batch()
            except StopIteration:
                return
            yield shape.batch(batch)
    finally:
        cursor.close()
