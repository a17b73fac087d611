"""A dashboard as a cube: one GROUP BY over the fact joined to its dimensions. Pure, SQL in DuckDB's words.

The cube holds additive columns alone (sums and counts), so that any selection of its cells adds up to
what the fact would answer; averages and ratios are a division of two such columns, done by the reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.project.dashboard import Dashboard, DimensionSpec, MeasureSpec, Tile
from mainstem.project.header import Additive, Header
from mainstem.project.yamlfile import Document
from mainstem.schema import MART, Kind, Type
from mainstem.serve.cubesql import ROWS, CubeColumn, CubeDimension, Join, cube_sql, mart, totals_sql
from mainstem.text import nearest, quoted

SCHEMA = "cube"
"""Where cubes stand in the served file, one table a dashboard."""

GRAINS = ("day", "month", "quarter", "year")

_Path = tuple[str | int, ...]

Types = Mapping[str, Mapping[str, Type]]
"""Model name → column → lake type, as far as they are known."""

_NUMBERS = frozenset({Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.FLOAT, Kind.DOUBLE})
_TIMES = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})


@dataclass(frozen=True, slots=True)
class CubeMeasure:
    """What the reader shows: `kind` is sum, count, average or ratio; `of` names the cube's columns that
    the last two divide."""

    name: str
    label: str
    kind: str
    format: str
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CubePlan:
    """Everything that a cube needs. `sql` makes it; `totals` asks the fact alone, without a join, for the
    same columns over all rows (first the row count), to be compared with the cube's, and at last for the
    number of NULLs in what is summed."""

    name: str
    model: str
    dimensions: tuple[CubeDimension, ...]
    columns: tuple[CubeColumn, ...]
    measures: tuple[CubeMeasure, ...]
    sql: str
    totals: str
    joins: tuple[Join, ...] = ()


def literal(text: str) -> str:
    """A text literal in DuckDB's SQL, safe for any text."""
    return "'" + text.replace("'", "''") + "'"


def label_of(name: str, given: str = "") -> str:
    """The label that people read: the one given, else the name in words."""
    return given or name.replace("_", " ").strip().capitalize() or name


def compile_cube(
    dashboard: Dashboard,
    models: Mapping[str, Header],
    types: Types | None = None,
    document: Document | None = None,
) -> CubePlan:
    """The plan of a dashboard's cube over the models' headers (keyed by model name).

    Raises ConfigErrors with every mistake at once: unknown model, column, measure or dimension (with the
    nearest names), a sum over what does not add up, a dimension referenced twice without `via`, a tile
    that asks for what is not declared.
    """
    compiler = _Compiler(dashboard, models, types or {}, document)
    return compiler.plan()


class _Compiler:
    def __init__(
        self, dashboard: Dashboard, models: Mapping[str, Header], types: Types, document: Document | None
    ) -> None:
        self.dashboard = dashboard
        self.models = models
        self.types = types
        self.document = document
        self.errors: list[UsageError] = []
        self.joins: dict[tuple[str, str], Join] = {}  # by key column and dimension
        self.fact = Header()

    def wrong(self, path: _Path, message: str, hint: str = "") -> None:
        where = Where(file=f"dashboards/{self.dashboard.dashboard}.yml")
        if self.document is not None:
            where = Where(self.document.file, self.document.line(path))
        self.errors.append(UsageError(f"{'.'.join(map(str, path))}: {message}", where=where, hint=hint))

    def plan(self) -> CubePlan:
        dashboard = self.dashboard
        if dashboard.model not in self.models:
            self.wrong(
                ("model",), f'there is no model "{dashboard.model}"', nearest(dashboard.model, self.models)
            )
            raise ConfigErrors(self.errors)
        self.fact = self.models[dashboard.model]
        dimensions = tuple(
            found for name, spec in dashboard.dimensions.items() if (found := self.dimension(name, spec))
        )
        columns: dict[str, CubeColumn] = {}
        measures = tuple(self.measure(name, spec, columns) for name, spec in dashboard.measures.items())
        self.layout()
        if self.errors:
            raise ConfigErrors(self.errors)
        return self.assemble(dimensions, tuple(columns.values()), measures)

    def assemble(
        self,
        dimensions: tuple[CubeDimension, ...],
        columns: tuple[CubeColumn, ...],
        measures: tuple[CubeMeasure, ...],
    ) -> CubePlan:
        name, model = self.dashboard.dashboard, self.dashboard.model
        joins = tuple(self.joins.values())
        sql = cube_sql(model, dimensions, columns, joins)
        totals = totals_sql(columns, mart(model))
        return CubePlan(name, model, dimensions, columns, measures, sql, totals, joins)

    # dimensions

    def dimension(self, name: str, spec: DimensionSpec) -> CubeDimension | None:
        path = ("dimensions", name)
        if name == ROWS or name in self.dashboard.measures:
            self.wrong(path, "a dimension and a measure cannot share a name")
            return None
        table, _, column = spec.column.rpartition(".")
        table = table.removeprefix(f"{MART}.")
        if table in ("", self.dashboard.model):
            owner, alias = self.dashboard.model, "f"
            known = [*self.fact.columns, *self.fact.measures]
        else:
            joined = self.join(path, table, spec.via)
            if joined is None:
                return None
            owner, alias = table, joined
            known = [*self.models[table].columns, *self.models[table].measures]
        if column not in known:
            self.wrong((*path, "column"), f'"{owner}" has no column "{column}"', nearest(column, known))
            return None
        return self.coordinate(path, name, spec, (owner, alias), column)

    def coordinate(
        self, path: _Path, name: str, spec: DimensionSpec, owner: tuple[str, str], column: str
    ) -> CubeDimension | None:
        table, alias = owner
        type_ = self.types.get(table, {}).get(column)
        label, sql = label_of(name, spec.label), quoted(alias, column)
        if spec.grain is None:
            return CubeDimension(name, label, f"cast({sql} as varchar)", "", alias, column)
        if type_ is not None and type_.kind not in _TIMES:
            self.wrong((*path, "grain"), f'"{table}.{column}" is {type_}, not a date', "leave out `grain`")
            return None
        return CubeDimension(name, label, at_grain(sql, spec.grain), spec.grain, alias, column)

    def join(self, path: _Path, table: str, via: str) -> str | None:
        """The alias under which a referenced dimension is joined, once for each key of the fact."""
        references = {
            key: spec.references.removeprefix(f"{MART}.").split(".")[0]
            for key, spec in self.fact.columns.items()
            if spec.references
        }
        keys = [key for key, target in references.items() if target == table]
        fact = self.dashboard.model
        if table not in self.models or not keys:
            hint = nearest(table, set(references.values()))
            self.wrong((*path, "column"), f'"{fact}" does not reference "{table}"', hint)
            return None
        if via and via not in keys:
            self.wrong((*path, "via"), f'"{via}" does not reference "{table}"', f"one of: {', '.join(keys)}")
            return None
        if not via and len(keys) > 1:
            message = f'"{fact}" references "{table}" more than once'
            self.wrong(path, message, f"say by which key: `via: {keys[0]}` ({', '.join(keys)})")
            return None
        return self.joined(via or keys[0], table)

    def joined(self, key: str, table: str) -> str:
        if (key, table) not in self.joins:
            target = self.fact.columns[key].references.rpartition(".")[2]
            self.joins[key, table] = Join(f"d{len(self.joins) + 1}", table, key, target)
        return self.joins[key, table].alias

    # measures

    def measure(self, name: str, spec: MeasureSpec, columns: dict[str, CubeColumn]) -> CubeMeasure:
        path = ("measures", name)
        label = label_of(name, spec.label)
        if "__" in name:
            self.wrong(path, "two underscores in a row are kept for the cube's own columns")
        if spec.ratio is not None:
            return self.ratio(name, spec, label)
        if spec.count:
            if spec.count != "*":
                self.known_column((*path, "count"), spec.count, measured=False)
            counted = "*" if spec.count == "*" else f"f.{quoted(spec.count)}"
            named = "" if spec.count == "*" else spec.count
            columns[name] = CubeColumn(name, f"cast(count({counted}) as bigint)", counted=named)
            return CubeMeasure(name, label, "count", spec.format or ",d")
        column = spec.sum or spec.average
        kind = "sum" if spec.sum else "average"
        self.known_column((*path, kind), column, measured=bool(spec.sum))
        format_ = spec.format or self.fact.measures.get(column, _NO_MEASURE).format or ",.2~f"
        summed = f"sum(f.{quoted(column)})"
        if spec.sum:
            columns[name] = CubeColumn(name, summed, summed=column)
            return CubeMeasure(name, label, "sum", format_)
        parts = (f"{name}__sum", f"{name}__count")
        columns[parts[0]] = CubeColumn(parts[0], summed, summed=column)
        columns[parts[1]] = CubeColumn(parts[1], f"cast(count(f.{quoted(column)}) as bigint)", counted=column)
        return CubeMeasure(name, label, "average", format_, parts)

    def ratio(self, name: str, spec: MeasureSpec, label: str) -> CubeMeasure:
        parts = spec.ratio or ("", "")
        additive = [n for n, s in self.dashboard.measures.items() if s.sum or s.count]
        for part in parts:
            if part not in additive:
                message = f'"{part}" is not a sum or a count of this dashboard'
                self.wrong(("measures", name, "ratio"), message, nearest(part, additive))
        return CubeMeasure(name, label, "ratio", spec.format or ",.2~f", parts)

    def known_column(self, path: _Path, column: str, *, measured: bool) -> None:
        """Note a mistake if the fact has no such column, or if it does not add up where it has to."""
        fact = self.dashboard.model
        known = [*self.fact.measures, *self.fact.columns]
        if column not in known:
            self.wrong(
                path, f'"{fact}" has no column "{column}"', nearest(column, self.fact.measures or known)
            )
            return
        if measured:
            self.adds_up(path, column)
        type_ = self.types.get(fact, {}).get(column)
        if type_ is not None and path[-1] != "count" and type_.kind not in _NUMBERS:
            self.wrong(path, f'"{fact}.{column}" is {type_}, not a number')

    def adds_up(self, path: _Path, column: str) -> None:
        fact = self.dashboard.model
        if column not in self.fact.measures:
            hint = f"declare it under `measures:` in models/{fact}.sql, if it adds up"
            self.wrong(path, f'"{fact}.{column}" is not declared as a measure', hint)
            return
        additive = self.fact.measures[column].additive
        if additive is Additive.NONE:
            self.wrong(
                path, f'"{column}" does not add up (additive: none)', f"`average: {column}`, or a ratio"
            )
        elif additive is Additive.SEMI:
            message = (
                f'"{column}" does not add up over time (additive: semi), and every cell is added up over time'
            )
            self.wrong(path, message, f"`average: {column}`")

    # layout and filters

    def layout(self) -> None:
        for name in self.dashboard.filters:
            self.known_dimension(("filters", name), name)
        for row, tiles in enumerate(self.dashboard.layout):
            for position, tile in enumerate(tiles):
                self.tile(("layout", row, position), tile)

    def tile(self, path: _Path, tile: Tile) -> None:
        if tile.kpi:
            self.known_measure((*path, "kpi"), tile.kpi)
        if tile.bar:
            self.known_dimension((*path, "bar", "by"), tile.bar.by)
            self.known_measure((*path, "bar", "measure"), tile.bar.measure)
        if tile.area:
            self.known_measure((*path, "area", "measure"), tile.area.measure)
            self.axis((*path, "area", "x"), tile.area.x)
            if tile.area.color:
                self.known_dimension((*path, "area", "color"), tile.area.color)
            if tile.area.brush and self.known_dimension((*path, "area", "brush"), tile.area.brush):
                self.is_date((*path, "area", "brush"), tile.area.brush)

    def axis(self, path: _Path, x: str) -> None:
        name, _, grain = x.partition(".")
        if not self.known_dimension(path, name) or not self.is_date(path, name):
            return
        own = self.dashboard.dimensions[name].grain
        if grain and grain not in GRAINS:
            self.wrong(path, f'there is no grain "{grain}"', f"one of: {', '.join(GRAINS)}")
        elif grain and own and GRAINS.index(grain) < GRAINS.index(own):
            self.wrong(
                path,
                f'"{name}" is kept by {own}, not by {grain}',
                f"`grain: {grain}` under dimensions.{name}",
            )

    def is_date(self, path: _Path, name: str) -> bool:
        if self.dashboard.dimensions[name].grain:
            return True
        self.wrong(path, f'"{name}" is not a date dimension', f"give it a grain: dimensions.{name}.grain")
        return False

    def known_dimension(self, path: _Path, name: str) -> bool:
        if name in self.dashboard.dimensions:
            return True
        self.wrong(path, f'there is no dimension "{name}"', nearest(name, self.dashboard.dimensions))
        return False

    def known_measure(self, path: _Path, name: str) -> None:
        if name not in self.dashboard.measures:
            self.wrong(path, f'there is no measure "{name}"', nearest(name, self.dashboard.measures))


class _NoMeasure:
    format = ""


_NO_MEASURE = _NoMeasure()


def at_grain(sql: str, grain: str) -> str:
    """A date expression cut to the first day of its day, month, quarter or year."""
    day = f"cast({sql} as date)"
    return day if grain == "day" else f"cast(date_trunc({literal(grain)}, {day}) as date)"
