"""What an error tells a person to type exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import typer
import typer.main

import mainstem
from mainstem.cli.commands import register

PACKAGE = Path(mainstem.__file__).parent


def hints() -> Iterator[tuple[str, str]]:
    """Every text of a `hint=`, with its file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                for part in ast.walk(node.value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield f"{path.relative_to(PACKAGE)}:{part.lineno}", part.value


def test_a_hint_names_no_command_that_does_not_exist() -> None:
    """A full disk was answered with `mainstem clean`, which nobody has."""
    app = typer.Typer()
    register(app)
    commands = set(vars(typer.main.get_command(app))["commands"])
    assert {"run", "plan", "export"} <= commands
    named = {
        (where, word) for where, text in hints() for word in re.findall(r"\bmainstem (?!and\b)([a-z]+)", text)
    }
    assert {word for _, word in named} > {"run", "plan"}
    assert {(where, word) for where, word in named if word not in commands} == set()
