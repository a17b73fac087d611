"""`mainstem draft`: the star that a database would get, in words, as SQL, or as a patch to a project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import open_project
from mainstem.errors import UsageError
from mainstem.project import owned
from mainstem.project.config import DraftConfig
from mainstem.project.load import STATE, Project
from mainstem.project.secrets import redact, secrets_of
from mainstem.schema import Database
from mainstem.source.guard import unguarded
from mainstem.source.port import Source, SourceOptions
from mainstem.text import nearest

if TYPE_CHECKING:
    from mainstem.draft import Profile, Star

_BASES = "drafted"


class DraftOutput(StrEnum):
    """The form of a draft."""

    EXPLAIN = "explain"
    SQL = "sql"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Looking:
    """How far the data is looked at, and the links that the user says are there."""

    data: bool = True
    rows: int = 50_000
    seconds: float = 10.0
    links: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, look: bool, rows: int | None, seconds: float | None, link: list[str] | None,
        kept: DraftConfig | None = None,
    ) -> Looking:  # fmt: skip
        """The options of the command line, over those of the project."""
        basis = kept or DraftConfig()
        links = dict.fromkeys([*basis.links, *(link or ())])
        return cls(
            look,
            basis.rows if rows is None else rows,
            basis.seconds if seconds is None else seconds,
            tuple(links),
        )

    def chosen(self) -> dict[str, object]:
        """What differs from the defaults, as `draft:` in mainstem.yml."""
        rows, seconds = (self.rows, self.seconds) if self.data else (0, self.seconds)
        usual = DraftConfig()
        found: dict[str, object] = {"links": list(self.links)} if self.links else {}
        found |= {"rows": rows} if rows != usual.rows else {}
        return found | ({"seconds": seconds} if seconds != usual.seconds else {})


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft: the database it was made from, the star, its files by path, and what to tell the user."""

    database: Database
    star: Star
    files: dict[str, str]
    told: tuple[str, ...] = field(default=())


LookOption = Annotated[
    bool, typer.Option("--profile/--no-profile", help="Look at the data (bounded), or at the schema alone.")
]
RowsOption = Annotated[
    int | None,
    typer.Option("--profile-rows", min=0, help="Rows looked at, a table at most. [default: 50000]"),
]
SecondsOption = Annotated[
    float | None, typer.Option("--profile-seconds", min=0, help="Time for it over all. [default: 10]")
]
LinkOption = Annotated[
    list[str] | None,
    typer.Option("--link", help="A foreign key that nobody declared: TABLE.COLUMN=OTHER_TABLE. Repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(draft)


def draft(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option("--from", help="mysql://, postgresql:// or sqlite:/// URL.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option("--schema", help="A schema as JSON instead (the benchmark's form).")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Which source of the project.")] = None,
    output: Annotated[
        DraftOutput, typer.Option("--output", help="In words, as models, or as the benchmark's JSON.")
    ] = DraftOutput.EXPLAIN,
    diff: Annotated[
        bool, typer.Option("--diff", help="What a new draft would change here, as a patch for git apply.")
    ] = False,
    look: LookOption = True,
    rows: RowsOption = None,
    seconds: SecondsOption = None,
    link: LinkOption = None,
) -> None:
    """Draft a star and show it; writes nothing. Without --from or --schema: for the project's source."""
    looking = Looking.of(look, rows, seconds, link)
    if schema is not None and (url is not None or diff):
        raise UsageError("--schema goes neither with --from nor with --diff", hint="leave one of them out")
    root: Path = context.obj
    if schema is not None:
        made = draft_database(read_schema(schema), None, looking)
    elif url is not None:
        console.hide(lambda text: redact(text, secrets_of(url)))
        made = draft_url(url, SourceOptions(), Path.cwd(), looking)
    else:
        project = open_project(context.obj)
        root = project.root
        looks = {
            name: Looking.of(look, rows, seconds, link, project.config.sources[name].draft)
            for name in _sources(project, source)
        }
        looking = replace(
            next(iter(looks.values())),
            links=tuple(dict.fromkeys(k for one in looks.values() for k in one.links)),
        )
        made = draft_sources(project, looks, looking.links)
    _tell(made, looking.links if schema is None and url is None and link else ())
    if diff:
        _show_patch(root, made)
    else:
        console.write(console.clean(_shown(made, output)))


def _tell(made: Drafted, links: Sequence[str]) -> None:
    for line in made.told:
        console.note(f"  {line}")
    if links:
        listed = json.dumps(list(links), ensure_ascii=False)
        console.note(
            f"  to keep what --link says: `draft: {{links: {listed}}}` at the source in mainstem.yml"
        )


def _sources(project: Project, source: str | None) -> list[str]:
    """The source of that name, or all: their star has one dimension for what they share."""
    return list(project.config.sources) if source is None else [which_source(project, source)]


def which_source(project: Project, source: str | None) -> str:
    """The source of that name, or the only one. UsageError if that is not clear."""
    names = list(project.config.sources)
    if source is None and len(names) == 1:
        return names[0]
    if source in names:
        return str(source)
    if source is None:
        raise UsageError("the project has several sources", hint="--source " + " or --source ".join(names))
    raise UsageError(f"the project has no source {source!r}", hint=nearest(source, names, "sources"))


def read_schema(path: Path) -> Database:
    """A schema in the benchmark's form. UsageError for a file that is none."""
    from mainstem.draft import from_benchmark

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{path.name} is no JSON", hint="see docs/drafting.md for its form") from None
    try:
        return from_benchmark(document)
    except (KeyError, TypeError, AttributeError) as error:
        missing = f": {error.args[0]!r} is not there" if isinstance(error, KeyError) else ""
        raise UsageError(
            f"{path.name} is no schema in the benchmark's form{missing}",
            hint='{"tables": {NAME: {"columns": [{"name", "type"}], "pk": [], "fks": []}}}',
        ) from None


def draft_url(url: str, options: SourceOptions, base: Path, looking: Looking) -> Drafted:
    """Introspect a database, look at its data, draft. UsageError for one without tables."""
    opened = wiring.open_source(url, unguarded(options), base)
    try:
        database = opened.introspect()
        if not database.tables:
            schema = ", or name a schema: postgresql://…?schema=NAME" if database.engine == "postgres" else ""
            raise UsageError(
                f"the database {database.name} has no table that this user can see",
                hint=f"grant SELECT on its tables{schema}",
            )
        return draft_database(database, opened, looking)
    finally:
        opened.close()


def draft_sources(project: Project, looks: dict[str, Looking], links: tuple[str, ...]) -> Drafted:
    """One star over one or several sources of a project. UsageError for two tables of one name."""
    from mainstem.draft import joined, joined_profiles
    from mainstem.profile.bounds import Limits
    from mainstem.profile.look import profile_source, told

    if len(looks) == 1:
        ((name, looking),) = looks.items()
        return draft_url(project.url(name), wiring.source_options(project, name), project.root, looking)
    databases, profiles, lines = {}, [], []
    for name, looking in looks.items():
        options = unguarded(wiring.source_options(project, name))
        opened = wiring.open_source(project.url(name), options, project.root)
        try:
            databases[name] = opened.introspect()
            if looking.data:
                limits = Limits(looking.rows, looking.seconds)
                profiles.append(profile_source(opened, databases[name], limits))
                lines += [f"{name}: {line}" for line in told(profiles[-1], limits)]
        finally:
            opened.close()
    return _drafted(joined(databases), joined_profiles(profiles), links, lines)


def draft_database(database: Database, source: Source | None, looking: Looking) -> Drafted:
    """The draft of a database, with a look at its data where there is a source."""
    from mainstem.draft import Profile, with_links
    from mainstem.profile.bounds import Limits
    from mainstem.profile.look import profile_source, told

    profile, lines = Profile(), list[str]()
    if source is not None and looking.data:
        limits = Limits(looking.rows, looking.seconds)
        profile = profile_source(source, with_links(database, looking.links), limits)
        lines = told(profile, limits)
    return _drafted(database, profile, looking.links, lines)


def _drafted(database: Database, profile: Profile, links: tuple[str, ...], lines: list[str]) -> Drafted:
    from mainstem.draft import SQLFLUFF, render, with_links
    from mainstem.draft import draft as drafted

    database = with_links(database, links)
    star = drafted(database, profile)
    files = {file.path: file.text for file in render(star, database, profile)}
    return Drafted(database, star, {**files, ".sqlfluff": SQLFLUFF}, tuple(lines))


def _shown(made: Drafted, output: DraftOutput) -> str:
    from mainstem.draft import explain, to_benchmark

    match output:
        case DraftOutput.JSON:
            return json.dumps(to_benchmark(made.star), indent=1, ensure_ascii=False)
        case DraftOutput.SQL:
            models = {path: text for path, text in made.files.items() if path.endswith(".sql")}
            return "\n".join(f"-- {path}\n{text}" for path, text in models.items()).rstrip("\n")
        case DraftOutput.EXPLAIN:
            return explain(made.star).rstrip("\n")


def remember(root: Path, written: dict[str, str]) -> None:
    """Keep the texts as they were drafted, so that a later draft can be told from a person's edits."""
    for path, text in written.items():
        place = root / STATE / _BASES / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{STATE}/{_BASES}/{path} cannot be written: {error.strerror}") from None


def _show_patch(root: Path, made: Drafted) -> None:
    from mainstem.draft import propose

    bases = root / STATE / _BASES
    before = {path.relative_to(bases).as_posix() for path in bases.rglob("*") if path.is_file()}
    here = owned.texts(root, before | set(made.files))
    proposed = propose(here, owned.texts(bases, before), made.files)
    for note in proposed.notes:
        console.note(f"  {note}")
    if proposed.patch:
        console.write(proposed.patch.rstrip("\n"))
        console.note("  take it, whole or in parts: mainstem draft --diff > new.patch; git apply new.patch")
    else:
        console.note("  nothing to propose: the files say what would be drafted now")
