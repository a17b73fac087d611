"""The published star-schema benchmark's own form: schemas in, stars out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainstem.draft import lexicon, words
from mainstem.draft.star import Path, Star
from mainstem.schema import Column, Database, ForeignKey, Kind, Table, Type

_KINDS: tuple[tuple[str, Type], ...] = (
    (r"bool|bit\b|flag|namestyle", Type(Kind.BOOLEAN)),
    (r"bigint|int8|bigserial|long$", Type(Kind.LONG)),
    (r"(small|medium|tiny)?int|serial|int2|int4|year|number\(\d+\)", Type(Kind.INT)),
    (r"money|smallmoney|dec|numeric|number", Type(Kind.DECIMAL, 19, 4)),
    (r"real|float4|float$", Type(Kind.FLOAT)),
    (r"double|float", Type(Kind.DOUBLE)),
    (r"datetime|timestamp", Type(Kind.TIMESTAMP)),
    (r"date", Type(Kind.DATE)),
    (r".*blob|image|.*binary|bytea|raw", Type(Kind.BINARY)),
)


def from_benchmark(document: Mapping[str, Any]) -> Database:
    """A schema of the benchmark as a Database. Computed columns get their type from their name."""
    tables = []
    exact = {n: {c["name"].lower(): c["name"] for c in s["columns"]} for n, s in document["tables"].items()}
    for name, spec in document["tables"].items():
        columns = tuple(_column(c) for c in spec["columns"])
        links = tuple(
            ForeignKey(
                tuple(exact[name][c.lower()] for c in key["columns"]),
                key["ref_table"],
                tuple(exact[key["ref_table"]][c.lower()] for c in key["ref_columns"]),
            )
            for key in spec.get("fks", ())
        )
        unique = tuple(tuple(u) for u in spec.get("unique", ()))
        tables.append(Table(name, columns, tuple(spec.get("pk", ())), unique, links))
    return Database("benchmark", document.get("name", ""), "", tuple(tables))


def _column(spec: Mapping[str, Any]) -> Column:
    native = str(spec.get("type", "")).lower()
    return Column(spec["name"], _type(spec["name"], native), bool(spec.get("nullable", True)), native)


def _type(name: str, native: str) -> Type:
    if native == "computed":
        said = words.split(name)
        counts = bool(said) and words.meaning(said[-1]) not in lexicon.KEY_WORDS | {"number", "level"}
        numeric = counts and bool(set(words.meanings(said)) & (lexicon.ADDITIVE | lexicon.MONEY))
        return Type(Kind.DECIMAL, 19, 4) if numeric else Type(Kind.STRING)
    sized = re.match(r"(?:dec|decimal|numeric|number)\s*\((\d+)\s*,\s*(\d+)\)", native)
    if sized:
        return Type(Kind.DECIMAL, int(sized[1]), int(sized[2]))
    for pattern, type_ in _KINDS:
        if re.match(pattern, native):
            return type_
    return Type(Kind.STRING)


def to_benchmark(star: Star) -> dict[str, Any]:
    """The star in the form that the benchmark's scorer reads, which knows no versions: dimensions made of
    the source's histories stand apart, under `histories`."""
    apart = star.histories
    return {
        "facts": [
            {
                "name": fact.name,
                "grain_tables": [fact.table],
                "joined_tables": sorted({path[-1].target for path in fact.joined}),
                "measures": [f"{fact.table}.{m.column}" for m in fact.measures if m.column],
                "dims": sorted({link.dimension for link in fact.links if not link.as_of}),
                "dates": sorted({f"{_at(fact.table, d.path)}.{d.column}" for d in fact.dates}),
            }
            for fact in star.facts
        ],
        "dims": [
            {
                "name": dim.name,
                "base_table": dim.table,
                "source_tables": list(
                    dict.fromkeys(
                        [dim.table, *(p[-1].target for p in dim.folded)]
                        + [t for g in dim.gathered for t in (g.bridge, g.to_class.target)]
                    )
                ),
                "natural_key": [f"{dim.table}.{column}" for column in dim.key],
            }
            for dim in star.dimensions
            if dim.name not in apart
        ],
        "bridges": [{"name": bridge.name, "source_tables": [bridge.table]} for bridge in star.bridges],
        "histories": [
            {"name": dim.name, "base_table": dim.table} for dim in star.dimensions if dim.name in apart
        ],
    }


def _at(table: str, path: Path) -> str:
    return path[-1].target if path else table
