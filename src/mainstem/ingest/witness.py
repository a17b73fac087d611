"""A second connection that asks the source for fingerprints while the first one reads rows.

The two see the source at moments that lie a few milliseconds apart, and no database says in general that
they are one. They need not be: rows that equal the source as the witness saw it are proven by that. Where
they do not, somebody may have written in between, and the question is asked again in the snapshot of the
read itself (`Loader.settle`). A number of rows proves less, for what was lost and what came in between may be
as many: it is asked of a witness that surely sees the snapshot's own moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from mainstem.contract import reconcile
from mainstem.contract.canonical import SourceDialect
from mainstem.contract.reconcile import Fingerprint, Side
from mainstem.errors import MainstemError
from mainstem.ingest.cursor import same_moment
from mainstem.ingest.values import Load
from mainstem.schema import Table
from mainstem.source.port import Snapshot, Source

WORTH_ROWS = 100_000  # below, a second connection costs more than it saves


def is_compared(load: Load) -> bool:
    """Whether the source's fingerprint may spare the load reading the table."""
    return load.head is not None and not load.full_refresh


class Witness:
    """Use as a context. Its connection is opened, asked and closed in a thread of its own."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mainstem-witness")
        self._opened = ExitStack()
        self._snapshot: Snapshot | None = None
        self._asked: list[Future[Any]] = []

    def __enter__(self) -> Witness:
        self._pool.submit(self._open).result()
        return self

    def __exit__(self, *_: object) -> None:
        for asked in self._asked:
            asked.cancel()
        self._pool.submit(self._opened.close).result()
        self._pool.shutdown()

    def ask(self, table: Table, dialect: SourceDialect) -> Future[Fingerprint] | None:
        """The table's fingerprint in the source's words, later; None if there is no second connection to be
        had."""
        if self._snapshot is None:
            return None
        asked = self._pool.submit(self._fingerprint, table, dialect)
        self._asked.append(asked)
        return asked

    def count(self, sql: str, position: Mapping[str, str]) -> Future[int] | None:
        """The answer to a question for a number of rows, later; None unless the witness surely sees what
        a snapshot of that position does."""
        if self._snapshot is None or not same_moment(position, self._snapshot.position):
            return None
        asked = self._pool.submit(self._number, sql)
        self._asked.append(asked)
        return asked

    def _number(self, sql: str) -> int:
        assert self._snapshot is not None
        return int(self._snapshot.select(sql)[0][0])

    def _open(self) -> None:
        try:
            self._snapshot = self._opened.enter_context(self._source.snapshot())
        except MainstemError:
            return  # one connection has to do

    def _fingerprint(self, table: Table, dialect: SourceDialect) -> Fingerprint:
        assert self._snapshot is not None
        return reconcile.fingerprint(
            Side(dialect, self._snapshot.select), table, reconcile.forms(dialect, table)
        )
