"""PostgreSQL read by JDBC. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mainstem.contract.canonical import Form, Hash
from mainstem.schema import Column, Kind, Table
from mainstem.source.jdbc import CASTS, JdbcColumn, JdbcSource, wire_of
from mainstem.source.postgres.dialect import PostgresDialect
from mainstem.source.postgres.types import is_time, value
from mainstem.source.postgres.url import parse

DRIVER = "org.postgresql.Driver"
_INIT = (
    "SET TimeZone='UTC'; SET DateStyle='ISO, YMD'; SET IntervalStyle='postgres'; "
    "SET bytea_output='hex'; SET extra_float_digits=3"
)


def jdbc_source(url: str, parents: Iterable[tuple[str, str]] = ()) -> JdbcSource:
    """From the source's URL; `parents` as in `PostgresDialect`. The proof's hash is MD5, which Spark has."""
    at = parse(url)
    dialect = PostgresDialect()
    dialect.parents = set(parents)
    dialect.hash = Hash.MD5_64
    options = [f"sslmode={at.sslmode}", "ApplicationName=mainstem"]
    if at.sslrootcert:
        options.append(f"sslrootcert={at.sslrootcert}")
    return JdbcSource(
        url=f"jdbc:postgresql://{at.host}:{at.port}/{at.database}?{'&'.join(options)}",
        driver=DRIVER,
        user=at.user,
        password=at.password,
        init=_INIT,
        begin=("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",),
        dialect=dialect,
        column=_column,
        checks=lambda table: None,
        port=5432,
    )


def _column(table: Table, column: Column) -> JdbcColumn:
    name, kind = value(column), column.type.kind
    if is_time(column):
        select = f"({PostgresDialect().text(column, Form.INTEGER)})::bigint"
    else:
        precise = f"{column.type.precision},{column.type.scale}"
        select = {
            Kind.BOOLEAN: f"{name}::int::bigint",
            Kind.INT: f"{name}::bigint",
            Kind.LONG: f"{name}::bigint",
            Kind.DECIMAL: f"{name}::numeric({precise})",
            Kind.FLOAT: f"{name}::float8",
            Kind.DOUBLE: f"{name}::float8",
            Kind.STRING: f"{name}::text",
            Kind.BINARY: name,
            Kind.DATE: f"{name}::text",
            Kind.TIMESTAMP: f"{name}::text",
            Kind.TIMESTAMPTZ: f"({name} AT TIME ZONE 'UTC')::text",
        }[kind]
    return JdbcColumn(select, wire_of(column), CASTS[kind])
