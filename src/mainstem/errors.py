"""The one error tree. Each class has its exit code; the command line maps nothing by hand.

A message says what happened, `where` says where (the user's file and line, or table and column),
`hint` says what to do. None of them ever contains a secret, nor more of a row than the keys by which a person
finds it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """A place that the user can open: a file and a line (1-based), or a table and a column."""

    file: str = ""
    line: int = 0
    table: str = ""
    column: str = ""

    def __str__(self) -> str:
        if self.file:
            return f"{self.file}:{self.line}" if self.line else self.file
        return ".".join(part for part in (self.table, self.column) if part)


class MainstemError(Exception):
    """Root of all errors that Mainstem raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, where: Where | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where and str(self.where) else ""
        hint = f"\n  → {self.hint}" if self.hint else ""
        return f"{place}{self.message}{hint}"


class Terminal(MainstemError):
    """Trying again changes nothing: somebody has to do something first."""


class Transient(MainstemError):
    """May go well when tried again; the retry policy looks at this class alone."""

    exit_code = 4


class UsageError(Terminal):
    """The command line or a file of the project is wrong."""

    exit_code = 2


class ConfigErrors(UsageError):
    """All errors found in the user's files, at once, in the order of file and line."""

    def __init__(self, errors: list[UsageError]) -> None:
        ordered = sorted(errors, key=lambda e: (e.where.file, e.where.line) if e.where else ("", 0))
        super().__init__("\n".join(str(e) for e in ordered))
        self.errors = ordered


class ValueNotExact(Terminal):
    """A value of the source cannot be held exactly by the type in the lake."""

    exit_code = 3


class ProofFailed(Terminal):
    """A check, a contract or a proof did not hold; nothing was published."""

    exit_code = 3


class SourceUnavailable(Transient):
    """The source did not answer, refused the login, or went away during a read."""


class OutOfTime(SourceUnavailable):
    """A statement ran longer than it may, and was ended; the connection and its snapshot go on."""


class SourceRefused(Terminal):
    """The source answered and said no: wrong password, no such database, missing privilege."""

    exit_code = 4


class LakeUnavailable(Transient):
    """The lake or its catalog cannot be read or written: disk full, damaged, locked by another run."""


class OverBudget(Terminal):
    """By its estimate the run would exceed the project's budget; nothing was begun."""

    exit_code = 5


class LakeRefused(Terminal):
    """The lake's store or catalog answered and said no: no credentials, a missing right, no such place."""

    exit_code = 4


class EngineFailed(Terminal):
    """The engine could not execute a statement that passed all checks before."""

    exit_code = 4
