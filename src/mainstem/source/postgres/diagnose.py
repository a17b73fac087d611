"""What `mainstem doctor` says of a PostgreSQL source."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.source.port import Finding
from mainstem.source.postgres.introspect import Ask
from mainstem.text import count, joined, size

_ROLE = """
SELECT rolsuper, rolbypassrls, rolreplication, rolcreaterole, rolcreatedb,
  current_setting('server_version'), pg_is_in_recovery()
FROM pg_roles WHERE rolname = current_user
"""
_TABLES = """
SELECT c.relname::text,
  has_table_privilege(c.oid, 'SELECT'),
  has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'),
  row_security_active(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ({schemas}) AND c.relkind IN ('r', 'p') ORDER BY 1
"""
_LAG = """
SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint,
  extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::bigint
"""
_LOCAL = ("localhost", "127.0.0.1", "::1")
_SHOWN = 5


def findings(ask: Ask, schemas: Sequence[str], *, encrypted: bool, host: str) -> list[Finding]:
    """Version, encryption, the role's powers, and the tables it may not read or could write."""
    ((superuser, bypass, replication, roles, databases, version, standby),) = ask(_ROLE)
    found = [Finding("ok", "connection", f"PostgreSQL {version}" + (", a standby" if standby else ""))]
    if standby:
        found += _lag(ask)
    if not encrypted and host not in _LOCAL:
        found.append(
            Finding("warning", "encryption", "the connection is not encrypted", "add sslmode=verify-full")
        )
    if superuser:
        found.append(
            Finding("warning", "privileges", "the user is a superuser", "use one that has SELECT alone")
        )
    surplus = [
        name
        for has, name in (
            (bypass and not superuser, "BYPASSRLS"),
            (replication and not superuser, "REPLICATION"),
            (roles and not superuser, "CREATEROLE"),
            (databases and not superuser, "CREATEDB"),
        )
        if has
    ]
    if surplus:
        found.append(
            Finding("warning", "privileges", f"the user has {joined(surplus)}", "not needed to read")
        )
    literals = ", ".join("'" + schema.replace("'", "''") + "'" for schema in schemas)
    tables = ask(_TABLES.format(schemas=f"ARRAY[{literals}]::name[]"))
    found += _table_findings(
        unreadable=[name for name, select, _, _ in tables if not select],
        writable=[] if superuser else [name for name, _, write, _ in tables if write],
        secured=[name for name, _, _, active in tables if active],
    )
    if all(finding.level == "ok" for finding in found):
        found.append(Finding("ok", "privileges", f"{count(len(tables), 'table')}, read-only"))
    return found


def _lag(ask: Ask) -> list[Finding]:
    """A warning if a standby has received what it has not applied: its rows are older than it knows."""
    ((behind, age),) = ask(_LAG)
    if not behind or behind < 0:
        return []
    old = f"; its last transaction is {count(age, 'second')} old" if age is not None else ""
    message = f"{size(behind)} of its primary's log are received and not applied{old}"
    return [
        Finding(
            "warning",
            "replica",
            message,
            "a run reads one older moment, never an older one than the last",
        )
    ]


def _table_findings(unreadable: list[str], writable: list[str], secured: list[str]) -> list[Finding]:
    found = []
    if unreadable:
        found.append(
            Finding(
                "warning", "privileges", f"no SELECT on {_named(unreadable)}", "GRANT SELECT, or exclude them"
            )
        )
    if writable:
        found.append(Finding("warning", "privileges", f"the user may write {_named(writable)}", "revoke it"))
    if secured:
        hint = "use a user with BYPASSRLS, or exclude them"
        found.append(Finding("error", "row security", f"rows are hidden in {_named(secured)}", hint))
    return found


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
