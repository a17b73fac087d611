"""Large tables of MariaDB whose key is no whole number: their parts hold each row once, a stop resumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mainstem.schema import Table
from mainstem.source.mysql import MySQLSource, boundaries
from mainstem.source.mysql.boundaries import conditions
from mainstem.source.port import OutOfRange, SourceOptions
from servers.mariadb import MariaDB
from servers.proxy import Proxy
from support import ask, make_project, plan_of, run

ROWS, PART = 4_000, 400
DATABASE = "part_keys"
ORDINAL = "from seq_1_to_4000"
# A version 4 and a version 7 UUID of a number.
RANDOM = "concat(substr(md5(seq), 1, 8), '-', substr(md5(seq), 9, 4), '-4', substr(md5(seq), 14, 3), '-a', "
RANDOM += "substr(md5(seq), 18, 3), '-', substr(md5(seq), 21, 12))"
TIMED = "concat('0190', lpad(hex(seq), 4, '0'), '-0000-7', substr(md5(seq), 1, 3), '-a', "
TIMED += "substr(md5(seq), 18, 3), '-', substr(md5(seq), 21, 12))"
MIXED = "concat(if(seq % 2, char(65 + seq % 26), char(97 + seq % 26)), if(seq % 3, ' ', 'É'), seq)"
# Table → its columns and keys, what fills it; the last says how many parts there are at least.
TABLES = {
    "random_uuid": ("k uuid primary key", f"select {RANDOM}, seq {ORDINAL}", 9),
    "timed_uuid": ("k uuid primary key", f"select {TIMED}, seq {ORDINAL}", 5),
    "hex_text": ("k char(32) primary key", f"select md5(seq), seq {ORDINAL}", 9),
    "numbered": ("k varchar(20) primary key", f"select concat('ORD-', lpad(seq, 8, '0')), seq {ORDINAL}", 4),
    "folded": ("k varchar(40) collate utf8mb4_general_ci primary key", f"select {MIXED}, seq {ORDINAL}", 5),
    "cased": ("k varchar(40) collate utf8mb4_bin primary key", f"select {MIXED}, seq {ORDINAL}", 3),
    "german": (
        "k varchar(40) character set latin1 collate latin1_german2_ci primary key",
        f"select {MIXED}, seq {ORDINAL}",
        5,
    ),
    "bytes": ("k binary(16) primary key", f"select unhex(md5(seq)), seq {ORDINAL}", 9),
    "short_bytes": ("k varbinary(9) primary key", f"select unhex(substr(md5(seq), 1, 8)), seq {ORDINAL}", 9),
    "without_sign": ("k bigint unsigned primary key", f"select 18446744073709551615 - seq, seq {ORDINAL}", 9),
    "fixed": ("k decimal(12,3) primary key", f"select seq / 8, seq {ORDINAL}", 9),
    "days": ("k date primary key", f"select date '1999-12-01' + interval seq day, seq {ORDINAL}", 9),
    "moments": (
        "k datetime(6) primary key",
        f"select timestamp '2001-01-01 00:00:00' + interval seq * 1000001 microsecond, seq {ORDINAL}",
        9,
    ),
    "instants": (
        "k timestamp(3) primary key",
        f"select from_unixtime(1700000000 + seq / 8), seq {ORDINAL}",
        9,
    ),
    "zero_days": (
        "k date primary key",
        f"select if(seq = 1, '0000-00-00', date '1999-12-01' + interval seq day), seq {ORDINAL}",
        9,
    ),
    "few_leading": (
        "k varchar(9), l int, primary key (k, l)",
        f"select elt(1 + seq % 3, 'a', 'B', 'c'), seq, seq {ORDINAL}",
        2,
    ),
    "unique_nulls": ("k char(32) unique", f"select if(seq % 7, md5(seq), null), seq {ORDINAL}", 9),
    "unique_null_days": (
        "k date unique",
        f"select if(seq % 7, date '1999-12-01' + interval seq day, null), seq {ORDINAL}",
        9,
    ),
}
WHOLE = {
    "keyless": ("k int", f"select seq, seq {ORDINAL}"),
    "approximate": ("k double primary key", f"select seq / 3, seq {ORDINAL}"),
    "clock": ("k time primary key", f"select sec_to_time(seq), seq {ORDINAL}"),
    "labels": ("k enum('b', 'a') not null, l int, primary key (k, l)", f"select 'a', seq, seq {ORDINAL}"),
    "no_transactions": ("k int primary key", f"select seq, seq {ORDINAL}"),
    "words": ("k varchar(40) primary key", f"select concat('漢', seq), seq {ORDINAL}"),
}


@pytest.fixture(scope="module")
def filled(mariadb: MariaDB) -> MariaDB:
    mariadb.execute(f"drop database if exists {DATABASE}")
    mariadb.create_database(DATABASE)
    script = ["set sql_mode = '', time_zone = '+00:00';"]
    for name, (columns, fill, *_) in {**TABLES, **WHOLE}.items():
        engine = "engine = MyISAM" if name == "no_transactions" else ""
        script.append(f"create table {name} ({columns}, v int) character set utf8mb4 {engine};")
        script.append(f"insert into {name} {fill};")
    mariadb.execute("\n".join(script), DATABASE)
    return mariadb


@pytest.fixture
def source(filled: MariaDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[MySQLSource]:
    monkeypatch.setattr(boundaries, "PART_ROWS", PART)
    options = SourceOptions(out_of_range={("zero_days", "k"): OutOfRange.TEXT})
    opened = MySQLSource(filled.host, filled.port, filled.user, filled.password, DATABASE, options=options)
    yield opened
    opened.close()


def _table(source: MySQLSource, name: str) -> Table:
    """With the server's estimate as it ought to be."""
    return replace(source.introspect().table(name), rows=ROWS)


@pytest.mark.parametrize("name", TABLES)
def test_each_row_is_in_one_part(name: str, source: MySQLSource) -> None:
    table = _table(source, name)
    with source.snapshot() as snapshot:
        found = snapshot.parts(table)
        assert len(found) >= TABLES[name][2]
        told = " + ".join(f"coalesce({part}, 0)" for part in found)
        assert snapshot.select(f"select count(*) from {DATABASE}.{name} where {told} <> 1") == [(0,)]
        read = [list(snapshot.read(table, where=part)) for part in found]
    values = [value for part in read for batch in part for value in batch.column("v").to_pylist()]
    assert sorted(values) == list(range(1, ROWS + 1))
    sizes = [sum(batch.num_rows for batch in part) for part in read]
    if TABLES[name][2] == 9:
        assert max(sizes) < 4 * PART, "no part is most of the table"


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_read_whole(name: str, source: MySQLSource) -> None:
    with source.snapshot() as snapshot:
        assert snapshot.parts(_table(source, name)) == ()


def test_boundaries_ascend_as_the_server_says(source: MySQLSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """However bad the guesses are, as where bytes are ordered in another way than by the collation. If the
    server were not asked, rows would be in several parts."""
    table = _table(source, "folded")
    guesses = boundaries._guesses
    monkeypatch.setattr(boundaries, "_guesses", lambda *given: guesses(*given)[::-1])
    with source.snapshot() as snapshot:

        def wrong(ask: boundaries.Ask) -> int:
            told = " + ".join(f"({part})" for part in conditions(table, ask))
            ((rows,),) = snapshot.select(f"select count(*) from {DATABASE}.folded where {told} <> 1")
            return int(rows)

        def believing(sql: str) -> list[tuple[Any, ...]]:
            return [(row[0], 1) if " > _utf8mb4" in sql else row for row in snapshot.select(sql)]

        assert wrong(snapshot.select) == 0
        assert wrong(believing) > 0


@pytest.mark.parametrize("name", ["random_uuid", "folded", "moments", "unique_nulls"])
def test_a_cut_load_is_taken_up(
    name: str, source: MySQLSource, filled: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the meantime rows are changed, deleted and added: at the end there is what the source has now."""
    filled.execute(
        f"drop table if exists {name}_; create table {name}_ like {name}; insert into {name}_ select * from "
        f"{name}; alter table {name}_ add note varchar(500); update {name}_ set note = repeat('x', 500); "
        f"analyze table {name}_;",
        DATABASE,
    )
    table = f"{name}_"
    make_project(tmp_path, {}, source="", config=f"retries: 0\ninclude: [{table}]\nproof: 'off'")
    file = tmp_path / "mainstem.yml"
    file.write_text(file.read_text().replace("sqlite:///shop.db", "\"{{ env_var('SHOP_URL') }}\""))
    url = f"{filled.url}{DATABASE}"
    with Proxy(filled.host, filled.port, "cut", after=ROWS * 300) as proxy:
        monkeypatch.setenv("SHOP_URL", url.replace(f":{filled.port}/", f":{proxy.port}/"))
        assert run(tmp_path).outcome.exit_code == 4
        assert proxy.fired

    monkeypatch.setenv("SHOP_URL", url)
    key = filled.execute(f"select hex(k) from {table} where k is not null limit 1", DATABASE).strip()
    filled.execute(
        f"update {table} set v = -1 where v = 77; delete from {table} where v = 1234;"
        f"update {table} set note = null where hex(k) = '{key}';",
        DATABASE,
    )
    with plan_of(tmp_path) as made:
        (step,) = made.plan.ingest
        assert f"in about {step.table.parts} parts" in step.reasons
        assert step.table.parts > 5
    ran = run(tmp_path)
    assert ran.status == "published", ran.messages
    kept = re.search(r"\(([\d,]+) rows? kept", str(ran.table(f"raw.{table}")["text"]))
    assert kept
    assert 0 < int(kept[1].replace(",", "")) < ROWS
    sql = "select count(*), count(distinct v), sum(v), count(note) from {}" + table
    told = filled.execute(sql.format(""), DATABASE).split()
    assert [str(value) for value in ask(tmp_path, sql.format("raw."))[0]] == told
    filled.execute(f"drop table {table}", DATABASE)


def test_another_collation_voids_the_parts(source: MySQLSource, filled: MariaDB) -> None:
    table = _table(source, "folded")
    with source.snapshot() as snapshot:
        assert snapshot.order(table) == "utf8mb4_general_ci"
        assert snapshot.order(_table(source, "random_uuid")) == ""
        assert snapshot.order(replace(table, rows=1)) == ""
