"""`mainstem serve` and `mainstem export`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import open_project, planned
from mainstem.cli.commands.engines import export_job
from mainstem.errors import UsageError
from mainstem.lake import Release
from mainstem.plan import Choices
from mainstem.project.load import Project
from mainstem.text import size


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(serve)
    exports = typer.Typer(help="Write something for use elsewhere.", no_args_is_help=True)
    exports.command("page")(export_page)
    exports.command("airflow")(export_airflow)
    exports.command("job")(export_job)
    app.add_typer(exports, name="export")


def serve(
    context: typer.Context,
    port: Annotated[
        int, typer.Option("--port", "-p", metavar="N", min=0, max=65535, help="0: the first free one.")
    ] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = False,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Holds the token, instead of a random one."),
    ] = None,
) -> None:
    """Serve the dashboards, the SQL console, the catalog and the lineage, on this machine alone."""
    serve_project(open_project(context.obj), port, open_browser, token_file)


def serve_project(project: Project, port: int, open_browser: bool, token_file: Path | None = None) -> None:
    """Serve until interrupted."""
    from mainstem.serve.config import ServerConfig
    from mainstem.serve.server import run_server

    def rebuild(release: Release) -> object:
        # Late: seldom needed, and what it loads would stay in the server's memory.
        from mainstem.run import serving

        return serving.rebuild(project, lake, release)

    lake = wiring.open_lake(project)
    wiring.current_release(lake)  # a clear error now, rather than an empty page
    config = ServerConfig(
        state=project.state,
        current=lake.current_release,
        rebuild=rebuild,
        port=port,
        token_file=token_file,
        open_browser=open_browser,
        on_ready=lambda address: console.note(f"serving {project.name} at {address}  (Ctrl-C ends it)"),
    )
    run_server(config)


def export_page(
    context: typer.Context,
    dashboard: Annotated[
        str, typer.Argument(metavar="NAME", help="The dashboard; may be left out if there is one.")
    ] = "",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where it is written. [default: NAME.html]")
    ] = None,
) -> None:
    """Write a dashboard as one HTML file that needs no server."""
    from mainstem.serve.export import export

    project = open_project(context.obj)
    lake = wiring.open_lake(project)
    names = [one.spec.dashboard for one in project.dashboards]
    if not dashboard and len(names) != 1:
        raise UsageError(
            "which dashboard?", hint=f"mainstem export page NAME: {', '.join(names) or 'none yet'}"
        )
    name = dashboard or names[0]
    page = export(project.state, wiring.current_release(lake), name)
    path = to or Path(f"{name}.html")
    try:
        path.write_bytes(page)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    console.out().print(f"{path}: {size(len(page))}", markup=False)


def export_airflow(
    context: typer.Context,
    to: Annotated[
        Path,
        typer.Option(
            "--to", "--output", metavar="DIR", help="The folder of DAGs; the file is named after the project."
        ),
    ] = Path("dags"),
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule", metavar="CRON", help="In UTC; without it, as fresh as requirements.yml asks."
        ),
    ] = "",
    start: Annotated[
        str, typer.Option("--start", metavar="DAY", help="The first day, YYYY-MM-DD. [default: today]")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that was edited.")] = False,
) -> None:
    """Write the plan as a DAG of Airflow 3, one task a step."""
    from mainstem.deploy import airflow

    try:
        first = date.fromisoformat(start) if start else datetime.now(UTC).date()
    except ValueError:
        raise UsageError(f"--start {start!r} is no day", hint="write it like 2026-11-01") from None
    if schedule and len(schedule.split()) != 5:
        raise UsageError(
            f"--schedule {schedule!r} is no cron expression", hint="five fields, like '0 3 * * *'"
        )
    project = open_project(context.obj)
    asked = airflow.schedule_of(project.requirements.requirements)
    for text in () if schedule else asked.unread:
        console.note(f"requirements.yml: fresh: {text} is not understood; --schedule says it in cron")
    with planned(project, Choices()) as made:
        text = airflow.dag(made.plan, project, schedule or asked.cron, first)
    path = to / f"{airflow.dag_id(project)}.py"
    try:
        if not force and path.exists() and path.read_text(encoding="utf-8") != text:
            raise UsageError(f"{path} exists and is another one", hint="--force overwrites it")
        to.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    tasks = len(made.plan.ingest) + len(made.plan.models) + 1
    console.out().print(f"{path}: {tasks} tasks, {schedule or asked.cron}", markup=False)
