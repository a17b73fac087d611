"""PyMySQL's errors as ours. The server's own words are passed on only where they cannot hold a value."""

from __future__ import annotations

import ssl

import pymysql

from mainstem.errors import MainstemError, OutOfTime, SourceRefused, SourceUnavailable, Where

_CHANGED = "the table changed since it was introspected; run again"

# code → (message, hint). Codes: MariaDB knowledge base, "MariaDB Error Codes"; MySQL 8.4 error reference.
_REFUSED: dict[int, tuple[str, str]] = {
    1044: ("this user may not use the database", "GRANT SELECT ON the database to this user"),
    1045: ("the server refused the user name or the password", "check the URL and the secret it refers to"),
    1049: ("the server has no such database", "check the database's name in the URL"),
    1054: ("a column is not there any more", _CHANGED),
    1142: ("this user may not read the table", "GRANT SELECT ON the table (or database) to this user"),
    1143: ("this user may not read a column", "GRANT SELECT ON the whole table to this user"),
    1146: ("the table is not there any more", _CHANGED),
    1227: ("this user lacks a privilege", "run `mainstem doctor` to see which"),
    1251: ("the server demands an authentication that is not supported", ""),
    1698: ("the server refused the user name or the password", "check the URL"),
    1370: ("this user may not execute a routine that a view or column needs", ""),
    1820: ("the password of this user has expired", "set a new password in the server"),
    1862: ("the password of this user has expired", "set a new password in the server"),
    3118: ("this user is locked", "ALTER USER … ACCOUNT UNLOCK"),
    4151: ("this user is locked", "ALTER USER … ACCOUNT UNLOCK"),
    2026: ("TLS could not be agreed on with the server", "see ssl_mode and ssl_ca in the URL"),
    2059: ("the server demands an authentication plugin that is not supported", ""),
    1226: ("this user has used up a limit of the server", "see MAX_QUERIES_PER_HOUR and its kin"),
}
_UNAVAILABLE: dict[int, tuple[str, str]] = {
    1040: ("the server has no connection left", "raise max_connections or try later"),
    1053: ("the server is shutting down", ""),
    1129: ("the server has blocked this host after failed logins", "mariadb-admin flush-hosts"),
    1152: ("the connection was aborted", ""),
    1158: ("the connection broke", ""),
    1159: ("the server gave up sending", "see net_write_timeout"),
    1160: ("the connection broke", ""),
    1161: ("the server gave up sending", "see net_write_timeout"),
    1203: ("this user has too many connections", "raise max_user_connections or try later"),
    1205: ("another session held its lock on the table for longer than the source's timeout", "run again"),
    1213: ("the server ended the transaction to break a deadlock", ""),
    1317: ("the statement was interrupted in the server", ""),
    1412: ("the table was altered while the snapshot was open", "run again"),
    1927: ("the connection was killed in the server", ""),
    1969: ("the server's max_statement_time ended the statement", "raise it for this user"),
    2002: ("the server cannot be reached", "check host, port and that the server runs"),
    2003: ("the server cannot be reached", "check host, port and that the server runs"),
    2006: ("the server has gone away", ""),
    2013: ("the connection to the server was lost", ""),
    3024: ("the server's max_execution_time ended the statement", "raise it for this user"),
}
_TLS_HINT = "see ssl_mode and ssl_ca in the URL"
_TIMEOUT = ("the server sent nothing for too long", "see the source's timeout in mainstem.yml")


def translate(error: Exception, where: Where | None = None) -> MainstemError:
    """The most specific of our errors for one that PyMySQL or the socket raised."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if _in_chain(error, ssl.SSLCertVerificationError):
        return SourceRefused("the server's certificate could not be verified", hint=_TLS_HINT)
    if _in_chain(error, ssl.SSLError):
        return SourceUnavailable("TLS with the server failed", hint=_TLS_HINT)
    if _in_chain(error, TimeoutError) and code != 2003:
        return SourceUnavailable(_TIMEOUT[0], where=where, hint=_TIMEOUT[1])
    if isinstance(error, pymysql.MySQLError) and code in _REFUSED:
        message, hint = _REFUSED[code]
        return SourceRefused(f"{message} (error {code})", where=where, hint=hint)
    if isinstance(error, pymysql.MySQLError) and code in _UNAVAILABLE:
        message, hint = _UNAVAILABLE[code]
        kind = OutOfTime if code in (1969, 3024) else SourceUnavailable
        return kind(f"{message} (error {code})", where=where, hint=hint)
    if isinstance(error, OSError | pymysql.InterfaceError | pymysql.InternalError) or code == 0:
        return SourceUnavailable("the connection to the server broke", where=where)
    return SourceRefused(f"the server answered with error {code}", where=where)


def _in_chain(error: BaseException, kind: type[BaseException]) -> bool:
    """PyMySQL wraps the socket's errors; the original is in the chain."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, kind):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
