"""A cube's arrays from its table, one a dimension and a measure; `wire` puts them on the way. Pure.

Everything is little-endian and each array starts on a multiple of eight bytes, so that a browser views
it as a typed array without a copy. A measure's cell is value × 10^scale as a whole number in a double:
sums are exact as long as they stay below 2^53.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.schema import Kind, Type
from mainstem.serve.cube import CubePlan
from mainstem.text import quoted

NO_DATE = -(1 << 31)
_DIGITS = 18  # that 64 bits hold
_EXACT = 9.0e15  # a little below 2^53, so that the bound itself may be computed in doubles


@dataclass(frozen=True, slots=True)
class Scale:
    """How a measure's values become doubles: × 10^`scale`; `exact` if every sum of cells is exact."""

    scale: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """A cube apart from the release's name: `header` is the JSON document, `arrays` what follows it."""

    header: Mapping[str, Any]
    arrays: bytes


def scale_of(type_: Type, magnitude: float) -> Scale:
    """The scale of a column of sums of that type, whose absolute values add up to `magnitude`."""
    if type_.kind in (Kind.FLOAT, Kind.DOUBLE):
        return Scale(0, exact=False)
    digits = type_.scale if type_.kind is Kind.DECIMAL else 0
    exact = magnitude * 10.0**digits < _EXACT
    return Scale(digits if exact else 0, exact)


def encoding_query(plan: CubePlan, table: str, scales: Mapping[str, Scale]) -> str:
    """SQL that reads the cube's table in the form that `encode` takes: categories as text, dates as days
    since 1970-01-01, measures as doubles or decimals."""
    chosen = [*_coordinates(plan), *_sums(plan, scales)]
    return f"select {', '.join(chosen) or '1'} from {table}"


def sums_query(plan: CubePlan, table: str, scales: Mapping[str, Scale]) -> str:
    """The same of the measures alone."""
    return f"select {', '.join(_sums(plan, scales)) or '1'} from {table}"


def _coordinates(plan: CubePlan) -> list[str]:
    chosen = []
    for dimension in plan.dimensions:
        name = quoted(dimension.name)
        days = f"coalesce(date_diff('day', date '1970-01-01', {name}), {NO_DATE})"
        finite = f"cast(case when isfinite({name}) then {days} else {NO_DATE} end as integer)"
        chosen.append(f"{finite if dimension.grain else name} as {name}")
    return chosen


def _sums(plan: CubePlan, scales: Mapping[str, Scale]) -> list[str]:
    chosen = []
    for column in plan.columns:
        name, scale = quoted(column.name), scales[column.name].scale
        value = f"coalesce({name}, 0)"
        if 0 < scale <= _DIGITS:  # it has room in so many digits (`scale_of`): `_doubles` does the rest
            chosen.append(f"cast({value} as decimal({_DIGITS}, {scale})) as {name}")
            continue
        # A decimal's text without its point is the scaled integer, for any precision.
        text = f"replace(cast({value} as varchar), '.', '')"
        chosen.append(f"cast({text if scale else value} as double) as {name}")
    return chosen


def encode(plan: CubePlan, cells: pa.Table, scales: Mapping[str, Scale]) -> Encoded:
    """The cube's header and arrays from the answer to `encoding_query`."""
    arrays = _Arrays()
    dimensions = []
    for dimension in plan.dimensions:
        column = _whole(cells.column(dimension.name))
        entry: dict[str, Any] = {"name": dimension.name, "kind": dimension.kind}
        if dimension.grain:
            entry |= {"grain": dimension.grain, "array": arrays.add("i32", column)}
        else:
            values, codes = _dictionary(column)
            entry |= {"values": values, "array": arrays.add(_code_type(len(values)), codes)}
        dimensions.append(entry)
    measures = _measures(plan, cells, scales, arrays)
    header = {"cells": cells.num_rows, "dimensions": dimensions, "measures": measures}
    return Encoded(header, arrays.bytes())


def encode_sums(plan: CubePlan, cells: pa.Table, scales: Mapping[str, Scale], before: Encoded) -> Encoded:
    """The same from the answer to `sums_query`, where the coordinates are those of `before`."""
    arrays = _Arrays()
    first = next((entry["array"]["offset"] for entry in before.header["measures"]), len(before.arrays))
    arrays.parts, arrays.offset = [before.arrays[:first]], first
    measures = _measures(plan, cells, scales, arrays)
    return Encoded({**before.header, "measures": measures}, arrays.bytes())


def _measures(
    plan: CubePlan, cells: pa.Table, scales: Mapping[str, Scale], arrays: _Arrays
) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "scale": scales[column.name].scale,
            "exact": scales[column.name].exact,
            "array": arrays.add("f64", _doubles(_whole(cells.column(column.name)))),
        }
        for column in plan.columns
    ]


def size_of(header: Mapping[str, Any]) -> int:
    """The bytes of the arrays that a header speaks of: none for a cube that stays on the server."""
    entries = [*header.get("dimensions", ()), *header.get("measures", ())]
    ends = (one["array"]["offset"] + one["array"]["length"] * _WIDTH[one["array"]["type"]] for one in entries)
    end = max(ends, default=0)
    return int(end + -end % 8)


class _Arrays:
    """Arrays one after the other, each padded to a multiple of eight bytes."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.offset = 0

    def add(self, name: str, column: pa.Array[Any]) -> dict[str, Any]:
        width = _WIDTH[name]
        values = column.cast(_ARROW[name])
        start, length = values.offset * width, len(values) * width
        buffer = values.buffers()[1]
        raw = buffer.slice(start, length).to_pybytes() if buffer is not None and length else b""
        entry = {"type": name, "offset": self.offset, "length": len(values)}
        self.parts.append(raw + b"\0" * (-length % 8))
        self.offset += length + (-length % 8)
        return entry

    def bytes(self) -> bytes:
        return b"".join(self.parts)


_WIDTH = {"u8": 1, "u16": 2, "u32": 4, "i32": 4, "f64": 8}
_ARROW: Mapping[str, Any] = {
    "u8": pa.uint8(),
    "u16": pa.uint16(),
    "u32": pa.uint32(),
    "i32": pa.int32(),
    "f64": pa.float64(),
}


def _code_type(values: int) -> str:
    if values <= 1 << 8:
        return "u8"
    return "u16" if values <= 1 << 16 else "u32"


def _whole(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _doubles(column: pa.Array[Any]) -> pa.Array[Any]:
    """Decimals of up to 18 digits as scaled whole numbers: the low halves of Arrow's 128 bits. (SQL takes
    twenty times as long.)"""
    buffer = column.buffers()[1]
    if not pa.types.is_decimal128(column.type) or buffer is None:
        return column
    halves = memoryview(buffer).cast("q")[2 * column.offset : 2 * (column.offset + len(column)) : 2]
    whole = pa.Array.from_buffers(pa.int64(), len(column), [None, pa.py_buffer(halves.tobytes())])
    return whole.cast(pa.float64())


def _dictionary(column: pa.Array[Any]) -> tuple[Sequence[str | None], pa.Array[Any]]:
    """The distinct values in order (NULL last) and each row's place among them."""
    encoded = column.dictionary_encode(null_encoding="encode")
    order = pc.sort_indices(encoded.dictionary)
    rank = pc.sort_indices(order)  # the inverse permutation
    return encoded.dictionary.take(order).to_pylist(), rank.take(encoded.indices)
