"""`mainstem query`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem import crash, wiring
from mainstem.cli import console
from mainstem.cli.commands.common import QueryOutput, ReleaseOption, Target, open_project
from mainstem.cli.rows import csv_lines, json_array, table
from mainstem.errors import EngineFailed, UsageError
from mainstem.project.load import Project
from mainstem.project.targets import AwsTarget
from mainstem.schema import MART
from mainstem.text import size

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(query)


def query(
    context: typer.Context,
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT over raw.TABLE and MODEL; - reads it from stdin.")
    ],
    output: Annotated[
        QueryOutput, typer.Option("--output", help="For people or for machines.")
    ] = QueryOutput.TABLE,
    release: ReleaseOption = "",
    target: Target = "local",
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait for Athena.")
    ] = 300.0,
) -> None:
    """Ask the current release in SQL (DuckDB's dialect; Athena's with an AWS target)."""
    text = sys.stdin.read() if sql == "-" else sql
    project = open_project(context.obj)
    config = project.target(target)
    if isinstance(config, AwsTarget):
        if release:
            raise UsageError(
                "--release goes with the local target alone", hint="Athena reads the newest tables"
            )
        result = _athena(project, target, config, text, timeout)
    else:
        result = _result(project, text, release)
    if output is QueryOutput.JSON:
        console.write(json_array(result))
    elif output is QueryOutput.CSV:
        for line in csv_lines(result):
            sys.stdout.write(line)
    else:
        console.out().print(table(result))


def _athena(project: Project, name: str, config: AwsTarget, sql: str, timeout: float) -> pa.Table:
    from mainstem.engine.athena import Athena
    from mainstem.project.awsnames import names_of

    names = names_of(project, name, config)
    client = wiring.aws_client("athena", config)
    answer = Athena(client, names.workgroup, names.databases[MART], timeout).ask(sql)
    console.note(f"  Athena read {size(answer.scanned)}")
    return answer.table


def _result(project: Project, sql: str, release: str) -> pa.Table:
    lake = wiring.open_lake(project)
    chosen = lake.release(release) if release else wiring.current_release(lake)
    crash.point("query.release")
    with wiring.connect_release(chosen) as connection:
        try:
            return _selected(connection, sql)
        except EngineFailed as error:
            raise UsageError(f"SQL: {error.message}", hint=error.hint) from None


def _selected(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    from mainstem.engine.connect import select

    kinds = [statement.type.name for statement in _statements(connection, sql)]
    if kinds not in (["SELECT"], ["EXPLAIN"]):
        told = f"not {kinds[0]}" if len(kinds) == 1 else f"not {len(kinds)} statements"
        raise UsageError(f"a query is one SELECT, {told}", hint="a release is never changed, only replaced")
    return select(connection, sql)


def _statements(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    from mainstem.engine.session import mapped

    with mapped():
        return connection.extract_statements(sql)
