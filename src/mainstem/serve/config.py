"""What the server is told: plain values and two callables, given by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mainstem.catalog.port import Release

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one person at the SQL prompt may use. `seconds` a statement, `rows` and `bytes` an answer,
    `statements` at once; `memory` is DuckDB's own limit for the whole server; `body` bytes a request."""

    seconds: float = 30.0
    rows: int = 10_000
    bytes: int = 32 << 20
    statements: int = 4
    memory: str = "1GB"
    threads: int = 0  # 0: as many as there are cores
    body: int = 256 << 10


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """`state` is the project's `.mainstem`. `current` names the release that readers see and is asked at
    every request, so it has to be cheap. `rebuild` makes the served file of a release whose file is
    missing (after a rollback, say); without it such a release cannot be served.

    `port` 0 takes the first free one from 8484 on. `token` empty: a new random one at each start, or the
    content of `token_file`. `hosts` are more names under which the server may be addressed; it listens on
    `bind` (127.0.0.1) alone. `on_ready` gets the address with the token, once the server listens.
    """

    state: Path
    current: Callable[[], Release | None]
    rebuild: Callable[[Release], object] | None = None
    port: int = 0
    bind: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    open_browser: bool = False
    on_ready: Callable[[str], None] | None = None
    limits: Limits = Limits()
    static: Path = STATIC
