"""`mainstem doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import Output, OutputOption, open_project
from mainstem.errors import MainstemError
from mainstem.project.load import Project
from mainstem.source.port import Finding
from mainstem.text import size

_PACKAGES = ("mainstem", "duckdb", "duckdb-extension-iceberg", "pyiceberg", "pyarrow", "sqlglot")
_LOW_DISK = 1 << 30


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    data: Annotated[bool, typer.Option("--data", help="Read every data file, and verify it.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check sources, grants, lake, disk and versions. Exit 4 if something would stop a run."""
    project = open_project(context.obj)
    findings = [*_versions(), *_disk(project), *_lake(project, data), *_sources(project)]
    if output is Output.JSON:
        import json

        fields = ("level", "subject", "message", "hint")
        values = [{name: console.clean(getattr(f, name)) for name in fields} for f in findings]
        console.write(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        for finding in findings:
            _show(finding)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(4)


def _show(finding: Finding) -> None:
    from rich.text import Text

    mark, style = {"ok": ("✓", "green"), "warning": ("!", "yellow")}.get(finding.level, ("✗", "red"))
    text = Text(f"{mark} ", style=style).append(f"{finding.subject}: ", style="bold")
    text.append(console.clean(finding.message), style="default")
    console.out().print(text)
    if finding.hint:
        console.out().print(Text(f"    → {console.clean(finding.hint)}", style="cyan"))


def _versions() -> list[Finding]:
    found = [f"python {platform.python_version()}"]
    found += [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    return [Finding("ok", "versions", ", ".join(found))]


def _disk(project: Project) -> list[Finding]:
    free = shutil.disk_usage(project.root).free
    level = "warning" if free < _LOW_DISK else "ok"
    return [Finding(level, "disk", f"{size(free)} free for the lake")]


def _lake(project: Project, data: bool) -> list[Finding]:
    lake = wiring.open_lake(project)
    folder = project.state if project.state.exists() else project.root
    if not os.access(folder, os.W_OK):
        hint = "give this user write permission on it"
        return [Finding("error", "lake", f"{Path(folder).name} is not writable", hint)]
    try:
        release = lake.current_release()
        faults = list(lake.faults(release, all_of_it=data))
    except MainstemError as error:
        return [Finding("error", "lake", error.message, error.hint)]
    if faults:
        return [Finding("error", "lake", f"{fault.where}: {fault.message}", fault.hint) for fault in faults]
    text = f"release {release.id}, {len(release.tables)} tables" if release else "no release yet"
    if release and data:
        text += ", their files bit by bit as they were written"
    return [Finding("ok", "lake", text)]


def _sources(project: Project) -> list[Finding]:
    findings: list[Finding] = []
    for name in project.config.sources:
        try:
            url = project.url(name)
            source = wiring.open_source(url, wiring.source_options(project, name), project.root)
        except MainstemError as error:
            findings.append(Finding("error", f"source {name}", error.message, error.hint))
            continue
        try:
            findings += [
                Finding(f.level, f"source {name}: {f.subject}", f.message, f.hint) for f in source.diagnose()
            ]
        except MainstemError as error:
            findings.append(Finding("error", f"source {name}", error.message, error.hint))
        finally:
            source.close()
    return findings
