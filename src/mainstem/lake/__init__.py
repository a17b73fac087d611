"""The lake: Iceberg tables on a file system, committed durably, released together."""

from mainstem.catalog.port import Pinned, Release
from mainstem.lake.lake import Lake
from mainstem.lake.values import CleanReport, Staged, TableVersion

__all__ = ["CleanReport", "Lake", "Pinned", "Release", "Staged", "TableVersion"]
