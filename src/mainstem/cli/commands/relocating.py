"""`mainstem relocate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import open_project
from mainstem.text import count

if TYPE_CHECKING:
    from mainstem.lake.relocate import Relocated


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(relocate)


def relocate(context: typer.Context) -> None:
    """Make a project that was moved or copied at home where it is; touches no file of the other place."""
    lake = wiring.open_lake(open_project(context.obj))
    with lake.run_lock("mainstem relocate", 0.0):
        done = lake.relocate()
    text = told(done) if done else "nothing to do: the lake was made here"
    console.out().print(text, markup=False)


def told(done: Relocated) -> str:
    """What was done, in words."""
    what = count(done.versions, "version")
    return f"the lake is at home here now, {what} of its tables; it came from {done.home}"
