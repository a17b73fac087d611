"""`mainstem serve` and `mainstem export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import open_project
from mainstem.project.load import Project


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(serve)


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
    from mainstem.run.serving import rebuild
    from mainstem.serve.config import ServerConfig
    from mainstem.serve.server import run_server

    lake = wiring.open_lake(project)
    wiring.current_release(lake)  # a clear error now, rather than an empty page
    config = ServerConfig(
        state=project.state,
        current=lake.current_release,
        rebuild=lambda release: rebuild(project, lake, release),
        port=port,
        token_file=token_file,
        open_browser=open_browser,
        on_ready=lambda address: console.note(f"serving {project.name} at {address}  (Ctrl-C ends it)"),
    )
    run_server(config)
