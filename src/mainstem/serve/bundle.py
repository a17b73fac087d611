"""The served file: a native DuckDB file with the release's marts and their cubes, made at publish.

It is made under a temporary name, checked, synced and renamed; a small manifest named after the run then
points to it, replaced in one rename. Readers find the file through the release that the catalog says is
current, so publishing and rolling back need nothing here; a missing file is made again from the manifest.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mainstem import crash
from mainstem.errors import EngineFailed, LakeUnavailable, ProofFailed
from mainstem.lineage.columns import trace
from mainstem.lineage.graph import Lineage
from mainstem.schema import MART, RAW, TableName
from mainstem.serve.cube import compile_cube, literal
from mainstem.serve.cubetable import CubeReport, build_cube
from mainstem.serve.manifest import DIRECTORY, find, manifest, read, spec_file, stored_spec
from mainstem.serve.served import first_line
from mainstem.serve.spec import ServeSpec, TableDoc
from mainstem.text import quoted

__all__ = ["Built", "Connect", "build", "clean", "find", "stored_spec"]

Connect = Callable[[], duckdb.DuckDBPyConnection]
"""Opens a connection on which the release's tables can be read as `mart."x"` and `raw."x"`, and on which
`ATTACH` of a file is allowed. `build` closes it."""

# FSST texts cost a third of the whole copy's time and save a quarter of its bytes.
_QUICK = "set disabled_compression_methods = 'fsst'"
STALE = 3600.0  # seconds after which a temporary file belongs to nobody


@dataclass(frozen=True, slots=True)
class Built:
    """A finished served file. `cubes` carry the proof that each cube adds up to its fact."""

    run: str
    path: Path
    bytes: int
    rows: int
    seconds: float
    cubes: tuple[CubeReport, ...]


def build(state: Path, spec: ServeSpec, connect: Connect, *, memory: str = "") -> Built:
    """Make the served file of `spec.run` and point the run's manifest to it.

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
        rows = _copy(temporary, spec, connect)
        cubes = _finish(temporary, spec, memory)
        _check(temporary, rows, spec)
        crash.point("serve-built")
        path = target.parent / name
        with _disk("write"):
            _publish(temporary, path, target, spec)
    finally:
        for left in (temporary, temporary.with_name(temporary.name + ".wal")):
            left.unlink(missing_ok=True)
    seconds = time.monotonic() - started
    return Built(spec.run, path, path.stat().st_size, sum(rows.values()), seconds, cubes)


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


def _lineage(spec: ServeSpec) -> Lineage:
    """The lineage of the release's models."""
    tables = {doc.table: [c.name for c in doc.columns] for doc in spec.tables}
    return trace({TableName(MART, model.name): model.sql for model in spec.models}, tables)


def _copy(temporary: Path, spec: ServeSpec, connect: Connect) -> dict[TableName, int]:
    """The release's tables, natively, as they stand: nothing is computed here."""
    rows: dict[TableName, int] = {}
    con = connect()
    try:
        with _engine("copy the release's tables"):
            con.execute(_QUICK)
            con.execute(f"attach {literal(str(temporary))} as served")
            for doc in spec.tables:
                if doc.namespace == MART or (doc.namespace == RAW and spec.raw):
                    rows[doc.table] = _copy_table(con, doc)
            con.execute("detach served")
    finally:
        con.close()
    return rows


def _copy_table(con: duckdb.DuckDBPyConnection, doc: TableDoc) -> int:
    name = quoted(doc.namespace, doc.name)
    con.execute(f"create schema if not exists served.{quoted(doc.namespace)}")
    con.execute(f"create table served.{name} as from {name}")
    counted = con.execute(f"select count(*) from served.{name}").fetchone()
    return int(counted[0]) if counted else 0


def _finish(temporary: Path, spec: ServeSpec, memory: str) -> tuple[CubeReport, ...]:
    """Names, comments and cubes, on the file itself: a native table answers ten times sooner."""
    with _engine("build the cubes"):
        con = duckdb.connect(str(temporary), config=_build_config(memory))
        try:
            con.execute(_QUICK)
            con.execute("set global TimeZone = 'UTC'")  # a day is a day in UTC, wherever this runs
            for doc in spec.tables:
                if doc.namespace == MART:
                    _describe(con, doc, spec)
            con.execute("create schema if not exists cube; create schema if not exists mainstem")
            con.execute("create table mainstem.cube (name varchar, document varchar, arrays blob)")
            con.execute(
                "create table mainstem.spec as select ?::varchar as document", [spec.model_dump_json()]
            )
            lineage = json.dumps(_lineage(spec).value())
            con.execute("create table mainstem.lineage as select ?::varchar as document", [lineage])
            reports = tuple(
                build_cube(con, compile_cube(d, spec.headers, spec.types)) for d in spec.dashboards
            )
            con.execute("checkpoint")
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


def _build_config(memory: str) -> dict[str, str | bool | int | float | list[str]]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    return config | ({"memory_limit": memory} if memory else {})


def _describe(con: duckdb.DuckDBPyConnection, doc: TableDoc, spec: ServeSpec) -> None:
    """A bare name for the table, and the header's words as comments, for people with a SQL prompt."""
    con.execute(f"create view main.{quoted(doc.name)} as from {quoted(MART, doc.name)}")
    header = spec.headers.get(doc.name)
    if header is None:
        return
    if header.description:
        con.execute(f"comment on table {quoted(MART, doc.name)} is {literal(header.description)}")
    known = {column.name for column in doc.columns}
    words = {name: c.description for name, c in header.columns.items()}
    words |= {name: m.description for name, m in header.measures.items()}
    for column, text in words.items():
        if column in known and text:
            con.execute(f"comment on column {quoted(MART, doc.name, column)} is {literal(text)}")


def _check(temporary: Path, rows: dict[TableName, int], spec: ServeSpec) -> None:
    """Open the finished file as a reader would: every table is there, with the release's rows."""
    promised = {doc.table: doc.rows for doc in spec.tables}
    with _engine("open the served file"):
        con = duckdb.connect(str(temporary), read_only=True)
        try:
            for table, copied in rows.items():
                found = con.execute(f"select count(*) from {quoted(*table)}").fetchone()
                there = int(found[0]) if found else 0
                if there != copied or promised[table] not in (-1, there):
                    raise ProofFailed(
                        f"the served file has {there:,} rows of {table}, the release {promised[table]:,}"
                    )
        finally:
            con.close()


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
        raise LakeUnavailable(f"cannot {doing}: {first_line(error)}") from error
    except duckdb.Error as error:
        raise EngineFailed(f"cannot {doing}: {first_line(error)}") from error
