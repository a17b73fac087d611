"""`mainstem publish`: the proven release, elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import AwsTargetName, open_project
from mainstem.cli.commands.deploying import aws_target
from mainstem.project.awsnames import names_of
from mainstem.text import count, size

if TYPE_CHECKING:
    from mainstem.lake.publish import Published


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(publish)


def publish(
    context: typer.Context,
    target: AwsTargetName = "aws",
) -> None:
    """Copy the current release to the target's lake (S3, Glue): new files alone, proven as they are here."""
    from mainstem.lake.publish import publish as publish_release

    project = open_project(context.obj)
    config = aws_target(project, target)
    names = names_of(project, target, config)
    release = wiring.current_release(wiring.open_lake(project))
    with wiring.open_remote(names, config) as remote:
        done = publish_release(release, remote, _told)
    changed = [one for one in done if one.changed]
    uploaded = sum(one.uploaded for one in changed)
    text = f"{release.id} stands in {remote.warehouse}: {count(len(changed), 'table')} of {len(done)} changed"
    console.out().print(f"{text}, {size(uploaded)} uploaded", style="bold", markup=False)


def _told(one: Published) -> None:
    how = f"{count(one.rows, 'row')}, {size(one.uploaded)} uploaded" if one.changed else "unchanged"
    console.note(f"  {one.name}: {how}")
