"""The same models on two engines, and whether they give the same: rows, NULLs, sums, extremes and hashes of
every column, all of them computed by one reader over what the two wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from mainstem.arrow import type_of
from mainstem.compile import compile_query
from mainstem.contract.model_checks import same_number
from mainstem.engine.binder import Binder
from mainstem.engine.port import Engine
from mainstem.errors import ConfigErrors, UsageError
from mainstem.graph import project_graph
from mainstem.lake import Lake, Release
from mainstem.project.load import Project
from mainstem.project.modelfile import ModelFile
from mainstem.schema import MART, RAW, Column, Kind, TableName
from mainstem.text import quoted

ENGINES = ("duckdb", "spark")
_NUMBERS = (Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.FLOAT, Kind.DOUBLE)
_FLOATING = (Kind.FLOAT, Kind.DOUBLE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is compared of a column, as text; `sum` is empty for what cannot be added."""

    type: str
    present: str
    sum: str
    least: str
    greatest: str
    hash: str


@dataclass(frozen=True, slots=True)
class ColumnParity:
    """A column on both engines. `same`: bit by bit; `near`: floating point, to nine digits."""

    name: str
    left: Facts
    right: Facts
    same: bool
    near: bool


@dataclass(frozen=True, slots=True)
class ModelParity:
    """A model on both engines."""

    name: str
    rows: tuple[int, int]
    columns: tuple[ColumnParity, ...]

    @property
    def holds(self) -> bool:
        """Whether the two are the same, floating sums to nine digits."""
        return self.rows[0] == self.rows[1] and all(one.same or one.near for one in self.columns)

    @property
    def differing(self) -> tuple[str, ...]:
        """The columns that differ."""
        return tuple(one.name for one in self.columns if not (one.same or one.near))


@dataclass(frozen=True, slots=True)
class Written:
    """A model's SQL for each engine; `inexact` if a float of it depends on the order of rows."""

    model: ModelFile
    sql: Mapping[str, str]
    inexact: bool


def written(project: Project, columns: Mapping[TableName, Sequence[Column]]) -> list[Written]:
    """Every model in an order in which it can run, in the words of each engine. Raises ConfigErrors with all
    that Spark cannot do as DuckDB does."""
    graph = project_graph(project, [name.name for name in columns if name.namespace == RAW])
    files = {TableName(MART, model.name): model for model in project.models}
    found: list[Written] = []
    errors: list[UsageError] = []
    with Binder() as binder:
        for name, listed in columns.items():
            if name.namespace == RAW:
                binder.add_table(name, listed)
        for name in graph.order:
            if name not in files:
                continue
            model = files[name]
            binder.add_query(name, model.sql)
            try:
                made = compile_query(model.sql, binder.describe, model.file, model.sql_line)
            except ConfigErrors as error:
                errors.extend(error.errors)
                continue
            found.append(Written(model, {"duckdb": model.sql, "spark": made.sql}, made.inexact))
    if errors:
        raise ConfigErrors(errors)
    return found


def parity(
    project: Project,
    lake: Lake,
    release: Release,
    engines: Mapping[str, Callable[[], Engine]],
    reader: Callable[[], Engine],
    on_model: Callable[[ModelParity], None] = lambda _: None,
) -> list[ModelParity]:
    """Run every model over the release's source tables on each of the two engines, and compare."""
    raw = {n: pin.metadata_location for n, pin in release.tables.items() if n.namespace == RAW}
    versions = {name: lake.at(name, location) for name, location in raw.items()}
    models = written(project, {name: version.columns for name, version in versions.items()})
    found = []
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="mainstem-parity-")))
        opened = {name: make() for name, make in engines.items()}
        looking = reader()
        for engine in (*opened.values(), looking):
            held.callback(engine.close)
        for engine in opened.values():
            engine.attach(raw)
        for one in models:
            name = TableName(MART, one.model.name)
            for side, engine in opened.items():
                columns, file = _result(engine, one.sql[side], folder / f"{one.model.name}-{side}.parquet")
                engine.attach_files(name, [file], columns)
                looking.attach_files(TableName(side, one.model.name), [file], columns)
            made = compare(looking, one.model.name, tuple(opened), inexact=one.inexact)
            on_model(made)
            found.append(made)
    return found


def _result(engine: Engine, sql: str, file: Path) -> tuple[tuple[Column, ...], Path]:
    schema, batches = engine.stream(sql)
    with pq.ParquetWriter(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return tuple(Column(field.name, type_of(field.type)) for field in schema), file


def compare(looking: Engine, model: str, sides: tuple[str, ...], *, inexact: bool) -> ModelParity:
    """Two tables of one name, `left.model` and `right.model`, as one reader sees them."""
    left, right = (_facts(looking, TableName(side, model)) for side in sides)
    columns = []
    for name in left[1] | right[1]:
        a, b = left[1].get(name), right[1].get(name)
        nothing = Facts("missing", "", "", "", "", "")
        columns.append(_column(name, a or nothing, b or nothing, inexact=inexact))
    rows = (left[0], right[0])
    if rows[0] == rows[1] and all(one.same for one in columns) and _rows_differ(looking, model, sides):
        columns = [ColumnParity("(rows)", one.left, one.right, False, False) for one in columns[:1]]
    return ModelParity(model, rows, tuple(columns))


def _column(name: str, a: Facts, b: Facts, *, inexact: bool) -> ColumnParity:
    floating = a.type == b.type and a.type in [kind.value for kind in _FLOATING]
    near = floating and inexact and a.present == b.present
    for one, other in ((a.sum, b.sum), (a.least, b.least), (a.greatest, b.greatest)):
        near = near and same_number(one, other, approximate=True)
    # The sum of floating point depends on the order in which it is read; the values' hash does not.
    same = replace(a, sum="") == replace(b, sum="") if floating else a == b
    return ColumnParity(name, a, b, same, near and not same)


def _facts(looking: Engine, name: TableName) -> tuple[int, dict[str, Facts]]:
    table = quoted(*name)
    schema = looking.describe(f"select * from {table}")
    parts = ["count(*)"]
    for field in schema:
        column, kind = quoted(field.name), type_of(field.type).kind
        total = f"cast(sum({column}) as varchar)" if kind in _NUMBERS else "''"
        shown = f"hex({column})" if kind is Kind.BINARY else column
        # Minus zero is zero, as in every comparison of SQL.
        value = f"({column} + 0)" if kind in _FLOATING else column
        parts += [f"cast(count({column}) as varchar)", total, f"cast(min({shown}) as varchar)"]
        parts += [f"cast(max({shown}) as varchar)", f"cast(sum(hash({value})) as varchar)"]
    listed = ", ".join(f"{part} as x{number}" for number, part in enumerate(parts))
    (row,) = _rows(looking, f"select {listed} from {table}")
    found = {}
    for at, field in enumerate(schema):
        texts = ["" if value is None else str(value) for value in row[1 + 5 * at : 6 + 5 * at]]
        found[field.name] = Facts(str(type_of(field.type)), *texts)
    return int(str(row[0])), found


def _rows_differ(looking: Engine, model: str, sides: tuple[str, ...]) -> bool:
    """Whether the columns are the same and the rows are not: values that stand in other rows."""
    left, right = (quoted(side, model) for side in sides)
    sql = f"select 1 as x from (select * from {left} except all select * from {right}) limit 1"
    return bool(_rows(looking, sql))


def _rows(engine: Engine, sql: str) -> list[tuple[object, ...]]:
    result: pa.Table = engine.query(sql)
    return list(zip(*(column.to_pylist() for column in result.columns), strict=True))


def lines(found: ModelParity) -> Iterator[str]:
    """What differs, for people: sums and extremes, no rows."""
    if found.rows[0] != found.rows[1]:
        yield f"{found.name}: {found.rows[0]:,} rows and {found.rows[1]:,}"
    for one in found.columns:
        if not (one.same or one.near):
            pairs = zip(one.left.__slots__, _texts(one.left), _texts(one.right), strict=True)
            what = ", ".join(
                f"{word} {a or 'nothing'} and {b or 'nothing'}" for word, a, b in pairs if a != b
            )
            yield f"{found.name}.{one.name}: {what or 'the same values stand in other rows'}"


def _texts(facts: Facts) -> tuple[str, ...]:
    return (facts.type, facts.present, facts.sum, facts.least, facts.greatest, facts.hash)
