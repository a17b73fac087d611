"""The estimate of a run: units, least amounts, more never costs less; the budget stops a run at its start."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.cost import Estimate, estimate, prices_of, reads
from mainstem.cost.prices import FIGURES, price_table
from mainstem.errors import ConfigErrors
from mainstem.ingest.state import CURSOR
from mainstem.lake import TableVersion
from mainstem.model.graph import Graph
from mainstem.plan import IngestStep, ModelStep, Plan
from mainstem.project.costs import Budget, Costs, size_in_bytes
from mainstem.project.load import load_project
from mainstem.project.modelfile import parse_model
from mainstem.project.targets import AwsTarget
from mainstem.run.metering import Meter
from mainstem.schema import Table, TableName
from mainstem.source.port import Divisible, Snapshot, SourceOptions
from mainstem.wiring import open_source
from servers.mariadb import MariaDB
from support import execute_sql, mart, raw, run, table
from support import mainstem as _command

TARGET = AwsTarget(engine="aws", region="us-east-1", bucket="shop-lake")
PRICES = prices_of("us-east-1", Costs())
MODEL = parse_model("/* mainstem\nkey: [id]\n*/\nselect id from raw.t", "m", "models/m.sql")
BYTES = st.integers(0, 10**13)


def _step(size: int, rows: int = 1000, action: str = "new") -> IngestStep:
    made = replace(table("t", "id int, note text", ["id"]), rows=rows, bytes=size)
    return IngestStep(raw("t"), "shop", made, action, ())  # type: ignore[arg-type]


def _head(name: TableName, size: int, rows: int = 1000, cursor: str = "") -> TableVersion:
    return TableVersion(name, 1, "m.json", rows, size, (), {CURSOR: cursor})


def _plan(*ingest: IngestStep, models: int = 1) -> Plan:
    found = tuple(ModelStep(mart("m"), MODEL, (raw("t"),), "new", ()) for _ in range(models))
    return Plan(ingest, found, (), Graph({}, ()))


def _of(size: int, target: AwsTarget = TARGET, costs: Costs | None = None, **heads: int) -> Estimate:
    known = {raw("t"): _head(raw("t"), heads["t"])} if "t" in heads else {}
    return estimate(_plan(_step(size)), known, target, prices_of("us-east-1", costs or Costs()))


@given(BYTES, BYTES)
def test_more_bytes_never_cost_less(one: int, other: int) -> None:
    less, more = _of(min(one, other)), _of(max(one, other))
    for name in (
        "seconds",
        "dpu_hours",
        "usd_glue",
        "usd_requests",
        "usd_month",
        "usd_athena",
        "usd",
        "scan",
    ):
        assert getattr(less, name) <= getattr(more, name), name


@given(BYTES, st.integers(2, 299), st.sampled_from(["G.1X", "G.2X", "G.4X", "G.8X"]))
def test_least_amounts_and_sums(size: int, workers: int, kind: str) -> None:
    target = TARGET.model_copy(update={"workers": workers, "worker_type": kind})
    found = _of(size, target)
    units = workers * {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}[kind]
    assert found.dpu_hours >= units * 60 / 3600
    assert found.dpu_hours == pytest.approx(units * found.seconds / 3600)
    assert all(step.scan >= 10_000_000 for step in found.steps)
    assert found.usd == pytest.approx(found.usd_glue + found.usd_requests)
    assert sum(step.glue for step in found.steps) <= found.usd_glue * (1 + 1e-9)
    assert found.usd_month == pytest.approx(sum(step.storage for step in found.steps))


@given(st.sampled_from(FIGURES[:6]), st.integers(1, 10**13), st.floats(1.01, 100))
def test_a_higher_price_never_costs_less(figure: str, size: int, factor: float) -> None:
    base = _of(size)
    own = Costs(**{figure: getattr(PRICES, figure) * factor})
    dearer = _of(size, costs=own)
    total = base.usd + base.usd_month + base.usd_athena
    assert dearer.usd + dearer.usd_month + dearer.usd_athena > total
    assert dearer.dpu_hours == base.dpu_hours, "a price changes no amount"
    assert dearer.prices.overridden == (figure,)


def test_units() -> None:
    found = _of(10**12, t=10**12)
    step = found.steps[0]
    assert step.athena == pytest.approx(5.0), "a terabyte scanned"
    assert step.storage == pytest.approx(23.0), "a thousand gigabytes, a month"
    assert found.usd_glue == pytest.approx(found.dpu_hours * 0.44)
    # 30 s to start, 10^12 bytes at 15 MB/s, and the model: 10^12 read and written at 40 MB/s; two workers.
    assert found.seconds == 30 + -(-(10**12 / 15e6 + 2 * 10**12 / 40e6) // 1)
    puts = 10**12 / 128e6 + 3
    assert step.requests == pytest.approx(-(-puts // 1) * 0.005 / 1000 + 3 / 1e6)


def test_nothing_to_do_costs_the_least() -> None:
    found = estimate(_plan(models=0), {}, TARGET, PRICES)
    assert (found.seconds, found.usd_requests, found.usd_month, found.usd_athena) == (60, 0, 0, 0)
    assert found.usd == pytest.approx(2 * 60 / 3600 * 0.44)


@pytest.mark.parametrize("action", ["taken", "frozen", "stop"])
def test_what_is_not_read_is_not_counted(action: str) -> None:
    found = estimate(_plan(_step(10**9, action=action), models=0), {}, TARGET, PRICES)
    assert (found.steps[0].source, found.steps[0].written, found.usd_requests) == (0, 0, 0)


@pytest.mark.parametrize(
    ("step", "head", "expected"),
    [
        (_step(1000), None, 1000),
        (_step(-1, rows=10), None, 10 * (4 + 24)),  # by the width of its columns
        (_step(-1, rows=-1), None, None),
        (_step(1000, action="check"), _head(raw("t"), 1), 1000),
        (_step(1000, action="check"), _head(raw("t"), 1, cursor="x"), 10),  # one row in a hundred
        (_step(1000, action="check"), _head(raw("t"), 1, 600, cursor="x"), 400),  # as it has grown
        (_step(1000, action="rebuild"), _head(raw("t"), 1, cursor="x"), 1000),
    ],
)
def test_what_a_step_reads(step: IngestStep, head: TableVersion | None, expected: int | None) -> None:
    assert reads(step, head, 0.01) == expected


def test_every_region_has_every_price() -> None:
    found = price_table()
    assert found["as_of"]
    assert found["source"]
    for region, prices in found["regions"].items():
        assert set(prices) | set(found["assumptions"]) == set(FIGURES), region
        assert all(value > 0 for value in prices.values())
    assert set(Costs.model_fields) == set(FIGURES)
    assert not prices_of("mars-north-1", Costs()).known


def test_sizes() -> None:
    assert [size_in_bytes(one) for one in ("20GB", "1.5 MB", "1GiB", "7B", "2TB")] == [
        20 * 10**9,
        1_500_000,
        2**30,
        7,
        2 * 10**12,
    ]
    assert Budget(read="1kB").read_bytes == 1000
    assert Budget().read_bytes is None


# On the command line

AWS = "targets:\n  cloud: {engine: aws, region: eu-central-1, bucket: shop-lake}\n"


def _add(root: Path, text: str) -> None:
    with open(root / "mainstem.yml", "a", encoding="utf-8") as file:
        file.write(text)


def test_the_plan_of_a_target_in_aws(tiny: Path) -> None:
    _add(tiny, AWS)
    done = _command("plan", "--target", "cloud", cwd=tiny, env={"COLUMNS": "160"})
    assert done.returncode == 0, done.stderr
    assert "a run: ~$0.0148: 0.0333 DPU hours of 2 × G.1X in 60 s, $0.0147; requests $0.0001" in done.stdout
    assert "prices of eu-central-1 as of" in done.stdout
    assert "10.0 MB $0.0001" in done.stdout
    value = json.loads(_command("plan", "-t", "cloud", "--output", "json", cwd=tiny).stdout)
    assert [step["table"] for step in value["cost"]["steps"]][-1] == "mart.fact_lines"
    assert value["cost"]["usd"] == value["cost"]["usd_glue"] + value["cost"]["usd_requests"]
    assert "cost" not in json.loads(_command("plan", "--output", "json", cwd=tiny).stdout)
    assert _command("plan", "-t", "nowhere", cwd=tiny).returncode == 2


def test_another_region_and_prices_of_ones_own(tiny: Path) -> None:
    _add(tiny, AWS.replace("eu-central-1", "mars-1") + "costs: {glue_dpu_hour: 4.4}\n")
    told = _command("plan", "-t", "cloud", cwd=tiny).stdout
    assert "no prices of mars-1 are known: those of us-east-1" in told
    assert "your own: glue_dpu_hour" in told
    assert "$0.1467" in told


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("budget: {usd: -1}\n", "mainstem.yml:5: budget.usd"),
        ("budget: {read: much}\n", "mainstem.yml:5: budget.read: write it like 20GB"),
        ("budget: {euro: 1}\n", "budget.euro: there is no such field"),
        ("costs: {glue_read_mb_second: 0}\n", "costs.glue_read_mb_second"),
    ],
)
def test_wrong_budgets(tiny: Path, wrong: str, said: str) -> None:
    _add(tiny, wrong)
    with pytest.raises(ConfigErrors) as caught:
        load_project(tiny)
    assert said in str(caught.value)


def test_the_budget_stops_a_run_before_it_begins(tiny: Path) -> None:
    _add(tiny, "budget: {read: 100B}\n")
    plan = _command("plan", cwd=tiny)
    assert (plan.returncode, "a run would stop" in plan.stdout) == (0, True)
    done = _command("run", cwd=tiny)
    assert done.returncode == 5, done.stdout
    assert "mainstem.yml:5: over the budget: it would read ~" in done.stderr
    assert "the budget is 100B" in done.stderr
    assert not list((tiny / ".mainstem").glob("runs/*")), "nothing was begun"
    done = _command("run", "--over-budget", cwd=tiny)
    assert done.returncode == 0, done.stderr


def test_a_budget_that_holds(tiny: Path) -> None:
    _add(tiny, "budget: {read: 1MB, usd: 0.01}\n")  # dollars count on a target that costs some
    assert _command("run", cwd=tiny).returncode == 0


def test_dollars_stop_a_run_in_aws(tiny: Path) -> None:
    _add(tiny, AWS + "budget: {usd: 0.01}\n")
    done = _command("run", "--target", "cloud", cwd=tiny)
    assert done.returncode == 5, done.stderr
    assert "it would cost ~$0.0148; the budget is $0.0100" in done.stderr


def test_the_receipt_has_the_difference(tiny: Path) -> None:
    first = run(tiny).outcome.receipt.value()
    reading = first["reading"]
    assert reading["actual"] > 0
    assert reading["difference"] == reading["actual"] - reading["estimated"]
    for one in first["tables"]:
        assert one["read_bytes"] > 0
        assert one["estimated_bytes"] > 0
    execute_sql(tiny / "shop.db", "update orders set comments = 'x'")
    second = run(tiny).outcome.receipt.value()
    assert {one["table"] for one in second["tables"] if one["read_bytes"]} == {"raw.orders"}
    latest = _command("runs", "latest", cwd=tiny).stdout
    assert "from the sources (at most ~" in latest
    assert " B " in _command("runs", cwd=tiny).stdout


def test_runs_shows_receipts_of_earlier_versions(tiny: Path) -> None:
    run(tiny)
    (path,) = (tiny / ".mainstem" / "runs").glob("*.json")
    value = json.loads(path.read_text())
    del value["reading"]
    path.write_text(json.dumps(value))
    for arguments in (("runs",), ("runs", "latest")):
        assert _command(*arguments, cwd=tiny).returncode == 0


def test_a_table_that_is_read_in_parts_is_metered(mariadb: MariaDB) -> None:
    """What the snapshot's twins read counts, too."""
    mariadb.create_database("metered")
    mariadb.execute(
        "create table t (id int primary key); insert into t select seq from seq_1_to_1000", "metered"
    )
    source = open_source(f"{mariadb.url}metered", SourceOptions())
    try:
        made = source.introspect().table("t")
        meter = Meter()
        with source.snapshot() as plain:
            snapshot = meter.over(plain)
            assert isinstance(snapshot, Divisible) == isinstance(plain, Divisible)
            first = sum(batch.nbytes for batch in snapshot.read(made, where="id <= 500"))
            assert meter.bytes("t") == first > 0
            assert list(snapshot.select("select count(*) from metered.t", 5)) == [(1000,)]
            assert meter.bytes("t") == first, "answers are not counted"
    finally:
        source.close()


class _InParts:
    """A snapshot with a twin, both of which give the same batch."""

    position: Mapping[str, str] = {}

    def read(self, table: Table, batch_bytes: int = 0, where: str = "") -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"id": pa.array([1, 2], pa.int64())})

    def select(self, sql: str, seconds: float = 0) -> list[tuple[Any, ...]]:
        return []

    def parts(self, table: Table) -> Sequence[str]:
        return ["id < 1", "id >= 1"]

    def order(self, table: Table) -> str:
        return ""

    @contextmanager
    def twin(self) -> Iterator[Snapshot]:
        yield _InParts()


def test_twins_are_metered() -> None:
    meter, made = Meter(), table("t", "id int", ["id"])
    snapshot = meter.over(_InParts())
    assert isinstance(snapshot, Divisible)
    assert len(snapshot.parts(made)) == 2
    with snapshot.twin() as twin:
        assert [len(list(one.read(made))) for one in (snapshot, twin)] == [1, 1]
    assert meter.bytes("t") == 2 * 16
