"""The SQL prompt cannot write, cannot leave the file, cannot take the machine."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from mainstem.errors import UsageError
from mainstem.serve.bundle import find
from mainstem.serve.config import Limits
from mainstem.serve.console import SqlRequest, answer
from mainstem.serve.served import open_protected

from . import shop
from .attempts import ATTEMPTS, INWARD, SEVERAL

LIMITS = Limits(memory="200MB", threads=2)

Fill = Callable[[str], str]


def furnish(tmp_path: Path) -> Fill:
    """Files of the machine within reach of the process; the result writes an attempt's places out."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "secret.csv").write_text("7,canary\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "o.json").write_text('{"a": "canary"}')
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "schema.sql").write_text("create table imported (x integer);")
    (tmp_path / "export" / "load.sql").write_text("")
    other = duckdb.connect(str(tmp_path / "other.db"))
    other.execute(f"create table t as select 1 as x; copy t to '{tmp_path}/t.parquet'")
    other.close()
    package = importlib.util.find_spec("duckdb_extension_avro")
    assert package is not None
    assert package.origin is not None
    extension = next(Path(package.origin).parent.rglob("avro.duckdb_extension"))
    places = {
        "secret": "secret.csv",
        "other": "other.db",
        "parquet": "t.parquet",
        "export": "export",
        "out": "out",
        "json": "o.json",
    }
    filled = {name: str(tmp_path / file) for name, file in places.items()} | {"extension": str(extension)}
    return lambda sql: sql.format(**filled)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Fill:
    return furnish(tmp_path_factory.mktemp("machine"))


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Path:
    there = find(template, shop.RUN)
    assert there is not None
    return Path(shutil.copy(there, tmp_path / "served.duckdb"))


@pytest.fixture(scope="module")
def protected(template: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    there = find(template, shop.RUN)
    assert there is not None
    con = open_protected(there, LIMITS)
    yield con
    con.close()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_there_are_enough_attempts() -> None:
    assert len(set(ATTEMPTS)) == len(ATTEMPTS) >= 85


@pytest.mark.parametrize("sql", ATTEMPTS)
def test_control_without_protections_the_attempt_succeeds(file: Path, tmp_path: Path, sql: str) -> None:
    machine = furnish(tmp_path)
    con = duckdb.connect(
        str(file), config={"allow_unsigned_extensions": "true", "home_directory": str(file.parent)}
    )
    try:
        con.execute(f"set secret_directory = '{file.parent}/secrets'")
        con.execute(machine(sql)).fetchall()
    finally:
        con.close()


def test_the_file_as_it_is_opened_refuses_every_attempt(file: Path, tmp_path: Path) -> None:
    """Without the console in front: it is the open file that protects, not the reading of statements."""
    machine = furnish(tmp_path)
    before = digest(file)
    protected = open_protected(file, LIMITS)
    passed = []
    for sql in ATTEMPTS:
        cursor = protected.cursor()
        try:
            cursor.execute(machine(sql)).fetchall()
            passed.append(sql)
        except duckdb.Error:
            pass
        finally:
            cursor.close()
    assert passed == []
    assert digest(file) == before
    assert list((tmp_path / "out").iterdir()) == []
    counted = protected.execute("select count(*), sum(amount) from fact_orders").fetchone()
    assert counted is not None
    assert (counted[0], str(counted[1])) == (400, "25605.30")
    protected.close()


@pytest.mark.parametrize("sql", [*ATTEMPTS, *SEVERAL, *INWARD])
def test_the_prompt_refuses_in_words(protected: duckdb.DuckDBPyConnection, machine: Fill, sql: str) -> None:
    cursor = protected.cursor()
    with pytest.raises(UsageError) as refused:
        answer(cursor, SqlRequest(sql=machine(sql)), LIMITS)
    assert refused.value.message
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("sql", [sql for sql in INWARD if "stdout" not in sql])
def test_control_without_the_list_of_functions_they_pass(
    protected: duckdb.DuckDBPyConnection, sql: str
) -> None:
    protected.cursor().execute(sql).fetchall()


def test_the_list_of_functions_does_not_look_into_texts(protected: duckdb.DuckDBPyConnection) -> None:
    innocent = (
        """select 'from enable_logging()' as "enable_logging()", '{"type":"TABLE_FUNCTION"}' from range(1)"""
    )
    assert b"enable_logging" in answer(protected.cursor(), SqlRequest(sql=innocent), LIMITS)


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "(" * 20000 + "1" + ")" * 20000,
        "select " + "1+" * 900 + "1",
        "select " + "not " * 20000 + "true",
    ],
)
def test_deep_nesting_is_refused_not_fallen_over(protected: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(UsageError, match=r"deep|exhausted|depth"):
        answer(protected.cursor(), SqlRequest(sql=sql), LIMITS)


def test_what_one_leaves_behind_the_next_does_not_see(protected: duckdb.DuckDBPyConnection) -> None:
    first, second = protected.cursor(), protected.cursor()
    first.execute("create temp table z as select 1")
    with pytest.raises(UsageError, match="does not exist"):
        answer(second, SqlRequest(sql="from z"), LIMITS)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from fact_order", "Did you mean"),
        ("select revenu from fact_orders", "not found in FROM clause"),
        ("selec 1", "syntax error"),
        ("select 'abc", "unterminated"),
        ("select 1 \0", "NUL"),
        ("select cast('a' as integer)", "Could not convert"),
        ("select 9223372036854775807 + 1::bigint", "Overflow"),
    ],
)
def test_a_mistake_is_told_in_one_line(protected: duckdb.DuckDBPyConnection, sql: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        answer(protected.cursor(), SqlRequest(sql=sql), LIMITS)
    assert "\n" not in refused.value.message
    assert "Traceback" not in refused.value.message


def test_memory_has_a_bound(protected: duckdb.DuckDBPyConnection) -> None:
    hungry = "select count(distinct hash(range)) from range(100_000_000)"
    with pytest.raises(UsageError, match="200MB of memory"):
        answer(protected.cursor(), SqlRequest(sql=hungry), LIMITS)
    assert b'"1"' in answer(protected.cursor(), SqlRequest(sql="select 1::bigint"), LIMITS)


def test_an_answer_has_a_bound(protected: duckdb.DuckDBPyConnection) -> None:
    small = Limits(memory="200MB", bytes=10_000, rows=5000)
    wide = answer(protected.cursor(), SqlRequest(sql="select repeat('x', 1000) from range(1000)"), small)
    assert b'"truncated": true' in wide
    assert len(wide) < 20_000
    many = answer(protected.cursor(), SqlRequest(sql="from range(1_000_000)", limit=10**9), Limits(rows=50))
    assert many.count(b"[") == 52


def test_a_union_has_the_same_bounds(protected: duckdb.DuckDBPyConnection) -> None:
    cursor = protected.cursor()
    for end in (3, 5):
        sql = f"select range as a, 2.50 as a from range({end}) union all select 9, 8"
        document = json.loads(answer(cursor, SqlRequest(sql=sql, limit=4), LIMITS))
        assert [column["type"] for column in document["columns"]] == ["BIGINT", "DECIMAL(12,2)"]
        assert document["rows"][:3] == [["0", "2.50"], ["1", "2.50"], ["2", "2.50"]]
        assert (len(document["rows"]), document["truncated"]) == (4, end == 5)
    hungry = "select repeat('x', 1_000_000) || range from range(1000) union all select 'y'"
    with pytest.raises(UsageError, match="200MB of memory"):
        answer(cursor, SqlRequest(sql=hungry), LIMITS)
    explained = json.loads(answer(cursor, SqlRequest(sql="explain select 1 union select 2"), LIMITS))
    assert "UNION" in explained["rows"][0][1]


def test_who_asks_for_a_source_table_is_told_where_it_is(protected: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError) as raised:
        answer(protected.cursor(), SqlRequest(sql="from raw.orders"), LIMITS)
    assert raised.value.hint == "the source's tables are not served: `mainstem query` reads them"
