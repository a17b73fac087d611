"""Who may ask: the gate in front of every route. Whatever is not named public needs the token.

A page of another site can reach 127.0.0.1 through the reader's browser; so a request has to name this
server (Host, against DNS rebinding), must not come from elsewhere (Origin), and carries a token that no
other page can know. There is no cookie and no CORS header.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC = re.compile(r"/|/health|/static/[A-Za-z0-9._-]+|/(sql|catalog|lineage)|/(d|receipt)/[^/]+")
"""Paths that answer without the token: the page itself, its assets, and whether the server is alive."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """`hosts` are the values of `Host` (with port, lower case) under which the server answers."""

    token: str
    hosts: Collection[str]
    body: int


class Guard:
    """ASGI middleware: 421 for a foreign Host, 403 for a foreign Origin, 401 without the token, 413 for a
    large body; the security headers on every answer."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self.gate = gate
        self.origins = {f"http://{host}" for host in gate.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no WebSocket exists here

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                seal(message)
            await send(message)

        refusal = self.refusal(scope)
        if refusal is not None:
            await _refuse(sealed, *refusal)
            return
        await self.app(scope, _limited(receive, self.gate.body), sealed)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and message if the request is not let through."""
        headers = Headers(scope=scope)
        if headers.getlist("host") not in [[host] for host in self.gate.hosts]:
            return 421, "this server does not answer under that name"
        if any(origin not in self.origins for origin in headers.getlist("origin")):
            return 403, "the request comes from another site"
        public = PUBLIC.fullmatch(scope["path"]) is not None
        if not public and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "the request comes from another site"
        if not public and not self.known(headers.getlist("authorization")):
            return 401, "the token is missing or wrong"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.gate.body:
            return 413, _LARGE
        return None

    def known(self, given: list[str]) -> bool:
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(" ")
        same = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self.gate.token.encode())
        return same and scheme.lower() == "bearer"


_LARGE = "the request is too large"


def seal(message: Message) -> None:
    """Put the security headers on the start of a response; without a cache rule of its own it is not kept."""
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")


def _limited(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(413, _LARGE)
        return message

    return counted


async def _refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": {"message": message, "hint": ""}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
