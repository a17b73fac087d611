"""A table that is altered between introspection, snapshot and read: seen, or read right; never mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable
from mainstem.source.port import Source, SourceOptions
from mainstem.source.postgres import source as postgres_source
from mainstem.wiring import open_source
from servers.mariadb import MariaDB
from servers.postgres import Postgres

Server = MariaDB | Postgres
TABLE = """
create table t (id int primary key, a int not null, b int not null, note varchar(20) not null);
insert into t values (1, 10, 20, 'x'), (2, 11, 21, 'y');
"""


@pytest.fixture(params=["mariadb", "postgres"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    found.create_database("altered")
    found.execute(TABLE, "altered")
    return found


@pytest.fixture
def source(server: Server) -> Iterator[Source]:
    url = f"{server.url}altered" if isinstance(server, MariaDB) else server.url("altered")
    opened = open_source(url, SourceOptions())
    yield opened
    opened.close()


def _change_type(server: Server, type_: str) -> str:
    return f"modify a {type_} not null" if isinstance(server, MariaDB) else f"alter a type {type_}"


def _not_null(server: Server) -> str:
    return "modify note varchar(20) null" if isinstance(server, MariaDB) else "alter note drop not null"


def _change(server: Server, kind: str) -> str:
    return (
        "alter table t "
        + {
            "dropped": "drop column note",
            "renamed": "rename column a to x",
            "widened": _change_type(server, "bigint"),
            "fraction": _change_type(server, "decimal(10,2)"),
            "text": _change_type(server, "varchar(9)"),
            "nullable": _not_null(server),
        }[kind]
    )


SWAP = "; ".join(f"alter table t rename column {a} to {b}" for a, b in ("az", "ba", "zb"))
TRUNCATE = "truncate t; insert into t values (3, 1, 1, 'z')"


def _rows(source: Source, table: Any, snapshot: Any) -> dict[str, list[Any]]:
    batches = list(snapshot.read(table))
    return {name: [v for b in batches for v in b.column(name).to_pylist()] for name in ("id", "a", "b")}


@pytest.mark.parametrize("kind", ["dropped", "renamed", "widened", "fraction", "text", "nullable"])
def test_altered_before_the_snapshot(server: Server, source: Source, kind: str) -> None:
    table = source.introspect().table("t")
    server.execute(_change(server, kind), "altered")
    with source.snapshot() as snapshot, pytest.raises(SourceRefused) as caught:
        _rows(source, table, snapshot)
    assert "t." in str(caught.value)
    with source.snapshot() as snapshot:  # as it is now
        assert sum(b.num_rows for b in snapshot.read(source.introspect().table("t"))) == 2


@pytest.mark.parametrize("kind", ["dropped", "renamed", "widened", "text"])
def test_altered_while_the_snapshot_is_open(server: Server, source: Source, kind: str) -> None:
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        snapshot.select("select 1")
        server.execute(_change(server, kind), "altered")
        with pytest.raises(MainstemError):
            _rows(source, table, snapshot)


def test_added_and_moved_columns_change_no_value(server: Server, source: Source) -> None:
    table = source.introspect().table("t")
    first = " first" if isinstance(server, MariaDB) else ""
    server.execute(f"alter table t add column c int{first}", "altered")
    with source.snapshot() as snapshot:
        assert _rows(source, table, snapshot) == {"id": [1, 2], "a": [10, 11], "b": [20, 21]}


def test_names_swapped_before_the_snapshot_are_read_by_name(server: Server, source: Source) -> None:
    table = source.introspect().table("t")
    server.execute(SWAP, "altered")
    with source.snapshot() as snapshot:
        assert _rows(source, table, snapshot) == {"id": [1, 2], "a": [20, 21], "b": [10, 11]}


def test_truncated_while_the_snapshot_is_open(server: Server, source: Source) -> None:
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        snapshot.select("select 1")
        server.execute(TRUNCATE, "altered")
        with pytest.raises(SourceUnavailable) as caught:
            _rows(source, table, snapshot)
    assert caught.value.exit_code == 4


def test_names_swapped_while_the_snapshot_is_open(server: Server, source: Source) -> None:
    """PostgreSQL's catalogue tells; MariaDB reads the rows of then under the names of now."""
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        snapshot.select("select 1")
        server.execute(SWAP, "altered")
        if isinstance(server, MariaDB):
            assert _rows(source, table, snapshot) == {"id": [1, 2], "a": [20, 21], "b": [10, 11]}
            return
        with pytest.raises(SourceUnavailable):
            _rows(source, table, snapshot)


def test_without_the_check_a_truncated_table_reads_as_empty(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: PostgreSQL itself says nothing."""
    postgres.create_database("altered")
    postgres.execute(TABLE, "altered")
    monkeypatch.setattr(postgres_source, "require_unaltered", lambda *_: None)
    source = open_source(postgres.url("altered"), SourceOptions())
    table = source.introspect().table("t")
    with source.snapshot() as snapshot:
        snapshot.select("select 1")
        postgres.execute(TRUNCATE, "altered")
        assert _rows(source, table, snapshot)["id"] == []
    source.close()
