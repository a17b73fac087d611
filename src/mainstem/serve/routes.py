"""The server's routes. Each answers from the file of the release that is current when it begins."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import duckdb
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainstem.errors import EngineFailed, MainstemError, UsageError
from mainstem.serve import assets, console, cubequery, documents
from mainstem.serve.config import ServerConfig
from mainstem.serve.cube import compile_cube
from mainstem.serve.manifest import is_run
from mainstem.serve.served import Served, Serving, first_line
from mainstem.serve.work import Slots, run_bounded
from mainstem.text import nearest

M = TypeVar("M", bound=BaseModel)

PAGES = ("/", "/sql", "/catalog", "/lineage", "/d/{name}", "/receipt/{run}")
_REVALIDATE = "private, no-cache"


class NotFound(UsageError):
    """There is nothing of that name."""


class Routes:
    """The handlers, with what they share: the served file, the page's assets, places for statements."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.serving = Serving(config)
        self.assets = assets.load(config.static)
        self.slots = Slots(config.limits.statements)

    def table(self) -> list[Route]:
        """Every route there is."""
        dashboard = "/api/dashboards/{name}"
        return [
            *(_get(path, self.page) for path in PAGES),
            _get("/static/{file}", self.asset),
            _get("/health", self.health),
            _get("/api/dashboards", self.dashboards),
            _get(dashboard, self.dashboard),
            _get(f"{dashboard}/cube", self.cube),
            _get("/api/releases/current", self.release),
            _get("/api/runs/{run}", self.receipt),
            _get("/api/catalog", self.catalog),
            _get("/api/lineage", self.lineage),
            Route(f"{dashboard}/query", self.query, methods=["POST"]),
            Route("/api/sql", self.sql, methods=["POST"]),
        ]

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Pack the cubes while the browser starts; close the served file when the server stops."""
        threading.Thread(target=self.warm, name="mainstem-warm", daemon=True).start()
        try:
            yield
        finally:
            self.serving.close()

    def warm(self) -> None:
        """Make ready what the first reader asks for; what goes wrong here, he will be told."""
        with suppress(MainstemError, duckdb.Error), self.serving.release() as served:
            for name, cube in served.cubes.items():
                if cube["where"] == "browser":
                    served.body(name)

    # the page

    def page(self, request: Request) -> Response:
        return _asset(request, self.assets[assets.PAGE])

    def asset(self, request: Request) -> Response:
        name = request.path_params["file"]
        if name not in self.assets:
            raise NotFound("there is no such file")
        return _asset(request, self.assets[name])

    def health(self, _request: Request) -> Response:
        return JSONResponse({"ok": True})

    # documents

    def dashboards(self, _request: Request) -> Response:
        with self.serving.release() as served:
            return JSONResponse(documents.dashboard_list(served.spec))

    def dashboard(self, request: Request) -> Response:
        with self.serving.release() as served:
            found = self._found(served, request)
            cube = served.cubes[found.dashboard]
            return JSONResponse(
                documents.dashboard_document(served.spec, found, served.release, cube, served.lineage)
            )

    def release(self, _request: Request) -> Response:
        with self.serving.release() as served:
            release = documents.release_document(served.release)
            return JSONResponse({"release": release, "proof": documents.proof_summary(served.spec)})

    def catalog(self, _request: Request) -> Response:
        with self.serving.release() as served:
            return JSONResponse(documents.catalog_document(served.spec))

    def lineage(self, _request: Request) -> Response:
        with self.serving.release() as served:
            return JSONResponse(documents.lineage_document(served.spec, served.lineage))

    def receipt(self, request: Request) -> Response:
        run = request.path_params["run"]
        path = self.config.state / "runs" / f"{run}.json"
        if not is_run(run) or not path.is_file():
            raise NotFound("there is no receipt of such a run", hint="mainstem runs lists them")
        return Response(path.read_bytes(), media_type="application/json")

    # figures

    def cube(self, request: Request) -> Response:
        with self.serving.release() as served:
            found = self._found(served, request)
            if served.cubes[found.dashboard]["where"] != "browser":
                raise UsageError("this cube is too large for the browser", hint="ask with POST …/query")
            body = served.body(found.dashboard)
        headers = {"ETag": body.etag, "Cache-Control": _REVALIDATE, "Vary": "Accept-Encoding"}
        if _same(request, body.etag):
            return Response(status_code=304, headers=headers)
        if not _takes_gzip(request):
            return Response(body.plain(), media_type="application/octet-stream", headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(body.packed, media_type="application/octet-stream", headers=headers)

    async def query(self, request: Request) -> Response:
        body = await _body(request, cubequery.CubeQuery)

        def prepare(served: Served) -> Callable[[duckdb.DuckDBPyConnection], bytes]:
            found = self._found(served, request)
            plan = compile_cube(found, served.spec.headers, served.spec.types)
            return lambda cursor: cubequery.answer(cursor, plan, body)

        return await self._statement(request, prepare, None)

    async def sql(self, request: Request) -> Response:
        body = await _body(request, console.SqlRequest)
        limits = self.config.limits
        return await self._statement(
            request, lambda _served: lambda cursor: console.answer(cursor, body, limits), self.slots
        )

    async def _statement(
        self,
        request: Request,
        prepare: Callable[[Served], Callable[[duckdb.DuckDBPyConnection], bytes]],
        slots: Slots | None,
    ) -> Response:
        """Run a statement in a thread of its own, which gives back what it holds when it ends."""
        if slots is not None:
            slots.take()
        try:
            served = await run_in_threadpool(self.serving.hold)
            try:
                run, cursor = prepare(served), served.cursor()
            except BaseException:
                served.leave()
                raise
        except BaseException:
            if slots is not None:
                slots.give()
            raise

        def work() -> bytes:
            try:
                return run(cursor)
            finally:
                cursor.close()
                served.leave()
                if slots is not None:
                    slots.give()

        try:
            found = await run_bounded(work, cursor, self.config.limits.seconds, _gone(request))
        except duckdb.InterruptException:
            raise UsageError(f"stopped after {self.config.limits.seconds:g} s", hint="add a filter") from None
        except duckdb.Error as error:
            raise EngineFailed(f"the query failed: {first_line(error)}") from error
        return Response(found, media_type="application/json")

    def _found(self, served: Served, request: Request) -> Any:
        name = request.path_params["name"]
        found = documents.find(served.spec.dashboards, name)
        if found is None:
            names = [one.dashboard for one in served.spec.dashboards]
            raise NotFound("there is no such dashboard", hint=nearest(name[:80], names, "dashboards"))
        return found


def _get(path: str, endpoint: Callable[[Request], Response]) -> Route:
    return Route(path, endpoint, methods=["GET"])


async def _body(request: Request, model: type[M]) -> M:
    """The request's JSON body as a model. 415 for another type, UsageError for what does not fit."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body has to be application/json")
    raw = await request.body()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"])
        raise UsageError(f"{place or 'body'}: {first['msg']}") from None


async def _gone(request: Request) -> None:
    """Returns when the reader has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _asset(request: Request, asset: assets.Asset) -> Response:
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if _same(request, asset.etag):
        return Response(status_code=304, headers=headers)
    if asset.packed and _takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.type, headers=headers)
    return Response(asset.body, media_type=asset.type, headers=headers)


def _same(request: Request, etag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    return any(tag.strip().removeprefix("W/") == etag for tag in given.split(","))


def _takes_gzip(request: Request) -> bool:
    return bool(
        re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|\Z))", request.headers.get("accept-encoding", ""))
    )
