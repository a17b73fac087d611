"""What `mainstem doctor` says about a MySQL or MariaDB server: may the user read, and only read?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainstem.source.mysql.introspect import introspect, non_transactional
from mainstem.source.mysql.session import Session
from mainstem.source.port import Finding, SourceOptions

# Privileges that a reader has no use for; the first group works in a read-only transaction all the same.
_DANGEROUS = frozenset(
    (
        "ALL PRIVILEGES",
        "SUPER",
        "FILE",
        "GRANT OPTION",
        "RELOAD",
        "SHUTDOWN",
        "CREATE USER",
        "CONNECTION ADMIN",
    )
)
_WRITING = frozenset(
    (
        *("INSERT", "UPDATE", "DELETE", "DROP", "CREATE", "ALTER", "INDEX", "TRIGGER", "EVENT", "REFERENCES"),
        *("CREATE ROUTINE", "ALTER ROUTINE", "CREATE VIEW", "CREATE TABLESPACE", "DELETE HISTORY"),
        *("BINLOG ADMIN", "READ_ONLY ADMIN", "SET USER", "REPLICATION SLAVE ADMIN", "BINLOG REPLAY"),
    )
)
_LOCAL = ("localhost", "127.0.0.1", "::1")
_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?P<on>.+?) TO ", re.DOTALL)
_TESTED = {"mariadb": (10, 11), "mysql": (5, 6)}


def diagnose(session: Session, database: str, options: SourceOptions) -> Iterator[Finding]:
    """One finding a subject, the best and the worst news alike."""
    yield _version(session)
    yield Finding("ok", "session", "read-only, in UTC, utf8mb4, settings read back")
    yield from _encryption(session)
    yield from _grants(session)
    found = introspect(session, database, options)
    if found.tables:
        yield Finding("ok", "tables", f"{len(found.tables)} tables can be read")
    else:
        hint = "GRANT SELECT on the database, and look at include and exclude"
        yield Finding("error", "tables", "no table can be seen", hint)
    loose = non_transactional(session, database, options)
    if loose:
        more = f" and {len(loose) - 5} more" if len(loose) > 5 else ""
        yield Finding(
            "warning",
            "snapshot",
            f"not covered by a consistent snapshot (no transactions): {', '.join(loose[:5])}{more}",
            "ALTER TABLE … ENGINE=InnoDB, or load while nobody writes to them",
        )


def _version(session: Session) -> Finding:
    engine = "mariadb" if session.is_mariadb else "mysql"
    version = str(session.rows("SELECT VERSION()")[0][0])
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    tested = ".".join(map(str, _TESTED[engine]))
    if numbers < _TESTED[engine]:
        hint = f"tested with {tested}: look at the proofs"
        return Finding("warning", "version", f"{engine} {version}", hint)
    return Finding("ok", "version", f"{engine} {version} (tested with {tested})")


def _encryption(session: Session) -> Iterator[Finding]:
    cipher = session.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    if cipher and cipher[0][1]:
        yield Finding("ok", "encryption", "the connection is encrypted")
    elif not session.address.unix_socket and session.address.host not in _LOCAL:
        hint = "ssl_mode=verify_identity in the URL"
        yield Finding("warning", "encryption", "rows travel the network in plain text", hint)


def _grants(session: Session) -> Iterator[Finding]:
    dangerous, writing = set(), set()
    for (line,) in session.rows("SHOW GRANTS"):
        match = _GRANT.match(line)
        if match is None:  # a role, or a proxy grant
            continue
        words = {re.sub(r"\(.*", "", word).strip() for word in re.split(r",\s*(?![^(]*\))", match["what"])}
        if line.rstrip().endswith("WITH GRANT OPTION"):
            words.add("GRANT OPTION")
        dangerous |= words & _DANGEROUS
        writing |= words & _WRITING
    if dangerous:
        yield Finding(
            "warning",
            "privileges",
            f"this user may do far more than read: {', '.join(sorted(dangerous))}",
            "use a user of its own that has SELECT only",
        )
    if writing:
        yield Finding(
            "warning",
            "privileges",
            f"this user may write: {', '.join(sorted(writing))}",
            "use a user of its own that has SELECT only",
        )
    if not dangerous and not writing:
        yield Finding("ok", "privileges", "this user may not write")
