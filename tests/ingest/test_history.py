"""`history: scd2`: every version of a row, once, whatever happens between and during the runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem import wiring
from mainstem.arrow import schema_of
from mainstem.engine.duckdb import DuckDB
from mainstem.errors import ProofFailed, UsageError
from mainstem.ingest import versions
from mainstem.ingest.history import Historian
from mainstem.ingest.terms import History
from mainstem.lake import Lake
from mainstem.project.load import load_project
from mainstem.schema import HISTORY, RAW, Column, Kind, Table, TableName, Type
from servers.mariadb import MariaDB
from support import ask, execute_sql, mainstem, make_project, plan_of, run

DOCS = Path(__file__).parents[2] / "docs" / "history.md"
_, DIMENSION, FACT = re.findall(r"```(?:yaml|sql)\n(.*?)```", DOCS.read_text(), re.DOTALL)
EVER = datetime(9999, 12, 31)
START = datetime(2024, 1, 1)
MICRO = timedelta(microseconds=1)

# Against an oracle: random sequences of changes and runs

COLUMNS = (
    Column("k", Type(Kind.INT), nullable=False),
    Column("v", Type(Kind.DOUBLE)),
    Column("u", Type(Kind.TIMESTAMP)),
)
TABLE = Table("t", COLUMNS, primary_key=("k",))
Row = tuple[int, str | None, datetime | None]


@dataclass
class Oracle:
    """The history by its definition, a key at a time, in plain Python. Values as their texts."""

    found: dict[int, list[tuple[datetime, datetime, Row]]] = field(default_factory=dict)

    def see(self, rows: list[Row], moment: datetime) -> None:
        now = {row[0]: row for row in rows}
        for key in now.keys() | self.found.keys():
            self._one(self.found.setdefault(key, []), now.get(key), moment)

    def _one(self, held: list[tuple[datetime, datetime, Row]], row: Row | None, moment: datetime) -> None:
        present = held[-1] if held and held[-1][1] == EVER else None
        if present and present[2] == row:
            return
        if row is None:
            if present:
                held[-1] = (present[0], max(moment, present[0] + MICRO), present[2])
            return
        own = row[2]
        if present:
            since = own if own and own > present[0] else max(moment, present[0] + MICRO)
            held[-1] = (present[0], since, present[2])
        elif held:
            since = own if own and own >= held[-1][1] else max(moment, held[-1][1])
        else:
            since = own or moment
        held.append((since, EVER, row))

    @property
    def versions(self) -> list[tuple[datetime, datetime, Row]]:
        return sorted((v for held in self.found.values() for v in held), key=lambda v: (v[2][0], v[0]))


@dataclass
class Kept:
    """A history in a lake of its own, advanced by hand."""

    lake: Lake
    engine: DuckDB

    def see(self, rows: list[Row], moment: datetime, *, killed: bool = False) -> bool:
        """One load; whether it wrote a version of the table. `killed`: before the commit."""
        values = [None if text is None else float(text) for _, text, _ in rows]
        arrays = [pa.array([r[0] for r in rows], pa.int32()), pa.array(values, pa.float64())]
        arrays.append(pa.array([r[2] for r in rows], pa.timestamp("us")))
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema_of(COLUMNS))
        staged = self.lake.stage(TableName(RAW, "t"), COLUMNS, [batch])
        historian = Historian(self.lake, self.engine, TABLE, History(("k",), "u"))
        made = historian.advance(staged, moment)
        self.lake.discard(staged)
        if made and killed:
            self.lake.discard(made)
        elif made:
            self.lake.commit(made, run="test", summary={})
        return made is not None

    @property
    def versions(self) -> list[tuple[datetime, datetime, Row]]:
        head = self.lake.head(TableName(HISTORY, "t"))
        if head is None:
            return []
        self.engine.attach({head.name: head.metadata_location})
        columns = "k, v::varchar as v, u, valid_from, valid_to, is_current"
        sql = f"select {columns} from history.t order by k, valid_from"
        rows = self.engine.query(sql).to_pylist()
        assert all(row["is_current"] == (row["valid_to"] == EVER) for row in rows)
        return [(r["valid_from"], r["valid_to"], (r["k"], r["v"], r["u"])) for r in rows]


# Late and early times, equal ones, none; values that compare as equal and are not.
TIMES = st.none() | st.integers(-3, 12).map(lambda hours: START + timedelta(hours=hours))
VALUES = st.sampled_from([None, "0.0", "-0.0", "nan", "1.5"])
CHANGES = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 4), VALUES, TIMES),
    st.tuples(st.just("delete"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["run", "run", "again", "killed", "clock back"])),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(CHANGES, min_size=4, max_size=16))
def test_any_sequence(changes: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("history")
    source: dict[int, Row] = {}
    oracle = Oracle()
    moment = START
    with closing(DuckDB(root / "tmp")) as engine:
        kept = Kept(Lake(root), engine)
        for what, *more in [*changes, ("run",), ("again",)]:
            if what == "put":
                source[more[0]] = (more[0], more[1], more[2])
            elif what == "delete":
                source.pop(more[0], None)
            else:
                moment += timedelta(hours=-2 if what == "clock back" else 1)
                rows = list(source.values())
                before = kept.versions
                if what == "killed":
                    kept.see(rows, moment, killed=True)
                    assert kept.versions == before
                kept.see(rows, moment)
                oracle.see(rows, moment)
                if what == "again":
                    assert not kept.see(rows, moment + timedelta(minutes=1)), "a run twice adds nothing"
                _check(kept.versions, before, rows)
                assert kept.versions == oracle.versions


def _check(found: list[Any], before: list[Any], rows: list[Row]) -> None:
    assert sorted((row for _, to, row in found if to == EVER), key=str) == sorted(rows, key=str)
    assert all(version in found for version in before if version[1] != EVER), "what has ended stays"
    for one, following in pairwise(found):
        assert one[0] < one[1]
        assert one[2][0] != following[2][0] or one[1] <= following[0]


def test_a_version_that_overlaps_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the rule that time goes on, the history's own proof stops it."""
    monkeypatch.setattr(versions.Versions, "_since", lambda self: f"timestamp '{START}'")
    with closing(DuckDB(tmp_path / "tmp")) as engine:
        kept = Kept(Lake(tmp_path), engine)
        kept.see([(1, "1.0", None)], START)
        with pytest.raises(ProofFailed, match="1 that overlap"):
            kept.see([(1, "2.0", None)], START + timedelta(hours=1))


def test_files_without_a_change_stay(tmp_path: Path) -> None:
    with closing(DuckDB(tmp_path / "tmp")) as engine:
        kept = Kept(Lake(tmp_path), engine)
        for number in range(1, 4):
            kept.see([(key, "1.0", START) for key in range(1, number + 1)], START)
        files = set((tmp_path / "lake").rglob("*.parquet"))
        kept.see([(1, "1.0", START), (2, "1.0", START), (3, "5.0", START + timedelta(hours=1))], START)
        assert len(files & set((tmp_path / "lake").rglob("*.parquet"))) == 3
        assert len(kept.versions) == 4


# Whole runs

SOURCE = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, city VARCHAR(40), updated_at DATETIME NOT NULL);
INSERT INTO customers VALUES (1, 'Graz', '2024-01-01 00:00:00'), (2, 'Linz', '2024-01-01 00:00:00');
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id),
  ordered_at DATETIME NOT NULL, amount DECIMAL(10,2) NOT NULL);
INSERT INTO orders VALUES (1, 1, '2023-12-31 00:00:00', 10), (2, 1, '2024-03-01 00:00:00', 20),
  (3, 2, '2024-03-01 00:00:00', 30), (4, NULL, '2024-03-01 00:00:00', 40);
"""
MOVED = "UPDATE customers SET city = 'Wien', updated_at = '2024-03-01 00:00:00' WHERE id = 1;"
CONFIG = "tables:\n  customers: {cursor: updated_at, history: scd2}"
MODELS = {"dim_customers": DIMENSION, "fact_orders": FACT}


def shop(tmp_path: Path, config: str = CONFIG, models: dict[str, str] | None = None) -> Path:
    return make_project(tmp_path / "shop", models or {}, source=SOURCE, config=config)


def history(root: Path) -> list[tuple[Any, ...]]:
    sql = "select id, city, valid_from::varchar, is_current from history.customers order by id, valid_from"
    return ask(root, sql)


FIRST = [(1, "Graz", "2024-01-01 00:00:00", True), (2, "Linz", "2024-01-01 00:00:00", True)]
SECOND = [
    (1, "Graz", "2024-01-01 00:00:00", False),
    (1, "Wien", "2024-03-01 00:00:00", True),
    (2, "Linz", "2024-01-01 00:00:00", True),
]
AS_OF = "select f.id, d.city from fact_orders f join dim_customers d using (customer_key) order by f.id"


@pytest.fixture(params=["sqlite", "mariadb"])
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Any]]:
    """The page's project on each source, and how its tables are changed."""
    root = shop(tmp_path, models=MODELS)
    if request.param == "sqlite":
        yield root, lambda sql: execute_sql(root / "shop.db", sql)
        return
    server: MariaDB = request.getfixturevalue("mariadb")
    server.create_database("versions")
    server.execute(SOURCE, "versions")
    url = f"mysql://{server.user}:{server.password}@{server.host}:{server.port}/versions"
    path = root / "mainstem.yml"
    path.write_text(path.read_text().replace("sqlite:///shop.db", url))
    yield root, lambda sql: server.execute(sql, "versions")


def test_the_pages_example(example: tuple[Path, Any]) -> None:
    root, change = example
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert ask(root, AS_OF) == [(1, "Graz"), (2, "Graz"), (3, "Linz"), (4, "Unknown")]
    change(MOVED + "INSERT INTO orders VALUES (5, 1, '2024-02-29 23:59:59', 50);")
    ran = run(root)
    assert ran.status == "published", ran.messages
    assert history(root) == SECOND
    # Half-open: an order at the very moment of the move goes to the new city, and to it alone.
    assert ask(root, AS_OF) == [(1, "Graz"), (2, "Wien"), (3, "Linz"), (4, "Unknown"), (5, "Graz")]
    entry = ran.table("mart.fact_orders")
    assert entry["headline"] == "5 rows and 150.00 equal the source"
    assert {proof["name"]: proof["holds"] for proof in entry["proofs"]}["grain"] is True
    assert ran.table("raw.customers")["versions"] == 3
    assert run(root).status == "unchanged"
    change("DELETE FROM orders WHERE customer_id = 2; DELETE FROM customers WHERE id = 2;")
    assert run(root).status == "published"
    assert [row[3] for row in history(root)] == [False, True, False]
    change("INSERT INTO customers VALUES (2, 'Linz', '2024-01-01 00:00:00');")
    assert run(root).status == "published"
    assert [row[3] for row in history(root)] == [False, True, False, True]
    assert not _overlaps(root)


def _overlaps(root: Path) -> list[tuple[Any, ...]]:
    return ask(
        root,
        "select a.id from history.customers a join history.customers b on a.id = b.id "
        "and a.valid_from < b.valid_from and b.valid_from < a.valid_to",
    )


def test_a_join_without_the_time_is_refused(tmp_path: Path) -> None:
    """Negative control: every version of a customer doubles the order, and the grain's proof says so."""
    wrong = FACT.replace(" and c.valid_from <= o.ordered_at and o.ordered_at < c.valid_to", "")
    assert wrong != FACT
    root = shop(tmp_path, models={**MODELS, "fact_orders": wrong})
    assert run(root).status == "published"
    execute_sql(root / "shop.db", MOVED)
    ran = run(root)
    assert ran.status == "failed"
    assert "takes 4 rows to 6" in ran.messages


def test_a_closed_interval_is_refused(tmp_path: Path) -> None:
    root = shop(
        tmp_path, models={**MODELS, "fact_orders": FACT.replace("ordered_at < c.", "ordered_at <= c.")}
    )
    assert run(root).status == "published"
    execute_sql(root / "shop.db", MOVED)
    assert "takes 4 rows to 5" in run(root).messages


def test_a_rollback_and_a_full_refresh_add_nothing(tmp_path: Path) -> None:
    from mainstem.run import RunOptions

    root = shop(tmp_path)
    run(root)
    execute_sql(root / "shop.db", MOVED)
    run(root)
    lake = wiring.open_lake(load_project(root))
    lake.rollback(lake.releases()[-1].id)
    assert history(root) == FIRST
    run(root)
    assert history(root) == SECOND
    run(root, options=RunOptions(full_refresh=True))
    assert history(root) == SECOND


KILLED = ["commit.before_swap", "commit.after_swap", "run.before_publish"]


@pytest.mark.parametrize("moment", KILLED)
def test_a_killed_run_adds_nothing(tmp_path: Path, moment: str) -> None:
    root = shop(tmp_path)
    run(root)
    execute_sql(root / "shop.db", MOVED)
    assert mainstem("run", cwd=root, env={"MAINSTEM_CRASH_AT": moment}).returncode != 0
    assert history(root) == FIRST, "readers see the last release"
    assert run(root).status == "published"
    assert history(root) == SECOND
    assert run(root).status == "unchanged"


def test_columns_that_come_and_go(tmp_path: Path) -> None:
    root = shop(tmp_path)
    run(root)
    execute_sql(
        root / "shop.db",
        "ALTER TABLE customers ADD COLUMN vip INTEGER; UPDATE customers SET vip = id;"
        "UPDATE customers SET city = 'Wien', updated_at = '2024-03-01 00:00:00' WHERE id = 1;",
    )
    run(root)
    assert ask(root, "select id, city, vip, is_current from history.customers order by id, valid_from") == [
        (1, "Graz", None, False),
        (1, "Wien", 1, True),
        (2, "Linz", 2, True),
    ]
    execute_sql(
        root / "shop.db", "ALTER TABLE customers DROP COLUMN city; UPDATE customers SET vip = 7 WHERE id = 2"
    )
    ran = run(root)
    assert ran.status == "published", ran.messages
    found = ask(root, "select id, city, vip, is_current from history.customers order by id, valid_from")
    assert found[:2] == [(1, "Graz", None, False), (1, None, 1, True)]
    assert found[2:] == [(2, "Linz", 2, False), (2, None, 7, True)]


def test_without_a_time_in_the_row_the_run_counts(tmp_path: Path) -> None:
    root = shop(tmp_path, "tables: {orders: {history: scd2}}")
    run(root)
    execute_sql(root / "shop.db", "UPDATE orders SET amount = 11 WHERE id = 1")
    run(root)
    columns = "amount::varchar, valid_from > '2025-01-01', is_current"
    sql = f"select {columns} from history.orders where id = 1 order by 2, 3"
    assert ask(root, sql) == [("10.00", True, False), ("11.00", True, True)]


def test_a_failed_run_is_caught_up(tmp_path: Path) -> None:
    root = shop(tmp_path, models={"broken": "select id, city from history.customers where error(city)"})
    assert run(root).status == "failed"
    (root / "models" / "broken.sql").write_text("select id, city from history.customers")
    assert run(root).status == "published"
    assert history(root) == FIRST


def test_plan_and_selection(tmp_path: Path) -> None:
    root = shop(tmp_path, models=MODELS)
    with plan_of(root, "+fact_orders") as made:
        customers = next(step for step in made.plan.ingest if step.name.name == "customers")
        assert customers.reasons == ("never read", "history (scd2) since updated_at")
        assert [step.name.name for step in made.plan.models] == ["dim_customers", "fact_orders"]
    run(root)
    execute_sql(root / "shop.db", "INSERT INTO orders VALUES (9, 1, '2024-05-01 00:00:00', 1)")
    assert run(root, select=["raw.orders+"]).status == "published"
    assert history(root) == FIRST
    release = wiring.open_lake(load_project(root)).current_release()
    assert release
    assert TableName(HISTORY, "customers") in release.tables
    (root / "models" / "dim_customers.sql").write_text(DIMENSION.replace("'Unknown'", "'?'"))
    assert run(root, select=["dim_customers"]).status == "published"
    assert ask(root, "select city from dim_customers where customer_key = 'missing'") == [("?",)]


def test_models_wait_for_a_load_that_fails(tmp_path: Path) -> None:
    rule = ", contract: {columns: {city: {accepted_values: [Graz, Linz]}}}}"
    root = shop(tmp_path, CONFIG.replace("}", rule), MODELS)
    assert run(root).status == "published"
    execute_sql(root / "shop.db", MOVED)
    ran = run(root)
    assert ran.table("mart.dim_customers")["status"] == "skipped"
    assert "raw.customers.city: rows break the table's contract" in ran.messages
    assert history(root) == FIRST


@pytest.mark.parametrize(
    ("config", "models", "message"),
    [
        ("tables: {orders: {history: scd3}}", {}, "input should be 'off' or 'scd2'"),
        (
            "",
            {"m": "select * from history.customers"},
            "customers: {history: scd2} among the source's tables",
        ),
        (CONFIG, {"m": "select * from history.custmers"}, "did you mean history.customers"),
        (CONFIG, {"m": "select id, citty from history.customers"}, "citty"),
    ],
)
def test_mistakes(tmp_path: Path, config: str, models: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)), plan_of(shop(tmp_path, config, models)):
        pass


@pytest.mark.parametrize(
    ("create", "message"),
    [
        ("CREATE TABLE t (a INTEGER)", "t has no primary key to tell versions by"),
        ("CREATE TABLE t (a INTEGER PRIMARY KEY, Valid_To TEXT)", "t has a column valid_to of its own"),
    ],
)
def test_tables_that_cannot_have_one(tmp_path: Path, create: str, message: str) -> None:
    root = make_project(tmp_path / "p", {}, source=create, config="tables: {t: {history: scd2}}")
    with pytest.raises(UsageError, match=message), plan_of(root):
        pass


def test_no_rows_are_streamed_as_a_union(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB's streamed UNION ALL can wait for itself for ever, with millions of rows."""
    streamed: list[str] = []
    stream = DuckDB.stream

    def watched(self: DuckDB, sql: str, batch_rows: int = 65536) -> Any:
        streamed.append(sql.lower())
        return stream(self, sql, batch_rows)

    monkeypatch.setattr(DuckDB, "stream", watched)
    rule = "{on_break: quarantine, columns: {city: {accepted_values: [Graz, Linz, Wien]}}}"
    root = shop(tmp_path, f"tables:\n  customers: {{cursor: updated_at, history: scd2, contract: {rule}}}")
    for change in (
        "",
        MOVED,
        "INSERT INTO customers VALUES (3, 'Nowhere', '2024-04-01 00:00:00');"
        "DELETE FROM orders WHERE customer_id = 2; DELETE FROM customers WHERE id = 2;",
        "ALTER TABLE customers ADD COLUMN vip INTEGER",
    ):
        execute_sql(root / "shop.db", change)
        ran = run(root)
        assert ran.status == "published", ran.messages
    assert [sql for sql in streamed if '"before"' in sql and '"change"' in sql], "a history was merged"
    assert [sql for sql in streamed if '"base"' in sql], "rows were merged"
    assert [sql for sql in streamed if re.search(r"\bunion\b", sql)] == []
