"""`mainstem grants`: the least rights that reading needs, as SQL."""

from __future__ import annotations

from typing import Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import open_project
from mainstem.cli.commands.drafting import which_source
from mainstem.policy.grants import Reader, password_sql, reader_sql
from mainstem.project.config import Mode
from mainstem.project.load import Project
from mainstem.text import count


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(grants)


def grants(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Which one; may be left out if there is one.")
    ] = None,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="The user to be made.")] = "reader",
    host: Annotated[
        str, typer.Option("--host", metavar="PATTERN", help="MySQL, MariaDB: where it may come from.")
    ] = "%",
) -> None:
    """Print the SQL that makes a read-only user for just the project's tables. Changes nothing."""
    project = open_project(context.obj)
    name = which_source(project, source)
    with wiring.open_sources(project) as opened:
        database = wiring.introspect(project, {name: opened[name]})[name]
    reader = Reader(user, host)
    statements = reader_sql(
        database.engine, database.name, database.tables, reader, late_commits=_late(project, name)
    )
    console.write("".join(f"{statement};\n" for statement in statements).rstrip("\n"))
    console.note(
        f"  {count(len(database.tables), 'table')}; nobody can log in yet. Then, in a client of yours:"
    )
    console.note(f"  {password_sql(database.engine, reader)};")


def _late(project: Project, source: str) -> bool:
    """Whether some table is read since a cursor."""
    tables = project.config.sources[source].tables.values()
    return any(table.cursor and table.mode is not Mode.FULL for table in tables)
