"""A small server with the contract's answers, for driving the client in a browser. It stands in for the
real server, whose own tests are elsewhere: what is tested here is the client alone."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import mainstem
from web import cubes, documents

STATIC = Path(mainstem.__file__).parent / "serve" / "static"
TOKEN = "Zm9v-tok_en"
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}


class World:
    """What the server answers; a test changes it before it opens a page."""

    def __init__(self) -> None:
        self.cells = cubes.shop()
        self.dashboards: dict[str, dict[str, Any]] = {"sales": cubes.dashboard()}
        self.cubes: dict[str, bytes] = {}
        self.release = "r0003"
        self.broken: dict[str, int] = {}
        self.queries: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()

    def cube(self, name: str) -> bytes:
        if name not in self.cubes:
            self.cubes[name] = gzip.compress(cubes.encode(self.cells), mtime=0)
        return self.cubes[name]

    def answer(self, path: str, body: dict[str, Any] | None) -> Any:
        """The JSON document at `path`, the cube as bytes, or None."""
        parts = path.strip("/").split("/")[1:]
        simple: dict[str, Callable[[], Any]] = {
            "dashboards": lambda: [
                {"name": name, "title": doc["title"], "model": doc["model"]}
                for name, doc in self.dashboards.items()
            ],
            "catalog": lambda: documents.CATALOG,
            "lineage": lambda: documents.LINEAGE,
        }
        if len(parts) == 1 and parts[0] in simple:
            return simple[parts[0]]()
        if parts == ["releases", "current"]:
            return {"release": {"id": self.release}, "proof": {"holds": True}}
        if parts[0] == "runs":
            return documents.RECEIPT if parts[1] == documents.RECEIPT["run"] else None
        if parts == ["sql"] and body is not None:
            return documents.sql(body["sql"])
        return self.dashboard(parts, body)

    def dashboard(self, parts: list[str], body: dict[str, Any] | None) -> Any:
        doc = self.dashboards.get(parts[1]) if parts[0] == "dashboards" and len(parts) > 1 else None
        if doc is None:
            return None
        if len(parts) == 2:
            return doc
        if parts[2] == "cube":
            return self.cube(parts[1])
        self.gate.wait(10)
        assert body is not None
        self.queries.append(body)
        return self.query(body)

    def query(self, body: dict[str, Any]) -> dict[str, Any]:
        """Groups the cells in Python; decimals as text, as the real server writes them."""
        cells = self.cells.cells
        for name, chosen in body["filters"].items():
            if name == "date":
                first, last = (dt.date.fromisoformat(text) if text else None for text in chosen)
                cells = [
                    c
                    for c in cells
                    if c.date and (not first or c.date >= first) and (not last or c.date <= last)
                ]
            else:
                cells = [c for c in cells if getattr(c, name) in chosen]
        groups: dict[tuple[Any, ...], list[cubes.Cell]] = defaultdict(list)
        for cell in cells:
            groups[tuple(_key(cell, name) for name in body["group"])].append(cell)
        if not body["group"] and not groups:
            groups[()] = []
        rows = [[*key, *(_measure(name, held) for name in body["measures"])] for key, held in groups.items()]
        return {"columns": [*body["group"], *body["measures"]], "rows": rows}


def _key(cell: cubes.Cell, name: str) -> Any:
    if not name.startswith("date"):
        return getattr(cell, name)
    if cell.date is None:
        return None
    month = cell.date.month if name == "date.month" else 3 * ((cell.date.month - 1) // 3) + 1
    return cell.date.replace(month=1 if name == "date.year" else month, day=1).isoformat()


def _measure(name: str, cells: list[cubes.Cell]) -> Any:
    if name in ("lines", "price__count"):
        return sum(cell.lines for cell in cells)
    cents = sum(cell.revenue for cell in cells)
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}" if cells else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def do_GET(self) -> None:
        self.serve(None)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.serve(json.loads(self.rfile.read(length)))

    def serve(self, body: dict[str, Any] | None) -> None:
        path = unquote(self.path.split("?")[0])
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            self.send(200, file.read_bytes(), TYPES[file.suffix])
        elif not path.startswith("/api/"):
            self.send(200, (STATIC / "index.html").read_bytes(), "text/html; charset=utf-8")
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.fail(401)
        else:
            self.api(path, body)

    def api(self, path: str, body: dict[str, Any] | None) -> None:
        status = next((code for start, code in self.world.broken.items() if path.startswith(start)), 200)
        if status != 200:
            return self.fail(status)
        try:
            found = self.world.answer(path, body)
        except documents.Refused as refused:
            return self.json(400, {"error": {"message": str(refused), "hint": refused.hint}})
        if found is None:
            return self.fail(404)
        if isinstance(found, bytes):
            return self.send(200, found, "application/octet-stream", {"Content-Encoding": "gzip"})
        return self.json(200, found)

    def fail(self, status: int) -> None:
        self.json(status, {"error": {"message": "", "hint": ""}})

    def json(self, status: int, body: Any) -> None:
        self.send(status, json.dumps(body).encode(), "application/json")

    def send(self, status: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
        for name, value in {**headers, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


class Site:
    """A `World` behind a real port of the loopback; a context manager."""

    def __init__(self) -> None:
        self.world = World()
        handler = type("Handler", (_Handler,), {"world": self.world})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def link(self, path: str = "/") -> str:
        return f"{self.url}{path}#token={TOKEN}"

    def __enter__(self) -> Site:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.world.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
