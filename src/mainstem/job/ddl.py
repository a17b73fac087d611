"""A table as the job creates it: its name in Spark's catalog, its columns, what its snapshots say. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainstem.compile.query import view_name
from mainstem.engine.spark.proofdialect import quote
from mainstem.metadata import NATIVE
from mainstem.schema import Column, Kind, TableName, Type

_WORDS = {Kind.LONG: "BIGINT", Kind.TIMESTAMP: "TIMESTAMP_NTZ", Kind.TIMESTAMPTZ: "TIMESTAMP_LTZ"}


def output(
    name: TableName, catalog: str, columns: Sequence[Column], summary: Mapping[str, str]
) -> dict[str, Any]:
    """What the job has to know of a table that it writes."""
    native = {c.name: c.native for c in columns if c.native}
    return {
        "name": str(name),
        "view": view_name(name),
        "target": target_name(name, catalog),
        "ddl": ", ".join(map(_column, columns)),
        "properties": {
            "format-version": "2",
            "write.parquet.compression-codec": "zstd",
            NATIVE: json.dumps(native, ensure_ascii=False),
        },
        "summary": dict(summary),
    }


def target_name(name: TableName, catalog: str) -> str:
    """A table's name in Spark's catalog: what all catalogs take, with a number if it was changed."""
    plain = re.sub(r"[^a-z0-9_]", "_", name.name.lower())
    if plain != name.name.lower():
        plain += f"_{sum(name.name.encode()) % 9973}"
    return f"{catalog}.{name.namespace}.{quote(plain)}"


def _column(column: Column) -> str:
    null = "" if column.nullable else " NOT NULL"
    comment = f" COMMENT {_literal(column.comment)}" if column.comment else ""
    return f"{quote(column.name)} {_word(column.type)}{null}{comment}"


def _word(type_: Type) -> str:
    return _WORDS.get(type_.kind, str(type_).upper())


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
