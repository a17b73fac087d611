"""The whole way of a table: source → lake, proven in full and committed → read back by two readers."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import StaticTable

from cases.layout import Case, Grid, cases
from mainstem.engine.duckdb import DuckDB
from mainstem.ingest.cursor import Increment
from mainstem.ingest.load import Loader
from mainstem.ingest.values import Load, Loaded, Pending
from mainstem.lake import Lake
from mainstem.project.config import ProofLevel
from mainstem.schema import RAW, RAW_OUT_OF_RANGE, Database, Table, TableName, Type
from mainstem.source.port import Source
from mainstem.wiring import connect_tables

Texts = list[list[str | None]]
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Arrived:
    """One table as each reader finds it in the lake, ordered by `k` where it has one."""

    by_duckdb: pa.Table
    by_pyiceberg: pa.Table

    @property
    def readers(self) -> tuple[pa.Table, pa.Table]:
        return self.by_duckdb, self.by_pyiceberg


def load(
    source: Source,
    tables: Iterable[Table],
    root: Path,
    increment: Increment | None = None,
    level: ProofLevel = ProofLevel.FULL,
) -> dict[str, str]:
    """Load tables with a proof; → metadata location by table. Fails unless every proof holds. With an
    increment, what the lake has of a table already is brought up to date."""
    lake = Lake(root)
    versions: dict[str, str] = {}
    with source.snapshot() as snapshot, closing(DuckDB(root / "tmp")) as engine:
        loader = Loader(source, snapshot, lake, engine, "run-1")
        for table in tables:
            head = lake.head(TableName(RAW, table.name)) if increment else None
            begun = loader.begin(
                Load(table, "source", level, head, False, increment=increment), lambda rows: None
            )
            assert isinstance(begun, Pending)
            assert (begun.read >= 0) is bool(head and head.rows)
            done = loader.finish(begun)
            if not isinstance(done, Loaded):
                done = loader.settle(begun, done)  # raises, and says what differs
            proven = level if head and head.rows else ProofLevel.FULL
            assert (done.changed, done.level) == (True, proven)
            assert bool(done.checksum) is (proven is ProofLevel.FULL)
            versions[table.name] = done.version.metadata_location
    return versions


def read(locations: dict[str, str], key: str = "k") -> dict[str, Arrived]:
    """The tables by DuckDB, as the product connects to it, and by pyiceberg on the metadata file alone."""
    found = {}
    with closing(connect_tables({TableName(RAW, n): where for n, where in locations.items()})) as session:
        for name, location in locations.items():
            by_duckdb = session.execute(f'SELECT * FROM raw."{name}" ORDER BY {key}').to_arrow_table()
            scanned = StaticTable.from_metadata(location).scan().to_arrow()
            found[name] = Arrived(by_duckdb, scanned.sort_by(key))
    return found


def arrive(source: Source, tables: Iterable[Table], root: Path) -> dict[str, Arrived]:
    """`load`, then `read`."""
    return read(load(source, tables, root))


def arrive_in_two(half: Source, whole: Source, names: Iterable[str], root: Path) -> dict[str, Arrived]:
    """`arrive` of tables of which a source has the first rows by `k`; then another one has all of them, and
    the rest is read by `k` and merged: rows from the wire and rows from the lake share files. The rows that
    were read are proven alone, then all; read once more, none of them differs from what stands there."""
    of_half, of_whole = half.introspect(), whole.introspect()
    found = list(names)
    by_key = Increment("k", ("k",), overlap=0)
    load(half, [of_half.table(name) for name in found], root, by_key)
    tables = [of_whole.table(name) for name in found]
    load(whole, tables, root, by_key, ProofLevel.CHANGES)
    files = _data_files(root)
    locations = load(whole, tables, root, by_key)
    assert _data_files(root) == files
    return read(locations)


def _data_files(root: Path) -> set[Path]:
    return set(root.rglob("*.parquet"))


def comparable(lake: str, value: Any) -> Any:
    """A Python value of a lake type as what makes it equal to another: floats by their bits, decimals by
    their digits, moments as microseconds, so that nothing is equal by Python's grace alone."""
    if value is None:
        return None
    if lake in ("float", "double"):
        return struct.pack(">f" if lake == "float" else ">d", value).hex()
    if lake.startswith("decimal"):
        return digits(value, Type.parse(lake).scale)
    if lake in ("timestamp", "timestamptz"):
        assert bool(value.tzinfo) is (lake == "timestamptz")
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return (moment - _EPOCH) // timedelta(microseconds=1)
    return value


def digits(number: Decimal, scale: int) -> str:
    """A decimal with exactly `scale` decimals, none of them rounded away; zero has no sign."""
    text = f"{number:.{scale}f}"
    assert Decimal(text) == number, "the oracle would round"
    return text.removeprefix("-") if not number else text


def moment(text: str) -> int:
    """`2024-01-02 03:04:05.6` → microseconds since 1970."""
    day, _, clock = text.partition(" ")
    return (date.fromisoformat(day) - _EPOCH.date()).days * 86_400_000_000 + micros(clock)


def micros(text: str) -> int:
    """`-838:59:59.9` → microseconds."""
    sign, clock = (-1, text[1:]) if text.startswith("-") else (1, text)
    hours, minutes, seconds = clock.split(":")
    whole, _, fraction = seconds.partition(".")
    total = (int(hours) * 60 + int(minutes)) * 60 + int(whole)
    return sign * (total * 1_000_000 + int(fraction.ljust(6, "0") or 0))


def check_beside(grid: Grid, arrived: Arrived, texts: list[list[str]]) -> None:
    """Under `out_of_range: null`: every cell is NULL, and its text stands in the side column."""
    for reader in arrived.readers:
        for number, column in enumerate(grid.columns):
            assert reader[f"c{number}"].null_count == grid.rows, column
        rows = [json.loads(side) for side in reader[RAW_OUT_OF_RANGE].to_pylist()]
        assert rows == [{f"c{n}": text for n, text in enumerate(row)} for row in texts]


def value_of(lake: str, text: str) -> Any:
    """A plain text of a server as a comparable value of the lake type (texts and bytes: as hexadecimal)."""
    if lake == "string":
        return bytes.fromhex(text).decode()
    if lake == "binary":
        return bytes.fromhex(text)
    if lake == "boolean":
        return {"0": False, "1": True, "false": False, "true": True}[text]
    if lake in ("int", "long"):
        return micros(text) if ":" in text else int(text)
    if lake.startswith("decimal"):
        return digits(Decimal(text), Type.parse(lake).scale)
    if lake in ("float", "double"):
        return comparable(lake, float(text))
    return date.fromisoformat(text) if lake == "date" else moment(text)


def check(case: Case, arrived: Arrived, texts: Texts) -> None:
    """A case's cell is, for both readers, what the server's own client prints (`texts`, by row and
    column)."""
    typed, name = case.typed, f"c{case.column}"
    text = texts[case.row][case.column]
    wanted = None if text is None else value_of(typed.lake, text)
    for reader in arrived.readers:
        assert reader.num_rows == case.grid.rows
        assert reader["k"][case.row].as_py() == case.row
        assert comparable(typed.lake, reader[name][case.row].as_py()) == wanted


def check_types(found: Database, grids: Sequence[Grid], key: str) -> None:
    """Every column has the lake type that its case names."""
    for grid in grids:
        types = [str(column.type) for column in found.table(grid.name).columns]
        assert types == [key, *(column.lake for column in grid.columns)]


def check_untouched(
    grids: Sequence[Grid], arrived: Mapping[str, Arrived], texts: Mapping[str, Texts]
) -> None:
    """Under `out_of_range: null`, what fits arrives as without it, and nothing stands beside it."""
    for case in cases(grids):
        found = arrived[case.grid.name]
        check(case, found, texts[case.grid.name])
        if RAW_OUT_OF_RANGE in found.by_duckdb.column_names:
            assert not any(found.by_duckdb[RAW_OUT_OF_RANGE].to_pylist())
