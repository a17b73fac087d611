"""One module a group of commands; each imports what is heavy when its command runs."""

from __future__ import annotations

import typer

from mainstem.cli.commands import (
    deploying,
    doctor,
    drafting,
    engines,
    granting,
    history,
    pipeline,
    projects,
    publishing,
    query,
    relocating,
    serving,
)


def register(app: typer.Typer) -> None:
    """Add every command, in the order of `mainstem --help`."""
    if app.registered_commands:
        return
    for module in (
        projects,
        drafting,
        pipeline,
        query,
        serving,
        history,
        relocating,
        engines,
        doctor,
        deploying,
        publishing,
        granting,
    ):
        module.register(app)
