"""Databases written in a few lines: `table: column type, column -> parent, …`.

A first column is the key unless the table says `key (a, b)`; types default to text; `?` makes a column
nullable. Words: int, num (decimal 10,2), real, date, time (timestamp), bool, text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from mainstem.schema import Column, Database, ForeignKey, Kind, Table, Type

TYPES = {
    "int": Type(Kind.INT), "num": Type(Kind.DECIMAL, 10, 2), "real": Type(Kind.FLOAT),
    "date": Type(Kind.DATE),
    "time": Type(Kind.TIMESTAMP), "bool": Type(Kind.BOOLEAN), "text": Type(Kind.STRING),
}  # fmt: skip


def database(text: str, engine: str = "postgres") -> Database:
    """The database that the lines describe."""
    specs: dict[str, tuple[list[str], tuple[str, ...]]] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, _, rest = line.partition(":")
        key = re.search(r"key \(([^)]*)\)", rest)
        rest = rest.replace(key[0], "") if key else rest
        columns = [c.strip() for c in rest.split(",") if c.strip()]
        first = columns[0].split()[0].rstrip("?")
        given = tuple(part.strip() for part in key[1].split(",")) if key else (first,)
        specs[name.strip()] = (columns, () if given == ("",) else given)
    tables = [_table(name, columns, key, specs) for name, (columns, key) in specs.items()]
    return Database(engine, "sketch", "", tuple(tables))


def _table(
    name: str, columns: list[str], key: tuple[str, ...], specs: dict[str, tuple[list[str], tuple[str, ...]]]
) -> Table:
    made, links = [], []
    for column in columns:
        left, _, parent = column.partition("->")
        words = left.split()
        nullable = words[0].endswith("?")
        called = words[0].rstrip("?")
        kind = (
            TYPES[words[1]]
            if len(words) > 1
            else TYPES["int"]
            if parent or called.lower().endswith("id")
            else TYPES["text"]
        )
        made.append(Column(called, kind, nullable, str(kind)))
        if parent:
            target = parent.strip()
            links.append(ForeignKey((called,), target, specs[target][1][:1]))
    return Table(name, tuple(made), key, (), tuple(links))


@dataclass(frozen=True)
class Sketch:
    """A schema and what its star must have; see the head of sketches.yml."""

    database: Database
    facts: frozenset[str]
    dims: frozenset[str]
    never: frozenset[str]
    maybe: frozenset[str]


def sketches() -> dict[str, Sketch]:
    """All schemas of sketches.yml by name."""
    document = yaml.safe_load(Path(__file__).with_name("sketches.yml").read_text(encoding="utf-8"))
    return {
        name: Sketch(
            database(spec["tables"]),
            *(frozenset(spec.get(part, ())) for part in ("facts", "dims", "never", "maybe")),
        )
        for name, spec in document.items()
    }
