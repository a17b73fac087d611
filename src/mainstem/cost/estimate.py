"""From the plan and the sizes of tables to bytes, seconds and dollars. Pure.

It is an estimate of the most that the run would do: a table that is read only if its fingerprint differs
counts as if it did. Sizes of tables that stand in the lake are known; for others the source's own estimate is
taken, or the number of rows by the width of their columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mainstem.cost.prices import Prices
from mainstem.ingest.state import CURSOR
from mainstem.lake import TableVersion
from mainstem.plan import IngestStep, ModelStep, Plan
from mainstem.project.targets import AwsTarget
from mainstem.schema import Kind, Table, TableName

DPU = {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}  # data processing units of a worker
LEAST_SECONDS = 60  # of a Glue job are paid in any case; beyond, each second
LEAST_SCAN = 10_000_000  # bytes of a query are paid in any case
_COMMIT_FILES = 3  # manifest, manifest list, table metadata
_COMMIT_CALLS = 3  # of the data catalog: the database, the table, its new version
_WIDTH = {  # bytes of a value, where the source does not say how large its table is
    Kind.BOOLEAN: 1, Kind.INT: 4, Kind.LONG: 8, Kind.DECIMAL: 8, Kind.FLOAT: 4, Kind.DOUBLE: 8,
    Kind.STRING: 24, Kind.BINARY: 256, Kind.DATE: 4, Kind.TIMESTAMP: 8, Kind.TIMESTAMPTZ: 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepCost:
    """One step. `source` bytes are read from a database, `scanned` from the lake, `written` to it; `seconds`
    of the whole job's workers; `scan` what one query that reads the whole table would have Athena scan.
    Dollars: `glue` (a share of the job), `requests` (S3 and the catalog), `storage` a month, `athena` for
    that one query. `known` is False if the source says nothing of the table's size."""

    table: str
    source: int
    scanned: int
    written: int
    seconds: float
    scan: int
    glue: float
    requests: float
    storage: float
    athena: float
    known: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """A run on AWS. `dpu_hours` as they are billed, with start and minimum; `usd` is what the run costs: the
    job and its requests. `usd_month`: what the tables' versions written cost to keep. `usd_athena`: each
    table read whole once."""

    steps: tuple[StepCost, ...]
    prices: Prices
    seconds: float
    dpu_hours: float
    usd_glue: float
    usd_requests: float
    usd_month: float
    usd_athena: float

    @property
    def usd(self) -> float:
        """Dollars of a run: the job and its requests, not storage nor Athena."""
        return self.usd_glue + self.usd_requests

    @property
    def scan(self) -> int:
        """Bytes that Athena would bill if each table were read whole once."""
        return sum(step.scan for step in self.steps)


def reads(step: IngestStep, head: TableVersion | None, share: float) -> int | None:
    """Bytes that a step reads from its source at most; None if the source does not say. Of an incremental
    read: as many rows as the table has grown by, at least `share` of all, at most all; without a window,
    whose rows nobody has counted."""
    if step.action in ("frozen", "stop", "taken"):
        return 0
    whole = table_bytes(step.table)
    incremental = step.action == "check" and head is not None and head.summary.get(CURSOR)
    if whole is None or not incremental or step.window or step.rows <= 0 or head is None:
        return whole
    grown = max((step.rows - head.rows) / step.rows, share)
    return math.ceil(whole * min(grown, 1.0))


def table_bytes(table: Table) -> int | None:
    """What the source says, else rows by the width of their columns, else None."""
    if table.bytes >= 0:
        return table.bytes
    if table.rows < 0:
        return None
    return table.rows * sum(_WIDTH[column.type.kind] for column in table.columns)


def estimate(
    plan: Plan, heads: Mapping[TableName, TableVersion], target: AwsTarget, prices: Prices
) -> Estimate:
    """What the plan would cost as a Glue job on that target. Sizes of what stands are those of `heads`."""
    workers = target.workers * DPU[target.worker_type]
    capacity = (target.workers - 1) * DPU[target.worker_type]  # one worker drives
    sizes = {name: head.bytes for name, head in heads.items()}
    work: list[tuple[str, int, int, int, float, bool]] = []
    for step in plan.ingest:
        asked = reads(step, heads.get(step.name), prices.incremental_share)
        source = asked or 0
        whole = table_bytes(step.table) or 0
        written = sizes.setdefault(step.name, math.ceil(whole * prices.lake_share)) if source else 0
        seconds = source / (prices.glue_read_mb_second * 1e6 * capacity)
        work.append((str(step.name), source, 0, written, seconds, asked is not None))
    for model in plan.models:
        scanned, written = _model_bytes(model, sizes)
        seconds = (scanned + written) / (prices.glue_build_mb_second * 1e6 * capacity)
        work.append((str(model.name), 0, scanned, written, seconds, True))
    seconds = prices.glue_start_seconds + sum(one[4] for one in work)
    billed = max(math.ceil(seconds), LEAST_SECONDS)
    dpu_hours = workers * billed / 3600
    glue = dpu_hours * prices.glue_dpu_hour
    steps = tuple(_step(one, glue, seconds, sizes, prices) for one in work)
    return Estimate(
        steps=steps,
        prices=prices,
        seconds=billed,
        dpu_hours=dpu_hours,
        usd_glue=glue,
        usd_requests=sum(step.requests for step in steps),
        usd_month=sum(step.storage for step in steps),
        usd_athena=sum(step.athena for step in steps),
    )


def _model_bytes(model: ModelStep, sizes: dict[TableName, int]) -> tuple[int, int]:
    """Bytes that a model reads and writes: its inputs, and as much as it has now, or as its largest input."""
    if model.action in ("unchanged", "taken"):
        return 0, 0
    inputs = [sizes.get(name, 0) for name in model.inputs]
    return sum(inputs), sizes.setdefault(model.name, max(inputs, default=0))


def _step(
    one: tuple[str, int, int, int, float, bool],
    glue: float,
    seconds: float,
    sizes: Mapping[TableName, int],
    prices: Prices,
) -> StepCost:
    name, source, scanned, written, own, known = one
    namespace, _, table = name.partition(".")
    size = sizes.get(TableName(namespace, table), 0)
    puts = math.ceil(written / (prices.file_mb * 1e6)) + _COMMIT_FILES if written else 0
    gets = math.ceil(scanned / (prices.get_mb * 1e6)) + (_COMMIT_FILES if scanned else 0)
    calls = _COMMIT_CALLS if written else 0
    requests = (
        puts * prices.s3_put_thousand / 1e3
        + gets * prices.s3_get_thousand / 1e3
        + calls * prices.catalog_million / 1e6
    )
    scan = max(size, LEAST_SCAN)
    return StepCost(
        table=name,
        source=source,
        scanned=scanned,
        written=written,
        seconds=own,
        scan=scan,
        glue=glue * own / seconds if seconds else 0.0,
        requests=requests,
        storage=written * prices.s3_gb_month / 1e9,
        athena=scan * prices.athena_tb / 1e12,
        known=known,
    )
