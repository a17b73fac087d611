"""The lake of one project."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainstem import crash, metadata
from mainstem.catalog.local import LocalCatalog
from mainstem.catalog.port import Pinned, Release
from mainstem.errors import LakeUnavailable, UsageError, Where
from mainstem.lake import cleaning, storage, versions, whole
from mainstem.lake import journal as journals
from mainstem.lake.journal import Journal, PartFile
from mainstem.lake.lock import run_lock
from mainstem.lake.values import CleanReport, DataFile, Staged, TableVersion
from mainstem.schema import Column, TableName

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem.lake.relocate import Relocated


class Lake:
    """Tables as Iceberg under `root`/lake, pointers and releases in `root`/catalog.db.

    `root` is the project's `.mainstem`. Making a Lake touches nothing; the first write creates what is
    needed. Safe to use from several threads, as long as they commit different tables.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.catalog = LocalCatalog(self.root / "catalog.db")
        self._staging = self.root / "staging"
        self._expecting = threading.Lock()
        self._expected: list[Callable[[], None]] = [_import_iceberg]
        self._taken: set[Path] = set()  # files that a commit has made a table's, or may have

    # Tables

    def stage(
        self,
        name: TableName,
        columns: Sequence[Column],
        batches: Iterable[pa.RecordBatch],
        on_rows: Callable[[int], None] | None = None,
        keep: Sequence[Path] = (),
    ) -> Staged:
        """Write all rows of the table's next version as Parquet, on the disk when this returns; no reader
        sees them. `keep`: data files of the present version that stay as they are. `batches` have the
        types of `arrow.schema_of(columns)`. Raises what `batches` raises, ValueNotExact for a NULL where
        none may be, LakeUnavailable; then no file is left."""
        # Here, and pyiceberg in `commit`, not at the file's head: pyarrow and pyiceberg take a fifth and
        # two thirds of a second, and only those who write shall pay for them.
        from mainstem.lake import parquet

        versions.check_columns(name, columns)
        base = self.catalog.location(name)
        table = metadata.load(base) if base else None
        location = table.location if table else storage.new_location(self.folder, name)
        field_ids = versions.evolve(
            table.fields if table else (), table.last_field_id if table else 0, columns
        )
        data = parquet.write(name, location / "data", columns, field_ids, batches, on_rows)
        return Staged(
            name=name,
            columns=tuple(columns),
            files=tuple(file.path for file in data),
            rows=sum(file.rows for file in data) + sum(parquet.rows_of(name, file) for file in keep),
            bytes=sum(file.bytes for file in data) + sum(file.stat().st_size for file in keep),
            location=location,
            base=base,
            field_ids=field_ids,
            data=data,
            kept=tuple(keep),
        )

    def journal(
        self, name: TableName, columns: Sequence[Column], identity: str, parts: Callable[[], Sequence[str]]
    ) -> Journal | None:
        """What a load of the same columns, from the same version and source (`identity`), has left behind;
        else a new journal of the parts that are asked for. None if there are fewer than two."""
        versions.check_columns(name, columns)
        path = journals.journal_path(self._staging, name)
        home = self.catalog.home()
        found = journals.load(path, home)
        base = self.catalog.location(name)
        if found and found.name == name and found.identity == identity and found.base == base:
            return found
        storage.remove([path])
        wanted = tuple(parts())
        if len(wanted) < 2:
            return None
        table = metadata.load(base) if base else None
        return Journal(
            path=path,
            home=home,
            name=name,
            identity=identity,
            base=base,
            location=table.location if table else storage.new_location(home / "lake", name),
            field_ids=versions.evolve(
                table.fields if table else (), table.last_field_id if table else 0, columns
            ),
            parts=wanted,
        )

    def stage_parts(
        self,
        journal: Journal,
        columns: Sequence[Column],
        batches: Iterable[tuple[int, pa.RecordBatch | None]],
        on_rows: Callable[[int], None] | None = None,
    ) -> Staged:
        """As `stage`, of the parts that the journal does not have yet: batches with their part's number,
        None at its end. Each part that is written is recorded; files of parts that are not are deleted if
        anything fails, the others are found by the next `journal`."""
        # The commit's libraries, too: while those who read the parts fill their queues.
        from mainstem.lake import iceberg, parquet  # noqa: F401

        def on_part(part: int, files: Sequence[DataFile]) -> None:
            journal.record(part, [PartFile(f.path, f.rows, f.bytes, f.nulls) for f in files])

        name, folder = journal.name, journal.location / "data"
        parquet.write_parts(name, folder, columns, journal.field_ids, batches, on_part, on_rows)
        done = [file for part in sorted(journal.done) for file in journal.done[part]]
        data = tuple(
            DataFile(f.path, f.rows, f.bytes, f.nulls, parquet.footer_of(name, f.path)) for f in done
        )
        return Staged(
            name=name,
            columns=tuple(columns),
            files=tuple(file.path for file in data),
            rows=sum(file.rows for file in data),
            bytes=sum(file.bytes for file in data),
            location=journal.location,
            base=journal.base,
            field_ids=journal.field_ids,
            data=data,
            journal=journal.path,
        )

    def bounds(self, name: TableName, file: Path, columns: Sequence[str]) -> dict[str, tuple[Any, Any]]:
        """The least and the greatest value in a data file of those columns of which its footer tells."""
        from mainstem.lake import parquet

        return parquet.bounds_of(name, file, columns)

    def discard(self, staged: Staged) -> None:
        """Delete staged files that are not to be committed. Those of a commit that landed, or whose outcome
        nobody could tell, stay: a table may refer to them; `clean` deletes what none does."""
        if not self._taken.isdisjoint(staged.files):
            return
        if staged.journal:
            storage.remove([staged.journal])
        storage.remove(staged.files)

    def commit(self, staged: Staged, *, run: str, summary: Mapping[str, str]) -> TableVersion:
        """Make the staged rows and kept files the table's whole content, by one Iceberg snapshot; the
        table is created if it is new. `summary` and the run's name go into the snapshot's summary. All or
        nothing, durable when this returns. LakeUnavailable if the table has moved on since it was
        staged."""
        from mainstem.lake import iceberg

        if self.catalog.location(staged.name) != staged.base:
            raise _overtaken(staged.name)
        keep = self.catalog.released(staged.name)
        prepared = iceberg.prepare(staged, {**summary, metadata.RUN: run}, keep)
        new = str(prepared.location)
        crash.point("commit.before_swap")
        self._taken.update(staged.files)
        try:
            swapped = self.catalog.swap(staged.name, staged.base, new)
        except LakeUnavailable:
            # The outcome is unknown until the catalog can be read again; before that no file may go.
            if self.catalog.location(staged.name) != new:
                self._taken.difference_update(staged.files)
                storage.remove(prepared.files)
                raise
            swapped = True
        if not swapped:
            self._taken.difference_update(staged.files)
            storage.remove(prepared.files)
            raise _overtaken(staged.name)
        crash.point("commit.after_swap")
        if staged.journal:
            storage.remove([staged.journal])
        return versions.version(staged.name, prepared.table)

    def when_expected(self, action: Callable[[], None]) -> None:
        """Do this, too, at the first `expect_commit`. It may raise ImportError or MemoryError,
        nothing else."""
        self._expected.append(action)

    def expect_commit(self) -> None:
        """A commit will follow: import what it needs, in a thread of its own, while something else is waited
        for."""
        with self._expecting:
            actions, self._expected = self._expected, []
        if actions:
            threading.Thread(target=_do, args=(actions,), name="mainstem-import", daemon=True).start()

    def adopt(self, name: TableName, metadata_location: str, summary: Mapping[str, str]) -> TableVersion:
        """Make a table that another engine has written below `folder` the newest version of `name`. All or
        nothing, durable when this returns."""
        from mainstem.lake import adopt

        table = adopt.prepare(name, metadata_location, self.folder, summary)
        if not self.catalog.swap(name, self.catalog.location(name), table.metadata_location):
            raise _overtaken(name)
        return versions.version(name, table)

    @property
    def folder(self) -> Path:
        """Where the tables lie, as the catalog spells it: every path of theirs begins so."""
        return self.catalog.home() / "lake"

    def head(self, name: TableName) -> TableVersion | None:
        """The newest committed version, released or not; None if there is no such table."""
        location = self.catalog.location(name)
        return versions.version(name, metadata.load(location)) if location else None

    def at(self, name: TableName, metadata_location: str) -> TableVersion:
        """The version that a metadata file describes (that of a release, say)."""
        return versions.version(name, metadata.load(metadata_location))

    def require_whole(self, tables: Mapping[TableName, TableVersion]) -> None:
        """LakeUnavailable if a data file of these versions is missing, or not of its size."""
        for name, version in tables.items():
            whole.require_sizes(name, metadata.load(version.metadata_location))

    def faults(self, release: Release | None, *, all_of_it: bool = False) -> Iterator[LakeUnavailable]:
        """What is wrong with the files of a release and of every table's newest version; see
        `whole.faults`."""
        seen: set[str] = set()
        released = {name: pin.metadata_location for name, pin in release.tables.items()} if release else {}
        for name, location in (*released.items(), *self.catalog.tables().items()):
            if location not in seen:
                seen.add(location)
                yield from whole.faults(name, metadata.load(location), all_of_it=all_of_it)

    def tables(self) -> list[TableName]:
        """All tables, in order of name."""
        return list(self.catalog.tables())

    def drop(self, name: TableName) -> bool:
        """Forget the table; releases that hold it keep it readable, `clean` deletes the rest."""
        return self.catalog.drop(name)

    # Releases

    def publish(
        self, run: str, tables: Mapping[TableName, TableVersion], proof: Mapping[str, Any]
    ) -> Release:
        """Make these versions, together, what readers see from now on. One transaction."""
        for name, version in tables.items():
            if not Path(version.metadata_location).is_file():
                raise LakeUnavailable(
                    "the version to be published is no longer in the lake", where=Where(table=str(name))
                )
        self.require_whole(tables)
        pins = {
            name: Pinned(v.snapshot_id, v.metadata_location, v.rows, v.bytes) for name, v in tables.items()
        }
        crash.point("publish.before")
        release = self.catalog.publish(run, pins, proof)
        crash.point("publish.after")
        return release

    def releases(self) -> list[Release]:
        """All that are kept, the newest first."""
        return self.catalog.releases()

    def current_release(self) -> Release | None:
        """What readers see; None before the first release."""
        return self.catalog.current()

    def release(self, name: str) -> Release:
        """The release of that name; UsageError if it is not kept."""
        for release in self.catalog.releases():
            if release.id == name:
                return release
        raise UsageError(f"there is no release {name}", hint="mainstem releases lists those that are kept")

    def rollback(self, release: str) -> Release:
        """Let readers see that release (again). UsageError if it is not kept, LakeUnavailable if it is not
        whole."""
        pins = [one.tables for one in self.catalog.releases() if one.id == release]
        for name, pin in (item for tables in pins for item in tables.items()):
            whole.require_sizes(name, metadata.load(pin.metadata_location))
        return self.catalog.set_current(release)

    # Housekeeping

    def run_lock(self, command: str, wait: float = 0.0) -> AbstractContextManager[None]:
        """One run at a time: see `lock.run_lock`."""
        return run_lock(self.root / "run.lock", command, wait)

    def clean(self, keep_releases: int = 10, older_than: timedelta = timedelta(hours=1)) -> CleanReport:
        """Forget all but the newest `keep_releases` releases (the current one always stays, and so does one
        that was the newest less than `older_than` ago: it may be being read), then delete files that no
        kept release and no table's head refers to and that are older than `older_than`; what a stopped
        load left for the next one stays a week.
        Call it under `run_lock`: the rows of a run at work are in no table yet."""
        cleaning.clean_sessions(self.root / "tmp")
        staged = cleaning.staged(self._staging, self.catalog, self.catalog.home())
        return cleaning.clean(self.catalog, self.folder, keep_releases, older_than, staged)

    def relocate(self) -> Relocated | None:
        """Make a lake that was moved or copied at home where it is; None if it is. See `relocate.relocate`.
        Call it under `run_lock`."""
        if self.catalog.away() is None:
            return None
        from mainstem.lake.relocate import relocate  # seldom needed

        return relocate(self.catalog, self.root)


def _import_iceberg() -> None:
    from mainstem.lake import iceberg  # noqa: F401 - see `stage`


def _do(actions: Sequence[Callable[[], None]]) -> None:
    for action in actions:
        with suppress(ImportError, MemoryError):  # who needs it will say so
            action()


def _overtaken(name: TableName) -> LakeUnavailable:
    return LakeUnavailable(
        "another run has committed this table meanwhile; nothing was changed",
        where=Where(table=str(name)),
        hint="run again",
    )
