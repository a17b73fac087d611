"""The rights that reading a source needs, and no other, as SQL that an administrator runs. Pure.

No password is written: the user is made so that nobody can log in with it, until the administrator gives it
one in a client of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainstem.errors import UsageError
from mainstem.schema import Table
from mainstem.text import quoted


@dataclass(frozen=True, slots=True)
class Reader:
    """A user to be made; `host` is where it may come from (MySQL, MariaDB: a pattern)."""

    name: str
    host: str = "%"


def reader_sql(
    engine: str, database: str, tables: Sequence[Table], reader: Reader, *, late_commits: bool
) -> tuple[str, ...]:
    """Statements in order, without their semicolons. `late_commits`: some table is read since a cursor, and
    the age of transactions at work is asked (docs/incremental.md). UsageError for a source without users."""
    if engine in ("mysql", "mariadb"):
        return _mysql(database, tables, reader, late_commits=late_commits)
    if engine == "postgres":
        return _postgres(database, tables, reader)
    raise UsageError(f"{engine} has no users", hint="give the file's group the right to read it")


def password_sql(engine: str, reader: Reader) -> str:
    """What gives the user a password and lets it in; `…` stands for the password."""
    if engine == "postgres":
        return f"ALTER ROLE {quoted(reader.name)} PASSWORD '…'"
    return f"ALTER USER {_account(reader)} IDENTIFIED BY '…' ACCOUNT UNLOCK"


def _mysql(database: str, tables: Sequence[Table], reader: Reader, *, late_commits: bool) -> tuple[str, ...]:
    account = _account(reader)
    made = [f"CREATE USER {account} ACCOUNT LOCK"]
    for table in tables:
        place = f"{_backticks(table.source_schema or database)}.{_backticks(table.source_name or table.name)}"
        made.append(f"GRANT SELECT ON {place} TO {account}")
    if late_commits:
        made.append(f"GRANT PROCESS ON *.* TO {account}")
    return tuple(made)


def _postgres(database: str, tables: Sequence[Table], reader: Reader) -> tuple[str, ...]:
    role = quoted(reader.name)
    schemas = dict.fromkeys(table.source_schema or "public" for table in tables)
    made = [f"CREATE ROLE {role} LOGIN", f"GRANT CONNECT ON DATABASE {quoted(database)} TO {role}"]
    made += [f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {role}" for schema in schemas]
    for table in tables:
        place = quoted(table.source_schema or "public", table.source_name or table.name)
        made.append(f"GRANT SELECT ON TABLE {place} TO {role}")
    return tuple(made)


def _account(reader: Reader) -> str:
    return f"{_literal(reader.name)}@{_literal(reader.host)}"


def _literal(text: str) -> str:
    """A string that means itself with and without NO_BACKSLASH_ESCAPES. UsageError for a backslash: there
    is none that does."""
    if "\\" in text:
        raise UsageError("a user's name cannot contain a backslash here")
    return "'" + text.replace("'", "''") + "'"


def _backticks(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
