"""SQLite as a source: one file, read in one transaction, next to the programs that write it."""

from mainstem.source.sqlite.source import SQLiteSource

__all__ = ["SQLiteSource"]
