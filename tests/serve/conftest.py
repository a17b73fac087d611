"""A published shop and a client that stands where the page stands."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstem.catalog.port import Release
from mainstem.serve.app import build_app
from mainstem.serve.bundle import build
from mainstem.serve.config import Limits, ServerConfig

from . import shop

TOKEN = "a-token-of-the-tests-0123456789"
PORT = 8484


@dataclass
class Published:
    """A project's state directory with releases; `current` is what its catalog would say."""

    state: Path
    template: Path
    release: Release | None = None
    rebuilt: list[str] = field(default_factory=list)

    def publish(
        self, number: int = 1, run: str = shop.RUN, statements: str = shop.MARTS, **changes: Any
    ) -> Release:
        if (run, statements, changes) == (shop.RUN, shop.MARTS, {}):
            shutil.copytree(self.template / "serve", self.state / "serve", dirs_exist_ok=True)
        else:
            build(self.state, shop.spec(run, **changes), shop.marts(statements))
        published = datetime(2026, 11, 23, 12, 3, number, tzinfo=UTC)
        self.release = Release(f"r{number:04}", run, published, {})
        return self.release


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's served file, made once: tests copy it."""
    state = shop.state(tmp_path_factory.mktemp("template"))
    build(state, shop.spec(), shop.marts())
    return state


@pytest.fixture
def project(tmp_path: Path, template: Path) -> Published:
    return Published(shop.state(tmp_path), template)


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    folder.mkdir()
    page = '<!doctype html><html lang="en"><head><link rel="stylesheet" href="/static/app.css">'
    page += '<script type="module" src="/static/app.js"></script></head><body></body></html>'
    (folder / "index.html").write_text(page)
    (folder / "app.js").write_text("console.log('</script>');\n" * 20)
    (folder / "app.css").write_text("body { margin: 0 }\n" * 20)
    return folder


@pytest.fixture
def config(project: Published, static: Path) -> ServerConfig:
    return ServerConfig(
        state=project.state, current=lambda: project.release, port=PORT, token=TOKEN, static=static,
        limits=Limits(seconds=5.0, memory="200MB", statements=2, body=64 << 10, threads=2),
    )  # fmt: skip


Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def connect(config: ServerConfig) -> AsyncIterator[Connect]:
    """Clients of one application; without arguments, the page's own."""
    app = build_app(config)
    clients: list[httpx.AsyncClient] = []

    def client(token: str | None = TOKEN, **headers: str) -> httpx.AsyncClient:
        given = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        base = f"http://127.0.0.1:{PORT}"
        clients.append(httpx.AsyncClient(transport=transport, base_url=base, headers={**given, **headers}))
        return clients[-1]

    async with app.router.lifespan_context(app):
        yield client
    for one in clients:
        await one.aclose()
