"""Which lake type a SQLite column becomes: by the declared name first, then by its affinity.

SQLite stores any value in any column, so the type is a promise that the reader checks value by value.
Affinity rules: https://www.sqlite.org/datatype3.html, section 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Set

from mainstem.schema import Kind, Type

STORAGE_CLASSES = ("integer", "real", "text", "blob")

_DECIMAL = re.compile(r"(?:DECIMAL|DEC|NUMERIC|NUMBER)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_NAMED = {
    "BOOLEAN": Kind.BOOLEAN,
    "BOOL": Kind.BOOLEAN,
    "DATE": Kind.DATE,
    "DATETIME": Kind.TIMESTAMP,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMP WITHOUT TIME ZONE": Kind.TIMESTAMP,
    "TIME": Kind.STRING,
    "DECIMAL": Kind.DOUBLE,
    "DEC": Kind.DOUBLE,
    "NUMERIC": Kind.DOUBLE,
    "NUMBER": Kind.DOUBLE,
}
# FLOATING POINT contains INT, so the words of a REAL come first.
_WORDS = (
    (("REAL", "FLOA", "DOUB"), Kind.DOUBLE),
    (("INT",), Kind.LONG),
    (("CHAR", "CLOB", "TEXT"), Kind.STRING),
    (("BLOB",), Kind.BINARY),
)


def declared_type(declared: str) -> Type | None:
    """The lake type of a declared type; None where only the stored values can tell (`census_type`)."""
    name = " ".join(declared.upper().split())
    if match := _DECIMAL.fullmatch(name):
        precision, scale = int(match[1]), int(match[2] or 0)
        fits = 1 <= precision <= 38 and scale <= precision
        return Type(Kind.DECIMAL, precision, scale) if fits else Type(Kind.DOUBLE)
    bare = re.sub(r"\s*\([^)]*\)", "", name).strip()
    if bare in _NAMED:
        return Type(_NAMED[bare])
    for words, kind in _WORDS:
        if any(word in bare for word in words):
            return Type(kind)
    return None


def census_type(classes: Set[str]) -> Type:
    """The lake type for the storage classes that a column holds (NULLs left out).

    Classes that do not go together become a string, which the reader then refuses value by value
    unless the user asked for text.
    """
    if not classes:
        return Type(Kind.STRING)
    if classes <= {"integer"}:
        return Type(Kind.LONG)
    if classes <= {"integer", "real"}:
        return Type(Kind.DOUBLE)
    return Type(Kind.BINARY if classes == {"blob"} else Kind.STRING)
