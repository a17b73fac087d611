"""`mainstem init` and `mainstem demo`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import Output, open_project
from mainstem.cli.commands.drafting import (
    LinkOption,
    Looking,
    LookOption,
    RowsOption,
    SecondsOption,
    draft_url,
    remember,
)
from mainstem.cli.commands.pipeline import run_project
from mainstem.errors import UsageError
from mainstem.plan import Choices
from mainstem.project.scaffold import Scaffold, settled_url, write_project
from mainstem.project.secrets import redact, secrets_of
from mainstem.source.port import SourceOptions
from mainstem.text import count

_NOTES = 8


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(demo)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The project's directory; made if it is missing.")
    ],
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="mysql://…, postgresql://… or sqlite:///….")
    ],
    look: LookOption = True,
    rows: RowsOption = None,
    seconds: SecondsOption = None,
    link: LinkOption = None,
) -> None:
    """Introspect a database and draft a project: models, checks, dashboards, as files that you own."""
    console.hide(lambda text: redact(text, secrets_of(source)))
    make_project(directory, source, Looking.of(look, rows, seconds, link))
    console.note(f"  next: cd {directory} && mainstem run && mainstem serve")


def make_project(directory: Path, url: str, looking: Looking | None = None) -> None:
    """Introspect, look at the data, draft, write; files that somebody edited are left as they are."""
    chosen = looking or Looking()
    drafted = draft_url(url, SourceOptions(), Path.cwd(), chosen)
    database, files = drafted.database, drafted.files
    name = wiring.database_name(url) or database.name
    kept = settled_url(url, directory, Path.cwd())
    made = write_project(directory, Scaffold(name, kept, files, chosen.chosen()))
    console.out().print(
        f"{directory}: {count(len(database.tables), 'table')} of {database.name} ({database.engine}), "
        f"{count(len(made.written), 'file')} written",
        markup=False,
    )
    remember(directory, {path: files[path] for path in made.written if path in files})
    for line in drafted.told:
        console.note(f"  {line}")
    for line in drafted.star.notes[:_NOTES]:
        console.note(f"  {line}")
    if len(drafted.star.notes) > _NOTES:
        console.note(f"  and {len(drafted.star.notes) - _NOTES} more: mainstem draft")
    for path in made.kept:
        console.note(f"  kept, because it was edited: {path}")
    if made.needs_variable and os.environ.get(made.variable) != url:
        console.note(
            f"  set the source's URL: export {made.variable}='{made.shown_url}'  (or in {directory}/.env)"
        )


def demo(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Keep the project in this directory.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the dashboard at the end.")] = True,
    port: Annotated[
        int, typer.Option("--port", "-p", metavar="N", min=0, max=65535, help="0: the first free one.")
    ] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = True,
) -> None:
    """Go all the way on a generated shop: database → lake → star → proof → dashboard."""
    if directory is not None:
        _demo(directory, serve, port, open_browser)
        return
    with tempfile.TemporaryDirectory(prefix="mainstem-demo-") as temporary:
        _demo(Path(temporary) / "shop", serve, port, open_browser)


def _demo(directory: Path, serve: bool, port: int, open_browser: bool) -> None:
    from mainstem.cli.commands.serving import serve_project
    from mainstem.demo import build_shop
    from mainstem.run import RunOptions

    if (directory / "mainstem.yml").exists():
        console.note(f"{directory} exists: its project is run again")
    else:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{directory} cannot be written: {error.strerror}") from None
        database = (directory / "shop.db").resolve()
        build_shop(database)
        make_project(directory, f"sqlite:///{database}")
    project = open_project(directory)
    options = RunOptions(command="mainstem demo")
    code = run_project(project, Choices(), options, "local", Output.TABLE, 0.0)
    if code:
        raise typer.Exit(code)
    if serve:
        serve_project(project, port, open_browser)
