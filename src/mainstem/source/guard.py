"""`out_of_range: null`: a value that the lake's type cannot hold arrives NULL, and beside it stays its text.

Source and lake have to agree on both. So it is the server that leaves the value out and writes the text, in
the rows as in the proof: a guarded column is `CASE WHEN it fits THEN column END` wherever the source is
asked, the side column one JSON object a row that has such a value, `{"paid_at": "0000-00-00"}`, NULL in all
others. The decoders know nothing of it: a value that gets past the server's condition is refused as ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from mainstem.errors import UsageError, Where
from mainstem.schema import RAW_OUT_OF_RANGE, Column, Kind, Table, Type
from mainstem.source.port import OutOfRange, SourceOptions

NATIVE = "out of range"  # the side column's native type: no server has such a one


def guard(table: Table, options: SourceOptions, may_exceed: Callable[[Column], bool]) -> Table:
    """The table with the columns guarded whose policy is `null` and which `may_exceed` their type, and with
    the side column at its end, if there are any. A key's columns are not guarded: rows are told apart by
    them. UsageError for one that the user names, and for a table that has a column of the side column's
    name."""
    explicit = [
        c.name for c in table.columns if options.out_of_range.get((table.name, c.name)) is OutOfRange.NULL
    ]
    for name in explicit:
        if name in table.primary_key:
            where = Where(table=table.name, column=name)
            hint = "take it as text (out_of_range: text), or correct the values in the source"
            raise UsageError("a key's column cannot arrive NULL (out_of_range: null)", where=where, hint=hint)
    guarded = [
        column.name
        for column in table.columns
        if policy(options, table, column) is OutOfRange.NULL
        and column.name not in table.primary_key
        and may_exceed(column)
    ]
    if not guarded:
        return table
    if any(column.name.casefold() == RAW_OUT_OF_RANGE for column in table.columns):
        where = Where(table=table.name, column=RAW_OUT_OF_RANGE)
        hint = "take the columns as text (out_of_range: text), or rename it in the source"
        raise UsageError(
            "the source has a column of this name; out_of_range: null needs it", where=where, hint=hint
        )
    columns = tuple(
        replace(column, guarded=True, nullable=True) if column.name in guarded else column
        for column in table.columns
    )
    side = Column(
        RAW_OUT_OF_RANGE,
        Type(Kind.STRING),
        native=NATIVE,
        comment="Values that their columns cannot hold, as the source's own text: a JSON object.",
        covers=tuple(column for column in columns if column.guarded),
    )
    return replace(table, columns=(*columns, side))


def unguarded(options: SourceOptions) -> SourceOptions:
    """The options for a look at the source's own columns alone."""
    kept = {place: choice for place, choice in options.out_of_range.items() if choice is not OutOfRange.NULL}
    return replace(options, out_of_range=kept, others_out_of_range=OutOfRange.FAIL)


def policy(options: SourceOptions, table: Table, column: Column) -> OutOfRange:
    """What the user chose for a column."""
    return options.out_of_range.get((table.name, column.name), options.others_out_of_range)


def own_columns(table: Table) -> list[Column]:
    """The columns that the source itself has."""
    return [column for column in table.columns if column.native != NATIVE]


def opening(column: Column, quote: str = '"') -> str:
    """How a column's member begins in the side column's JSON object: `"paid_at": "`."""
    return f"{json.dumps(column.name, ensure_ascii=False)}: {quote}"
