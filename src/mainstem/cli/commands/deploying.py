"""`mainstem deploy aws`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from mainstem.cli import console
from mainstem.cli.commands.common import AwsTargetName, open_project
from mainstem.errors import MainstemError, UsageError, Where
from mainstem.project.load import FILE, Project
from mainstem.project.owned import generated, texts, write_owned
from mainstem.project.targets import AwsTarget
from mainstem.text import count

_RECORD = "deployed"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    deploy = typer.Typer(
        name="deploy", help="Write what runs the project elsewhere, as files.", no_args_is_help=True
    )
    deploy.command("aws")(aws)
    app.add_typer(deploy)


def aws(
    context: typer.Context,
    target: AwsTargetName = "aws",
    check: Annotated[
        bool, typer.Option("--check", help="Let Terraform validate infra/ as it stands; writes nothing.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="What would change in infra/, as a patch for git apply.")
    ] = False,
) -> None:
    """Write infra/: Terraform for the lake, the job, Athena, and the rights of each. Applies nothing."""
    project = open_project(context.obj)
    files = _files(project, target)
    if check:
        _check(project, files)
    elif diff:
        _diff(project, files)
    else:
        job = _job(project)
        _write(project, files | job)
        if job:
            _drivers(project)


def aws_target(project: Project, name: str) -> AwsTarget:
    """The target of that name. UsageError for one of another engine, or none."""
    target = project.target(name)
    if not isinstance(target, AwsTarget):
        line = project.document.line(("targets", name))
        where = Where(FILE, line)
        raise UsageError(
            f"the target {name} is not one with engine: aws", where=where, hint="see docs/aws.md"
        )
    return target


def _files(project: Project, target: str) -> dict[str, str]:
    from mainstem.deploy import infrastructure

    return infrastructure(project, target, aws_target(project, target))


def _job(project: Project) -> dict[str, str]:
    """The job's files; none, and a note, for a project that Spark cannot run as it stands."""
    from mainstem import wiring
    from mainstem.deploy import FOLDER

    try:
        return {f"{FOLDER}/job/{name}": text for name, text in wiring.emit_job(project).items()}
    except MainstemError as error:
        console.note(f"  {FOLDER}/job was not written, so that there is nothing yet for Glue to run:")
        console.note(f"  {error}")
        return {}


def _drivers(project: Project) -> None:
    """Copy the JDBC drivers beside the job: Glue brings others, which read some types differently."""
    from mainstem import wiring
    from mainstem.deploy import FOLDER

    folder = project.root / FOLDER / "job"
    for jar in wiring.job_drivers(project):
        if jar.exists():
            shutil.copyfile(jar, folder / jar.name)
        elif not (folder / jar.name).exists():
            console.note(f"  not found: {jar.name}; put it into {FOLDER}/job (Debian has it: docs/spark.md)")


def _write(project: Project, files: dict[str, str]) -> None:
    from mainstem.deploy import FOLDER

    made = write_owned(project.root, files, _RECORD)
    console.out().print(f"{FOLDER}: {count(len(made.written), 'file')} written", markup=False)
    for path in made.kept:
        console.note(f"  kept, because it was edited: {path} (mainstem deploy aws --diff shows what is new)")
    console.note(f"  next: terraform -chdir={FOLDER} init && terraform -chdir={FOLDER} plan")


def _diff(project: Project, files: dict[str, str]) -> None:
    from mainstem.draft import propose

    before = {path: text for path, text in generated(project.root, _RECORD).items() if path in files}
    proposed = propose(texts(project.root, files), before, files)
    for note in proposed.notes:
        console.note(f"  {note}")
    if proposed.patch:
        console.write(proposed.patch.rstrip("\n"))
        console.note("  take it: mainstem deploy aws --diff > new.patch; git apply new.patch")
    else:
        console.note("  nothing to propose: the files say what would be written now")


def _check(project: Project, files: dict[str, str]) -> None:
    from mainstem.deploy import FOLDER
    from mainstem.deploy.terraform import check

    here = texts(project.root, files)
    missing = sorted(set(files) - set(here))
    if missing:
        raise UsageError(f"{', '.join(missing)}: not there", hint="mainstem deploy aws writes them")
    found = check(project.root / FOLDER, FOLDER)
    for path in sorted(path for path in files if here[path] != files[path]):
        console.note(f"  differs from what would be written now: {path}")
    for path in found.unformatted:
        console.note(f"  not laid out as terraform fmt would: {FOLDER}/{path}")
    console.out().print(f"✓ {FOLDER} is valid ({Path(found.program).name})", style="green", markup=False)
