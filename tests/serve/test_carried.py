"""A served file made from the last one holds what one made anew does, byte for byte."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mainstem.engine import views
from mainstem.project.dashboard import Dashboard
from mainstem.project.header import Header
from mainstem.schema import Column, TableName, Type
from mainstem.serve import bundle, cubepart, cubetable
from mainstem.serve.bundle import Last, build
from mainstem.serve.cubepart import Moved, Parting
from mainstem.serve.spec import ModelDoc, ServeSpec, TableDoc

COLUMNS = {
    "fact": {"c": "string", "p": "string", "day": "date", "s": "string", "q": "long", "a": "decimal(10,2)"},
    "customers": {"k": "string", "land": "string", "since": "date"},
    "products": {"k": "string", "kind": "string"},
}
SQL_TYPES = {"string": "varchar", "long": "bigint"}
HEADERS = {
    "fact": {
        "kind": "fact",
        "columns": {
            "c": {"references": "customers.k"},
            "p": {"references": "products.k"},
            "day": "The day.",
            "s": "The state.",
        },
        "measures": {"q": {"additive": "full"}, "a": {"additive": "full"}},
    },
    "customers": {"columns": {"k": "Key.", "land": "Land.", "since": "The day."}},
    "products": {"columns": {"k": "Key.", "kind": "Kind."}},
}
BOARD: dict[str, Any] = {
    "dashboard": "board",
    "model": "fact",
    "measures": {
        "amount": {"sum": "a"},
        "mean": {"average": "q"},
        "rows": {"count": "*"},
        "known": {"count": "s"},
    },
    "dimensions": {
        "land": "customers.land",
        "since": {"column": "customers.since", "grain": "month"},
        "kind": "products.kind",
        "state": "s",
        "day": {"column": "day", "grain": "day"},
    },
    "layout": [[{"kpi": "amount"}]],
}
Row = tuple[Any, ...]


@dataclass
class World:
    """Marts as Parquet files of a few rows each; a version keeps the files whose rows did not change."""

    state: Path
    rows: dict[str, list[Row]]
    board: dict[str, Any] = field(default_factory=lambda: BOARD)
    parts: dict[str, dict[int, tuple[Path, list[Row]]]] = field(default_factory=dict)
    snapshots: dict[str, int] = field(default_factory=dict)
    made: int = 0

    def commit(self) -> None:
        for table, rows in self.rows.items():
            wanted: dict[int, list[Row]] = {}
            for row in sorted(rows, key=repr):
                wanted.setdefault(sum(map(ord, str(row[0]))) % 5, []).append(row)
            old = self.parts.get(table, {})
            if {n: part for n, (_, part) in old.items()} != wanted or table not in self.snapshots:
                self.parts[table] = {
                    n: old[n] if n in old and old[n][1] == part else (self._write(table, part), part)
                    for n, part in wanted.items()
                }
                self.made += 1
                self.snapshots[table] = self.made

    def _write(self, table: str, rows: list[Row]) -> Path:
        self.made += 1
        path = self.state / "lake" / f"{table}-{self.made}.parquet"
        path.parent.mkdir(exist_ok=True, parents=True)
        con = duckdb.connect()
        columns = ", ".join(f'"{n}" {SQL_TYPES.get(t, t)}' for n, t in COLUMNS[table].items())
        con.execute(f"create table t ({columns})")
        con.executemany(f"insert into t values ({', '.join('?' * len(COLUMNS[table]))})", rows)
        con.execute(f"copy t to '{path}' (format parquet)")
        con.close()
        return path

    def files(self) -> dict[TableName, tuple[Path, ...]]:
        return {
            TableName("mart", name): tuple(path for path, _ in parts.values())
            for name, parts in self.parts.items()
        }

    def connect(self) -> duckdb.DuckDBPyConnection:
        con = duckdb.connect()
        con.execute("create schema mart")
        for name, files in self.files().items():
            con.execute(views.of_files(name, files, columns_of(name.name)).statement)
        return con

    def spec(self, run: str) -> ServeSpec:
        docs = [
            TableDoc.of(name, columns_of(name.name), rows=len(self.rows[name.name]), size=1,
                        snapshot=self.snapshots[name.name])
            for name in sorted(self.files())
        ]  # fmt: skip
        models = [
            ModelDoc(name=name, header=Header.model_validate(value), sql="select 1 as x")
            for name, value in HEADERS.items()
        ]
        return ServeSpec(
            run=run, tables=docs, models=models, dashboards=[Dashboard.model_validate(self.board)]
        )

    def build(self, run: str, last: Last | None = None) -> bundle.Built:
        return build(self.state, self.spec(run), self.connect, lake=self.files(), last=last)

    def last(self, run: str) -> Last:
        path, spec = bundle.find(self.state, run), bundle.stored_spec(self.state, run)
        assert path is not None
        assert spec is not None
        return Last(path, spec, self.files())


def columns_of(table: str) -> list[Column]:
    return [Column(name, Type.parse(type_)) for name, type_ in COLUMNS[table].items()]


def content(path: Path, *, ordered: bool = True) -> dict[str, Any]:
    """Every table of a served file but what names the run; a cube's cells as they stand, or sorted."""
    con = duckdb.connect(str(path), read_only=True)
    names = con.execute("select schema_name, table_name from duckdb_tables() order by all").fetchall()
    found: dict[str, Any] = {}
    for schema, name in names:
        if name in ("spec", "files"):
            continue
        columns = "name, document, arrays, plain" if (schema, name) == ("mainstem", "cube") else "*"
        rows = con.execute(f'select {columns} from "{schema}"."{name}"').fetchall()
        types = con.execute(f'describe "{schema}"."{name}"').fetchall() if schema != "mainstem" else []
        found[f"{schema}.{name}"] = (
            types,
            rows if ordered and schema != "mainstem" else sorted(rows, key=repr),
        )
    found["views"] = con.execute(
        "select schema_name, view_name, comment from duckdb_views() where not internal order by all"
    ).fetchall()
    con.close()
    return found


keys = st.sampled_from([None, "1", "2", "3", "4", "5"])
days = st.sampled_from([None, "2020-01-31", "2020-02-01", "2021-12-31", "infinity"])
texts = st.sampled_from([None, "", "a", "b", "ä"])
amounts = st.decimals(-9, 9, places=2)
FACTS = st.tuples(keys, keys, days, texts, st.integers(-3, 3), amounts)
DIMENSIONS = {
    "customers": st.tuples(texts, days),
    "products": st.tuples(texts),
}
ROWS = {
    "fact": st.lists(FACTS, min_size=4, max_size=40),
    **{
        name: st.dictionaries(st.sampled_from("12345"), rest, min_size=1).map(
            lambda found: [(key, *values) for key, values in found.items()]
        )
        for name, rest in DIMENSIONS.items()
    },
}


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """In part, however much changed."""
    for module in (cubepart, cubetable):
        monkeypatch.setattr(module, "MOST", 1000)
    monkeypatch.setattr(cubepart, "COMPARED", 1)


def change(world: World, draw: Callable[[Any], Any]) -> None:
    for table in draw(st.lists(st.sampled_from(["fact", "fact", "customers", "products"]), max_size=3)):
        rows = world.rows[table]
        if table != "fact":
            world.rows[table] = draw(ROWS[table])
            continue
        for number in draw(st.lists(st.integers(0, 60), max_size=6)):
            if len(rows) > 1:
                rows.pop(number % len(rows))
        rows += draw(st.lists(FACTS, max_size=3))
        if rows:
            rows.append(rows[0])  # rows may be there twice


def in_parts(data: st.DataObject, folder: Path, ordered: bool) -> list[str]:
    """Two releases after a first, each from the one before; what was said of the cubes."""
    world = World(folder, {name: list(data.draw(rows)) for name, rows in ROWS.items()})
    world.commit()
    world.build("r0")
    said = []
    for number in range(1, 3):
        last = world.last(f"r{number - 1}")
        change(world, data.draw)
        world.commit()
        built = world.build(f"r{number}", last)
        anew = world.build("anew")
        said.append(built.cubes[0].how)
        assert content(built.path, ordered=ordered) == content(anew.path, ordered=ordered), said
        assert anew.cubes[0].cells == built.cubes[0].cells
    return said


@pytest.mark.parametrize("cells", [300_000, 0], ids=["in the browser", "on the server"])
def test_in_part_equals_anew(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cubetable, "BROWSER_CELLS", cells)
    said: list[str] = []

    @settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            said.extend(in_parts(data, Path(folder), ordered=cells > 0))

    holds()
    assert {how.split(":")[0] for how in said} == {"in part", "unchanged"}, said


class Shop(World):
    """The customer `1` buys twice, `2` once; enough rows that a part is a part."""

    def __init__(self, folder: Path, board: dict[str, Any] | None = None) -> None:
        facts = [(str(1 + i % 5), str(1 + i % 3), "2020-01-31", "ab"[i % 2], i, i) for i in range(60)]
        customers = [(str(i), "ab"[i % 2], None) for i in range(1, 6)]
        rows: dict[str, list[Row]] = {
            "fact": facts, "customers": customers, "products": [(str(i), "k") for i in range(1, 4)]
        }  # fmt: skip
        super().__init__(folder, rows, board or BOARD)
        self.commit()
        self.build("r0")

    def after(self, change: Callable[[World], None]) -> tuple[str, bool]:
        """What is said of the cube after a change, and whether the file is what one made anew is."""
        last = self.last("r0")
        change(self)
        self.commit()
        built, anew = self.build("r1", last), self.build("anew")
        return built.cubes[0].how, content(built.path) == content(anew.path)


def a_row_less(world: World) -> None:
    world.rows["fact"].pop()


def a_customer_moves(world: World) -> None:
    world.rows["customers"][0] = ("1", "c", None)


def a_null(world: World) -> None:
    world.rows["fact"].append(("1", "1", None, None, None, 1))


def test_what_is_said(tmp_path: Path) -> None:
    assert Shop(tmp_path / "1").after(a_row_less) == ("in part: 1 cell computed again", True)
    assert Shop(tmp_path / "2").after(a_customer_moves) == ("in part: 4 cells computed again", True)
    assert Shop(tmp_path / "3").after(lambda _: None) == ("unchanged", True)
    assert Shop(tmp_path / "4").after(a_null) == ("in full: what it sums is NULL in some rows", True)


def test_a_null_that_goes_is_no_null_that_was_not_there(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.after(a_null)
    last = shop.last("r1")
    shop.rows["fact"].pop()
    shop.commit()
    assert shop.build("r2", last).cubes[0].how == "in full: what it sums is NULL in some rows"


def test_much_changed_means_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cubepart, "MOST", 0.1)
    how, same = Shop(tmp_path / "1").after(a_customer_moves)
    assert (how, same) == ("in full: 12 rows of 60 changed", True)
    monkeypatch.setattr(cubepart, "COMPARED", 0.0)
    how, same = Shop(tmp_path / "2").after(a_row_less)
    assert (how, same) == ("in full: too many files of fact were written again", True)


def test_cells_out_of_their_order_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cubetable, "BROWSER_CELLS", 0)
    monkeypatch.setattr(cubetable, "MOST", 0.6)
    shop, said = Shop(tmp_path), []
    for number in range(1, 8):
        last = shop.last(f"r{number - 1}")
        shop.rows["fact"].append(("1", "1", "2020-01-31", "b", number, 1))
        shop.commit()
        said.append(shop.build(f"r{number}", last).cubes[0].how)
    again = said.index("in full: its cells are put in order again")
    assert set(said[:again]) == {"in part: 1 cell computed again"}
    assert said[again + 1] == "in part: 1 cell computed again"


def test_floating_point_is_never_added_up_by_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLUMNS["fact"], "q", "double")
    how, same = Shop(tmp_path).after(a_row_less)
    assert (how, same) == (
        "in full: a column of it is a floating-point number, or of no known type", True
    )  # fmt: skip


def test_a_changed_definition_means_anew(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    last = shop.last("r0")
    shop.board = BOARD | {"measures": {"amount": {"sum": "q"}}}
    built = shop.build("r1", last)
    assert built.cubes[0].how == "in full: its definition changed"
    assert content(built.path) == content(shop.build("anew").path)
    last = shop.last("r1")
    shop.board = BOARD | {"dashboard": "other"}
    assert content(shop.build("r2", last).path) == content(shop.build("anew").path)


def test_a_sum_that_outgrows_its_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cubetable, "BROWSER_CELLS", 0)
    monkeypatch.setitem(COLUMNS["fact"], "a", "decimal(38,2)")
    shop = Shop(tmp_path)
    how, same = shop.after(lambda one: one.rows["fact"].append(("1", "1", "2020-01-31", "b", 1, 10**30)))
    assert how == "in full: a sum has become too large for the type that the others are stored in"
    assert same


def test_control_removed_rows_that_were_missed_do_not_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Parting._moved

    def without_removed(self: Parting, reached: str) -> str:
        moved = real(self, reached)
        self._con.execute(f'delete from {moved} where "+-" < 0')
        return moved

    monkeypatch.setattr(Parting, "_moved", without_removed)
    how, same = Shop(tmp_path).after(a_row_less)
    assert (how, same) == ("in full: the part did not add up", True)


def test_control_a_file_that_was_missed_is_missing_in_the_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = Moved.between
    monkeypatch.setattr(Moved, "between", lambda *files: replace(between(*files), removed=()))
    how, same = Shop(tmp_path).after(a_row_less)
    assert (how, same) == ("in full: the files that came and went do not have the rows that did", True)


def a_row_more(world: World) -> None:
    world.rows["fact"].append(("1", "3", "2020-01-31", "b", 5, 7))


def a_cell_more(world: World) -> None:
    world.rows["fact"].append(("1", "3", "2020-02-01", "c", 5, 7))


@pytest.mark.parametrize(
    ("change", "in_place"), [(a_row_more, True), (a_cell_more, False)], ids=["a row more", "a cell more"]
)
def test_cells_that_stand_get_their_sums_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[World], None], in_place: bool
) -> None:
    renewed: list[str] = []
    real = cubetable._renewed

    def noted(*args: Any) -> cubetable.CubeReport:
        renewed.append(args[1].name)
        return real(*args)

    monkeypatch.setattr(cubetable, "_renewed", noted)
    assert Shop(tmp_path).after(change) == ("in part: 1 cell computed again", True)
    assert renewed == (["board"] if in_place else [])


def test_control_without_the_dimensions_rows_the_cells_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Parting, "_reached", lambda _: "")
    assert Shop(tmp_path).after(a_customer_moves) == ("in part: 0 cells computed again", False)


@pytest.mark.parametrize("what", ["rotten", "gone", "of another version"])
def test_a_last_file_that_is_of_no_use(tmp_path: Path, what: str) -> None:
    shop = Shop(tmp_path)
    path = shop.last("r0").path
    if what == "rotten":
        path.write_bytes(b"\0" * 100_000)
    elif what == "gone":
        shop = Shop(tmp_path / "again")
        last = replace(shop.last("r0"), path=tmp_path / "nowhere.duckdb")
        assert shop.build("r1", last).cubes[0].how == ""
        return
    else:
        con = duckdb.connect(str(path))
        con.execute("update mainstem.spec set made_by = 'form 0'")
        con.close()
    assert shop.after(a_row_less) == ("", True)
    assert [p.name for p in (tmp_path / "serve").iterdir() if p.name.endswith((".tmp", ".wal"))] == []


def test_what_did_not_change_is_not_made_again(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    last = shop.last("r0")
    a_row_less(shop)
    shop.commit()
    statements: list[str] = []
    con = Watched(shop.connect(), statements)
    build(shop.state, shop.spec("r1"), lambda: con, lake=shop.files(), last=last)  # type: ignore[arg-type, return-value]
    made = [s.split('"')[3] for s in statements if s.startswith('create table served."mart"')]
    assert made == ["fact"]


class Watched:
    """A connection that remembers what it was told."""

    def __init__(self, con: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
        self._con = con
        self._statements = statements

    def execute(self, sql: str, *values: Any) -> duckdb.DuckDBPyConnection:
        self._statements.append(sql)
        return self._con.execute(sql, *values)

    def close(self) -> None:
        self._con.close()
