"""The 64-bit hash that a PostgreSQL server computes is the one that is computed for the lake."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyarrow as pa
import pytest
from oracle import checksum

from mainstem.contract.canonical import Hash
from mainstem.contract.reconcile import Side, fingerprint, forms
from mainstem.hashing import jenkins_each
from mainstem.hashing.jenkins import jenkins_64
from mainstem.source.postgres import PostgresSource
from mainstem.source.postgres.dialect import PostgresDialect
from servers.postgres import Postgres

DATABASE = "hashes"
CHARACTERS = "aZ0 \x1e\x1f\té€𝄞"


@pytest.fixture(scope="module")
def source(postgres: Postgres) -> Iterator[PostgresSource]:
    postgres.create_database(DATABASE)
    source = PostgresSource.from_url(postgres.url(DATABASE))
    yield source
    source.close()


def _texts() -> list[str]:
    random.seed(11)
    return ["".join(random.choices(CHARACTERS, k=length % 70)) for length in range(4000)]


def test_it_is_the_servers(source: PostgresSource) -> None:
    texts = _texts()
    listed = ", ".join(f"({at}, '{text}')" for at, text in enumerate(texts))
    with source.snapshot() as snapshot:
        sql = f'select hashtextextended(t collate "C", 0) from (values {listed}) v (n, t) order by n'
        server = [number + (1 << 63) for (number,) in snapshot.select(sql)]
    assert source.dialect.hash is Hash.JENKINS_64
    assert [jenkins_64(text.encode()) for text in texts] == server
    assert jenkins_each(pa.array(texts)).to_pylist() == server
    assert jenkins_each(pa.chunked_array([texts[:9], texts[9:]]), compiled=False).to_pylist() == server
    assert jenkins_each(pa.array([None, "a"])).to_pylist() == [None, jenkins_64(b"a")]


def test_an_unknown_hash_is_not_used() -> None:
    dialect = PostgresDialect()
    dialect.knows_hash(17)
    assert dialect.hash is Hash.MD5_64
    assert "md5" in dialect.row_hash(["x"])


@pytest.mark.parametrize("kind", [Hash.JENKINS_64, Hash.MD5_64])
def test_rows_of_more_columns_than_a_function_takes(
    postgres: Postgres, source: PostgresSource, kind: Hash
) -> None:
    """With collations that do not agree, blanks at the end, NULLs, and a type of the user's own."""
    columns = ", ".join(f"c{at} int{' not null' if at % 2 else ''}" for at in range(200))
    postgres.execute(
        "drop table if exists wide; drop domain if exists score; create domain score as numeric(6,2); "
        f'create table wide ({columns}, a text collate "C", b text collate "POSIX" not null, d char(5), '
        "e score, f varchar(9), g numeric(9,3), h date not null, i bytea, j boolean, k timestamptz); "
        f"insert into wide select {', '.join(f'n * {at}' for at in range(200))}, 'a', 'b ', 'c', n, 'f', "
        "n / 7.0, date '1999-12-31' + n, 'i'::bytea, n % 2 = 0, now() from generate_series(1, 50) n; "
        "insert into wide (b, h, " + ", ".join(f"c{at}" for at in range(1, 200, 2)) + ") "
        f"values ('', '0001-01-01', {', '.join('-1' for _ in range(100))})",
        DATABASE,
    )
    table = next(t for t in source.introspect().tables if t.name == "wide")
    with source.snapshot() as snapshot:
        source.dialect.hash = kind
        found = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
        batches = list(snapshot.read(table))
        assert (found.rows, found.checksum) == checksum(source.dialect, table, batches)
