"""A cube's table inside the served file: made, compared with its fact, encoded for the browser."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from mainstem.arrow import type_of
from mainstem.schema import Kind, Type
from mainstem.serve.cube import SCHEMA, CubePlan
from mainstem.serve.cubepart import (
    MOST,
    Part,
    Parting,
    Unfit,
    merged_sql,
    replace_sql,
    same_cells,
    update_sql,
)
from mainstem.serve.cubesql import ROWS
from mainstem.serve.encode import (
    Encoded,
    Scale,
    encode,
    encode_sums,
    encoding_query,
    scale_of,
    sums_query,
)
from mainstem.text import count, quoted

BROWSER_CELLS = 300_000
"""Up to so many cells the browser holds the cube; above, the server answers from the cube's table."""

TABLE = (
    "create table {}.mainstem.cube "
    "(name varchar, document varchar, arrays blob, plain boolean, loose bigint, totals varchar)"
)
"""What a served file says of its cubes; `totals` are those of the fact, JSON."""

_DIGITS = 18  # that 64 bits hold


@dataclass(frozen=True, slots=True)
class CubeProof:
    """One comparison, in the form of the receipt."""

    name: str
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class CubeReport:
    """A finished cube. `where` is browser or server; `bytes` of the arrays, before compression; `how` says
    whether all of it was computed, and why."""

    name: str
    where: str
    cells: int
    bytes: int
    proofs: tuple[CubeProof, ...]
    how: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A cube that stands in the file already, and what changed since: `loose` of its cells are out of
    their order; `plain`: it has no sum of NULLs; `totals`: those of the fact, as text."""

    part: Part
    where: str
    loose: int
    plain: bool
    totals: tuple[str, ...]


def build_cube(
    con: duckdb.DuckDBPyConnection, plan: CubePlan, database: str, standing: Standing | str = ""
) -> CubeReport:
    """Make `cube.NAME` in an attached database from the marts of the connection, prove it, and store its
    bytes in `mainstem.cube` if the browser can hold it. `standing` is what it can be made from, or why it
    cannot. Raises duckdb.Error only."""
    how = standing if isinstance(standing, str) else ""
    if isinstance(standing, Standing):
        try:
            return _in_part(con, plan, database, standing)
        except Unfit as unfit:
            how = f"in full: {unfit}"
    totals = con.execute(plan.totals).fetchone() or ()
    plain = not totals[-1]
    con.execute(f"drop table if exists {quoted(database, SCHEMA, plan.name)}")
    # In memory first: what is read again and again here would be decompressed each time in the file
    # (half a million cells: 5 s of processor time instead of 0.5).
    table = quoted(f"__cube {plan.name}")
    con.execute(f"create temp table {table} as {plan.sql}")
    return _stored(con, plan, database, table, _Row(plain, totals, how=how))


@dataclass(frozen=True, slots=True)
class _Row:
    """What `mainstem.cube` says of a cube beside its bytes, and how it came about."""

    plain: bool
    totals: tuple[Any, ...]
    loose: int = 0
    how: str = ""


def _in_part(con: duckdb.DuckDBPyConnection, plan: CubePlan, database: str, standing: Standing) -> CubeReport:
    """The same from the cells that stand. Raises Unfit if that would not give the same."""
    if not standing.plain:
        raise Unfit("what it sums is NULL in some rows")
    cells = quoted(database, SCHEMA, plan.name)
    parting = Parting(con, standing.part)
    try:
        totals = parting.totals([Decimal(text) for text in standing.totals])
        if totals[-1]:
            raise Unfit("what it sums is NULL in some rows")
        fresh = parting.fresh(cells)
        changed, *_ = con.execute(f"select count(*) from {fresh}").fetchone() or (0,)
        how = f"in part: {count(changed, 'cell')} computed again"
        if standing.where == "browser" and _settled(con, plan, cells, fresh):
            con.execute(update_sql(plan, cells, fresh))
            return _renewed(con, plan, database, _Row(True, totals, how=how))
        if standing.where == "browser":
            table = quoted(f"__cube {plan.name}")
            con.execute(f"create temp table {table} as {merged_sql(plan, cells, fresh)}")
            con.execute(f"drop table {cells}")
            report = _stored(con, plan, database, table, _Row(True, totals, how=how))
            _require_proven(report.proofs[0])
            return report
        loose = standing.loose + changed
        before, *_ = con.execute(f"select count(*) from {cells}").fetchone() or (0,)
        if loose > MOST * before:
            raise Unfit("its cells are put in order again")
        _require_room(con, plan, cells, fresh)
        for statement in replace_sql(plan, cells, fresh):
            con.execute(statement)
    finally:
        parting.close()
    proof, number = _prove(con, plan, cells, totals)
    _require_proven(proof)
    if number <= BROWSER_CELLS:
        raise Unfit("it is small enough for the browser now")
    return _noted(
        con, plan, database, (proof, number), b"", {"cells": number}, _Row(True, totals, loose, how)
    )


def _settled(con: duckdb.DuckDBPyConnection, plan: CubePlan, cells: str, fresh: str) -> bool:
    """Whether the changed cells are those that stand, in their order, and their types have room for them."""
    if (con.execute(same_cells(fresh)).fetchone() or (1,))[0]:
        return False
    types = {str(name): str(type_) for name, type_, *_ in con.execute(f"describe {cells}").fetchall()}
    if any(_narrower(types[name]) for name in _sums_of(plan)):
        return False  # made anew, they may have room in 64 bits
    return not _without_room(con, plan, types, fresh)


def _renewed(con: duckdb.DuckDBPyConnection, plan: CubePlan, database: str, row: _Row) -> CubeReport:
    """The report of a cube whose sums have changed where they stand; the browser's coordinates stay. Raises
    Unfit if it does not add up."""
    cells = quoted(database, SCHEMA, plan.name)
    proof, number = _prove(con, plan, cells, row.totals)
    _require_proven(proof)
    text, arrays = con.execute(
        f"select document, arrays from {quoted(database)}.mainstem.cube where name = ?", [plan.name]
    ).fetchone() or ("{}", b"")
    scales = _scales(con, plan, cells)
    read = con.execute(sums_query(plan, cells, scales)).to_arrow_table()
    encoded = encode_sums(plan, read, scales, Encoded(json.loads(text), arrays))
    return _noted(con, plan, database, (proof, number), encoded.arrays, encoded.header, row)


def _require_proven(proof: CubeProof) -> None:
    if not proof.holds:
        raise Unfit("the part did not add up")


def _require_room(con: duckdb.DuckDBPyConnection, plan: CubePlan, cells: str, fresh: str) -> None:
    """The changed sums have to fit the types that the others were stored in."""
    described = con.execute(f"describe {cells}").fetchall()
    types = {str(name): str(type_) for name, type_, *_ in described}
    if _without_room(con, plan, types, fresh):
        raise Unfit("a sum has become too large for the type that the others are stored in")


def _without_room(
    con: duckdb.DuckDBPyConnection, plan: CubePlan, types: Mapping[str, str], fresh: str
) -> bool:
    bad = " or ".join(f"try_cast({quoted(name)} as {types[name]}) is null" for name in _sums_of(plan))
    found = con.execute(f"select count(*) from {fresh} where {bad}").fetchone()
    return bool(found and found[0])


def _sums_of(plan: CubePlan) -> list[str]:
    return [*(column.name for column in plan.columns), ROWS]


def _stored(
    con: duckdb.DuckDBPyConnection,
    plan: CubePlan,
    database: str,
    table: str,
    row: _Row,
) -> CubeReport:
    """Prove the cells in a temporary table, encode them, and move them to the database."""
    proof, cells = _prove(con, plan, table, row.totals)
    where, arrays = "server", b""
    document: dict[str, Any] = {"cells": cells}
    if cells <= BROWSER_CELLS:
        scales = _scales(con, plan, table)
        read = con.execute(encoding_query(plan, table, scales)).to_arrow_table()
        encoded = encode(plan, read, scales)
        where, document, arrays = "browser", dict(encoded.header), encoded.arrays
    con.execute(f"create table {quoted(database, SCHEMA, plan.name)} as {_narrow(con, plan, table)}")
    con.execute(f"drop table {table}")
    return _noted(con, plan, database, (proof, cells), arrays, {**document, "where": where}, row)


def _noted(
    con: duckdb.DuckDBPyConnection,
    plan: CubePlan,
    database: str,
    proven: tuple[CubeProof, int],
    arrays: bytes,
    document: Mapping[str, Any],
    row: _Row,
) -> CubeReport:
    where = str(document.get("where", "server"))
    text = json.dumps({**document, "where": where}, ensure_ascii=False)
    table = f"{quoted(database)}.mainstem.cube"
    con.execute(f"delete from {table} where name = ?", [plan.name])
    totals = json.dumps([str(value or 0) for value in row.totals])
    values = [plan.name, text, arrays, row.plain, row.loose, totals]
    con.execute(f"insert into {table} values ({', '.join('?' * len(values))})", values)
    proof, cells = proven
    return CubeReport(plan.name, where, cells, len(arrays), (proof,), row.how)


def _narrow(con: duckdb.DuckDBPyConnection, plan: CubePlan, table: str) -> str:
    """SELECT of the cells with sums in 64 bits where all of them fit: DuckDB reads those from its file twenty
    times as quickly as the 128 bits of its own sums."""
    described = con.execute(f"describe {table}").fetchall()
    types = {str(name): str(type_) for name, type_, *_ in described}
    small = {name: type_ for name in _sums_of(plan) if (type_ := _narrower(types[name]))}
    if small:
        bad = ", ".join(f"count(*) filter (abs({quoted(n)}) >= {_limit(t)})" for n, t in small.items())
        row = con.execute(f"select {bad} from {table}").fetchone() or ()
        small = {name: type_ for (name, type_), over in zip(small.items(), row, strict=True) if not over}
    columns = [
        f"cast({quoted(name)} as {small[name]}) as {quoted(name)}" if name in small else quoted(name)
        for name in types
    ]
    return f"select {', '.join(columns)} from {table}"


def _narrower(type_: str) -> str:
    """The type of 64 bits for sums of a wider one; empty if there is none, or it is one."""
    wide = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_)
    if wide and int(wide[1]) > _DIGITS >= int(wide[2]):
        return f"DECIMAL({_DIGITS},{wide[2]})"
    return "BIGINT" if type_ == "HUGEINT" else ""


def _limit(type_: str) -> str:
    """Below it every value has room in the type."""
    scale = int(type_.partition(",")[2].rstrip(")") or 0)
    return "1" + "0" * (_DIGITS - scale)


def column_types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Type]:
    """The lake types of a table's columns."""
    schema = con.execute(f"from {table} limit 0").to_arrow_table().schema
    return {field.name: type_of(field.type) for field in schema}


def _scales(con: duckdb.DuckDBPyConnection, plan: CubePlan, table: str) -> dict[str, Scale]:
    types = column_types(con, table)
    asked = ", ".join(f"coalesce(sum(abs(cast({quoted(c.name)} as double))), 0)" for c in plan.columns)
    row = con.execute(f"select {asked or '1'} from {table}").fetchone() or ()
    return {c.name: scale_of(types[c.name], float(row[i])) for i, c in enumerate(plan.columns)}


def _prove(
    con: duckdb.DuckDBPyConnection, plan: CubePlan, table: str, fact: tuple[Any, ...]
) -> tuple[CubeProof, int]:
    """The cube's columns, added up, against the fact alone (its totals): a join that doubles or drops, or
    a cell that missed a change, shows here."""
    asked = ", ".join(f"sum({quoted(name)})" for name in (ROWS, *(c.name for c in plan.columns)))
    cube = con.execute(f"select count(*), {asked} from {table}").fetchone() or ()
    types = column_types(con, table)
    names = [ROWS, *(c.name for c in plan.columns)]
    wrong = [
        f"{_words(name)} {_shown(mine)} in the cube, {_shown(theirs)} in {plan.model}"
        for name, mine, theirs in zip(names, cube[1:], fact[:-1], strict=True)
        if not _equal(mine, theirs, types[name])
    ]
    cells = int(cube[0])
    held = ", ".join(
        f"{_words(n)} {_shown(v)}" for n, v in zip(names, fact[:-1], strict=True) if "__" not in n[1:]
    )
    text = f"{cells:,} cells; {held or _words(ROWS) + ' ' + _shown(fact[0])} equal {plan.model}"
    return CubeProof(f"cube {plan.name}", not wrong, "; ".join(wrong) or text), cells


def _words(name: str) -> str:
    return "rows" if name == ROWS else name


def _equal(mine: Any, theirs: Any, type_: Type) -> bool:
    mine, theirs = mine or 0, theirs or 0
    if type_.kind in (Kind.FLOAT, Kind.DOUBLE):
        # Doubles added in another order differ in their last bits.
        same = math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-9)
        return same or (math.isnan(mine) and math.isnan(theirs))
    return bool(mine == theirs)


def _shown(value: Any) -> str:
    if value is None:
        return "0"
    return f"{value:,}" if isinstance(value, (int, Decimal)) else f"{value:,.6g}"
