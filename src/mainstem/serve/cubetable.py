"""A cube's table inside the served file: made, compared with its fact, encoded for the browser."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from mainstem.arrow import type_of
from mainstem.schema import Kind, Type
from mainstem.serve.cube import SCHEMA, CubePlan
from mainstem.serve.cubesql import ROWS
from mainstem.serve.encode import Scale, encode, encoding_query, scale_of
from mainstem.text import quoted

BROWSER_CELLS = 300_000
"""Up to so many cells the browser holds the cube; above, the server answers from the cube's table."""


@dataclass(frozen=True, slots=True)
class CubeProof:
    """One comparison, in the form of the receipt."""

    name: str
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class CubeReport:
    """A finished cube. `where` is browser or server; `bytes` of the arrays, before compression."""

    name: str
    where: str
    cells: int
    bytes: int
    proofs: tuple[CubeProof, ...]


def build_cube(con: duckdb.DuckDBPyConnection, plan: CubePlan, database: str) -> CubeReport:
    """Make `cube.NAME` in an attached database from the marts of the connection, prove it, and store its
    bytes in `mainstem.cube` if the browser can hold it. Raises duckdb.Error only."""
    # In memory first: what is read again and again here would be decompressed each time in the file
    # (half a million cells: 5 s of processor time instead of 0.5).
    table = quoted(f"__cube {plan.name}")
    con.execute(f"create temp table {table} as {plan.sql}")
    proof, cells = _prove(con, plan, table)
    scales = _scales(con, plan, table)
    where, arrays = "server", b""
    document: dict[str, Any] = {"cells": cells}
    if cells <= BROWSER_CELLS:
        read = con.execute(encoding_query(plan, table, scales)).to_arrow_table()
        encoded = encode(plan, read, scales)
        where, document, arrays = "browser", dict(encoded.header), encoded.arrays
    text = json.dumps({**document, "where": where}, ensure_ascii=False)
    con.execute(f"create table {quoted(database, SCHEMA, plan.name)} as from {table}")
    con.execute(f"drop table {table}")
    con.execute(f"insert into {quoted(database)}.mainstem.cube values (?, ?, ?)", [plan.name, text, arrays])
    return CubeReport(plan.name, where, cells, len(arrays), (proof,))


def column_types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Type]:
    """The lake types of a table's columns."""
    schema = con.execute(f"from {table} limit 0").to_arrow_table().schema
    return {field.name: type_of(field.type) for field in schema}


def _scales(con: duckdb.DuckDBPyConnection, plan: CubePlan, table: str) -> dict[str, Scale]:
    types = column_types(con, table)
    asked = ", ".join(f"coalesce(sum(abs(cast({quoted(c.name)} as double))), 0)" for c in plan.columns)
    row = con.execute(f"select {asked or '1'} from {table}").fetchone() or ()
    return {c.name: scale_of(types[c.name], float(row[i])) for i, c in enumerate(plan.columns)}


def _prove(con: duckdb.DuckDBPyConnection, plan: CubePlan, table: str) -> tuple[CubeProof, int]:
    """The cube's columns, added up, against the fact alone: a join that doubles or drops shows here."""
    asked = ", ".join(f"sum({quoted(name)})" for name in (ROWS, *(c.name for c in plan.columns)))
    cube = con.execute(f"select count(*), {asked} from {table}").fetchone() or ()
    fact = con.execute(plan.totals).fetchone() or ()
    types = column_types(con, table)
    names = [ROWS, *(c.name for c in plan.columns)]
    wrong = [
        f"{_words(name)} {_shown(mine)} in the cube, {_shown(theirs)} in {plan.model}"
        for name, mine, theirs in zip(names, cube[1:], fact, strict=True)
        if not _equal(mine, theirs, types[name])
    ]
    cells = int(cube[0])
    held = ", ".join(
        f"{_words(n)} {_shown(v)}" for n, v in zip(names, fact, strict=True) if "__" not in n[1:]
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
