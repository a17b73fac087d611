"""DuckDB's results in the lake's types: exact, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.arrow import arrow_type, type_of
from mainstem.errors import EngineFailed, Where

# Types whose Arrow form looks like another type's: only their names tell.
_UNHELD = ("BIT", "BIGNUM", "TIME WITH TIME ZONE", "GEOMETRY", "VARIANT")
_HUGE = ("HUGEINT", "UHUGEINT")


class Shape:
    """The result's columns, as DuckDB sends them and as they leave the engine."""

    def __init__(
        self, schema: pa.Schema, names: Sequence[str], words: Sequence[str], *, strict: bool
    ) -> None:
        """`words` are DuckDB's names of the types. Strict: a column that no lake type holds is an error;
        else it stays as it is."""
        self.huge = [word in _HUGE for word in words]
        types = []
        for field, word in zip(schema, words, strict=True):
            try:
                if word in _UNHELD:
                    raise ValueError
                types.append(arrow_type(type_of(_plain(field.type))))
            except ValueError:
                if strict:
                    raise _unheld(field.name, word) from None
                types.append(field.type)
        self.schema = pa.schema([pa.field(n, t) for n, t in zip(names, types, strict=True)])
        _check_names(names)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of DuckDB's in the types of `schema`."""
        columns = [
            self._column(field, values, huge)
            for field, values, huge in zip(self.schema, batch.columns, self.huge, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _column(self, field: pa.Field[Any], values: pa.Array[Any], huge: bool) -> pa.Array[Any]:
        try:
            if huge:
                values.validate(full=True)  # beyond 38 digits DuckDB sends what no decimal can be
            if values.type != field.type:
                values = values.cast(field.type)
        except pa.ArrowInvalid:
            raise EngineFailed(
                f"a value does not fit {field.type}",
                where=Where(column=field.name),
                hint="CAST the column to the type that you want",
            ) from None
        return _finite(field, values)


def _plain(arrow: pa.DataType) -> pa.DataType:
    return arrow.value_type if pa.types.is_dictionary(arrow) else arrow


def _finite(field: pa.Field[Any], values: pa.Array[Any]) -> pa.Array[Any]:
    """The values; EngineFailed if a date or time among them is infinite (DuckDB's extremes mean that)."""
    if not (pa.types.is_date32(values.type) or pa.types.is_timestamp(values.type)):
        return values
    kind, infinity = (pa.int32(), 2**31 - 1) if pa.types.is_date32(values.type) else (pa.int64(), 2**63 - 1)
    numbers = values.view(kind)
    if pc.max(numbers).as_py() == infinity or pc.min(numbers).as_py() == -infinity:
        raise EngineFailed(
            "a date or time is infinite, which the lake cannot hold",
            where=Where(column=field.name),
            hint="replace it: CASE WHEN isfinite(x) THEN x END",
        )
    return values


def _unheld(name: str, word: str) -> EngineFailed:
    return EngineFailed(
        f"no type of the lake holds {word} exactly",
        where=Where(column=name),
        hint="CAST the column to VARCHAR, BIGINT, DECIMAL, DOUBLE, DATE or TIMESTAMP",
    )


def _check_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise EngineFailed(f"two columns of the result are called {name}", hint="give each its own alias")
        seen.add(name.casefold())
