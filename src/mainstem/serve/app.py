"""The application: routes behind the guard, every error as JSON in the same form."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from mainstem.errors import MainstemError, Transient, UsageError
from mainstem.serve.config import ServerConfig
from mainstem.serve.guard import Gate, Guard
from mainstem.serve.routes import NotFound, Routes
from mainstem.serve.work import Busy

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class _Guarded(Starlette):
    """Starlette with the guard around everything, its own error pages included."""

    gate: Gate

    def build_middleware_stack(self) -> ASGIApp:
        return Guard(super().build_middleware_stack(), self.gate)


def build_app(config: ServerConfig) -> Starlette:
    """The application of a configuration whose port and token are settled (`run_server` does that).

    The end of its lifespan closes the served file. Raises UsageError without a token or without assets.
    """
    if not config.token:
        raise UsageError("the server needs a token")
    routes = Routes(config)
    app = _Guarded(
        routes=routes.table(),
        exception_handlers={
            MainstemError: _mainstem_error,
            HTTPException: _http_error,
            Exception: _unexpected,
        },
        lifespan=routes.lifespan,
    )
    app.router.redirect_slashes = False
    named = {f"{name.lower()}:{config.port}" for name in (*LOOPBACK, *config.hosts)}
    # A proxy in front speaks under the given names alone, without our port.
    hosts = frozenset(named | {name.lower() for name in config.hosts})
    app.gate = Gate(config.token, hosts, config.limits.body)
    return app


def _problem(status: int, message: str, hint: str = "") -> JSONResponse:
    return JSONResponse({"error": {"message": message, "hint": hint}}, status)


async def _mainstem_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, MainstemError):
        return await _unexpected(_request, error)
    return _problem(status_of(error), error.message, error.hint)


def status_of(error: MainstemError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, Busy):
        return 429
    return 503 if isinstance(error, Transient) else 500


async def _http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return await _unexpected(_request, error)
    response = _problem(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


async def _unexpected(_request: Request, _error: Exception) -> Response:
    # The details belong to the server's log, not to whoever asked.
    return _problem(500, "the server failed to answer", "its log says why")
