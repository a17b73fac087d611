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
from mainstem.ingest.ahead import Ahead
from mainstem.run.parts import Parts
from mainstem.schema import Table
from mainstem.source.port import Snapshot
from sources import Reader, Wrapped, altering, unchanged
from support import ask, execute_sql, make_project, run

Answer = Callable[[list[tuple[Any, ...]]], list[tuple[Any, ...]]]


@dataclass
class Watched(Wrapped):
    """Numbers its snapshots, notes which one was asked for fingerprints; `witness` alters the answers of
    the second one, `refused` refuses it. `counted`: which one was asked for a number of rows; `places`: where
    they say they are; `between` is done before the second one is opened."""

    witness: Answer = list
    refused: bool = False
    opened: int = 0
    asked: list[int] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    places: tuple[Mapping[str, str], ...] = ()
    between: Callable[[], object] = bool

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        number = self.opened
        self.opened += 1
        if number and self.refused:
            raise SourceUnavailable("too many connections")
        if number:
            self.between()
        with super().snapshot() as snapshot:
            yield _Watched(self, snapshot, number)


class _Watched:
    def __init__(self, source: Watched, inner: Snapshot, number: int) -> None:
        place = source.places[number] if number < len(source.places) else {}
        self.position: Mapping[str, str] = {**inner.position, **place}
        self._source = source
        self._inner = inner
        self._number = number

    def read(self, table: Table, batch_bytes: int = 16 << 20, where: str = "") -> Iterator[pa.RecordBatch]:
        return self._inner.read(table, batch_bytes, where)

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        rows = self._inner.select(sql, seconds)
        if not sql.startswith("select count(*)"):
            return rows
        if sql.startswith("select count(*) from"):
            self._source.counted.append(self._number)
            return self._source.witness(rows) if self._number else rows
        self._source.asked.append(self._number)
        return self._source.witness(rows) if self._number else rows


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three source tables, all of them large enough for a witness."""
    monkeypatch.setattr("mainstem.run.ingesting.WORTH_ROWS", 0)
    return make_project(tmp_path / "p", {})


HERE = {"hostname": "here", "port": "3306", "server_id": "1", "binlog_file": "b.1", "binlog_position": "7"}
ROWS = """
pragma journal_mode = wal;
create table t (id integer primary key, note text, updated_at timestamp);
insert into t values (1, 'a', '2024-01-01 10:00:00'), (2, 'b', '2024-01-02 10:00:00'),
  (3, 'c', '2024-01-03 10:00:00');
"""


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table that is read by a cursor and proven as far as it changes; loaded once."""
    monkeypatch.setattr("mainstem.run.ingesting.WORTH_ROWS", -1)
    config = "proof: changes\ntables:\n  t: {cursor: updated_at}"
    root = make_project(tmp_path / "p", {}, source=ROWS, config=config)
    assert watched(root)[1] == ""
    return root


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


# The number of rows, where what has changed is read


def test_rows_are_counted_beside(followed: Path) -> None:
    execute_sql(followed / "shop.db", "insert into t values (4, 'd', '2024-01-04 10:00:00')")
    source, messages = watched(followed, places=(HERE, HERE))
    assert (messages, source.counted) == ("", [1])
    assert ask(followed, "select count(*) from raw.t") == [(4,)]


def test_rows_that_came_in_between_are_no_rows_of_the_snapshot(followed: Path) -> None:
    """As many as are gone: the witness's number is that of the rows in the lake."""
    execute_sql(followed / "shop.db", "delete from t where id = 2")
    late = "insert into t values (9, 'z', '2024-01-09 10:00:00')"
    later = HERE | {"binlog_position": "8"}
    source, messages = watched(
        followed, places=(HERE, later), between=lambda: execute_sql(followed / "shop.db", late)
    )
    assert (messages, source.counted) == ("", [0])
    assert ask(followed, "select list(id order by id) from raw.t") == [([1, 3],)]
    assert watched(followed, places=(HERE, HERE))[1] == ""
    assert ask(followed, "select list(id order by id) from raw.t") == [([1, 3, 9],)]


def test_rows_that_are_gone_are_found(followed: Path) -> None:
    execute_sql(followed / "shop.db", "delete from t where id = 2")
    source, messages = watched(followed, places=(HERE, HERE))
    assert (messages, source.counted) == ("", [1, 0])
    assert ask(followed, "select list(id order by id) from raw.t") == [([1, 3],)]


NO_LOG = dict.fromkeys(("binlog_file", "binlog_position"), "")


@pytest.mark.parametrize(
    "other", [{"hostname": "elsewhere"}, {"binlog_position": "8"}, {"binlog_file": "b.2"}, NO_LOG]
)
def test_the_number_of_another_moment_is_not_asked_for(followed: Path, other: dict[str, str]) -> None:
    places = (HERE | other if other is NO_LOG else HERE, HERE | other)
    execute_sql(followed / "shop.db", "delete from t where id = 2")
    source, messages = watched(followed, places=places, witness=lambda _: [(3,)])
    assert (messages, source.counted) == ("", [0])
    assert ask(followed, "select list(id order by id) from raw.t") == [([1, 3],)]


def test_a_witness_that_dies_does_not_count(followed: Path) -> None:
    def dies(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        raise SourceUnavailable("the connection to the server was lost")

    source, messages = watched(followed, places=(HERE, HERE), witness=dies)
    assert (messages, source.counted) == ("", [1, 0])
    source, messages = watched(followed, places=(HERE, HERE), refused=True)
    assert (messages, source.counted) == ("", [0])


def test_a_table_that_no_snapshot_covers_is_asked_about_when_it_is_read(
    followed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[str] = []
    monkeypatch.setattr(Ahead, "ask", lambda _, sql, *, soon=False: ahead.append("" if soon else sql))
    source, messages = watched(followed, places=({"non_transactional": '["t"]'}, {}))
    assert (messages, source.counted, "".join(ahead)) == ("", [0], "")
    source, messages = watched(followed)
    assert (messages, source.counted, len("".join(ahead)) > 0) == ("", [0], True)
