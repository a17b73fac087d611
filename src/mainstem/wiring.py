"""The composition root: the only place that names concrete adapters, and imports them when asked for."""

from __future__ import annotations

import importlib.metadata
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mainstem.errors import UsageError, Where
from mainstem.lake import Lake, Release
from mainstem.project.config import Deletes, ProofLevel, TableConfig
from mainstem.project.load import FILE, Project, read_project
from mainstem.project.secrets import redact, secrets_of
from mainstem.project.targets import AwsTarget, LocalTarget, SparkTarget, TargetConfig
from mainstem.schema import Database, Table, TableName
from mainstem.source.port import OutOfRange, Source, SourceOptions

if TYPE_CHECKING:
    import duckdb

    from mainstem.engine.port import Engine
    from mainstem.job.launch import SparkJob
    from mainstem.lake.publish import Remote
    from mainstem.project.awsnames import Names
    from mainstem.source.jdbc import JdbcSource

SCHEMES = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgresql": "postgres",
    "postgres": "postgres",
    "sqlite": "sqlite",
}


def open_source(url: str, options: SourceOptions, base: Path | None = None) -> Source:
    """A source by its URL; nothing is contacted yet. `base` is where relative SQLite paths begin.

    Raises UsageError for a URL that names no source.
    """
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    kind = SCHEMES.get(scheme)
    if kind == "mysql":
        from mainstem.source.mysql import MySQLSource

        return MySQLSource.from_url(url, options)
    if kind == "postgres":
        from mainstem.source.postgres import PostgresSource

        return PostgresSource.from_url(url, options)
    if kind == "sqlite":
        from mainstem.source.sqlite import SQLiteSource

        return SQLiteSource.from_url(url, options, base=base)
    raise UsageError(
        f"no source speaks {scheme or 'this'!r}" if scheme else "the source's URL has no scheme",
        hint="mysql://USER@HOST/DB, postgresql://USER@HOST/DB or sqlite:///FILE",
    )


def database_name(url: str) -> str:
    """The name of the database in a URL: the last part of its path, without a SQLite file's ending."""
    path = Path(urlsplit(url).path)
    return path.stem if url.lower().startswith("sqlite:") else path.name


def source_options(project: Project, source: str) -> SourceOptions:
    """The user's choices for one source."""
    config = project.config.sources[source]
    out_of_range = {
        # Rows are merged and followed by these: they may not arrive NULL, unless somebody says so.
        **{(t, c): OutOfRange.FAIL for t, choices in config.tables.items() for c in _followed(choices)},
        **{
            (table, column): OutOfRange(choice.out_of_range)
            for table, choices in config.tables.items()
            for column, choice in choices.columns.items()
            if "out_of_range" in choice.model_fields_set
        },
    }
    return SourceOptions(
        schemas=tuple(config.schemas),
        include=tuple(config.include),
        exclude=tuple(config.exclude),
        out_of_range=out_of_range,
        others_out_of_range=OutOfRange(config.out_of_range),
        timeout=config.timeout,
    )


def _followed(choices: TableConfig) -> list[str]:
    return [*choices.key, *([choices.cursor] if choices.cursor else [])]


@contextmanager
def open_sources(project: Project) -> Iterator[dict[str, Source]]:
    """All sources of a project, closed at the end."""
    opened: dict[str, Source] = {}
    try:
        for name in project.config.sources:
            url = project.url(name)
            try:
                opened[name] = open_source(url, source_options(project, name), project.root)
            except UsageError as error:
                line = project.document.line(("sources", name, "url"))
                raise UsageError(error.message, where=Where(FILE, line), hint=error.hint) from None
        yield opened
    finally:
        for source in opened.values():
            source.close()


def introspect(project: Project, sources: Mapping[str, Source]) -> dict[str, Database]:
    """What each source holds. Raises UsageError for choices about tables or columns that do not exist."""
    found = {name: source.introspect() for name, source in sources.items()}
    for name, database in found.items():
        _check_choices(project, name, database)
    return found


def _check_choices(project: Project, source: str, database: Database) -> None:
    from mainstem.errors import ConfigErrors
    from mainstem.ingest.terms import faults
    from mainstem.text import nearest

    errors = []
    tables = {table.name: table for table in database.tables}
    for name, choices in project.config.sources[source].tables.items():
        place = ("sources", source, "tables", name)
        if name not in tables:
            where = Where(FILE, project.document.line(place))
            hint = nearest(name, tables, "tables")
            errors.append(UsageError(f"the source {source} has no table {name}", where=where, hint=hint))
            continue
        columns = [column.name for column in tables[name].columns]
        errors.extend(_cursor_errors(project, place, choices, tables[name]))
        named: list[tuple[str, tuple[str, ...]]]
        named = [(column, (*place, "columns", column)) for column in choices.columns]
        named += [(choices.cursor, (*place, "cursor"))] if choices.cursor else []
        named += [(column, (*place, "key")) for column in choices.key]
        named += [(choices.deleted, (*place, "deleted"))] if choices.deleted else []
        rules = choices.contract.columns if choices.contract else {}
        named += [(column, (*place, "contract", "columns", column)) for column in rules]
        for at, message, hint in faults(choices, tables[name]):
            where = Where(FILE, project.document.line((*place, *at)))
            errors.append(UsageError(message, where=where, hint=hint))
        errors.extend(_guard_errors(project, place, choices))
        for column, at in named:
            if column not in columns:
                where = Where(FILE, project.document.line(at))
                hint = nearest(column, columns, "columns")
                errors.append(UsageError(f"{name} has no column {column}", where=where, hint=hint))
    if errors:
        raise ConfigErrors(errors)


def _guard_errors(project: Project, place: tuple[str, ...], choices: TableConfig) -> list[UsageError]:
    """A column by which rows are merged or followed cannot arrive NULL."""
    named = [name for name in _followed(choices) if name in choices.columns]
    return [
        UsageError(
            f"{place[-1]}.{name} is a cursor or a key: it cannot arrive NULL",
            where=Where(FILE, project.document.line((*place, "columns", name))),
            hint="out_of_range: fail, or text for a key",
        )
        for name in named
        if choices.columns[name].out_of_range == "null"
    ]


def _cursor_errors(
    project: Project, place: tuple[str, ...], choices: TableConfig, table: Table
) -> list[UsageError]:
    """A cursor has to be a time or a whole or decimal number, and there has to be a key to merge by."""
    from mainstem.ingest.cursor import CURSORS

    if not choices.cursor or choices.cursor not in [column.name for column in table.columns]:
        return []
    if choices.deletes is Deletes.IGNORE and project.proof(place[1], table.name) is not ProofLevel.OFF:
        where = Where(FILE, project.document.line((*place, "deletes")))
        message = f"{table.name}: rows that the source no longer has cannot be kept and proven"
        return [UsageError(message, where=where, hint="set proof: off for the table, or deletes: detect")]
    where = Where(FILE, project.document.line((*place, "cursor")))
    type_ = table.column(choices.cursor).type
    if type_.kind not in CURSORS:
        hint = "a time of the last change, or a number that grows"
        return [UsageError(f"{table.name}.{choices.cursor} ({type_}) is no cursor", where=where, hint=hint)]
    if not choices.key and not table.primary_key:
        hint = "name a unique key: key: [COLUMN]"
        return [UsageError(f"{table.name} has no primary key to merge rows by", where=where, hint=hint)]
    return []


def redactor(project: Project) -> Callable[[str], str]:
    """Removes the sources' passwords from any text."""
    secrets: list[str] = []
    for name in project.config.sources:
        try:
            secrets.extend(secrets_of(project.url(name)))
        except UsageError:
            continue  # an unset variable hides nothing
    return lambda text: redact(text, secrets)


def open_lake(project: Project) -> Lake:
    """The project's lake; touches nothing until it is used."""
    return Lake(project.state)


def engine_factory(project: Project, target: TargetConfig) -> Callable[[], Engine]:
    """Makes engine connections for a target. UsageError for one that this machine cannot run. Beside a Spark
    job DuckDB looks at what came out."""
    if isinstance(target, SparkTarget):
        target = LocalTarget()
    if not isinstance(target, LocalTarget):
        hint = "mainstem deploy aws writes what runs there" if isinstance(target, AwsTarget) else ""
        raise UsageError(
            f"a target with engine: {target.engine} is not run here", where=Where(FILE), hint=hint
        )

    def make() -> Engine:
        from mainstem.engine.duckdb import DuckDB
        from mainstem.engine.session import Limits

        limits = Limits(memory_bytes=memory_bytes(target.memory), threads=target.threads)
        return DuckDB(project.state / "tmp", limits)

    return make


@contextmanager
def open_remote(names: Names, target: AwsTarget) -> Iterator[Remote]:
    """Where a target's lake is, held against other publishers."""
    from mainstem.catalog.glue import GlueCatalog
    from mainstem.lake.publish import Remote
    from mainstem.lake.s3 import Lock, S3Files

    warehouse = f"s3://{names.bucket}/{names.prefix}"
    s3 = aws_client("s3", target)
    # Writes are sent once: see catalog/glue.
    glue = aws_client("glue", target, tries=1), names.databases, aws_client("glue", target, tries=3)
    catalog = GlueCatalog(*glue)
    with Lock(s3, f"{warehouse}/publisher.lock", socket.gethostname(), os.getpid()) as lock:
        yield Remote(warehouse, catalog, lambda: S3Files(s3), lock.renew)


def aws_client(service: str, target: AwsTarget, tries: int = 5) -> Any:
    """A client of one of AWS's services. UsageError if boto3 is not installed."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise UsageError("this needs boto3", hint="pip install 'mainstem[aws]'") from None
    config = Config(
        connect_timeout=target.timeout,  # for the bytes that are sent, too
        read_timeout=target.timeout,
        retries={"mode": "standard", "total_max_attempts": tries},
        s3={"addressing_style": "path" if target.endpoint else "auto"},
    )
    endpoint = target.endpoint or None
    return boto3.client(service, region_name=target.region, endpoint_url=endpoint, config=config)


def memory_bytes(text: str) -> int:
    """`4GB` → bytes; 0 for an empty text. UsageError for anything else."""
    if not text:
        return 0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B", text.strip(), re.IGNORECASE)
    if not match:
        raise UsageError(f"memory: {text!r} is no size", where=Where(FILE), hint="write it like 4GB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))


def salt(target: TargetConfig | None = None) -> str:
    """The versions of what computes models: a table made by another version is built again."""
    if isinstance(target, SparkTarget):
        from mainstem.engine.spark.settings import VERSION

        return f"spark {VERSION}"
    return f"duckdb {importlib.metadata.version('duckdb')}"


def jdbc_source(project: Project, name: str) -> JdbcSource:
    """How Spark reads a source. UsageError for one that it cannot."""
    url = project.url(name)
    kind = SCHEMES.get(url.partition("://")[0].lower())
    if kind == "mysql":
        from mainstem.source.mysql import jdbc as mysql

        return mysql.jdbc_source(url)
    if kind == "postgres":
        from mainstem.source.postgres import jdbc as postgres

        return postgres.jdbc_source(url)
    line = project.document.line(("sources", name, "url"))
    raise UsageError(
        f"Spark does not read the source {name}: it reads MySQL, MariaDB and PostgreSQL",
        where=Where(FILE, line),
        hint="run it with --target local",
    )


def spark_job(project: Project, target: TargetConfig) -> SparkJob | None:
    """What runs a Spark target; None for others. EngineFailed if this machine lacks something for it."""
    if not isinstance(target, SparkTarget):
        return None
    from mainstem.engine.spark import session, settings
    from mainstem.job.launch import SparkJob

    session.require()
    jdbc = {name: jdbc_source(project, name) for name in project.config.sources}
    options = {**settings.LOCAL, "spark.master": target.master, "spark.jars": ",".join(settings.jars())}
    if target.memory:
        options["spark.driver.memory"] = f"{memory_bytes(target.memory) >> 20}m"
    return SparkJob(jdbc, options, target.partitions)


def engine_named(project: Project, name: str) -> Callable[[], Engine]:
    """Makes engines by name, on this machine: duckdb, or spark with the first Spark target's settings."""
    if name == "duckdb":
        return engine_factory(project, LocalTarget())
    target = next(
        (one for one in project.config.targets.values() if isinstance(one, SparkTarget)),
        SparkTarget(engine="spark"),
    )

    def make() -> Engine:
        from mainstem.engine.spark.engine import Spark

        memory = f"{memory_bytes(target.memory) >> 20}m" if target.memory else ""
        return Spark(project.state / "tmp", target.master, memory)

    return make


def emit_job(
    project: Project, settings: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The project's full run as files for Spark elsewhere (AWS Glue, say): file name → text. Looks at the
    sources. `settings` are those of Spark's catalog `lake`; `secrets` as in `job.emit`. Raises ConfigErrors
    for models that Spark cannot run as DuckDB does."""
    from mainstem.job.document import World
    from mainstem.job.emit import emit
    from mainstem.plan import Choices, make_plan

    with open_sources(project) as sources:
        databases = introspect(project, sources)
    target = SparkTarget(engine="spark")
    plan = make_plan(project, databases, {}, (), Choices(), salt(target))
    jdbc = {name: jdbc_source(project, name) for name in databases}
    world = World(project, plan, plan.ingest, databases, jdbc, {}, {}, {}, salt(target))
    return emit(world, settings=settings or {}, secrets=secrets)


def job_drivers(project: Project) -> list[Path]:
    """The JDBC drivers that the project's job needs, where Debian puts them; they may be missing."""
    from mainstem.engine.spark.settings import DRIVERS

    return sorted({DRIVERS[jdbc_source(project, name).driver] for name in project.config.sources})


def connect(project_dir: str | os.PathLike[str] | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection on the current release of a project: `raw.TABLE`, `MODEL`.

    `project_dir` defaults to MAINSTEM_PROJECT_DIR, then to the working directory. Raises UsageError if
    there is no project or no release yet. A UNION of many rows is best asked with `.sql(…).execute()` or
    `.sql(…).to_arrow_table()`: DuckDB's `.execute(…)` can wait for ever, see `engine.united`.
    """
    directory = Path(project_dir or os.environ.get("MAINSTEM_PROJECT_DIR") or ".")
    project = read_project(directory)  # a broken model is no hindrance to what was published
    return connect_release(current_release(open_lake(project)))


def current_release(lake: Lake) -> Release:
    """The release that readers see. UsageError before the first one."""
    release = lake.current_release()
    if release is None:
        raise UsageError("there is no release yet", hint="mainstem run makes one")
    return release


def connect_release(release: Release) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection on one release."""
    return connect_tables({name: pinned.metadata_location for name, pinned in release.tables.items()})


def connect_tables(tables: Mapping[TableName, str], *, locked: bool = True) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection on versions of tables, given by their metadata locations."""
    from mainstem.engine.connect import connect as connect_versions

    return connect_versions(tables, locked=locked)
