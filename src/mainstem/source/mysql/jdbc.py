"""MySQL and MariaDB read by JDBC (MariaDB's driver). Pure.

The URL begins with jdbc:mysql, which the driver takes if asked to: with jdbc:mariadb Spark would quote names
in a way that the server reads as texts.
"""

from __future__ import annotations

from mainstem.contract.canonical import Form
from mainstem.errors import UsageError
from mainstem.schema import Column, Kind, Table
from mainstem.source.jdbc import CASTS, JdbcColumn, JdbcSource, wire_of
from mainstem.source.mysql.address import TLS, parse_url
from mainstem.source.mysql.charsets import doubtful, lost_statement
from mainstem.source.mysql.dialect import MySQLDialect
from mainstem.source.mysql.mapping import Wire, parse_native, selected, value, wire

DRIVER = "org.mariadb.jdbc.Driver"
_INIT = "SET SESSION time_zone='+00:00', sql_mode='', sql_big_selects=1, net_write_timeout=86400"


def jdbc_source(url: str) -> JdbcSource:
    """From the source's URL. UsageError for a socket, which JDBC does not reach."""
    at = parse_url(url)
    if at.unix_socket:
        raise UsageError("Spark reaches a server by host and port, not by unix_socket")
    options = ["permitMysqlScheme", "useUnicode=true", "tinyInt1isBit=false", "yearIsDateType=false"]
    if at.tls in (TLS.REQUIRED, TLS.VERIFY_IDENTITY):
        options.append("useSsl=true")
        options.append(f"serverSslCert={at.ssl_ca}" if at.ssl_ca else "trustServerCertificate=true")
        if at.tls is TLS.REQUIRED and at.ssl_ca:
            options.append("disableSslHostnameVerification=true")
    return JdbcSource(
        url=f"jdbc:mysql://{at.host}:{at.port}/{at.database}?{'&'.join(options)}",
        driver=DRIVER,
        user=at.user,
        password=at.password,
        init=_INIT,
        begin=(
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ),
        dialect=MySQLDialect(),
        column=_column,
        checks=_checks,
        port=3306,
    )


def _column(table: Table, column: Column) -> JdbcColumn:
    form, kind, plain = wire(column), column.type.kind, value(column)
    if form is Wire.TIME:
        select = f"CAST({MySQLDialect().text(column, Form.INTEGER)} AS SIGNED)"
    elif kind in (Kind.BOOLEAN, Kind.INT, Kind.LONG):
        select = f"CAST({plain} AS SIGNED)"
    elif kind is Kind.DECIMAL:
        select = f"CAST({plain} AS DECIMAL({column.type.precision},{column.type.scale}))"
    elif kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        select = f"CAST({plain} AS CHAR)"
    elif kind is Kind.STRING:
        select = selected(column)
        if parse_native(column.native).word in ("char", "enum", "set"):
            # Spark pads what JDBC calls CHAR with blanks; the server's cast is a VARCHAR.
            select = f"CAST({select} AS CHAR CHARACTER SET utf8mb4)"
    else:
        select = plain
    return JdbcColumn(select, wire_of(column), CASTS[kind])


def _checks(table: Table) -> tuple[str, tuple[str, ...]] | None:
    columns = doubtful(table)
    return (lost_statement(table, columns), tuple(c.name for c in columns)) if columns else None
