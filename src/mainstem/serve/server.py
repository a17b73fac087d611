"""Listening: the port, the token, the signals."""

from __future__ import annotations

import contextlib
import errno
import html
import os
import secrets
import signal
import socket
import stat
import threading
import webbrowser
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import uvicorn

from mainstem.errors import LakeUnavailable, UsageError, Where
from mainstem.serve.app import build_app
from mainstem.serve.config import ServerConfig
from mainstem.serve.manifest import DIRECTORY

FIRST_PORT = 8484
_PORTS = 50
_TOKEN_LENGTH = 16
_TOKEN_HINT = f"write one line of at least {_TOKEN_LENGTH} printable characters without spaces into it"


class _Server(uvicorn.Server):
    """Uvicorn that ends on SIGINT and SIGTERM and does not raise them once more afterwards."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {name: signal.signal(name, self.handle_exit) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def run_server(config: ServerConfig) -> None:
    """Serve until SIGINT or SIGTERM; both end it in order and return.

    Raises UsageError if the given port is taken, or the token file is not fit.
    """
    listener = listen(config)
    try:
        port = int(listener.getsockname()[1])
        settled = replace(config, port=port, token=token_of(config))
        server = _Server(
            uvicorn.Config(
                build_app(settled), log_level="warning", access_log=False, server_header=False, ws="none",
                lifespan="on", limit_concurrency=256, timeout_keep_alive=15, timeout_graceful_shutdown=3,
                h11_max_incomplete_event_size=64 << 10, http="h11", loop="asyncio", proxy_headers=False,
            )
        )  # fmt: skip
        address = f"http://{config.bind}:{port}/#token={settled.token}"
        page = _open_page(settled, address) if config.open_browser else None
        if config.on_ready is not None:
            config.on_ready(address)
        try:
            server.run(sockets=[listener])
        finally:
            if page is not None:
                page.unlink(missing_ok=True)
    finally:
        listener.close()


def listen(config: ServerConfig) -> socket.socket:
    """A listening socket: the given port, or the first free one from 8484 on."""
    ports = [config.port] if config.port else [*range(FIRST_PORT, FIRST_PORT + _PORTS), 0]
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.bind, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and not config.port:
                continue
            raise _cannot_listen(config, error) from None
        else:
            return listener
    raise UsageError("no port is free")


def _cannot_listen(config: ServerConfig, error: OSError) -> UsageError:
    place = f"{config.bind}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"{place} is taken by another program", hint="leave out --port to take a free one")
    return UsageError(f"cannot listen on {place}: {error.strerror}", hint="choose another --port")


def token_of(config: ServerConfig) -> str:
    """The token: the given one, the token file's content, or a new random one.

    Raises UsageError for a file that others can read, or whose token is shorter than 16 characters.
    """
    if config.token_file is None:
        return config.token or secrets.token_urlsafe(32)
    where = Where(file=str(config.token_file))
    try:
        mode = config.token_file.stat().st_mode
        token = config.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"the token file cannot be read: {reason}", where=where, hint=_TOKEN_HINT) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError("others can read the token file", where=where, hint="chmod 600")
    if len(token) < _TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("the token file holds no usable token", where=where, hint=_TOKEN_HINT)
    return token


def _open_page(config: ServerConfig, address: str) -> Path:
    """Open the browser by a private file: an address on a command line is seen by every user."""
    page = config.state / DIRECTORY / "open.html"
    text = f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(address)}">'
    try:
        page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        page.unlink(missing_ok=True)
        with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise LakeUnavailable(f"cannot write {page.name}: {error.strerror}") from error
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
    return page
