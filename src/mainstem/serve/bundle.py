"""The served file: a DuckDB file with the release's cubes and marts, made at publish.

Small tables are copied into it; large ones stay in the lake, and it holds a view on the files of their
snapshots (`lakefiles`), which stay as long as the release is kept.

It is made under a temporary name, checked, synced and renamed; a small manifest named after the run then
points to it, replaced in one rename. Readers find the file through the release that the catalog says is
current, so publishing and rolling back need nothing here; a missing file is made again from the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from mainstem import crash
from mainstem.engine.session import failure
from mainstem.errors import EngineFailed, LakeUnavailable, ProofFailed
from mainstem.lineage.graph import Lineage
from mainstem.schema import MART, RAW, TableName
from mainstem.serve import lakefiles
from mainstem.serve.carried import Carried, Last, made_by
from mainstem.serve.cube import CubePlan, compile_cube, literal
from mainstem.serve.cubetable import TABLE, CubeReport, build_cube
from mainstem.serve.manifest import DIRECTORY, find, manifest, read, spec_file, stored_spec
from mainstem.serve.served import first_line
from mainstem.serve.spec import ServeSpec, TableDoc
from mainstem.text import quoted

__all__ = ["Built", "Connect", "Last", "build", "clean", "find", "stored_spec"]

Connect = Callable[[], duckdb.DuckDBPyConnection]
"""Opens a connection on which the release's tables can be read as `mart."x"` and `raw."x"`, and on which
`ATTACH` of a file is allowed. `build` closes it."""

_LINEAGE = "lineage.cache"
_LINEAGE_FORM = 1  # raise it when `trace` finds more or other things
SERVED = "served"  # the name under which the file is attached while it is filled

# FSST texts cost a third of the whole copy's time and save a quarter of its bytes.
_QUICK = "set disabled_compression_methods = 'fsst'"
NATIVE_BYTES = 4 << 20
"""A table whose data files in the lake are larger is not copied: a megabyte takes about a tenth of a second,
and nothing on the page waits for it but the SQL prompt."""

STALE = 3600.0  # seconds after which a temporary file belongs to nobody


@dataclass(frozen=True, slots=True)
class Built:
    """A finished served file. `rows` counts those of all its tables; `cubes` carry the proof that each
    cube adds up to its fact."""

    run: str
    path: Path
    bytes: int
    rows: int
    seconds: float
    cubes: tuple[CubeReport, ...]


@dataclass(slots=True)
class _Work:
    """A served file in the making: `con` reads the release, `files` names the lake's files that its views
    read, `rows` counts what was copied."""

    spec: ServeSpec
    state: Path
    temporary: Path
    lake: Mapping[TableName, Sequence[Path]]
    files: dict[str, str] = field(default_factory=dict)
    views: dict[TableName, list[str]] = field(default_factory=dict)
    tables: list[TableName] = field(default_factory=list)
    carried: Carried | None = None


def build(
    state: Path,
    spec: ServeSpec,
    connect: Connect,
    *,
    lake: Mapping[TableName, Sequence[Path]] | None = None,
    memory: str = "",
    last: Last | None = None,
) -> Built:
    """Make the served file of `spec.run` and point the run's manifest to it. `lake` has the data files of
    tables that may be read where they are, if they are large; the others are copied. What the `last`
    served file has already is taken over from it.

    Raises ConfigErrors for a dashboard that does not fit its model, ProofFailed if a cube does not add up
    to its fact or a table is not whole, LakeUnavailable if the disk says no. Nothing changes then.
    """
    started = time.monotonic()
    target = manifest(state, spec.run)
    # Never the same name twice: within one process DuckDB keeps open files by their path.
    name = f"{spec.run}-{secrets.token_hex(4)}.duckdb"
    temporary = target.parent / f".{name}.tmp"
    for dashboard in spec.dashboards:
        compile_cube(dashboard, spec.headers, spec.types)
    with _disk("write"):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        cubes, rows = _made(spec, state, temporary, lake or {}, connect, memory, last)
        crash.point("serve-built")
        path = target.parent / name
        with _disk("write"):
            _publish(temporary, path, target, spec)
    finally:
        for left in (temporary, temporary.with_name(temporary.name + ".wal")):
            left.unlink(missing_ok=True)
    seconds = time.monotonic() - started
    return Built(spec.run, path, path.stat().st_size, sum(rows.values()), seconds, cubes)


def _made(
    spec: ServeSpec,
    state: Path,
    temporary: Path,
    lake: Mapping[TableName, Sequence[Path]],
    connect: Connect,
    memory: str,
    last: Last | None,
) -> tuple[tuple[CubeReport, ...], dict[TableName, int]]:
    """Fill, finish and check the file: from the last one, or anew if that is of no use."""
    if last is not None:
        work = _Work(spec, state, temporary, lake, carried=Carried(last, spec, lake))
        # Whatever is the matter with the last file, the release has all that it takes to do without it.
        with suppress(EngineFailed, LakeUnavailable, ProofFailed, _Unusable):
            cubes = _fill(work, connect)
            _finish(work, memory)
            return cubes, _check(work)
        for left in (temporary, temporary.with_name(temporary.name + ".wal")):
            left.unlink(missing_ok=True)
    work = _Work(spec, state, temporary, lake)
    cubes = _fill(work, connect)
    _finish(work, memory)
    return cubes, _check(work)


class _Unusable(Exception):
    """Another version of Mainstem made the last served file."""


def _publish(temporary: Path, path: Path, target: Path, spec: ServeSpec) -> None:
    old = find(target.parent.parent, spec.run)
    os.chmod(temporary, 0o600)
    _sync(temporary)
    os.replace(temporary, path)
    crash.point("serve-renamed")
    _replace(spec_file(target), spec.model_dump(mode="json", exclude_defaults=True))
    _replace(target, {"file": path.name})
    _sync(target.parent)
    if old is not None:
        old.unlink(missing_ok=True)


def _replace(target: Path, document: Mapping[str, Any]) -> None:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(json.dumps(document, ensure_ascii=False))
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, target)


def clean(state: Path, keep_runs: Collection[str], now: float | None = None) -> list[Path]:
    """Delete the served files of other runs and what dead builds left. The manifests of kept runs stay,
    so that their files can be made again. Returns what was deleted."""
    folder = state / DIRECTORY
    moment = time.time() if now is None else now
    kept = {manifest(state, run) for run in keep_runs} | {
        spec_file(manifest(state, run)) for run in keep_runs
    }
    kept |= {path for run in keep_runs if (path := find(state, run))}
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path in kept or not re.search(r"\.(duckdb|json|tmp|wal)\Z", path.name):
            continue
        # A young file may belong to a build that is under way, and has no manifest yet.
        orphan = path.name.startswith(".") or (path.suffix == ".duckdb" and not _manifested(path))
        if orphan and moment - path.stat().st_mtime < STALE:
            continue
        path.unlink(missing_ok=True)
        removed.append(path)
    return removed


def _manifested(path: Path) -> bool:
    run = path.name.rpartition("-")[0]
    document = read(path.with_name(f"{run}.json"))
    return bool(document and document.get("file") == path.name)


def _lineage(spec: ServeSpec, folder: Path) -> str:
    """The lineage of the release's models, as JSON; the last one's is kept, for models that are the same."""
    tables = {doc.table: [c.name for c in doc.columns] for doc in spec.tables}
    models = {TableName(MART, model.name): model.sql for model in spec.models}
    asked = [[str(name), value] for part in (models, tables) for name, value in part.items()]
    digest = hashlib.sha256(json.dumps([_LINEAGE_FORM, version("sqlglot"), asked]).encode()).hexdigest()
    kept: Mapping[str, Any] = {}
    with suppress(LakeUnavailable):  # damaged: it is found again
        kept = read(folder / _LINEAGE) or {}
    if kept.get("digest") != digest:
        kept = {"digest": digest, "value": _traced(models, tables)}
        _replace(folder / _LINEAGE, kept)
    return json.dumps(kept["value"])


def _traced(models: Mapping[TableName, str], tables: Mapping[TableName, Sequence[str]]) -> dict[str, Any]:
    if not models:
        return Lineage().value()
    from mainstem.lineage.columns import trace  # here: sqlglot takes a tenth of a second

    return trace(models, tables).value()


def _fill(work: _Work, connect: Connect) -> tuple[CubeReport, ...]:
    """Small tables natively, and the cubes, from the release's tables as they stand."""
    spec = work.spec
    con = connect()
    try:
        with _engine("copy the release's tables"):
            con.execute(_QUICK)
            con.execute("set TimeZone = 'UTC'")  # a day is a day in UTC, wherever this runs
            _attach(con, work)
            for doc in spec.tables:
                if doc.namespace == MART or (doc.namespace == RAW and spec.raw):
                    _take(con, doc, work)
        with _engine("build the cubes"):
            plans = [compile_cube(d, spec.headers, spec.types) for d in spec.dashboards]
            reports = tuple(_cube(con, plan, work.carried) for plan in plans)
            con.execute(f"detach {SERVED}")
    finally:
        con.close()
    for report in reports:
        for proof in report.proofs:
            if not proof.holds:
                raise ProofFailed(
                    f"dashboard {report.name}: {proof.text}",
                    hint="a dimension's key is not unique, or the fact changed while the cube was built",
                )
    return reports


def _attach(con: duckdb.DuckDBPyConnection, work: _Work) -> None:
    """The file that is filled: a copy of the last one without what changed, or a new one."""
    if work.carried is not None:
        with _disk("copy"):
            work.carried.copy(work.temporary)
    con.execute(f"attach {literal(str(work.temporary))} as {SERVED}")
    if work.carried is None:
        con.execute(f"create schema {SERVED}.cube; create schema {SERVED}.mainstem")
        con.execute(TABLE.format(SERVED))
    elif not work.carried.prepare(con, SERVED):
        raise _Unusable


def _cube(con: duckdb.DuckDBPyConnection, plan: CubePlan, carried: Carried | None) -> CubeReport:
    standing = carried.cube(plan) if carried else ""
    return standing if isinstance(standing, CubeReport) else build_cube(con, plan, SERVED, standing)


def _take(con: duckdb.DuckDBPyConnection, doc: TableDoc, work: _Work) -> None:
    """Copy a table, or note the names of the lake's files that its view will read. One that stands stays."""
    if work.carried is not None and doc.table in work.carried.tables:
        work.tables.append(doc.table)
        return
    files = work.lake.get(doc.table, ())
    inside = all(file.is_relative_to(work.state) for file in files)
    if files and inside and doc.bytes > NATIVE_BYTES:
        names = [lakefiles.name_of(doc.table, number) for number in range(len(files))]
        paths = [file.relative_to(work.state).as_posix() for file in files]
        work.files.update(zip(names, paths, strict=True))
        work.views[doc.table] = names
        return
    name = quoted(doc.namespace, doc.name)
    con.execute(f"create schema if not exists {SERVED}.{quoted(doc.namespace)}")
    con.execute(f"create table {SERVED}.{name} as from {name}")
    work.tables.append(doc.table)


def _finish(work: _Work, memory: str) -> None:
    """Views, names, comments and documents, on the file itself."""
    spec = work.spec
    with _engine("finish the served file"):
        con = duckdb.connect(str(work.temporary), config=_build_config(memory))
        try:
            con.execute("begin")  # each statement by itself would wait for the disk
            con.execute("create table mainstem.files (name varchar, path varchar)")
            if work.files:
                pairs = [list(work.files), list(work.files.values())]
                con.execute("insert into mainstem.files select unnest(?), unnest(?)", pairs)
                lakefiles.attach(con, work.state, work.files)
            for doc in spec.tables:
                if doc.table in work.views:
                    _view(con, doc, work.views[doc.table])
                if doc.namespace == MART:
                    _describe(con, doc, spec, "view" if doc.table in work.views else "table")
            con.execute(
                "create table mainstem.spec as select ?::varchar as document, ?::varchar as made_by",
                [spec.model_dump_json(), made_by()],
            )
            lineage = _lineage(spec, work.temporary.parent)
            con.execute("create table mainstem.lineage as select ?::varchar as document", [lineage])
            con.execute("commit")
            con.execute("checkpoint")
        finally:
            con.close()


def _view(con: duckdb.DuckDBPyConnection, doc: TableDoc, names: Sequence[str]) -> None:
    columns = ", ".join(quoted(column.name) for column in doc.columns)
    listed = ", ".join(literal(name) for name in names)
    con.execute(f"create schema if not exists {quoted(doc.namespace)}")
    con.execute(
        f"create view {quoted(doc.namespace, doc.name)} as "
        f"select {columns} from read_parquet([{listed}], hive_partitioning = false)"
    )


def _build_config(memory: str) -> dict[str, str | bool | int | float | list[str]]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    return config | ({"memory_limit": memory} if memory else {})


def _describe(con: duckdb.DuckDBPyConnection, doc: TableDoc, spec: ServeSpec, what: str) -> None:
    """A bare name for the table, and the header's words as comments, for people with a SQL prompt."""
    con.execute(f"create view main.{quoted(doc.name)} as from {quoted(MART, doc.name)}")
    header = spec.headers.get(doc.name)
    if header is None:
        return
    if header.description:
        con.execute(f"comment on {what} {quoted(MART, doc.name)} is {literal(header.description)}")
    known = {column.name for column in doc.columns}
    words = {name: c.description for name, c in header.columns.items()}
    words |= {name: m.description for name, m in header.measures.items()}
    for column, text in words.items():
        if column in known and text:
            con.execute(f"comment on column {quoted(MART, doc.name, column)} is {literal(text)}")


def _check(work: _Work) -> dict[TableName, int]:
    """Open the finished file as a reader would: every table is there, with the release's rows."""
    promised = {doc.table: doc.rows for doc in work.spec.tables}
    rows: dict[TableName, int] = {}
    with _engine("open the served file"):
        con = duckdb.connect(str(work.temporary), read_only=True)
        try:
            if files := lakefiles.listed(con):
                lakefiles.attach(con, work.state, files)
            for table in (*work.tables, *work.views):
                found = con.execute(f"select count(*) from {quoted(*table)}").fetchone()
                rows[table] = int(found[0]) if found else 0
                if promised[table] not in (-1, rows[table]):
                    raise ProofFailed(
                        f"the served file has {rows[table]:,} rows of {table}, "
                        f"the release {promised[table]:,}"
                    )
        finally:
            con.close()
    return rows


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakeUnavailable(f"cannot {doing} the served file: {error.strerror}") from error


@contextmanager
def _engine(doing: str) -> Iterator[None]:
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        full = "No space left" in str(error)
        hint = "free some space, then: mainstem run --resume" if full else ""
        raise LakeUnavailable(f"cannot {doing}: {first_line(error)}", hint=hint) from error
    except duckdb.Error as error:
        raise EngineFailed(f"cannot {doing}: {failure(str(error)).message}") from error
