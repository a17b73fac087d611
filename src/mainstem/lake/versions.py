"""Versions of a table: what a metadata file says of one, and how columns pass from one to the next. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mainstem.errors import LakeUnavailable, UsageError, Where
from mainstem.lake.values import TableVersion
from mainstem.metadata import Field, TableMetadata
from mainstem.schema import Column, Kind, TableName

_JSON = ("columns", "key", "position", "cursor", "proofs", "tally")  # what loads and builds remember as JSON

NO_METADATA = (
    "restore the table's metadata folder from a backup; without one, move .mainstem away and run again: "
    "everything is loaded anew, and histories begin anew"
)
"""What helps where a table's metadata is damaged."""


def version(name: TableName, table: TableMetadata) -> TableVersion:
    """The table's current version. LakeUnavailable if its summary does not count its rows."""
    try:
        rows, size = int(table.summary["total-records"]), int(table.summary["total-files-size"])
    except (KeyError, ValueError) as error:
        raise LakeUnavailable(
            f"the lake's file {table.metadata_location} does not say how many rows the table has",
            where=Where(table=str(name)),
        ) from error
    for key in _JSON:
        try:
            json.loads(table.summary.get(f"mainstem.{key}") or "null")
        except ValueError as error:
            raise LakeUnavailable(
                f"the lake's file {table.metadata_location} is damaged: what it says of mainstem.{key}",
                where=Where(table=str(name)),
                hint=NO_METADATA,
            ) from error
    return TableVersion(
        name, table.snapshot_id, table.metadata_location, rows, size, table.columns, table.summary
    )


def evolve(old: Sequence[Field], last_id: int, columns: Sequence[Column]) -> tuple[int, ...]:
    """Field ids for `columns`: a name keeps its id if every value written under it before is also a value
    of the new type; anything else counts as a new column (ids after `last_id`, never used twice)."""
    known = {field.column.name: field for field in old}
    ids = []
    for column in columns:
        field = known.get(column.name)
        if field and _holds(column, field.column):
            ids.append(field.id)
        else:
            last_id += 1
            ids.append(last_id)
    return tuple(ids)


def _holds(new: Column, old: Column) -> bool:
    if old.nullable and not new.nullable:
        return False
    if new.type == old.type:
        return True
    pair = (old.type.kind, new.type.kind)
    if pair == (Kind.DECIMAL, Kind.DECIMAL):
        return new.type.scale == old.type.scale and new.type.precision >= old.type.precision
    return pair in ((Kind.INT, Kind.LONG), (Kind.FLOAT, Kind.DOUBLE))


def check_columns(name: TableName, columns: Sequence[Column]) -> None:
    """UsageError for columns that no engine can tell apart or address."""
    if not columns:
        raise UsageError("a table needs at least one column", where=Where(table=str(name)))
    seen: dict[str, str] = {}
    for column in columns:
        if not column.name:
            raise UsageError("a column has no name", where=Where(table=str(name)))
        folded = column.name.casefold()
        if folded in seen:
            raise UsageError(
                f"the columns {seen[folded]} and {column.name} differ at most in case;"
                " engines cannot tell them apart",
                where=Where(table=str(name), column=column.name),
                hint="rename one of them, or read the table through a view that does",
            )
        seen[folded] = column.name
