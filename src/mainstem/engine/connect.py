"""A session for people: views on a release, and nothing else of this machine within reach."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from mainstem.engine import session, views
from mainstem.engine.session import Limits
from mainstem.errors import UsageError, Where
from mainstem.schema import MART, RAW, TableName


def connect(
    tables: Mapping[TableName, str], limits: Limits | None = None, *, locked: bool = True
) -> duckdb.DuckDBPyConnection:
    """A session in memory with views `raw.*` and `mart.*` on these versions (metadata locations); those
    of mart also without their schema. It reads the files of the views and no other, reaches no network,
    and its settings are locked (`locked` false: for our own use, the session may attach and write files).
    The caller closes it."""
    opened = session.open_session(limits or Limits(), None)
    try:
        with session.mapped():
            _fill(opened, [views.of_version(name, location) for name, location in tables.items()], locked)
    except BaseException:
        opened.close()
        raise
    return opened


def _fill(opened: duckdb.DuckDBPyConnection, made: list[views.View], locked: bool) -> None:
    foreign = any(view.iceberg for view in made)
    if foreign:
        session.load_iceberg(opened)
    seen: dict[str, TableName] = {}
    for namespace in sorted({RAW, MART} | {view.name.namespace for view in made}):
        opened.execute(f"CREATE SCHEMA IF NOT EXISTS {views.quote(namespace)}")
    for view in made:
        twin = seen.setdefault(str(view.name).casefold(), view.name)
        if twin != view.name:
            raise UsageError(
                f"the tables {twin} and {view.name} differ only in case; DuckDB cannot tell them apart",
                where=Where(table=str(view.name)),
            )
        views.require(view)
        opened.execute(view.statement)
    opened.execute(f"SET search_path = '{MART},main'")
    if locked:
        _lock(opened, made)


def _lock(opened: duckdb.DuckDBPyConnection, made: list[views.View]) -> None:
    """From here on only the files of the views can be opened. (They have no write permission either: COPY
    could write where it may read.) Views of the Iceberg reader need their tables' folders."""
    files = [text for view in made for file in view.files for text in (str(file), views.no_glob(str(file)))]
    folders = [str(Path(view.location).parent.parent) for view in made if view.location]
    for setting, paths in (("allowed_paths", files), ("allowed_directories", folders)):
        opened.execute(f"SET {setting} = [{', '.join(views.literal(path) for path in paths)}]")
    opened.execute("SET enable_external_access = false")
    opened.execute("SET lock_configuration = true")


def select(opened: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The result of one SELECT, as DuckDB types it. EngineFailed with DuckDB's words if it is wrong."""
    with session.mapped():
        return opened.sql(sql).to_arrow_table()  # `execute` can wait for ever, see `united`
