"""What the repository says about itself is true: links, make targets, lock files, no traces of a machine."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NOT_OURS = {
    ".git",
    ".make",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".import_linter_cache",
    ".hypothesis",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
}
LOCKS = ("requirements.lock", "requirements-dev.lock")
# Put together, so that this file does not contain what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.~}-])/(?:(?:work|root|opt/pypi)(?=/)|(?:home|Users)/(?!me/|you/)\w+/)")


def tree() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in sorted(folders)
            if name not in NOT_OURS and not name.startswith(".venv") and not name.endswith(".egg-info")
        ]
        for name in sorted(set(names) - NOT_OURS):  # .git is a file in a worktree
            yield Path(folder, name)


def text(path: Path) -> str:
    """The file's text; nothing for what is no text."""
    content = path.read_bytes()
    return "" if b"\0" in content[:8192] else content.decode(errors="replace")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PAGES = [path for path in tree() if path.suffix == ".md"]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, made as code forges make them."""
    headings = re.findall(r"^#+ +(.+?) *#*$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in re.findall(r"\]\(<?([^)\s>]+)>?\)", prose(page)):
        if re.match(r"[a-z][a-z+.-]*:", link):
            continue
        file, _, anchor = link.partition("#")
        target = page if not file else (page.parent / file)
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor.lower() not in anchors(target)
        ):
            broken.append(link)
    return broken


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", text(ROOT / "Makefile"), flags=re.MULTILINE))


def locked(name: str) -> dict[str, list[tuple[Requirement, int]]]:
    """What a lock file pins, by canonical name: each version (one, or one a kind of Python) and the
    number of its hashes."""
    found: dict[str, list[tuple[Requirement, int]]] = {}
    for entry in text(ROOT / name).replace("\\\n", " ").splitlines():
        if entry.strip() and not entry.lstrip().startswith("#"):
            wanted, *hashes = re.split(r"\s--hash=sha256:", entry)
            requirement = Requirement(wanted.strip())
            found.setdefault(canonicalize_name(requirement.name), []).append((requirement, len(hashes)))
    return found


def versions(pins: list[tuple[Requirement, int]]) -> set[str]:
    return {specifier.version for requirement, _ in pins for specifier in requirement.specifier}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text(
        "# One thing\n[a](b.md) [b](#one-thing) [c](#two) [d](a.md#one-thing) [e](https://x.example/)\n"
    )
    assert broken_links(page) == ["b.md", "#two"]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_make_targets_exist(page: Path) -> None:
    named = re.findall(r"(?:^|`)\$? *make ([a-z][a-z-]*)", text(page), flags=re.MULTILINE)
    assert set(named) <= targets()


def test_every_target_is_listed_by_help() -> None:
    phony = set(re.findall(r"^\.PHONY: (\S+)", text(ROOT / "Makefile"), flags=re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*## \S", text(ROOT / "Makefile"), flags=re.MULTILINE))
    assert phony == described


def test_no_traces_of_a_machine_or_a_registry() -> None:
    traces = []
    for path in tree():
        if path.suffix == ".sql" and "samples" in path.parts:
            continue
        content = text(path)
        found = [host for host in REGISTRIES if host in content]
        found += [match.group() for match in MACHINE_PATH.finditer(content)]
        traces += [f"{relative(path)}: {what}" for what in found]
    assert traces == []


@pytest.mark.parametrize(
    ("line", "is_trace"),
    [
        ("open('/" + "work/x')", True),
        ("see /" + "root/.cache", True),
        ("a path like /" + "home/ann/shop", True),
        ("docs/work/x and ./root/x", False),
        ("/home/me/shop", False),
        ("/worker/x", False),
        ("~/work/x", False),
    ],
)
def test_a_trace_is_found(line: str, is_trace: bool) -> None:
    assert bool(MACHINE_PATH.search(line)) is is_trace


@pytest.mark.parametrize("name", LOCKS)
def test_locks_pin_everything_with_hashes_and_name_no_host(name: str) -> None:
    content = text(ROOT / name)
    assert "://" not in content
    assert not re.search(r"^\s*-(?!-hash)", content, flags=re.MULTILINE)
    pinned = locked(name)
    assert pinned
    for requirement, hashes in chain.from_iterable(pinned.values()):
        assert hashes, f"{requirement} has no hash"
        assert [spec.operator for spec in requirement.specifier] == ["=="]


def test_the_development_lock_contains_the_other() -> None:
    run, dev = locked(LOCKS[0]), locked(LOCKS[1])
    assert run.keys() <= dev.keys()
    for name, pins in run.items():
        assert versions(pins) == versions(dev[name]), name


def test_the_locks_satisfy_pyproject() -> None:
    """Fails when pyproject.toml was changed and `make lock` was not run."""
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    run = project["project"]["dependencies"] + project["build-system"]["requires"]
    dev = run + project["dependency-groups"]["dev"]
    for name, wanted in zip(LOCKS, (run, dev), strict=True):
        pinned = locked(name)
        for requirement in map(Requirement, wanted):
            pins = pinned.get(canonicalize_name(requirement.name), [])
            assert pins, f"{name} lacks {requirement.name}"
            for version in versions(pins):
                assert requirement.specifier.contains(version), f"{name}: {requirement} is not {version}"


def test_ci_runs_the_readmes_test_command_alone() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in text(script).splitlines() if line and not line.startswith("#")]
    assert lines[-1] == "exec make test </dev/null"
    assert len(lines) == 3


@pytest.mark.parametrize("name", ["make-venv", "system-packages"])
def test_scripts_can_be_executed(name: str) -> None:
    assert os.access(ROOT / "scripts" / name, os.X_OK)
