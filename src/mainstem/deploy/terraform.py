"""Asks the user's own Terraform whether `infra/` is well-formed and valid. Changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mainstem.errors import EngineFailed, ProofFailed, Where

PROGRAMS = ("terraform", "tofu")
_NOT_INITIALISED = (
    "required plugins are not installed",
    "missing required provider",
    "inconsistent dependency lock",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The program that was asked, and the files whose layout differs from `terraform fmt`'s."""

    program: str
    unformatted: tuple[str, ...]


def program() -> list[str]:
    """Terraform's (or OpenTofu's) command; MAINSTEM_TERRAFORM names another one. EngineFailed if there is
    none."""
    named = os.environ.get("MAINSTEM_TERRAFORM", "").split()
    found = named or [path for name in PROGRAMS if (path := shutil.which(name))][:1]
    if not found:
        hint = "install Terraform or OpenTofu; or name its command in MAINSTEM_TERRAFORM"
        raise EngineFailed("there is no terraform on this machine: the files were not validated", hint=hint)
    return found


def check(folder: Path, place: str) -> Checked:
    """Layout and validity of the files. ProofFailed with Terraform's words, at file and line (`place` is how
    the user calls the folder); EngineFailed if it cannot be asked, or has not been initialised."""
    command = program()
    layout = _run(command, folder, "fmt", "-check", "-list=true")
    answer = _run(command, folder, "validate", "-json", "-no-color")
    try:
        told = json.loads(answer.stdout)
        diagnostics = [one for one in told["diagnostics"] if one["severity"] == "error"]
    except (ValueError, KeyError, TypeError):
        raise EngineFailed(f"{command[0]} gave no answer (exit code {answer.returncode})") from None
    if diagnostics:
        raise _invalid(diagnostics[0], len(diagnostics), place)
    return Checked(command[0], tuple(layout.stdout.split()))


def _invalid(first: dict[str, object], number: int, place: str) -> ProofFailed | EngineFailed:
    text = f"{first.get('summary', '')}: {first.get('detail', '')}".strip(": ").splitlines()[0]
    if any(words in text.lower() for words in _NOT_INITIALISED):
        hint = f"terraform -chdir={place} init"
        return EngineFailed("Terraform has not loaded the AWS provider yet: nothing was validated", hint=hint)
    spot = first.get("range")
    where = Where(place)
    if isinstance(spot, dict):
        where = Where(f"{place}/{spot['filename']}", int(spot["start"]["line"]))
    more = f" (and {number - 1} more)" if number > 1 else ""
    return ProofFailed(text + more, where=where, hint=f"terraform -chdir={place} validate")


def _run(command: list[str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineFailed(f"{command[0]} could not be run: {type(error).__name__}") from None
