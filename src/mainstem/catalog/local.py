"""The catalog of a project on one machine: SQLite, with the tables of pyiceberg's SqlCatalog.

pyiceberg (and any other reader of the JDBC catalog layout) opens `catalog.db` as it is. Journal and
synchronisation: a rollback journal that is truncated and synchronised at each commit. Unlike the
write-ahead log it needs no shared memory (network and container mounts), lets a reader without write
permission in, and leaves one file behind; its few more fsyncs do not matter at one commit a table and run.

Iceberg's paths are absolute. So the catalog remembers the folder that it was made in, its home; opened in
another one, as a project that was moved or copied, it tells nothing but that: what it points to would be the
files of the other folder. `relocate` makes it at home where it is.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mainstem import crash
from mainstem.catalog.port import Pinned, Release
from mainstem.errors import LakeRefused, LakeUnavailable, UsageError
from mainstem.schema import TableName

CATALOG_NAME = "mainstem"
VERSION = 2  # 1 did not remember its home

# The first two as pyiceberg 0.12 creates them (catalog/sql.py, schema v1).
_TABLES = """
CREATE TABLE IF NOT EXISTS iceberg_tables (
  catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
  table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000),
  previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
  PRIMARY KEY (catalog_name, table_namespace, table_name));
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
  catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL,
  property_key VARCHAR(255) NOT NULL, property_value VARCHAR(1000) NOT NULL,
  PRIMARY KEY (catalog_name, namespace, property_key));
CREATE TABLE IF NOT EXISTS mainstem_releases (
  number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, published TEXT NOT NULL, proof TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mainstem_release_tables (
  release INTEGER NOT NULL REFERENCES mainstem_releases(number) ON DELETE CASCADE,
  namespace TEXT NOT NULL, name TEXT NOT NULL, snapshot_id INTEGER NOT NULL,
  metadata_location TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY (release, namespace, name));
CREATE TABLE IF NOT EXISTS mainstem_current (
  only INTEGER PRIMARY KEY CHECK (only = 1), release INTEGER NOT NULL REFERENCES mainstem_releases(number));
CREATE TABLE IF NOT EXISTS mainstem_home (only INTEGER PRIMARY KEY CHECK (only = 1), path TEXT NOT NULL);
"""
_POINTERS = """
SELECT metadata_location FROM iceberg_tables WHERE coalesce(iceberg_type, 'TABLE') = 'TABLE'
UNION SELECT metadata_location FROM mainstem_release_tables ORDER BY 1"""


class LocalCatalog:
    """Catalog and Releases over one SQLite file. Cheap to make: the file is created by the first write.

    A call waits up to `wait` seconds for a writer of another process, then raises LakeUnavailable.
    """

    def __init__(self, path: Path, wait: float = 10.0) -> None:
        self.path = path
        self.wait = wait

    # Home

    def home(self) -> Path:
        """The folder in which the catalog was made, spelled as it was then: its tables' paths begin so."""
        with self._reading(anywhere=True) as db:
            return Path((_home(db) if db else None) or self._here)

    def away(self) -> Path | None:
        """That folder, if this is not it; None at home."""
        home = self.home()
        return None if self._is_here(str(home)) else home

    def pointers(self) -> list[str]:
        """Every metadata file that a table or a release refers to; of a catalog that is away, too."""
        with self._reading(anywhere=True) as db:
            return [str(location) for (location,) in db.execute(_POINTERS)] if db else []

    def relocate(self, home: Path, moved: Mapping[str, str]) -> None:
        """Let every pointer follow from `home` to here, in one transaction. LakeUnavailable, and nothing
        changed, if the pointers are not those that `moved` knows, or not of that home."""
        with self._writing(anywhere=True) as db:
            inside = {location for (location,) in db.execute(_POINTERS) if location.startswith(f"{home}/")}
            if _home(db) != str(home) or inside != moved.keys():
                message = "the lake's catalog was changed while its tables were made ready for this folder"
                raise LakeUnavailable(message, hint="try again")
            pairs = [(new, old) for old, new in moved.items()]
            for table in ("iceberg_tables", "mainstem_release_tables"):
                sql = f"UPDATE {table} SET metadata_location = ? WHERE metadata_location = ?"
                db.executemany(sql, pairs)
            # Nothing is left that leads to the other folder.
            db.execute("UPDATE iceberg_tables SET previous_metadata_location = NULL")
            db.execute("UPDATE mainstem_home SET path = ?", (self._here,))
            crash.point("relocate.swap")

    @property
    def _here(self) -> str:
        return str(self.path.parent.absolute())

    def _is_here(self, home: str) -> bool:
        """Whether that is this folder, perhaps by another name."""
        if home == self._here:
            return True
        try:
            return os.path.samefile(home, self._here)
        except OSError:
            return False

    # Tables

    def location(self, name: TableName) -> str | None:
        """See Catalog."""
        with self._reading() as db:
            return _location(db, name) if db else None

    def swap(self, name: TableName, expected: str | None, new: str) -> bool:
        """See Catalog."""
        with self._writing() as db:
            if _location(db, name) != expected:
                return False
            if expected is None:
                db.execute(
                    "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')",
                    (CATALOG_NAME, name.namespace),
                )
                db.execute(
                    "INSERT INTO iceberg_tables VALUES (?, ?, ?, ?, NULL, 'TABLE')", (*_key(name), new)
                )
            else:
                db.execute(
                    "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?"
                    " WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
                    (new, expected, *_key(name)),
                )
            crash.point("catalog.swap")
        return True

    def tables(self) -> dict[TableName, str]:
        """See Catalog."""
        with self._reading() as db:
            if not db:
                return {}
            rows = db.execute(
                "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables"
                " WHERE catalog_name = ? AND coalesce(iceberg_type, 'TABLE') = 'TABLE' ORDER BY 1, 2",
                (CATALOG_NAME,),
            )
            return {TableName(namespace, name): location for namespace, name, location in rows}

    def drop(self, name: TableName) -> bool:
        """See Catalog."""
        with self._writing() as db:
            done = db.execute(
                "DELETE FROM iceberg_tables"
                " WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
                _key(name),
            )
            return done.rowcount > 0

    # Releases

    def publish(self, run: str, tables: Mapping[TableName, Pinned], proof: Mapping[str, Any]) -> Release:
        """See Releases."""
        published = datetime.now(UTC)
        with self._writing() as db:
            number = db.execute(
                "INSERT INTO mainstem_releases (run, published, proof) VALUES (?, ?, ?)",
                (run, published.isoformat(), json.dumps(dict(proof), ensure_ascii=False)),
            ).lastrowid
            db.executemany(
                "INSERT INTO mainstem_release_tables VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (number, *name, pin.snapshot_id, pin.metadata_location, pin.rows, pin.bytes)
                    for name, pin in tables.items()
                ],
            )
            crash.point("catalog.publish")
            db.execute("INSERT OR REPLACE INTO mainstem_current VALUES (1, ?)", (number,))
            return _release(db, number or 0)

    def current(self) -> Release | None:
        """See Releases."""
        with self._reading() as db:
            row = db.execute("SELECT release FROM mainstem_current").fetchone() if db else None
            return _release(db, row[0]) if db and row else None

    def releases(self) -> list[Release]:
        """See Releases."""
        with self._reading() as db:
            if not db:
                return []
            numbers = db.execute("SELECT number FROM mainstem_releases ORDER BY number DESC").fetchall()
            return [_release(db, number) for (number,) in numbers]

    def released(self, name: TableName) -> list[int]:
        """See Releases."""
        with self._reading() as db:
            if not db:
                return []
            sql = "SELECT DISTINCT snapshot_id FROM mainstem_release_tables WHERE namespace = ? AND name = ?"
            return [snapshot for (snapshot,) in db.execute(sql, tuple(name))]

    def set_current(self, release: str) -> Release:
        """See Releases."""
        with self._writing() as db:
            number = _number(release)
            known = [n for (n,) in db.execute("SELECT number FROM mainstem_releases ORDER BY number DESC")]
            if number not in known:
                kept = ", ".join(_id(n) for n in known[:10]) or "none yet"
                raise UsageError(f"there is no release {release}", hint=f"releases kept: {kept}")
            db.execute("INSERT OR REPLACE INTO mainstem_current VALUES (1, ?)", (number,))
            return _release(db, number)

    def forget(self, ids: Sequence[str]) -> None:
        """See Releases."""
        with self._writing() as db:
            db.executemany(
                "DELETE FROM mainstem_releases WHERE number = ?"
                " AND number NOT IN (SELECT release FROM mainstem_current)",
                [(_number(release),) for release in ids],
            )

    # Connections

    @contextmanager
    def _reading(self, *, anywhere: bool = False) -> Iterator[sqlite3.Connection | None]:
        """A connection in one read transaction (its selects see one state); None before the first write.
        LakeRefused away from home, unless `anywhere`."""
        if not self.path.exists():
            yield None
            return
        with self._mapped(), self._connection() as db:
            db.execute("BEGIN")
            try:
                known = self._version(db) > 0
                if known and not anywhere:
                    self._require_home(db)
                yield db if known else None
            finally:
                db.rollback()

    @contextmanager
    def _writing(self, *, anywhere: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection in one write transaction, committed at the end, rolled back on any error."""
        with self._mapped():
            self._create()
            with self._connection() as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    if self._version(db) < VERSION:
                        _create_tables(db, _home(db) or self._here)
                    if not anywhere:
                        self._require_home(db)
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # A connection a call: nothing stays locked, threads and forks need no care; it costs 0.2 ms.
        db = sqlite3.connect(self.path, timeout=self.wait, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA journal_mode = TRUNCATE")
            db.execute("PRAGMA synchronous = FULL")
            yield db
        finally:
            db.close()

    def _create(self) -> None:
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return  # another process was first

    def _require_home(self, db: sqlite3.Connection) -> None:
        home = _home(db)
        if home and not self._is_here(home):
            raise LakeRefused(
                f"this project was moved or copied: its lake was made in {home}",
                hint="mainstem relocate makes it at home here (so does the next mainstem run)",
            )

    def _version(self, db: sqlite3.Connection) -> int:
        """That of our tables, 0 if there are none; UsageError if they are of a version to come."""
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise UsageError(
                f"the lake's catalog has version {version}, this Mainstem knows version {VERSION}",
                hint="use the Mainstem that wrote it, or a newer one",
            )
        return version

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """sqlite3's and the file system's errors as LakeUnavailable."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise self._unavailable(error) from error
        except sqlite3.DatabaseError as error:
            raise LakeUnavailable(
                f"the lake's catalog is damaged ({error})",
                hint=f"restore {self.path} from a backup; the data files beside it are untouched",
            ) from error
        except OSError as error:
            raise LakeUnavailable(
                f"the lake's catalog {self.path} cannot be opened: {error.strerror}"
            ) from error

    def _unavailable(self, error: sqlite3.OperationalError) -> LakeUnavailable:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LakeUnavailable(
                f"the lake's catalog stayed locked by another process for {self.wait:g} s",
                hint="wait for the other run to end, then try again",
            )
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            return LakeUnavailable(
                "no space left for the lake's catalog", hint="free some space, then run again"
            )
        return LakeUnavailable(f"the lake's catalog {self.path} cannot be used: {error}")


def _create_tables(db: sqlite3.Connection, home: str) -> None:
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.execute("INSERT OR IGNORE INTO mainstem_home VALUES (1, ?)", (home,))
    db.execute(f"PRAGMA user_version = {VERSION}")


def _home(db: sqlite3.Connection) -> str | None:
    """Where the catalog was made. Version 1 has told it by the places of its tables alone."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        return None
    if version > 1:
        return str(db.execute("SELECT path FROM mainstem_home").fetchone()[0])
    row = db.execute(f"{_POINTERS} LIMIT 1").fetchone()
    return str(row[0]).rpartition("/lake/")[0] or None if row else None


def _key(name: TableName) -> tuple[str, str, str]:
    return (CATALOG_NAME, name.namespace, name.name)


def _location(db: sqlite3.Connection, name: TableName) -> str | None:
    row = db.execute(
        "SELECT metadata_location FROM iceberg_tables"
        " WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
        _key(name),
    ).fetchone()
    return str(row[0]) if row else None


def _id(number: int) -> str:
    return f"r{number:04d}"


def _number(release: str) -> int:
    digits = release[1:]
    known = release[:1] == "r" and digits.isascii() and digits.isdigit() and len(digits) < 18
    return int(digits) if known else -1


def _release(db: sqlite3.Connection, number: int) -> Release:
    run, published, proof = db.execute(
        "SELECT run, published, proof FROM mainstem_releases WHERE number = ?", (number,)
    ).fetchone()
    rows = db.execute(
        "SELECT namespace, name, snapshot_id, metadata_location, rows, bytes"
        " FROM mainstem_release_tables WHERE release = ? ORDER BY 1, 2",
        (number,),
    )
    tables = {TableName(namespace, name): Pinned(*pin) for namespace, name, *pin in rows}
    return Release(_id(number), run, datetime.fromisoformat(published), tables, json.loads(proof))
