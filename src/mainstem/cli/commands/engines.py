"""`mainstem parity` and `mainstem export job`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import Output, OutputOption, ReleaseOption, open_project
from mainstem.errors import ConfigErrors, ProofFailed, UsageError
from mainstem.text import count, joined

if TYPE_CHECKING:
    from mainstem.engine.port import Engine
    from mainstem.parity import ModelParity


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(parity)


def parity(
    context: typer.Context,
    engines: Annotated[
        str, typer.Option("--engines", metavar="ONE,TWO", help="The two to compare.")
    ] = "duckdb,spark",
    release: ReleaseOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Run the models on two engines over the same release, and compare what they give, column by column."""
    from mainstem.parity import ENGINES, lines
    from mainstem.parity import parity as compare

    project = open_project(context.obj)
    if project.errors:
        raise ConfigErrors(list(project.errors))
    names = tuple(name.strip() for name in engines.split(","))
    if len(set(names)) != 2 or not set(names) <= set(ENGINES):
        raise UsageError(f"--engines {engines}: two different ones of {joined(ENGINES)} are compared")
    lake = wiring.open_lake(project)
    chosen = lake.release(release) if release else wiring.current_release(lake)
    makers: dict[str, Callable[[], Engine]] = {name: wiring.engine_named(project, name) for name in names}
    found = compare(project, lake, chosen, makers, wiring.engine_named(project, "duckdb"), _show(output))
    if output is Output.JSON:
        console.write(json.dumps([_value(one) for one in found], ensure_ascii=False))
    differing = [one for one in found if not one.holds]
    if differing:
        said = "\n  ".join(line for one in differing for line in lines(one))
        raise ProofFailed(f"{count(len(differing), 'model')} of {len(found)} differ:\n  {said}")


def _show(output: Output) -> Callable[[ModelParity], None]:
    def show(one: ModelParity) -> None:
        near = [column.name for column in one.columns if column.near]
        noted = f" ({joined(near)}: floating point, to nine digits)" if near else ""
        mark, how = ("✓", "the same") if one.holds else ("✗", f"{joined(one.differing)} differ")
        size = f"{count(one.rows[0], 'row')}, {count(len(one.columns), 'column')}"
        text = f"{mark} {one.name}: {size} {how}{noted}"
        console.out().print(text, style="green" if one.holds else "red", markup=False)

    return show if output is Output.TABLE else lambda _: None


def _value(one: ModelParity) -> dict[str, object]:
    return {
        "model": one.name,
        "holds": one.holds,
        "rows": list(one.rows),
        "columns": {
            column.name: "same" if column.same else "nine digits" if column.near else "differs"
            for column in one.columns
        },
    }


def export_job(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the job's files are written.")],
) -> None:
    """Write the Spark job of a full run: its script and its plan, which also run as they are on AWS Glue."""
    project = open_project(context.obj)
    if project.errors:
        raise ConfigErrors(list(project.errors))
    for name, text in wiring.emit_job(project).items():
        path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        console.out().print(str(path), markup=False)
