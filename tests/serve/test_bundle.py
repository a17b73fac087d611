"""The served file: whole or not there, found through the release, made again when it is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mainstem.errors import ConfigErrors, EngineFailed, LakeUnavailable, ProofFailed, UsageError
from mainstem.lineage import columns
from mainstem.serve.bundle import STALE, build, clean, find, stored_spec
from mainstem.serve.spec import TableDoc

from . import shop

OTHER = "20261124T090000-00ff"


def files(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "serve").iterdir())


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    con = duckdb.connect(str(path), read_only=True)
    try:
        return con.execute(sql).fetchall()
    finally:
        con.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return shop.state(tmp_path)


def test_what_is_in_it(state: Path) -> None:
    built = build(state, shop.spec(), shop.marts())
    assert built.path == find(state, shop.RUN)
    assert (built.rows, built.bytes) == (400 + 5 + 732, built.path.stat().st_size)
    assert [(cube.name, cube.where, cube.cells) for cube in built.cubes] == [("sales", "browser", 400)]
    assert rows(built.path, "select count(*), sum(amount) from fact_orders") == [(400, Decimal("25605.30"))]
    tables = rows(built.path, "select schema_name || '.' || table_name from duckdb_tables() order by 1")
    assert [name for (name,) in tables] == [
        "cube.sales", "mainstem.cube", "mainstem.files", "mainstem.lineage", "mainstem.spec",
        "mart.dim_customers", "mart.dim_dates", "mart.fact_orders",
    ]  # fmt: skip
    words = (
        "select comment from duckdb_columns() where table_name = 'dim_customers' and column_name = 'country'"
    )
    assert ("Country of the customer's address.",) in rows(built.path, words)
    assert stored_spec(state, shop.RUN) == shop.spec()
    assert find(state, OTHER) is None
    assert stored_spec(state, OTHER) is None


def test_nobody_else_may_read_it(state: Path) -> None:
    before = os.umask(0)
    try:
        build(state, shop.spec(), shop.marts())
    finally:
        os.umask(before)
    assert (state / "serve").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (state / "serve").iterdir()} == {0o600}


def test_raw_tables_come_on_demand(state: Path) -> None:
    built = build(state, shop.spec(raw=True), shop.marts())
    assert rows(built.path, "select count(*) from raw.orders") == [(400,)]


def test_building_again_replaces_the_file_and_leaves_open_readers_alone(state: Path) -> None:
    first = build(state, shop.spec(), shop.marts())
    reader = duckdb.connect(str(first.path), read_only=True)
    second = build(state, shop.spec(dashboards=[]), shop.marts())
    assert first.path != second.path == find(state, shop.RUN)
    assert not first.path.exists()
    assert reader.execute("select count(*) from cube.sales").fetchone() == (400,)
    assert rows(second.path, "from mainstem.cube") == []
    reader.close()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"dashboards": [shop.dashboard(model="nothing")]}, ConfigErrors),
        ({"tables": [t.model_copy(update={"rows": 399}) for t in shop.spec().tables]}, ProofFailed),
        ({"tables": [*shop.spec().tables, TableDoc(namespace="mart", name="gone")]}, EngineFailed),
        ({"run": "../evil"}, UsageError),
        ({"run": ""}, UsageError),
    ],
)
def test_a_build_that_fails_changes_nothing(
    state: Path, change: dict[str, Any], error: type[Exception]
) -> None:
    build(state, shop.spec(), shop.marts())
    before = {path.name: path.read_bytes() for path in (state / "serve").iterdir()}
    with pytest.raises(error):
        build(state, shop.spec(**change), shop.marts())
    assert {path.name: path.read_bytes() for path in (state / "serve").iterdir()} == before


def test_a_cube_that_does_not_add_up_is_not_published(state: Path) -> None:
    doubled = shop.MARTS + "insert into mart.dim_customers values ('2', 'España');"
    tables = [t.model_copy(update={"rows": -1}) for t in shop.spec().tables]
    with pytest.raises(ProofFailed, match="486 in the cube, 400 in fact_orders"):
        build(state, shop.spec(tables=tables), shop.marts(doubled))
    assert files(state) == []


def test_a_sum_that_overflows_is_told_without_the_values(state: Path) -> None:
    number = "8" * 38
    huge = shop.MARTS.replace("cast((i % 97) * 1.37 as decimal(10, 2)) as", f"{number}::decimal(38, 0) as")
    assert number in huge
    with pytest.raises(EngineFailed, match="Overflow") as caught:
        build(state, shop.spec(), shop.marts(huge))
    assert "888" not in str(caught.value)
    assert files(state) == []


def test_a_full_disk_is_told_and_leaves_nothing(state: Path) -> None:
    # In a process of its own: the limit cannot be lifted again.
    result = child(state, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
                   "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("LakeUnavailable: cannot ")
    assert [name for name in files(state) if not name.startswith(".")] == []
    assert find(state, shop.RUN) is None


def child(state: Path, prelude: str = "", crash: str = "") -> subprocess.CompletedProcess[str]:
    program = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent.parent), *sys.path]!r}
{prelude}
from pathlib import Path
from typing import Any
from mainstem.errors import MainstemError
from mainstem.serve.bundle import build
from serve import shop
try:
    build(Path({str(state)!r}), shop.spec(dashboards=[]), shop.marts())
    print("built")
except MainstemError as error:
    print(type(error).__name__ + ": " + error.message)
"""
    env = {**os.environ, "MAINSTEM_CRASH_AT": crash}
    return subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("point", ["serve-built", "serve-renamed"])
def test_killed_while_building_the_old_file_stands(state: Path, point: str) -> None:
    old = build(state, shop.spec(), shop.marts())
    killed = child(state, crash=point)
    assert killed.returncode == -signal.SIGKILL
    assert find(state, shop.RUN) == old.path
    assert rows(old.path, "select count(*) from cube.sales") == [(400,)]
    left = [name for name in files(state) if not name.endswith((".json", ".cache")) and name != old.path.name]
    assert len(left) == 1
    assert clean(state, [shop.RUN]) == []  # young: it may belong to a build under way
    assert [path.name for path in clean(state, [shop.RUN], now=old.path.stat().st_mtime + 2 * STALE)] == left
    assert child(state).stdout == "built\n"


def test_cleaning_keeps_what_the_kept_runs_need(state: Path) -> None:
    first = build(state, shop.spec(), shop.marts())
    second = build(state, shop.spec(OTHER), shop.marts())
    (state / "serve" / "note.txt").write_text("the user's own")
    removed = {path.name for path in clean(state, [OTHER])}
    assert removed == {first.path.name, f"{shop.RUN}.json", f"{shop.RUN}.spec.json"}
    assert find(state, OTHER) == second.path
    assert stored_spec(state, OTHER) is not None
    assert (state / "serve" / "note.txt").exists()
    assert clean(state / "nowhere", []) == []


def test_a_damaged_manifest_is_told(state: Path) -> None:
    build(state, shop.spec(), shop.marts())
    (state / "serve" / f"{shop.RUN}.json").write_text("{")
    with pytest.raises(LakeUnavailable, match="cannot be read"):
        find(state, shop.RUN)
    (state / "serve" / f"{shop.RUN}.json").write_text(json.dumps({"file": "../../etc/passwd"}))
    assert find(state, shop.RUN) is None


def test_a_lake_that_fails_is_told(state: Path) -> None:
    def broken() -> duckdb.DuckDBPyConnection:
        con = shop.marts()()
        con.execute("drop table mart.dim_dates")
        return con

    connect: Callable[[], duckdb.DuckDBPyConnection] = broken
    with pytest.raises(EngineFailed, match="cannot copy the release's tables"):
        build(state, shop.spec(), connect)
    assert files(state) == []


def test_lineage_is_found_again_for_other_models_alone(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(state, shop.spec(), shop.marts())
    document = "select document from mainstem.lineage"
    before = rows(first.path, document)
    monkeypatch.setattr(columns, "trace", lambda *_: pytest.fail("the models are the same"))
    assert rows(build(state, shop.spec(OTHER), shop.marts()).path, document) == before
    monkeypatch.undo()
    other = [model.model_copy(update={"sql": "select 1 as y"}) for model in shop.spec().models]
    assert rows(build(state, shop.spec(models=other), shop.marts()).path, document) != before
    (state / "serve" / "lineage.cache").write_text("{")
    assert rows(build(state, shop.spec(), shop.marts()).path, document) == before
