"""The served file, opened so that nothing can be written or reached through it, and swapped on publish.

Each request holds the file of the release that was current when it began; a file is closed when another
has taken its place and its last request has ended.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mainstem.catalog.port import Release
from mainstem.errors import LakeUnavailable
from mainstem.lineage.graph import Lineage
from mainstem.serve import lakefiles
from mainstem.serve.config import Limits, ServerConfig
from mainstem.serve.manifest import find
from mainstem.serve.spec import ServeSpec
from mainstem.serve.wire import compose, packed

_OPEN_ATTEMPTS = 3


class NothingPublished(LakeUnavailable):
    """There is no release yet."""


def protections(limits: Limits) -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's configuration for SQL that strangers write, set before the file is opened.

    What holds is the file opened read-only together with these; the kind of a statement proves nothing.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "python_enable_replacements": "false",
        "python_scan_all_frames": "false",
        "enable_external_file_cache": "false",  # it keeps what the operating system keeps already
        "temp_directory": "",
        "max_temp_directory_size": "0B",
        "memory_limit": limits.memory,
    }
    return config | ({"threads": str(limits.threads)} if limits.threads else {})


def open_protected(path: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """The served file, read-only, with nothing else in reach but the lake's files that it lists, and no
    setting that can be changed any more."""
    con = duckdb.connect(str(path), read_only=True, config=protections(limits))
    # Within a process, DuckDB opens a path once: a reader of the same release may hold it still, locked.
    if con.execute("select current_setting('lock_configuration')").fetchone() == (False,):
        # The zone belongs to an extension that is there only once the database is open.
        con.execute("set global TimeZone = 'UTC'")
        if files := lakefiles.listed(con):
            lakefiles.attach(con, path.parent.parent, files)
            con.execute(f"set global allowed_directories = ['{lakefiles.PREFIX}']")
        con.execute("set global enable_external_access = false")
        con.execute("set global lock_configuration = true")
    return con


@dataclass(frozen=True, slots=True)
class CubeBody:
    """The cube as it is sent: gzip, with the tag of its content."""

    etag: str
    packed: bytes

    def plain(self) -> bytes:
        """The bytes for the rare client that takes no gzip."""
        return gzip.decompress(self.packed)


class Served:
    """One open served file under one release."""

    def __init__(self, release: Release, path: Path, limits: Limits) -> None:
        self.release = release
        self.path = path
        self._con = open_protected(path, limits)
        self.spec = ServeSpec.model_validate_json(self._document("spec"))
        self.lineage = Lineage.of(json.loads(self._document("lineage")))
        rows = self._con.execute("select name, document from mainstem.cube").fetchall()
        self.cubes: Mapping[str, Mapping[str, Any]] = {name: json.loads(text) for name, text in rows}
        self._bodies: dict[str, CubeBody] = {}
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False

    def _document(self, table: str) -> str:
        (text,) = self._con.execute(f"select document from mainstem.{table}").fetchone() or ("",)
        return str(text)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own on the open file; the caller closes it."""
        return self._con.cursor()

    def body(self, name: str) -> CubeBody:
        """The cube's bytes, packed once a release. KeyError if there is no such dashboard."""
        if name not in self._bodies:
            header = {k: v for k, v in self.cubes[name].items() if k != "where"}
            cursor = self.cursor()
            try:
                (arrays,) = cursor.execute(
                    "select arrays from mainstem.cube where name = ?", [name]
                ).fetchone() or (b"",)
            finally:
                cursor.close()
            raw = compose(self.release.id, header, arrays)
            self._bodies[name] = CubeBody(f'"{hashlib.sha256(raw).hexdigest()[:32]}"', packed(raw, 5))
        return self._bodies[name]

    def enter(self) -> bool:
        """Count one more user; False if the file is closed already."""
        with self._lock:
            if self._retired and self._users == 0:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            self._close_if_idle()

    def retire(self) -> None:
        """Another file has taken this one's place: close it when nobody uses it."""
        with self._lock:
            self._retired = True
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._retired and self._users == 0:
            self._con.close()


class Serving:
    """Finds the served file of the current release, for each request anew."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._served: Served | None = None

    @contextmanager
    def release(self) -> Iterator[Served]:
        """The file of the current release, held as long as the context lasts.

        Raises NothingPublished before the first release, LakeUnavailable if its file cannot be had.
        """
        served = self._enter()
        try:
            yield served
        finally:
            served.leave()

    def hold(self) -> Served:
        """As `release`, for a holder who calls `leave()` himself."""
        return self._enter()

    def close(self) -> None:
        """Close the open file once its users are gone."""
        with self._lock:
            served, self._served = self._served, None
        if served is not None:
            served.retire()

    def _enter(self) -> Served:
        for _attempt in range(_OPEN_ATTEMPTS):
            served = self._current()
            if served.enter():
                return served
        raise LakeUnavailable("the release changes faster than it can be read", hint="try again")

    def _current(self) -> Served:
        release = self._config.current()
        if release is None:
            raise NothingPublished("nothing has been published yet", hint="mainstem run")
        path = find(self._config.state, release.run)
        served = self._served
        if served is not None and served.path == path and served.release.id == release.id:
            return served
        with self._lock:
            return self._replace(release)

    def _replace(self, release: Release) -> Served:
        served = self._served
        path = find(self._config.state, release.run)
        if served is not None and served.path == path and served.release.id == release.id:
            return served
        for _attempt in range(_OPEN_ATTEMPTS):
            path = find(self._config.state, release.run) or self._rebuilt(release)
            try:
                opened = Served(release, path, self._config.limits)
            except duckdb.Error as error:
                # Replaced between finding and opening; anything else shows again.
                failure = first_line(error)
                continue
            self._served = opened
            if served is not None:
                served.retire()
            return opened
        raise LakeUnavailable(
            f"the served file of {release.id} cannot be opened: {failure}", hint="mainstem run"
        )

    def _rebuilt(self, release: Release) -> Path:
        if self._config.rebuild is not None:
            self._config.rebuild(release)
        path = find(self._config.state, release.run)
        if path is None:
            raise LakeUnavailable(f"the served file of {release.id} is missing", hint="mainstem run")
        return path


def first_line(error: duckdb.Error) -> str:
    """DuckDB's message without the statement and its caret."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
