"""What the pages tell a person to type does what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from e2e.conftest import Workplace, load_mariadb, url_of
from mainstem.project import config, contract, costs, dashboard, header, requirements, targets
from mainstem.project.config import ProjectConfig
from mainstem.project.dashboard import Dashboard
from mainstem.project.modelfile import parse_model
from mainstem.project.requirements import Requirements
from mainstem.project.yamlfile import build, parse
from servers.mariadb import MariaDB

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def commands(page: Path) -> list[str]:
    """The lines after `$ ` of console blocks; what they print is not repeated in the pages."""
    found = [
        line[2:] for text in blocks(page, "console") for line in text.splitlines() if line.startswith("$ ")
    ]
    return [line for line in found if not line.startswith("export ")]


def run_script(lines: list[str], cwd: Path, env: dict[str, str]) -> str:
    """Run shell lines one after the other in one shell, as a person would; all of them must end well."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=cwd,
        env={**os.environ, **env, "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def toured(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, str]:
    """The README's tour, begun in an empty directory: its project, and what it printed."""
    load_mariadb(mariadb, "classicmodels.mysql.sql", "classicmodels")
    root = tmp_path_factory.mktemp("tour")
    env = {"CLASSICMODELS_URL": url_of(mariadb, "classicmodels")}
    printed = run_script(commands(ROOT / "README.md"), root, env)
    return Workplace(root / "classicmodels", env), printed


def test_the_tour_ends_as_it_says(toured: tuple[Workplace, str]) -> None:
    _, printed = toured
    assert "✓ mart.fact_order_lines: 2,996 rows and 9,604,190.61 equal the source" in printed
    assert re.search(r"USA\s+3273280\.05", printed)


def test_the_readmes_python(toured: tuple[Workplace, str]) -> None:
    root = toured[0].root.parent
    for block in blocks(ROOT / "README.md", "python"):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "2996" in done.stdout


@pytest.mark.parametrize(
    "page", [p for p in PAGES[1:] if commands(p) or blocks(p, "python")], ids=lambda p: p.name
)
def test_the_pages_commands(page: Path, toured: tuple[Workplace, str]) -> None:
    """In the tour's project, one page after the other."""
    place, _ = toured
    run_script(commands(page), place.root, place.env)
    for block in blocks(page, "python"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", block],
            cwd=place.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_the_examples_of_files_are_valid() -> None:
    for text in blocks(ROOT / "docs" / "project.md", "yaml"):
        file = Requirements if text.startswith("requirements:") else ProjectConfig
        build(file, parse(text, "docs/project.md"))
    for text in blocks(ROOT / "docs" / "cost.md", "yaml"):
        whole = f"name: shop\nsources: {{shop: {{url: 'sqlite:///shop.db'}}}}\n{text}"
        build(ProjectConfig, parse(whole, "docs/cost.md"))
    for text in blocks(ROOT / "docs" / "models.md", "sql"):
        header = parse_model(text, "fact_order_lines", "docs/models.md").header
        assert header.grain is not None
    for text in blocks(ROOT / "docs" / "dashboard.md", "yaml"):
        build(Dashboard, parse(text, "docs/dashboard.md"))


@pytest.mark.parametrize(
    ("module", "pages"),
    [
        (config, ["project"]),
        (contract, ["contracts"]),
        (costs, ["cost", "project"]),
        (dashboard, ["dashboard"]),
        (header, ["models"]),
        (requirements, ["project"]),
        (targets, ["project", "aws", "spark"]),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if isinstance(value, ModuleType) else "",
)
def test_every_field_of_a_file_is_on_its_page(module: ModuleType, pages: list[str]) -> None:
    text = "".join((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in pages)
    models = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one.__module__ == module.__name__
    ]
    fields = {field for one in models for field in one.model_fields}
    assert fields
    assert {field for field in fields if not re.search(rf"\b{field}\b", text)} == set()


def test_every_page_can_be_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lost = [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme]
    assert lost == []
