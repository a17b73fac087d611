"""A drafted star made real: random small data in DuckDB, all models built, all promises asked."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from mainstem.contract.model_checks import Promise, Reference, questions
from mainstem.draft import DraftedFile, Profile
from mainstem.draft.keys import with_key
from mainstem.project.header import Header
from mainstem.project.modelfile import ModelFile, parse_model
from mainstem.schema import Column, Database, Kind, Table, Type

_SQL = {
    Kind.BOOLEAN: "boolean",
    Kind.INT: "integer",
    Kind.LONG: "bigint",
    Kind.FLOAT: "float",
    Kind.DOUBLE: "double",
    Kind.STRING: "varchar",
    Kind.BINARY: "blob",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz",
}

Rows = Mapping[str, Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class World:
    """The tables `raw.*` and `mart.*` of one star."""

    connection: duckdb.DuckDBPyConnection
    models: Mapping[str, ModelFile]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        return self.connection.execute(sql).fetchall()

    def one(self, sql: str) -> Any:
        """The single value of a SELECT."""
        ((value,),) = self.rows(sql)
        return value

    def columns(self, model: str) -> list[str]:
        """The columns of a model's result, in order."""
        return [row[0] for row in self.rows(f'describe mart."{model}"')]

    def broken(self) -> list[str]:
        """Every promise that does not hold, in words."""
        return [
            f"{name}: {verdict.text}"
            for name, model in self.models.items()
            for question in questions(promise(name, model.header))
            if not (verdict := question.judge(self.rows(question.sql))).holds
        ]


def promise(name: str, header: Header) -> Promise:
    """What a drafted header promises (drafts leave nothing to be inferred)."""
    references = []
    for column, spec in header.columns.items():
        if spec.references:
            dimension, _, key = spec.references.partition(".")
            references.append(Reference(column, dimension, key, header.unknown))
    return Promise(
        name,
        tuple(header.key),
        header.grain.table.removeprefix("raw.") if header.grain else "",
        header.grain.where if header.grain else "",
        {measure: spec.equals for measure, spec in header.measures.items() if spec.equals},
        tuple(references),
    )


def build(database: Database, files: Sequence[DraftedFile], rows: Rows) -> World:
    """Load the rows and build every model; a dimension does not read another, so any order will do."""
    connection = duckdb.connect()
    connection.execute("create schema raw; create schema mart")
    for table in database.tables:
        columns = ", ".join(f"{quoted(c.name)} {sql_type(c.type)}" for c in table.columns)
        connection.execute(f"create table raw.{quoted(table.name)} ({columns})")
        if rows.get(table.name):
            marks = ", ".join("?" * len(table.columns))
            connection.executemany(f"insert into raw.{quoted(table.name)} values ({marks})", rows[table.name])
    models = {}
    for file in files:
        if file.path.endswith(".sql"):
            name = file.path.removeprefix("models/").removesuffix(".sql")
            models[name] = parse_model(file.text, name, file.path)
            connection.execute(f"create table mart.{quoted(name)} as {models[name].sql}")
    return World(connection, models)


def quoted(name: str) -> str:
    """The name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def sql_type(type_: Type) -> str:
    """The DuckDB type of a lake type."""
    return _SQL.get(type_.kind) or f"decimal({type_.precision}, {type_.scale})"


def some_rows(database: Database, seed: int = 1, many: int = 6) -> dict[str, list[list[Any]]]:
    """A few rows a table: keys unique, links that point at rows, at none (orphans) or are NULL."""
    dice = random.Random(seed)
    return {t.name: _rows(with_key(t, Profile()), dice, many) for t in database.tables}


def _rows(table: Table, dice: random.Random, many: int) -> list[list[Any]]:
    linked = {column for key in table.foreign_keys for column in key.columns}
    seen: set[tuple[Any, ...]] = set()
    result = []
    for number in range(1, many + 1):
        row = {}
        for column in table.columns:
            alone = column.name in table.primary_key and len(table.primary_key) == 1
            value = number if alone and column.name not in linked else dice.randint(1, many + 1)
            empty = column.nullable and column.name not in table.primary_key and dice.random() < 0.3
            row[column.name] = None if empty else _value(column, value)
        key = tuple(row[name] for name in table.primary_key)
        if not key or key not in seen:
            result.append(list(row.values()))
        seen.add(key)
    return result


def _value(column: Column, number: int) -> Any:
    match column.type.kind:
        case Kind.BOOLEAN:
            return number % 2 == 0
        case Kind.STRING:
            return f"k{number}"
        case Kind.BINARY:
            return b"x"
        case Kind.DATE:
            return date(2020, 1, number)
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return datetime(2020, 1, number, 5)
        case Kind.INT | Kind.LONG:
            return number
        case _:
            return Decimal(number)
