"""The port of a catalog: one pointer a table, swapped only by whoever knows its present value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from mainstem.schema import TableName


@dataclass(frozen=True, slots=True)
class Pinned:
    """The version of a table that a release holds. `bytes` counts its data files."""

    snapshot_id: int
    metadata_location: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """What one run produced and proved: `id` counts up ("r0001"), `published` is in UTC, `proof` is
    the run's own small JSON document."""

    id: str
    run: str
    published: datetime
    tables: Mapping[TableName, Pinned]
    proof: Mapping[str, Any] = field(default_factory=dict)


class Catalog(Protocol):
    """Pointers of tables. Every method opens and closes what it needs; nothing stays locked between two
    calls. All raise LakeUnavailable when the catalog cannot be read or written."""

    def location(self, name: TableName) -> str | None:
        """The metadata file at which the table stands; None if there is no such table."""

    def swap(self, name: TableName, expected: str | None, new: str) -> bool:
        """Move the pointer from `expected` (None: the table is new) to `new`, durably, all or nothing.
        False, and nothing changed, if the pointer is not `expected` any more."""

    def tables(self) -> Mapping[TableName, str]:
        """Every table with its metadata file, in order of name."""

    def drop(self, name: TableName) -> bool:
        """Forget the table (its files stay); False if there was none."""


class Releases(Protocol):
    """Releases, in the same store as the pointers."""

    def publish(self, run: str, tables: Mapping[TableName, Pinned], proof: Mapping[str, Any]) -> Release:
        """Store a new release and make it the current one, in one transaction."""

    def current(self) -> Release | None:
        """The release that readers see; None before the first one."""

    def releases(self) -> list[Release]:
        """All that are kept, the newest first."""

    def released(self, name: TableName) -> list[int]:
        """The snapshots of a table that releases hold."""

    def set_current(self, release: str) -> Release:
        """Make an earlier (or later) release the current one. UsageError if it is not kept."""

    def forget(self, ids: Sequence[str]) -> None:
        """Delete releases; the current one is never deleted."""
