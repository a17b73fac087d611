"""A project directory as one frozen value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.project.config import OnChange, ProjectConfig, ProofLevel, TableConfig
from mainstem.project.dashboard import Dashboard
from mainstem.project.modelfile import ModelFile, read_models
from mainstem.project.requirements import Requirements
from mainstem.project.secrets import resolve
from mainstem.project.targets import LocalTarget, TargetConfig
from mainstem.project.yamlfile import Document, build, parse

FILE = "mainstem.yml"
STATE = ".mainstem"
_ENV_LINE = re.compile(r"\A(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)\Z")


@dataclass(frozen=True, slots=True)
class DashboardFile:
    """A dashboard with the places of its keys, for errors found later."""

    spec: Dashboard
    document: Document


@dataclass(frozen=True, slots=True)
class Project:
    """What the user wrote. `root` is absolute; `env` is the process's environment over `.env`. `errors` are
    those of files that are left out (see `read_project`), `broken` the names of models among them."""

    root: Path
    config: ProjectConfig
    document: Document
    models: tuple[ModelFile, ...]
    dashboards: tuple[DashboardFile, ...]
    requirements: Requirements
    env: Mapping[str, str]
    errors: tuple[UsageError, ...] = ()
    broken: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def state(self) -> Path:
        """Where the lake, the catalog and the receipts are."""
        return self.root / STATE

    def url(self, source: str) -> str:
        """The URL of a source, secrets resolved. UsageError if a variable is not set."""
        where = Where(FILE, self.document.line(("sources", source, "url")))
        return resolve(self.config.sources[source].url, self.env, where)

    def target(self, name: str) -> TargetConfig:
        """The named target; `local` exists without being written."""
        if name in self.config.targets:
            return self.config.targets[name]
        if name == "local":
            return LocalTarget()
        from_file = ", ".join(sorted({"local", *self.config.targets}))
        raise UsageError(f"there is no target {name!r}", where=Where(FILE), hint=f"targets: {from_file}")

    def proof(self, source: str, table: str) -> ProofLevel:
        """How far the load of a table is proven."""
        return self.table(source, table).proof or self.config.sources[source].proof

    def on_change(self, source: str, table: str) -> OnChange:
        """What a run does when the table's columns change in the source."""
        return self.table(source, table).on_change or self.config.sources[source].on_change

    def table(self, source: str, table: str) -> TableConfig:
        """The user's choices for a table; the defaults if there are none."""
        return self.config.sources[source].tables.get(table, TableConfig())


def find_root(start: Path) -> Path:
    """The directory with `mainstem.yml`: `start` or the nearest one above it."""
    for directory in (start, *start.parents):
        if (directory / FILE).is_file():
            return directory
    raise UsageError(
        f"{start} is no Mainstem project: there is no {FILE} in it or above it",
        hint="make one with: mainstem init DIR --from URL, or name one with -C DIR",
    )


def load_project(directory: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Read and validate every file of a project. Raises ConfigErrors with all errors at once."""
    project = read_project(directory, environ)
    if project.errors:
        raise ConfigErrors(list(project.errors))
    return project


def read_project(directory: Path, environ: Mapping[str, str] | None = None) -> Project:
    """The same, but errors in models, dashboards and requirements are kept in `errors`, so that the others
    can be checked and releases read. Raises ConfigErrors for errors in mainstem.yml and .env."""
    root = find_root(directory.resolve())
    errors = _Collected()
    document = Document(FILE, None, {})
    config, requirements = None, Requirements()
    models: list[ModelFile] = []
    dashboards: list[DashboardFile] = []
    with errors:
        document = parse(_text(root / FILE, FILE), FILE)
        config = build(ProjectConfig, document)
    broken: set[str] = set()
    with errors:
        models, broken = read_models(root, errors.found)
    for path in sorted((root / "dashboards").glob("*.y*ml")):
        with errors:
            dashboards.append(_dashboard(path, root))
    if (root / "requirements.yml").exists():
        with errors:
            text = _text(root / "requirements.yml", "requirements.yml")
            requirements = build(Requirements, parse(text, "requirements.yml"))
    with errors:
        _distinct(dashboards)
    env: dict[str, str] | None = None
    with errors:
        env = {**read_env(root / ".env"), **(os.environ if environ is None else environ)}
    if config is None or env is None:
        raise ConfigErrors(errors.found)
    return Project(
        root=root,
        config=config,
        document=document,
        models=tuple(models),
        dashboards=tuple(dashboards),
        requirements=requirements,
        env=env,
        errors=tuple(errors.found),
        broken=frozenset(broken),
    )


class _Collected:
    """A context that keeps the user's errors and goes on."""

    def __init__(self) -> None:
        self.found: list[UsageError] = []

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ConfigErrors):
            self.found.extend(error.errors)
        elif isinstance(error, UsageError):
            self.found.append(error)
        else:
            return False
        return True


def _text(path: Path, file: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8 text", where=Where(file)) from None
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}", where=Where(file)) from None


def _dashboard(path: Path, root: Path) -> DashboardFile:
    file = path.relative_to(root).as_posix()
    document = parse(_text(path, file), file)
    return DashboardFile(build(Dashboard, document), document)


def _distinct(dashboards: list[DashboardFile]) -> None:
    seen: dict[str, str] = {}
    for item in dashboards:
        twin = seen.setdefault(item.spec.dashboard, item.document.file)
        if twin != item.document.file:
            where = Where(item.document.file, item.document.line(("dashboard",)))
            raise UsageError(f"the dashboard {item.spec.dashboard} is defined in {twin} as well", where=where)


def read_env(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a `.env` file; quotes around a value are removed, nothing is expanded.

    Raises UsageError with the line of anything else. A file that does not exist is empty.
    """
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(_text(path, ".env").splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _ENV_LINE.match(stripped)
        if not match:
            raise UsageError("a line of the form NAME=value is expected", where=Where(".env", number))
        value = match["value"]
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[match["name"]] = value
    return found
