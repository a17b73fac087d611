"""Text that Unicode cannot hold: bytes to which the server's character set gives no character.

The server sends a question mark (or U+FFFD) in their place, without a warning, and computes its checksum
from that, too: a proof would hold. So columns of character sets that have such bytes are looked at first.
"""

from __future__ import annotations

from mainstem.schema import Column, Table
from mainstem.source.mysql.mapping import FOREIGN_CHARSET, quote

# Every byte (or pair of bytes) that these admit has its character in Unicode.
_COMPLETE = frozenset(
    (
        *("latin1", "latin2", "latin5", "latin7", "cp850", "cp852", "cp866", "koi8r", "koi8u", "keybcs2"),
        *("macce", "macroman", "ucs2", "utf16", "utf16le", "utf32", "gb18030"),
    )
)
_REPLACEMENT = "_utf8mb4 X'EFBFBD'"


def doubtful(table: Table) -> list[Column]:
    """The table's text columns whose character set is not complete in Unicode."""
    return [column for column in table.columns if _charset(column) not in _COMPLETE | {""}]


def lost_statement(table: Table, columns: list[Column]) -> str:
    """SQL of one row: for each column, whether a conversion puts a substitute in the place of a character."""
    asked = ", ".join(f"COALESCE(MAX({_lost(quote(column.name))}), 0)" for column in columns)
    return f"SELECT {asked} FROM {quote(table.source_schema)}.{quote(table.source_name)}"


def _charset(column: Column) -> str:
    return column.native.rpartition(FOREIGN_CHARSET)[2] if FOREIGN_CHARSET in column.native else ""


def _lost(name: str) -> str:
    """More question marks after the conversion than before, or a replacement character."""
    converted = f"CONVERT({name} USING utf8mb4)"
    marks = "CHAR_LENGTH({0}) - CHAR_LENGTH(REPLACE({0}, '?', ''))"
    return f"{marks.format(converted)} <> {marks.format(name)} OR LOCATE({_REPLACEMENT}, {converted}) > 0"
