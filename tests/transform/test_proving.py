"""Promises asked of what changed have the verdicts that all rows would give, and refuse what they would."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_partial import ARROW, TEXT, Shop, Sliced, model

from mainstem.contract import part_checks
from mainstem.contract.model_checks import Declared, Promise, Reference, Verdict
from mainstem.engine.duckdb import DuckDB
from mainstem.lake import Lake, TableVersion, parquet
from mainstem.schema import Column, TableName
from mainstem.transform import partial as partial_module
from mainstem.transform import proving
from mainstem.transform.build import Builder, ModelFailed
from mainstem.transform.partial import consider
from mainstem.transform.proving import Earlier

SQL = """
    select l.o as order_key, l.n as line, l.p, case when l.p = 'bad' then l.q + 1 else l.q end as q,
    coalesce(cast(o.c as varchar), 'missing') as customer_key
    from raw.lines l left join raw.orders o on l.o = o.o
"""
PROMISE = Promise(
    "fact",
    key=("order_key", "line"),
    grain="lines",
    where="n is not null",
    sums={"q": "q * 1"},
    references=(Reference("customer_key", "buyers", "key", "missing"),),
    declared=(
        Declared(not_null=("p",), warning=True),
        Declared(unique=("line", "q"), warning=True),
        Declared(accepted=("q", ("0", "1", "2", "3")), warning=True),
        Declared(sql="select 1 from mart.fact where q > 3", warning=True),
    ),
)
BUYERS = TableName("mart", "buyers")
KEY = Column("key", TEXT)


@dataclass
class World:
    """Lines and orders by their keys, and a dimension of buyers; the fact follows them."""

    engine: DuckDB
    folder: Path
    lines: dict[tuple[int, int], tuple[str | None, int | None]]
    orders: dict[int, int]
    buyers: list[str]
    shop: Shop = field(init=False)
    head: TableVersion | None = None
    before: dict[TableName, TableVersion] = field(default_factory=dict)

    def commit(self) -> None:
        rows: dict[str, list[tuple[Any, ...]]] = {
            "lines": [(o, n, *rest) for (o, n), rest in self.lines.items()],
            "orders": [(o, c, "on") for o, c in self.orders.items()],
        }
        if not hasattr(self, "shop"):
            self.shop = Shop(Lake(self.folder), {name: list(part) for name, part in rows.items()})
        self.shop.rows = {name: list(part) for name, part in rows.items()}
        self.shop.commit()
        batch = pa.RecordBatch.from_arrays([pa.array(self.buyers, ARROW[TEXT])], names=["key"])
        staged = self.shop.lake.stage(BUYERS, [KEY], [batch])
        self.shop.versions[BUYERS] = self.shop.lake.commit(staged, run="r", summary={})

    def build(self, promise: Promise = PROMISE, *, anew: bool = False) -> tuple[Sequence[Verdict], str]:
        """The verdicts, and how they came about. A fact that is not refused is the next one's base."""
        one = model(SQL)
        earlier: Earlier | str = ""
        if self.head is not None and not anew:
            partial = consider(one, self.head, self.before, self.shop.versions)
            earlier = Earlier(self.head, self.before, partial)
        try:
            built = Builder(self.engine, self.shop.lake, "r").build(
                one, promise, self.shop.versions, "digest", lambda _: None, earlier
            )
        except ModelFailed as failed:
            return failed.verdicts, "refused"
        if not anew:
            self.head, self.before = built.version, dict(self.shop.versions)
        return built.verdicts, built.how


def world_of(engine: DuckDB, folder: Path) -> World:
    lines: dict[tuple[int, int], tuple[str | None, int | None]] = {
        (o, n): ("a", (o + n) % 4) for o in range(12) for n in range(2)
    }
    world = World(engine, folder, lines, {o: o % 3 for o in range(11)}, ["missing", "0", "1", "2"])
    world.commit()
    world.build()
    return world


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for each batch, and every change in part."""
    monkeypatch.setattr(parquet, "GROUP_BYTES", 0)
    monkeypatch.setattr(parquet, "FILE_BYTES", 0)
    monkeypatch.setattr(partial_module, "MOST", 100.0)
    monkeypatch.setattr(partial_module, "_MANY", 1000)
    monkeypatch.setattr(proving, "_bytes", lambda _: 0)


numbers = st.integers(0, 12)
KEYS = st.tuples(numbers, st.integers(0, 3))
LINES = st.tuples(st.sampled_from([None, "a", "bad"]), st.sampled_from([None, 0, 1, 2, 3, 4]))


def change(world: World, data: st.DataObject) -> None:
    """A few lines and orders, and perhaps a buyer more (or twice), or one less."""
    world.lines |= data.draw(st.dictionaries(KEYS, LINES, max_size=2))
    world.orders |= data.draw(st.dictionaries(numbers, st.integers(0, 3), max_size=1))
    for key in data.draw(st.lists(KEYS, max_size=2)):
        world.lines.pop(key, None)
    buyer = data.draw(st.sampled_from(["", "", "", "", "missing", "0", "3"]))
    if buyer in world.buyers and data.draw(st.booleans()):
        world.buyers.remove(buyer)
    elif buyer:
        world.buyers.append(buyer)


def test_the_verdicts_are_those_of_all_rows() -> None:
    said: list[str] = []

    @settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as name, Sliced(Path(name) / "tmp") as engine:
            world = world_of(engine, Path(name))
            for _ in range(3):
                change(world, data)
                world.commit()
                verdicts, how = world.build()
                said.append(how)
                assert list(verdicts) == list(world.build(anew=True)[0]), how

    holds()
    assert any("checks looked at what changed" in how for how in said), said
    assert "refused" in said


def test_which_checks_look_at_what_changed(tmp_path: Path) -> None:
    with Sliced(tmp_path / "tmp") as engine:
        world = world_of(engine, tmp_path)
        world.lines[11, 0] = ("a", 2)
        world.commit()
        _, how = world.build()
        assert how == "in part: 1 key of 24 computed again; 6 of 10 checks looked at what changed"
        world.commit()
        _, how = world.build(Promise("fact", key=("order_key", "line")))
        assert "checks" not in how, "verdicts on another promise say nothing"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("a key twice", "order_key and line are not unique"),
        ("a NULL in the key", "NULL in line in 1 row"),
        ("another sum", "q sums to"),
        ("a row too many", "2 too many"),
        ("no buyer", "1 row of fact find no row in buyers"),
        ("a buyer that went", "find no row in buyers"),
        ("a buyer twice", "its key repeats"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, wrong: str, said: str) -> None:
    with Sliced(tmp_path / "tmp") as engine:
        world = world_of(engine, tmp_path)
        plant(world, wrong)
        verdicts, how = world.build()
    assert how == "refused"
    assert any(said in verdict.text for verdict in verdicts if not verdict.holds), verdicts


def plant(world: World, wrong: str) -> None:
    """Something wrong in the sources or the dimension, such that the model's rows break a promise."""
    if wrong == "a buyer that went":
        world.buyers.remove("1")
    elif wrong == "a buyer twice":
        world.buyers.append("1")
    world.commit()
    table, row = {
        "no buyer": ("lines", (77, 1, "a", 3)),
        "a row too many": ("orders", (3, 0, "again")),
        "a key twice": ("lines", (5, 1, "a", 2)),
        "a NULL in the key": ("lines", (5, None, "a", 2)),
        "another sum": ("lines", (5, 7, "bad", 3)),
    }.get(wrong, ("", ()))
    if table:
        world.shop.rows["orders"] += [(77, 77, "on")] if wrong == "no buyer" else []
        world.shop.rows[table].append(row)
        world.shop.commit()


ONCE = Promise("fact", declared=(Declared(unique=("p",)),))


def after_a_value_was_repeated(engine: DuckDB, folder: Path) -> str:
    """How a fact came about in which a changed row has what a kept row has, and should be alone with."""
    lines: dict[tuple[int, int], tuple[str | None, int | None]] = {(o, 0): (f"p{o}", 1) for o in range(12)}
    world = World(engine, folder, lines, {99: 0}, ["missing"])
    world.commit()
    world.build(ONCE)
    world.lines[11, 0] = ("p0", 1)
    world.commit()
    return world.build(ONCE)[1]


def test_a_changed_row_that_repeats_a_kept_one_is_refused(tmp_path: Path) -> None:
    with Sliced(tmp_path / "tmp") as engine:
        assert after_a_value_was_repeated(engine, tmp_path) == "refused"


def test_control_without_a_look_at_the_kept_rows_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = proving._split

    def few(before: Sequence[Path], now: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
        added, removed, kept = split(before, now)
        return added, removed, kept[-1:]

    monkeypatch.setattr(proving, "_split", few)
    with Sliced(tmp_path / "tmp") as engine:
        assert "1 of 2 checks" in after_a_value_was_repeated(engine, tmp_path)


def test_control_verdicts_of_another_promise_would_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Promise("fact", declared=(Declared(accepted=("p", ("b",))),))
    for digest, expected in ((part_checks.digest, "refused"), (lambda _: "same", "in part")):
        monkeypatch.setattr(part_checks, "digest", digest)
        folder = tmp_path / expected[:3]
        with Sliced(folder / "tmp") as engine:
            world = world_of(engine, folder)
            world.head = None
            world.build(Promise("fact", declared=(Declared(accepted=("p", ("a",))),)))
            world.commit()
            assert world.build(other)[1].startswith(expected)
