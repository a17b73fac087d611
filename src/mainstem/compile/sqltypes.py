"""DuckDB's types as the rules see them, and Spark's words for them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What rules tell apart."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    DOUBLE = "double"
    FLOAT = "float"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    BINARY = "binary"
    NULL = "null"
    INTERVAL = "interval"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type by DuckDB's name; `precision` and `scale` of decimals."""

    name: str
    family: Family
    precision: int = 0
    scale: int = 0

    @property
    def numeric(self) -> bool:
        return self.family in (Family.INTEGER, Family.DECIMAL, Family.DOUBLE, Family.FLOAT)

    @property
    def floating(self) -> bool:
        return self.family in (Family.DOUBLE, Family.FLOAT)

    @property
    def wide(self) -> bool:
        """An integer whose sums may leave 64 bits."""
        return self.name in ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT")


_FAMILIES = {
    "BOOLEAN": Family.BOOLEAN,
    "DOUBLE": Family.DOUBLE,
    "FLOAT": Family.FLOAT,
    "VARCHAR": Family.TEXT,
    "DATE": Family.DATE,
    "TIMESTAMP": Family.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": Family.TIMESTAMPTZ,
    "BLOB": Family.BINARY,
    "NULL": Family.NULL,
    "INTERVAL": Family.INTERVAL,
}
_SPARK = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "INT",
    "SMALLINT": "INT",
    "UTINYINT": "INT",
    "USMALLINT": "INT",
    "INTEGER": "INT",
    "UINTEGER": "BIGINT",
    "BIGINT": "BIGINT",
    "UBIGINT": "DECIMAL(20, 0)",
    "HUGEINT": "DECIMAL(38, 0)",
    "UHUGEINT": "DECIMAL(38, 0)",
    "DOUBLE": "DOUBLE",
    "FLOAT": "FLOAT",
    "VARCHAR": "STRING",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP_NTZ",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_LTZ",
    "BLOB": "BINARY",
    "NULL": "STRING",
}
_INTEGERS = {name for name, word in _SPARK.items() if word in ("INT", "BIGINT")} | {
    "UBIGINT",
    "HUGEINT",
    "UHUGEINT",
}


def sql_type(name: str) -> SqlType:
    """A type by the name that DuckDB gives it."""
    name = name.strip('"').upper()
    match = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", name)
    if match:
        return SqlType(name, Family.DECIMAL, int(match[1]), int(match[2]))
    if name in _INTEGERS:
        return SqlType(name, Family.INTEGER)
    return SqlType(name, _FAMILIES.get(name, Family.OTHER))


def spark_type(type_: SqlType) -> str | None:
    """Spark's word for a type; None if it has none that holds it exactly."""
    if type_.family is Family.DECIMAL:
        return f"DECIMAL({type_.precision}, {type_.scale})"
    return _SPARK.get(type_.name)
