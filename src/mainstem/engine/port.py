"""The port of an engine: views on versions of the lake's tables, and questions about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mainstem.contract.canonical import EngineDialect
from mainstem.schema import Column, TableName

if TYPE_CHECKING:
    import pyarrow as pa


class Engine(Protocol):
    """Reads the lake and computes. Methods may be called from several threads. All raise EngineFailed for
    SQL that cannot be executed, LakeUnavailable for files that cannot be read. The owner calls `close`,
    after the last stream has ended."""

    @property
    def dialect(self) -> EngineDialect:
        """The engine's words for canonical texts and row hashes."""

    def attach(self, tables: Mapping[TableName, str]) -> None:
        """Views (`raw."orders"`) on versions of tables, given by their metadata locations. A name that is
        attached already moves to the version given."""

    def attach_files(self, name: TableName, files: Sequence[Path], columns: Sequence[Column]) -> None:
        """A view on staged Parquet files that are in no table yet (perhaps none: no rows)."""

    def query(self, sql: str) -> pa.Table:
        """The whole result of one SELECT, columns in lake types where the lake has one for them."""

    def stream(self, sql: str, batch_rows: int = 65536) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The result of one SELECT batch by batch, every column in a lake type (EngineFailed, with the
        column's name, if there is none that holds it exactly)."""

    def describe(self, sql: str) -> pa.Schema:
        """The schema that `stream` would give, without computing anything."""

    def close(self) -> None:
        """End the session and delete its temporary files; safe to call twice."""
