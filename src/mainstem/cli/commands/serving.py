"""`mainstem serve` and `mainstem export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import open_project
from mainstem.cli.commands.engines import export_job
from mainstem.errors import UsageError
from mainstem.lake import Release
from mainstem.project.load import Project
from mainstem.text import size


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(serve)
    exports = typer.Typer(help="Write something for use elsewhere.", no_args_is_help=True)
    exports.command("page")(export_page)
    exports.command("job")(export_job)
    app.add_typer(exports, name="export")


def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="0: the first free one.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = False,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A file with the token, instead of a random one.")
    ] = None,
) -> None:
    """Serve the dashboards, the SQL console, the catalog and the lineage on this machine."""
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
    dashboard: Annotated[str, typer.Argument(help="The dashboard's name; empty: the only one.")] = "",
    to: Annotated[Path | None, typer.Option("--to", help="The file; NAME.html without it.")] = None,
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
