"""Small helpers for messages: nearest names, numbers and sizes as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], what: str = "") -> str:
    """A hint that names the closest known names, or lists a few of them; empty if there are none."""
    names = sorted(set(known))
    by_fold = {candidate.casefold(): candidate for candidate in names}
    close = [by_fold[match] for match in get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.5)]
    if close:
        return "did you mean " + " or ".join(close) + "?"
    if not names:
        return ""
    listed = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"{what or 'known names'}: {listed}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 row`, `2,996 rows`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(number: float) -> str:
    """Bytes as people read them: `1.2 MB`; `unknown` below zero."""
    if number < 0:
        return "unknown"
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def joined(items: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    listed = list(items)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {last} {listed[-1]}"


def quoted(*names: str) -> str:
    """SQL identifiers in double quotes, joined by points (DuckDB, PostgreSQL, SQLite, Spark in ANSI mode)."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
