"""What a new served file takes over from the last one: a copy of it, in which what changed is made anew.

A table stays if its version and its header are the same; a cube if its plan and the versions of all its
tables are; a cube whose tables changed may be brought up to date (`cubepart`). Both files are whole at any
moment: the copy has another name, and is checked as any served file is.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mainstem.errors import ConfigErrors
from mainstem.schema import MART, TableName
from mainstem.serve.cube import SCHEMA, CubePlan, compile_cube
from mainstem.serve.cubepart import Files, consider
from mainstem.serve.cubetable import CubeReport, Standing
from mainstem.serve.encode import size_of
from mainstem.serve.spec import ServeSpec, TableDoc
from mainstem.text import quoted

FORM = 2  # raise it when a served file has other things in it, or finds them in another way


@dataclass(frozen=True, slots=True)
class Last:
    """The served file of the release before: what it was made of, and the data files of that release's
    tables."""

    path: Path
    spec: ServeSpec
    files: Files


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last file says of a cube."""

    plain: bool
    loose: int
    where: str
    cells: int
    bytes: int
    totals: tuple[str, ...]


def made_by() -> str:
    """What makes served files: one that another version made is not taken over."""
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("mainstem", "duckdb"))
    return f"form {FORM}, {', '.join(versions)}"


class Carried:
    """The copy of the last served file, in the making; attached as `database`."""

    def __init__(self, last: Last, spec: ServeSpec, files: Mapping[TableName, Sequence[Path]]) -> None:
        self._last = last
        self._spec = spec
        self._files = files
        self._cubes: dict[str, _Known] = {}
        self.tables: set[TableName] = set()

    def copy(self, target: Path) -> None:
        """Begin: the file as it was, under another name."""
        shutil.copyfile(self._last.path, target)

    def prepare(self, con: duckdb.DuckDBPyConnection, database: str) -> bool:
        """Take away what does not stay. False if another version of Mainstem made the file."""
        found = con.execute(
            f"select table_name from duckdb_columns() where database_name = '{database}' and "
            "schema_name = 'mainstem' and table_name = 'spec' and column_name = 'made_by'"
        ).fetchone()
        if not found or con.execute(f"select made_by from {database}.mainstem.spec").fetchone() != (
            made_by(),
        ):
            return False
        for schema, name in _named(con, "duckdb_views", "view_name", database, " and not internal"):
            con.execute(f"drop view {quoted(database, schema, name)}")
        same = self._same_tables()
        for schema, name in _named(con, "duckdb_tables", "table_name", database):
            if TableName(schema, name) in same:
                self.tables.add(TableName(schema, name))
            elif schema != SCHEMA and (schema, name) != ("mainstem", "cube"):
                con.execute(f"drop table {quoted(database, schema, name)}")
        self._prepare_cubes(con, database)
        return True

    def _prepare_cubes(self, con: duckdb.DuckDBPyConnection, database: str) -> None:
        wanted = {one.dashboard for one in self._spec.dashboards}
        asked = "name, plain, loose, document, totals"
        for name, plain, loose, text, totals in con.execute(
            f"select {asked} from {database}.mainstem.cube"
        ).fetchall():
            if name in wanted:
                document = json.loads(text)
                self._cubes[name] = _Known(
                    plain,
                    loose,
                    document["where"],
                    document["cells"],
                    size_of(document),
                    tuple(json.loads(totals)),
                )
                continue
            con.execute(f"delete from {database}.mainstem.cube where name = ?", [name])
            con.execute(f"drop table {quoted(database, SCHEMA, name)}")

    def _same_tables(self) -> set[TableName]:
        before = _docs(self._last.spec)
        old, new = self._last.spec.headers, self._spec.headers
        return {
            name
            for name, doc in _docs(self._spec).items()
            if before.get(name) == doc
            and doc.snapshot is not None
            and (name.namespace == MART or self._spec.raw)
            and old.get(name.name) == new.get(name.name)
        }

    def cube(self, plan: CubePlan) -> CubeReport | Standing | str:
        """The report of a cube that stays as it is; what is known of one that can be brought up to date;
        otherwise why it is made anew."""
        known = self._cubes.get(plan.name)
        if known is None:
            return ""
        if self._plan_before(plan.name) != plan:
            return "in full: its definition changed"
        before, now = _docs(self._last.spec), _docs(self._spec)
        names = [TableName(MART, model) for model in (plan.model, *(join.table for join in plan.joins))]
        if any(before[n].columns != now[n].columns or now[n].snapshot is None for n in names):
            return "in full: the columns of its tables changed"
        if all(before[name].snapshot == now[name].snapshot for name in names):
            return CubeReport(plan.name, known.where, known.cells, known.bytes, (), "unchanged")
        part = consider(plan, self._spec.types, self._last.files, self._files, now[names[0]].rows)
        return (
            part
            if isinstance(part, str)
            else Standing(part, known.where, known.loose, known.plain, known.totals)
        )

    def _plan_before(self, name: str) -> CubePlan | None:
        spec = self._last.spec
        for dashboard in spec.dashboards:
            if dashboard.dashboard == name:
                with suppress(ConfigErrors):
                    return compile_cube(dashboard, spec.headers, spec.types)
        return None


def _docs(spec: ServeSpec) -> dict[TableName, TableDoc]:
    return {doc.table: doc for doc in spec.tables}


def _named(
    con: duckdb.DuckDBPyConnection, function: str, column: str, database: str, more: str = ""
) -> list[tuple[str, str]]:
    sql = f"select schema_name, {column} from {function}() where database_name = '{database}'{more}"
    return [(str(schema), str(name)) for schema, name in con.execute(sql).fetchall()]
