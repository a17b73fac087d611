"""A model brought up to date in part has the rows that it would have in full, whatever changed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mainstem import metadata
from mainstem.contract.model_checks import Promise
from mainstem.engine.duckdb import DuckDB
from mainstem.lake import Lake, TableVersion, parquet
from mainstem.model.rowwise import Rowwise
from mainstem.project.header import Header
from mainstem.project.modelfile import ModelFile
from mainstem.project.yamlfile import Document
from mainstem.schema import Column, Kind, TableName, Type
from mainstem.transform import partial as partial_module
from mainstem.transform.build import Builder
from mainstem.transform.partial import Partial, consider
from mainstem.transform.proving import Earlier
from sweeps import sweep

LONG, TEXT, DOUBLE = Type(Kind.LONG), Type(Kind.STRING), Type(Kind.DOUBLE)
AMOUNT = Type(Kind.DECIMAL, 38, 2)
ARROW = {LONG: pa.int64(), TEXT: pa.string(), DOUBLE: pa.float64(), AMOUNT: pa.decimal128(38, 2)}
COLUMNS = {
    "lines": (Column("o", LONG), Column("n", LONG), Column("p", TEXT), Column("q", LONG)),
    "orders": (Column("o", LONG), Column("c", LONG), Column("s", TEXT)),
    "customers": (Column("c", LONG), Column("land", TEXT)),
    "products": (Column("p", TEXT), Column("kind", TEXT)),
    "weights": (Column("o", LONG), Column("w", DOUBLE)),
    "amounts": (Column("o", LONG), Column("w", AMOUNT)),
}
MODELS = {
    "as drafted": """
        with l as (select * from raw.lines), o as (select * from raw.orders),
        c as (select c as number, land from raw.customers where land <> 'x'),
        final as (
            select l.o as order_key, l.n as line, l.q * 2 as twice, o.s, coalesce(c.land, '?') as land, p.kind
            from l left join o on l.o = o.o
            left join c on o.c = c.number and c.land <> 'z'
            left join raw.products as p on p.p = l.p
        )
        select order_key, line, twice, s, land, kind from final where s is null or s <> 'off'
    """,
    "rows that come and go": """
        select a.o as order_key, a.n as line, o.s, c.land
        from raw.lines a join raw.orders o on a.o = o.o join raw.customers c on o.c = c.c
        where a.q > 1
    """,
    "using": """
        select lines.o as order_key, lines.n as line, customers.land from raw.lines
        left join raw.orders using (o) left join raw.customers on orders.c = customers.c
    """,
    "alone": "select o as order_key, n as line, q from raw.lines where q <> 3",
    "half of the key": "select o as order_key, q, p from raw.lines",
}


class Sliced(DuckDB):
    """Results in batches of three rows, each of which becomes a file."""

    def stream(self, sql: str, batch_rows: int = 3) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        schema, batches = super().stream(sql)
        return schema, (b.slice(at, 3) for b in batches for at in range(0, b.num_rows, 3))


@dataclass
class Shop:
    """Tables of a lake, four keys a file; a version keeps the files whose rows did not change."""

    lake: Lake
    rows: dict[str, list[tuple[Any, ...]]]
    versions: dict[TableName, TableVersion] = field(default_factory=dict)
    parts: dict[str, dict[int, tuple[Path, list[tuple[Any, ...]]]]] = field(default_factory=dict)

    def commit(self) -> None:
        for table, rows in self.rows.items():
            self._commit(table, rows)

    def _commit(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        old = self.parts.get(table, {})
        wanted: dict[int, list[tuple[Any, ...]]] = {}
        for row in sorted(rows, key=repr):
            wanted.setdefault(hash(row[0]) % 7 // 2, []).append(row)
        if {n: part for n, (_, part) in old.items()} == wanted:
            return
        kept = {n: old[n] for n, part in wanted.items() if n in old and old[n][1] == part}
        fresh = [n for n in wanted if n not in kept]
        name, columns = TableName("raw", table), COLUMNS[table]
        schema = pa.schema([(c.name, ARROW[c.type]) for c in columns])
        batches = [
            pa.RecordBatch.from_arrays(
                [pa.array([row[i] for row in wanted[n]], schema.types[i]) for i in range(len(columns))],
                schema=schema,
            )
            for n in fresh
        ]
        staged = self.lake.stage(name, columns, batches, keep=[path for path, _ in kept.values()])
        self.versions[name] = self.lake.commit(staged, run="r", summary={})
        made = dict(zip(fresh, staged.files, strict=True))
        self.parts[table] = {n: kept[n] if n in kept else (made[n], part) for n, part in wanted.items()}


def model(sql: str) -> ModelFile:
    header = Header.model_validate({"kind": "fact", "key": ["order_key", "line"]})
    return ModelFile("fact", "models/fact.sql", sql, 1, header, Document("models/fact.sql", {}, {}), "digest")


def built(
    engine: DuckDB, lake: Lake, one: ModelFile, shop: Shop, partial: Partial | str
) -> tuple[TableVersion, str]:
    earlier = Earlier(partial.head, {}, partial) if isinstance(partial, Partial) else partial
    made = Builder(engine, lake, "r").build(
        one, Promise("fact"), shop.versions, "digest", lambda _: None, earlier
    )
    return made.version, made.how


def bag(engine: DuckDB, sql: str) -> Counter[tuple[Any, ...]]:
    table = engine.query(sql)
    return Counter(zip(*(column.to_pylist() for column in table.columns), strict=True))


def contents(engine: DuckDB, version: TableVersion) -> Counter[tuple[Any, ...]]:
    engine.attach({TableName("mart", "fact"): version.metadata_location})
    return bag(engine, "from mart.fact")


numbers = st.one_of(st.none(), st.integers(0, 11))
texts = st.sampled_from([None, "a", "b", "x", "z", "off"])
TABLES = {
    "lines": st.tuples(numbers, st.integers(0, 2), texts, st.integers(0, 4)),
    "orders": st.tuples(numbers, numbers, texts),
    "customers": st.tuples(numbers, texts),
    "products": st.tuples(texts, texts),
}
steps = st.lists(  # table, rows that go, number of new rows
    st.tuples(st.sampled_from(list(TABLES)), st.lists(st.integers(0, 60), max_size=3), st.integers(0, 2)),
    min_size=1,
    max_size=3,
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for each batch, and every change in part."""
    monkeypatch.setattr(parquet, "GROUP_BYTES", 0)
    monkeypatch.setattr(parquet, "FILE_BYTES", 0)
    monkeypatch.setattr(partial_module, "MOST", 100.0)


def changed(shop: Shop, data: st.DataObject) -> None:
    for table, gone, new in data.draw(steps):
        rows = shop.rows[table]
        for number in gone:
            if rows:
                rows.pop(number % len(rows))
        rows += [data.draw(TABLES[table]) for _ in range(new)]
    shop.commit()


def run_through(sql: str, data: st.DataObject, folder: Path) -> list[str]:
    """Two changes, each brought in in part; the table is compared with the whole model each time."""
    rows = {name: data.draw(st.lists(row, min_size=3, max_size=25)) for name, row in TABLES.items()}
    shop, one, said = Shop(Lake(folder), rows), model(sql), []
    shop.commit()
    with Sliced(folder / "tmp") as engine:
        engine.attach({name: version.metadata_location for name, version in shop.versions.items()})
        head, _ = built(engine, shop.lake, one, shop, "")
        for _ in range(2):
            before = dict(shop.versions)
            changed(shop, data)
            partial = consider(one, head, before, shop.versions)
            assert isinstance(partial, Partial), partial
            head, how = built(engine, shop.lake, one, shop, partial)
            said.append(how)
            assert contents(engine, head) == bag(engine, sql), how
    return said


@pytest.mark.parametrize("examples", [2, pytest.param(20, marks=sweep)])
@pytest.mark.parametrize("name", MODELS)
def test_in_part_equals_in_full(name: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            said = run_through(MODELS[name], data, Path(folder))
        assert all(how.startswith("in part: ") or "of 0 are reached" in how for how in said)

    holds()


ORDERS: dict[str, list[tuple[Any, ...]]] = {
    "lines": [(o, n, "a", o) for o in range(10) for n in range(3)],
    "orders": [(o, o % 3, "on") for o in range(10)],
    "customers": [(c, "land") for c in range(3)],
    "products": [("a", "kind")],
}


def shop_of(folder: Path) -> Shop:
    return Shop(Lake(folder), {name: list(rows) for name, rows in ORDERS.items()})


def after_a_customer_moved(engine: DuckDB, shop: Shop) -> tuple[str, bool, int]:
    """What is said, whether the table is right, and how many of its files stay, after one customer of three
    (whose orders are 1, 4 and 7) has moved."""
    one = model(MODELS["as drafted"])
    shop.commit()
    engine.attach({name: version.metadata_location for name, version in shop.versions.items()})
    head, _ = built(engine, shop.lake, one, shop, "")
    before = dict(shop.versions)
    shop.rows["customers"][1] = (1, "elsewhere")
    shop.commit()
    partial = consider(one, head, before, shop.versions)
    assert isinstance(partial, Partial)
    present, how = built(engine, shop.lake, one, shop, partial)
    old, new = (set(metadata.load(v.metadata_location).files or ()) for v in (head, present))
    return how, contents(engine, present) == bag(engine, one.sql), len(old & new)


def test_a_change_two_joins_away_reaches_its_rows_and_no_others(tmp_path: Path) -> None:
    with Sliced(tmp_path / "tmp") as engine:
        how, right, kept = after_a_customer_moved(engine, shop_of(tmp_path))
    assert (how, right) == ("in part: 9 keys of 30 computed again", True)
    assert kept > 0


def test_control_without_the_reached_rows_the_table_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = "select t0.o, t0.n from raw.lines as t0 where false"
    monkeypatch.setattr(Rowwise, "affected", lambda *_: nothing)
    with Sliced(tmp_path / "tmp") as engine:
        _, right, _ = after_a_customer_moved(engine, shop_of(tmp_path))
    assert not right


def test_where_most_rows_are_reached_all_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_module, "MOST", 0.2)
    with Sliced(tmp_path / "tmp") as engine:
        how, right, _ = after_a_customer_moved(engine, shop_of(tmp_path))
    assert (how, right) == ("in full: 9 keys of 30 are reached by the changes", True)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Sliced(tmp_path / "tmp") as engine:
        shop = shop_of(tmp_path)
        after_a_customer_moved(engine, shop)
    known = {file for name in shop.lake.tables() for file in _every_file(shop.lake, name)}
    assert {file for file in tmp_path.rglob("*.parquet") if file not in known} == set()


def _every_file(lake: Lake, name: TableName) -> set[Path]:
    folder = lake.head(name)
    assert folder is not None
    found: set[Path] = set()
    for file in Path(folder.metadata_location).parent.glob("*.metadata.json"):
        found |= set(metadata.load(str(file)).files or ())
    return found


def _after_a_change(
    folder: Path, sql: str, table: str, rows: list[tuple[Any, ...]], changed: tuple[Any, ...]
) -> list[dict[str, Any]]:
    """The model's rows of key 1, built in part after the table's first row has changed."""
    one = model(sql)
    shop = Shop(Lake(folder), {table: rows})
    shop.commit()
    with Sliced(folder / "tmp") as engine:
        engine.attach({name: version.metadata_location for name, version in shop.versions.items()})
        head, _ = built(engine, shop.lake, one, shop, "")
        before = dict(shop.versions)
        shop.rows[table][0] = changed
        shop.parts.clear()  # all files are new, as after a whole load
        shop.commit()
        partial = consider(one, head, before, shop.versions)
        assert isinstance(partial, Partial), partial
        version, how = built(engine, shop.lake, one, shop, partial)
        assert how == "in part: 1 key of 3 computed again"
        engine.attach({TableName("mart", "fact"): version.metadata_location})
        found: list[dict[str, Any]] = engine.query(
            "select w, negative from mart.fact where order_key = 1"
        ).to_pylist()
    return found


@pytest.mark.parametrize(("was", "now"), [(0.0, -0.0), (float("nan"), 1.0), (None, 0.0), (1.0, None)])
def test_every_change_of_a_number_is_seen(tmp_path: Path, was: float | None, now: float | None) -> None:
    sql = "select o as order_key, w, w < 0 or 1 / w < 0 as negative from raw.weights"
    weights = [(1, was), (2, float("nan")), (2, float("nan"))]
    rows = _after_a_change(tmp_path, sql, "weights", weights, (1, now))
    expected = None if now is None else str(now).startswith("-")
    assert [row["negative"] for row in rows] == [expected]
    assert str(rows[0]["w"]) == str(now)


CLOSE = (2**126 + 2**62 + 1, 2**126 + 2**64 + 2**62)  # … and of equal double


# Of equal hash in DuckDB: the halves of 128 bits are hashed apart and joined by an exclusive or.
@pytest.mark.parametrize(
    ("was", "now"), [(0, -1), (-1, 0), (2**64 + 2, 2**65 + 1), (0, 2**64 + 1), (5, -5), CLOSE]
)
def test_every_change_of_a_long_decimal_is_seen(tmp_path: Path, was: int, now: int) -> None:
    sql = "select o as order_key, w, w < 0 as negative from raw.amounts"
    old, new, other = (Decimal(f"{number}e-2") for number in (was, now, 7))
    rows = _after_a_change(tmp_path, sql, "amounts", [(1, old), (2, other), (3, other)], (1, new))
    assert [row["w"] for row in rows] == [new]
