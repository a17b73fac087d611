"""`postgresql://user:password@host:port/database?…` as typed values; nothing else gets to libpq."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from mainstem.errors import UsageError
from mainstem.text import nearest

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_KEYS = ("sslmode", "sslrootcert", "connect_timeout", "schema", "application_name")
_SHAPE = "write postgresql://user:password@host:5432/database, special characters percent-encoded"


@dataclass(frozen=True, slots=True)
class Address:
    """Where and as whom to connect. The password is never printed."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    sslmode: str = "prefer"
    sslrootcert: str = ""
    connect_timeout: int = 0  # seconds; 0: the source's timeout, at most 15
    application_name: str = "mainstem"
    schemas: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def parse(url: str) -> Address:
    """The parts of a URL. Raises UsageError for whatever is not on the list, without showing the URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 5432
    except ValueError:
        raise UsageError("not a PostgreSQL URL", hint=_SHAPE) from None
    database = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment or "/" in parts.path[1:]:
        raise UsageError("not a PostgreSQL URL", hint=_SHAPE)
    if not host or "," in host:
        raise UsageError("the URL must name one host", hint=_SHAPE)
    if not database:
        raise UsageError("the URL names no database", hint=_SHAPE)
    texts = (database, unquote(parts.username or ""), unquote(parts.password or ""))
    if any("\0" in text for text in texts):
        raise UsageError("a NUL character in the URL", hint=_SHAPE)
    options = _options(parts.query)
    return Address(
        host=unquote(host),
        port=port,
        user=texts[1],
        password=texts[2],
        database=database,
        sslmode=_ssl_mode(options.get("sslmode", "prefer")),
        sslrootcert=options.get("sslrootcert", ""),
        connect_timeout=_seconds(options.get("connect_timeout", "0")),
        application_name=options.get("application_name", "mainstem"),
        schemas=tuple(name.strip() for name in options.get("schema", "").split(",") if name.strip()),
    )


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _KEYS:
            raise UsageError(f"the URL's option {key!r} is not known", hint=nearest(key, _KEYS, "options"))
        if key in options:
            raise UsageError(f"the URL's option {key!r} is given twice")
        options[key] = value
    return options


def _ssl_mode(mode: str) -> str:
    if mode not in _SSL_MODES:
        raise UsageError(f"sslmode {mode!r} is not known", hint=nearest(mode, _SSL_MODES, "modes"))
    return mode


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise UsageError("connect_timeout must be a number of seconds")
    return int(text)
