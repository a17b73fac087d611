"""A second connection fingerprints what the first one reads; it may be wrong, gone or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mainstem.errors import SourceUnavailable
from mainstem.run.parts import Parts
from mainstem.schema import Table
from mainstem.source.port import Snapshot
from sources import Reader, Wrapped, altering, unchanged
from support import ask, execute_sql, make_project, run

Answer = Callable[[list[tuple[Any, ...]]], list[tuple[Any, ...]]]


@dataclass
class Watched(Wrapped):
    """Numbers its snapshots, notes which one was asked for fingerprints; `witness` alters the answers of
    the second one, `refused` refuses it."""

    witness: Answer = list
    refused: bool = False
    opened: int = 0
    asked: list[int] = field(default_factory=list)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        number = self.opened
        self.opened += 1
        if number and self.refused:
            raise SourceUnavailable("too many connections")
        with super().snapshot() as snapshot:
            yield _Watched(self, snapshot, number)


class _Watched:
    def __init__(self, source: Watched, inner: Snapshot, number: int) -> None:
        self.position: Mapping[str, str] = inner.position
        self._source = source
        self._inner = inner
        self._number = number

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        return self._inner.read(table, batch_bytes, where)

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        rows = self._inner.select(sql, seconds)
        if not sql.startswith("select count(*)"):
            return rows
        self._source.asked.append(self._number)
        return self._source.witness(rows) if self._number else rows


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three source tables, all of them large enough for a witness."""
    monkeypatch.setattr("mainstem.run.ingesting.WORTH_ROWS", 0)
    return make_project(tmp_path / "p", {})


def watched(root: Path, reader: Reader = unchanged, **how: Any) -> tuple[Watched, str]:
    """A run over a watched source: the source, and what failed."""
    made: list[Watched] = []

    def adapt(parts: Parts) -> Parts:
        made.append(Watched(parts.sources["shop"], reader, **how))
        return replace(parts, sources={"shop": made[0]})

    ran = run(root, adapt=adapt)
    return made[0], ran.messages


def test_what_must_be_read_is_asked_of_the_witness_alone(bare: Path) -> None:
    source, messages = watched(bare)
    assert (messages, source.asked) == ("", [1, 1, 1])
    assert ask(bare, "select count(*) from raw.orders") == [(5,)]


def test_what_may_be_unchanged_is_asked_first_and_of_one_connection(bare: Path) -> None:
    watched(bare)
    execute_sql(bare / "shop.db", "update orders set comments = 'late' where order_number = 12")
    source, messages = watched(bare)
    assert (messages, source.asked, source.opened) == ("", [0, 0, 0], 1)


def test_where_the_witness_saw_another_moment_the_snapshot_decides(bare: Path) -> None:
    source, messages = watched(bare, witness=lambda rows: [(rows[0][0], "1", *rows[0][2:])])
    assert messages == ""
    assert sorted(source.asked) == [0, 0, 0, 1, 1, 1]
    again, messages = watched(bare)
    assert (messages, again.asked) == ("", [0, 0, 0])  # the right fingerprints are remembered
    assert ask(bare, "select count(*) from raw.orders") == [(5,)]


def test_a_witness_that_dies_is_not_needed(bare: Path) -> None:
    def dies(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        raise SourceUnavailable("the connection to the server was lost")

    source, messages = watched(bare, witness=dies)
    assert (messages, sorted(source.asked)) == ("", [0, 0, 0, 1, 1, 1])


def test_a_server_with_one_connection_is_enough(bare: Path) -> None:
    source, messages = watched(bare, refused=True)
    assert (messages, source.opened, source.asked) == ("", 2, [0, 0, 0])


def test_a_fault_of_the_decoder_is_found_all_the_same(bare: Path) -> None:
    source, messages = watched(bare, altering("orders", "comments", 1, "other"))
    assert "the load does not equal the source" in messages
    assert "columns that differ: comments" in messages
    assert 0 in source.asked
