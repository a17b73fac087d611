"""Who is let in: every route, every way to come."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from mainstem.errors import UsageError
from mainstem.serve.app import build_app
from mainstem.serve.config import ServerConfig
from mainstem.serve.guard import HEADERS, PUBLIC, Guard
from mainstem.serve.routes import Routes

from . import shop
from .conftest import PORT, TOKEN, Connect, Published

pytestmark = pytest.mark.anyio

# Written out by hand: a new route that answers without the token has to be added here, and looked at.
OPEN = {"/", "/sql", "/catalog", "/lineage", "/d/sales", f"/receipt/{shop.RUN}", "/static/app.js", "/health"}


def routes(config: ServerConfig) -> list[tuple[str, str]]:
    """Every method and path, parameters filled in."""
    values = {"name": "sales", "run": shop.RUN, "file": "app.js"}
    found = []
    for route in Routes(config).table():
        path = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], route.path)
        found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


async def test_without_the_token_only_the_page_itself_answers(
    connect: Connect, config: ServerConfig, project: Published
) -> None:
    project.publish()
    every = routes(config)
    assert len(every) == 17
    anonymous = connect(None)
    for method, path in every:
        answer = await anonymous.request(method, path, json={} if method == "POST" else None)
        assert answer.status_code == (200 if path in OPEN else 401), (method, path)
    closed = (
        "/nothing",
        "/api",
        "/api/",
        "/API/catalog",
        "/static/",
        "/static/../app.py",
        "/d/",
        "/api/catalog/",
        "/docs",
        "/openapi.json",
        "/.env",
        "/d/sales/cube",
        "/receipt/a/b",
    )
    for path in closed:
        assert (await anonymous.get(path)).status_code == 401, path


async def test_control_it_is_the_guard_that_refuses(config: ServerConfig, project: Published) -> None:
    project.publish()
    bare = Starlette(routes=Routes(config).table())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=bare), base_url="http://evil.test"
    ) as anyone:
        assert (await anyone.get("/api/catalog", headers={"Origin": "http://evil.test"})).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        f"bearer{TOKEN}",
        f"Bearer {TOKEN} {TOKEN}",
        "Bearer \u00ff\u00fe",
    ],
)
async def test_a_wrong_token_is_no_token(connect: Connect, given: str) -> None:
    headers = {b"Authorization": given.encode("latin-1")}
    answer = await connect(None).get("/api/catalog", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


async def test_the_token_counts_in_its_header_alone(connect: Connect, project: Published) -> None:
    project.publish()
    anonymous = connect(None)
    assert (await anonymous.get(f"/api/catalog?token={TOKEN}")).status_code == 401
    assert (await anonymous.get("/api/catalog", headers={"Cookie": f"token={TOKEN}"})).status_code == 401
    twice = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer x")]
    assert (await anonymous.get("/api/catalog", headers=twice)).status_code == 401
    assert (await connect().get("/api/catalog")).status_code == 200


HOSTS = [
    "evil.test",
    f"evil.test:{PORT}",
    "127.0.0.1",
    "127.0.0.1:80",
    f"localhost.evil.test:{PORT}",
    "localhost",
    f"127.0.0.1:{PORT}.evil.test",
    f"0.0.0.0:{PORT}",
    f"127.1:{PORT}",
    f"LOCALHOST.:{PORT}",
    "",
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_foreign_host_is_misdirected_on_every_route(
    connect: Connect, config: ServerConfig, host: str
) -> None:
    page = connect(Host=host)
    for method, path in [*routes(config), ("GET", "/nothing")]:
        assert (await page.request(method, path)).status_code == 421, (method, path)


@pytest.mark.parametrize(
    "origin", ["http://evil.test", "null", "https://127.0.0.1:8484", "http://127.0.0.1", "", "*"]
)
async def test_a_foreign_origin_is_refused_on_every_route(
    connect: Connect, config: ServerConfig, origin: str
) -> None:
    page = connect(Origin=origin)
    for method, path in [*routes(config), ("OPTIONS", "/api/sql")]:
        answer = await page.request(method, path)
        assert answer.status_code == 403, (method, path)
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_the_page_of_this_server_is_let_in(connect: Connect, project: Published) -> None:
    project.publish()
    for host in ("127.0.0.1", "localhost", "[::1]"):
        name = f"{host}:{PORT}"
        page = connect(Host=name, Origin=f"http://{name}", **{"Sec-Fetch-Site": "same-origin"})
        assert (await page.get("/api/catalog")).status_code == 200
    crossing = connect(**{"Sec-Fetch-Site": "cross-site"})
    assert (await crossing.get("/api/catalog")).status_code == 403
    assert (await crossing.get("/")).status_code == 200  # a link from elsewhere may open the page


async def test_every_answer_carries_the_security_headers(
    connect: Connect, config: ServerConfig, project: Published
) -> None:
    project.publish()
    for client in (connect(), connect(None), connect(Host="evil.test")):
        for method, path in [*routes(config), ("GET", "/nothing"), ("PUT", "/api/sql")]:
            answer = await client.request(method, path)
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, (method, path)
            assert answer.headers["cache-control"] in ("no-store", "no-cache", "private, no-cache")
            assert "server" not in answer.headers
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_methods_that_no_route_has(connect: Connect) -> None:
    page = connect()
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert (await page.request(method, "/api/sql")).status_code == 405
    assert (await page.get("/api/sql")).status_code == 405


async def test_a_large_body_is_cut_off(connect: Connect, config: ServerConfig) -> None:
    page = connect()
    large = json.dumps({"sql": "select 1 --" + "x" * config.limits.body})
    told = await page.post("/api/sql", content=large, headers={"Content-Type": "application/json"})
    assert told.status_code == 413

    async def pieces() -> Any:
        for start in range(0, len(large), 4096):
            yield large[start : start + 4096].encode()

    untold = await page.post("/api/sql", content=pieces(), headers={"Content-Type": "application/json"})
    assert untold.status_code == 413
    wrong = await page.post("/api/sql", content=b"{}", headers={"Content-Length": "-1"})
    assert wrong.status_code == 413


WRONG: list[Any] = [
    [],
    "x",
    1,
    {},
    {"sql": 1},
    {"sql": None},
    {"sql": []},
    {"sql": {"a": 1}},
    {"sql": ""},
    {"sql": True},
    {"sql": "select 1", "limit": "10"},
    {"sql": "select 1", "limit": 0},
    {"sql": "select 1", "limit": -1},
    {"sql": "select 1", "limit": 1.5},
    {"sql": "select 1", "limit": None},
    {"sql": "select 1", "limit": [1]},
    {"sql": "select 1", "limit": True},
    {"sql": "select 1", "more": 1},
    {"sql": "select 1", "__proto__": {}},
    {"sql": "select '\0'"},
    {"sql": ["select 1"]},
    {"SQL": "select 1"},
]

WRONG_QUERIES: list[Any] = [
    {},
    {"measures": "revenue"},
    {"measures": []},
    {"measures": [1]},
    {"measures": ["revenue; drop table x"]},
    {"measures": ["sum(amount)"]},
    {"measures": ["revenue"], "group": "country"},
    {"measures": ["revenue"], "group": ["country", "status", "date", "shipped", "country"]},
    {"measures": ["revenue"], "group": ["country) --"]},
    {"measures": ["revenue"], "group": ["date.week"]},
    {"measures": ["revenue"], "group": ["shipped.day"]},
    {"measures": ["revenue"], "group": ["country.day"]},
    {"measures": ["revenue"], "filters": []},
    {"measures": ["revenue"], "filters": {"country": "USA"}},
    {"measures": ["revenue"], "filters": {"country": [1]}},
    {"measures": ["revenue"], "filters": {"country": [{}]}},
    {"measures": ["revenue"], "filters": {"1=1 or country": ["USA"]}},
    {"measures": ["revenue"], "filters": {"date": ["2003-01-01"]}},
    {"measures": ["revenue"], "filters": {"date": ["2003-01-01", "x"]}},
    {"measures": ["revenue"], "filters": {"date": ["2003-01-01'; drop table x; --", None]}},
    {"measures": ["revenue"], "sql": "select 1"},
]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/sql", body) for body in WRONG]
    + [("/api/dashboards/sales/query", body) for body in WRONG_QUERIES],
)
async def test_a_body_of_another_shape_is_refused_in_words(
    connect: Connect, project: Published, path: str, body: Any
) -> None:
    project.publish()
    answer = await connect().post(path, json=body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()["error"]) == {"message", "hint"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"sql": NaN}', b"[" * 30000, b'{"sql":"a","sql":1}']
)
async def test_bytes_that_are_no_json(connect: Connect, project: Published, content: bytes) -> None:
    project.publish()
    answer = await connect().post("/api/sql", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


async def test_only_json_is_taken(connect: Connect, project: Published) -> None:
    project.publish()
    for type_ in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = await connect().post(
            "/api/sql", content=b'{"sql":"select 1"}', headers={"Content-Type": type_}
        )
        assert answer.status_code == 415, type_


TRAVERSALS = [
    "..%2Findex.html",
    "%2e%2e%2findex.html",
    "....//index.html",
    "..\\index.html",
    "%2Fetc%2Fpasswd",
    "app.js%00.css",
    "APP.JS",
    "app.js/",
    "file:app.js",
    "%252e%252e%252findex.html",
]


@pytest.mark.parametrize("name", TRAVERSALS)
async def test_no_name_reaches_another_file(connect: Connect, tmp_path: Path, name: str) -> None:
    (tmp_path / "index.html").write_text("canary")
    answer = await connect().get(f"/static/{name}")
    assert "canary" not in answer.text
    assert answer.status_code in (401, 404)


async def test_other_scopes_get_nothing(config: ServerConfig) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    app = build_app(config)
    await Guard(app, app.gate)({"type": "websocket", "path": "/", "headers": []}, receive, send)  # type: ignore[attr-defined]
    assert sent == []


def test_a_server_without_a_token_is_not_built(config: ServerConfig) -> None:
    with pytest.raises(UsageError, match="token"):
        build_app(replace(config, token=""))
    assert TOKEN not in repr(config)


def test_public_names_nothing_of_the_api() -> None:
    assert not PUBLIC.fullmatch("/api/sql")
    assert not PUBLIC.fullmatch("/static/a/b")
