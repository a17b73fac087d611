"""Where a MySQL or MariaDB server is and how to log in: parsed from a URL. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote

from mainstem.errors import UsageError

_KEYS = ("ssl_ca", "ssl_mode", "unix_socket", "connect_timeout")
_SHAPE = "mysql://user:password@host:3306/database; write special characters as %XX"


class TLS(StrEnum):
    """How much encryption is demanded. With `ssl_ca`, `required` also verifies the server's certificate."""

    DISABLED = "disabled"
    PREFERRED = "preferred"  # encrypted if the server can, nothing verified (the servers' own default)
    REQUIRED = "required"
    VERIFY_IDENTITY = "verify_identity"  # certificate and host name


@dataclass(frozen=True, slots=True)
class Address:
    """One server, one login, one database. `password` may hold any bytes (surrogateescape)."""

    host: str = "localhost"
    port: int = 3306
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    unix_socket: str = ""
    tls: TLS = TLS.PREFERRED
    ssl_ca: str = ""
    connect_timeout: float = 10.0  # seconds

    def __str__(self) -> str:
        place = self.unix_socket or f"{self.host}:{self.port}"
        return f"{self.user}@{place}/{self.database}"


def parse_url(url: str) -> Address:
    """`mysql://` or `mariadb://`. User, password and database are percent-decoded; only the listed query
    keys are known, so that a URL can never reach other client options. The message of a UsageError never
    repeats the URL: it holds the password."""
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in ("mysql", "mariadb"):
        raise UsageError("the URL must begin with mysql:// or mariadb://", hint=_SHAPE)
    login, _, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    place, _, query = place.partition("?")
    hostport, _, database = place.partition("/")
    host, port = _host_and_port(hostport)
    options = _options(query)
    return Address(
        host=host,
        port=port,
        user=_decoded(user, "user"),
        password=unquote(password, errors="surrogateescape"),
        database=_decoded(database, "database"),
        unix_socket=options.get("unix_socket", ""),
        tls=_tls(options.get("ssl_mode", TLS.PREFERRED.value)),
        ssl_ca=options.get("ssl_ca", ""),
        connect_timeout=_seconds(options.get("connect_timeout", "10")),
    )


def _decoded(text: str, what: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UsageError(f"the {what} in the URL is not UTF-8 after percent-decoding", hint=_SHAPE) from None


def _host_and_port(text: str) -> tuple[str, int]:
    if text.startswith("["):
        host, found, port = text[1:].partition("]")
        if not found or (port and not port.startswith(":")):
            raise UsageError("the URL's IPv6 host must stand as [::1]:3306", hint=_SHAPE)
        port = port[1:]
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError("the URL's port must be a number from 1 to 65535", hint=_SHAPE)
    return unquote(host) or "localhost", int(port or 3306)


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        if key not in _KEYS:
            known = ", ".join(_KEYS)
            raise UsageError("the URL has an unknown option after '?'", hint=f"known options: {known}")
        options[key] = unquote(value)
    return options


def _tls(text: str) -> TLS:
    try:
        return TLS(text.lower())
    except ValueError:
        choices = ", ".join(TLS)
        raise UsageError("the URL's ssl_mode is unknown", hint=f"one of: {choices}") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise UsageError("the URL's connect_timeout must be seconds between 0 and 3600")
    return seconds
