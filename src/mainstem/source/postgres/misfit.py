"""Why a value does not fit its lake type, and what the user reads then."""

from __future__ import annotations

from enum import IntEnum

from mainstem.errors import MainstemError, SourceRefused, ValueNotExact, Where
from mainstem.schema import Table


class Reason(IntEnum):
    """The compiled decoder knows the same numbers."""

    NOT_FINITE = 1
    DIGITS = 2
    INFINITE_DATE = 3
    DATE_RANGE = 4
    NULL = 5
    ENCODING = 6
    MALFORMED = 7


_MESSAGES = {
    Reason.NOT_FINITE: "holds NaN or infinity, which {type} cannot hold",
    Reason.DIGITS: "holds a number with more digits than {type} has",
    Reason.INFINITE_DATE: "holds infinity, which {type} cannot hold",
    Reason.DATE_RANGE: "holds a date before the year 1 or after the year 9999, which {type} cannot hold",
    Reason.NULL: "is declared NOT NULL, yet holds NULL",
    Reason.ENCODING: "holds text that is not UTF-8",
}
_NO_TEXT_EITHER = (Reason.NULL, Reason.ENCODING)


class Misfit(Exception):
    """A value that does not fit: the column's index and the reason."""

    def __init__(self, column: int, reason: Reason) -> None:
        super().__init__(column, reason)
        self.column = column
        self.reason = reason


def error_of(misfit: Misfit, table: Table) -> MainstemError:
    """The user's error for a misfit: table, column, choices; no value."""
    if misfit.reason is Reason.MALFORMED:
        return SourceRefused("the server's stream is not PostgreSQL's COPY", where=Where(table=table.name))
    column = table.columns[misfit.column]
    native = f" ({column.native})" if column.native else ""
    hint = "correct the values in the source"
    if misfit.reason not in _NO_TEXT_EITHER:
        option = f"tables.{table.name}.columns.{column.name}.out_of_range: text"
        hint = f"set {option} in mainstem.yml to take the column as text (null: such values alone), or {hint}"
    message = _MESSAGES[misfit.reason].format(type=column.type) + native
    return ValueNotExact(message, where=Where(table=table.name, column=column.name), hint=hint)
