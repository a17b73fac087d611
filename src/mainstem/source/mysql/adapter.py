"""The adapter of the `Source` port for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mainstem.errors import MainstemError
from mainstem.schema import Database
from mainstem.source.mysql.address import TLS, Address, parse_url
from mainstem.source.mysql.diagnose import diagnose
from mainstem.source.mysql.dialect import MySQLDialect
from mainstem.source.mysql.introspect import introspect
from mainstem.source.mysql.session import Session
from mainstem.source.mysql.snapshot import MySQLSnapshot
from mainstem.source.port import Finding, SourceOptions


class MySQLSource:
    """A MySQL or MariaDB server, read through one login. Connects on first use."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        database: str,
        *,
        options: SourceOptions | None = None,
        unix_socket: str | None = None,
        tls: TLS = TLS.PREFERRED,
        ssl_ca: str = "",
        connect_timeout: float = 10.0,
        compiled: bool = True,
    ) -> None:
        """`compiled=False` decodes in plain Python: the same values, many times slower."""
        self.address = Address(
            host=host,
            port=port,
            user=user,
            password=password,
            database=database,
            unix_socket=unix_socket or "",
            tls=TLS(tls),
            ssl_ca=ssl_ca,
            connect_timeout=connect_timeout,
        )
        self.options = options or SourceOptions()
        self.dialect = MySQLDialect()
        self._compiled = compiled
        self._open: set[Session] = set()

    @classmethod
    def from_url(cls, url: str, options: SourceOptions | None = None) -> MySQLSource:
        """From `mysql://user:password@host:port/database?ssl_mode=…`; see `address.parse_url`."""
        at = parse_url(url)
        return cls(
            at.host,
            at.port,
            at.user,
            at.password,
            at.database,
            options=options,
            unix_socket=at.unix_socket,
            tls=at.tls,
            ssl_ca=at.ssl_ca,
            connect_timeout=at.connect_timeout,
        )

    def introspect(self) -> Database:
        """See the port."""
        with self._session() as session:
            return introspect(session, self.address.database, self.options)

    @contextmanager
    def snapshot(self) -> Iterator[MySQLSnapshot]:
        """See the port. Closing the connection rolls back."""
        with self._session() as session:
            yield MySQLSnapshot(session, self.address.database, self.options, self._compiled)

    def diagnose(self) -> Sequence[Finding]:
        """See the port. What cannot be found out becomes a finding, not an error."""
        findings: list[Finding] = []
        try:
            with self._session() as session:
                findings.append(Finding("ok", "server", "reachable, the login works"))
                findings.extend(diagnose(session, self.address.database, self.options))
        except MainstemError as error:
            subject = "server" if not findings else "tables"
            findings.append(Finding("error", subject, error.message, error.hint))
        return findings

    def close(self) -> None:
        """See the port."""
        for session in list(self._open):
            session.close()
        self._open.clear()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session = Session(self.address, self.options.timeout)
        self._open.add(session)
        try:
            yield session
        finally:
            session.close()
            self._open.discard(session)
