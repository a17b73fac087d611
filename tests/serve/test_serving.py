"""Releases change while people look; statements are bounded in time and number."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import duckdb
import httpx
import pytest

from mainstem.catalog.port import Release
from mainstem.errors import LakeUnavailable, MainstemError
from mainstem.serve.app import build_app
from mainstem.serve.bundle import build, find, stored_spec
from mainstem.serve.config import ServerConfig
from mainstem.serve.cube import compile_cube
from mainstem.serve.cubequery import CubeQuery, compile_query
from mainstem.serve.served import Serving

from . import shop
from .conftest import PORT, TOKEN, Connect, Published

pytestmark = pytest.mark.anyio

OTHER = "20261124T090000-00ff"
FEWER = shop.MARTS.replace("range(400) as r(i)", "range(100) as r(i)")
UNKNOWN_ROWS = [table.model_copy(update={"rows": -1}) for table in shop.spec().tables]

COUNT = {"sql": "select count(*)::integer from fact_orders"}


async def counted(page: httpx.AsyncClient) -> int:
    return int((await page.post("/api/sql", json=COUNT)).json()["rows"][0][0])


async def test_a_new_release_is_seen_by_the_next_request_and_a_rollback_too(
    connect: Connect, project: Published
) -> None:
    page = connect()
    first = project.publish(1)
    old = find(project.state, first.run)
    assert await counted(page) == 400
    etag = (await page.get("/api/dashboards/sales/cube")).headers["etag"]
    project.publish(2, OTHER, FEWER, tables=UNKNOWN_ROWS)
    assert await counted(page) == 100
    document = (await page.get("/api/dashboards/sales")).json()
    assert (document["release"]["id"], document["cube"]["cells"]) == ("r0002", 100)
    cube = await page.get("/api/dashboards/sales/cube", headers={"If-None-Match": etag})
    assert cube.status_code == 200
    assert shop.decode(cube.content)[0]["release"] == "r0002"
    project.release = first
    assert await counted(page) == 400
    assert find(project.state, first.run) == old


async def test_a_dashboard_changed_without_a_run_is_seen_at_once(
    connect: Connect, project: Published
) -> None:
    page = connect()
    project.publish(1)
    assert (await page.get("/api/dashboards")).json()[0]["title"] == "Sales overview"
    build(project.state, shop.spec(dashboards=[shop.dashboard(title="Sales!")]), shop.marts())
    assert (await page.get("/api/dashboards")).json()[0]["title"] == "Sales!"


async def test_nobody_sees_a_mixture(config: ServerConfig, project: Published) -> None:
    """Readers in threads while releases change: what one reader holds is of one release."""
    releases = [project.publish(1), project.publish(2, OTHER, FEWER, tables=UNKNOWN_ROWS)]
    rows = {"r0001": 400, "r0002": 100}
    serving = Serving(config)
    stop = threading.Event()
    seen: list[tuple[str, int, int]] = []
    errors: list[Exception] = []

    def read() -> None:
        try:
            while not stop.is_set():
                with serving.release() as served:
                    cursor = served.cursor()
                    fact = cursor.execute("select count(*) from mart.fact_orders").fetchone() or (0,)
                    cube = cursor.execute('select sum("__rows") from cube.sales').fetchone() or (0,)
                    cursor.close()
                    seen.append((served.release.id, int(fact[0]), int(cube[0])))
        except (duckdb.Error, MainstemError) as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for turn in range(20):
        project.release = releases[turn % 2]
        with serving.release() as served:
            assert served.release.id == releases[turn % 2].id
    while len(seen) < 50 and not errors:
        pass
    stop.set()
    for reader in readers:
        reader.join()
    serving.close()
    assert not errors
    assert all((fact, cube) == (rows[release], rows[release]) for release, fact, cube in seen)


async def test_a_retired_file_is_closed_when_its_last_reader_has_gone(
    config: ServerConfig, project: Published
) -> None:
    project.publish(1)
    serving = Serving(config)
    held = serving.hold()
    project.publish(2, OTHER, FEWER, tables=UNKNOWN_ROWS)
    with serving.release() as served:
        assert served is not held
    assert held.cursor().execute("select count(*) from fact_orders").fetchone() == (400,)
    held.leave()
    with pytest.raises(duckdb.ConnectionException):
        held.cursor()
    serving.close()


async def test_going_back_to_a_release_that_somebody_holds(config: ServerConfig, project: Published) -> None:
    first = project.publish(1)
    serving = Serving(config)
    held = serving.hold()
    project.publish(2, OTHER, FEWER, tables=UNKNOWN_ROWS)
    serving.hold().leave()
    project.release = first
    with serving.release() as served:
        held.leave()  # the same file, opened once by DuckDB: closing one must not close the other
        assert served.cursor().execute("select count(*) from fact_orders").fetchone() == (400,)
        with pytest.raises(duckdb.InvalidInputException, match="locked"):
            served.cursor().execute("set threads = 3")
    serving.close()


async def test_a_missing_file_is_made_again(config: ServerConfig, project: Published) -> None:
    release = project.publish(1)
    path = find(project.state, release.run)
    assert path is not None
    path.unlink()
    with pytest.raises(LakeUnavailable, match="r0001 is missing"):
        Serving(config).hold()
    made: list[str] = []

    def rebuild(which: Release) -> None:
        made.append(which.id)
        spec = stored_spec(project.state, which.run)
        assert spec is not None
        build(project.state, spec, shop.marts())

    serving = Serving(replace(config, rebuild=rebuild))
    threads = [threading.Thread(target=lambda: serving.hold().leave()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["r0001"]  # once, for all who asked
    serving.close()


async def test_a_damaged_file_is_told(config: ServerConfig, project: Published) -> None:
    release = project.publish(1)
    path = find(project.state, release.run)
    assert path is not None
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(LakeUnavailable, match="cannot be opened"):
        Serving(config).hold()


# statements

ENDLESS = {
    "sql": "select count(*) from range(1000000000000) a, range(1000000) b where a.range % 7 = b.range % 11"
}


def client_of(config: ServerConfig) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=build_app(config))
    return httpx.AsyncClient(
        transport=transport, base_url=f"http://127.0.0.1:{PORT}", headers={"Authorization": f"Bearer {TOKEN}"}
    )


@pytest.mark.parametrize(
    "sql",
    [
        ENDLESS["sql"],
        "select sleep_ms(600000)",
        "select count(distinct md5(range::varchar)) from range(1000000000000)",
    ],
)
async def test_a_statement_ends_after_its_time(config: ServerConfig, project: Published, sql: str) -> None:
    project.publish()
    quick = replace(config, limits=replace(config.limits, seconds=0.3))
    async with client_of(quick) as page:
        answer = await page.post("/api/sql", json={"sql": sql})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] in (
            "stopped after 0.3 s",
            "the query needs more than 200MB of memory",
        )
        assert await counted(page) == 400


async def test_so_many_statements_at_once_and_no_more(config: ServerConfig, project: Published) -> None:
    project.publish()
    quick = replace(config, limits=replace(config.limits, seconds=1.0, statements=2))
    async with client_of(quick) as page:
        answers = await asyncio.gather(*(page.post("/api/sql", json=ENDLESS) for _ in range(5)))
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [400, 400, 429, 429, 429]
        assert await counted(page) == 400  # the places are free again
        with_error = await page.post("/api/sql", json={"sql": "from nothing"})
        assert with_error.status_code == 400
        assert await counted(page) == 400


async def test_a_statement_ends_when_its_reader_goes_away(config: ServerConfig, project: Published) -> None:
    project.publish()
    patient = replace(config, limits=replace(config.limits, seconds=600.0, statements=1))
    app = build_app(patient)
    body = b'{"sql": "select sleep_ms(600000)"}'
    gone = asyncio.Event()
    messages: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        return None

    headers = {
        "host": f"127.0.0.1:{PORT}", "authorization": f"Bearer {TOKEN}", "content-type": "application/json",
    }  # fmt: skip
    scope = {
        "type": "http", "method": "POST", "path": "/api/sql", "query_string": b"", "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asking = asyncio.ensure_future(app(scope, receive, send))
    await asyncio.sleep(0)
    gone.set()
    await asyncio.wait_for(asking, 60)


# cubes that are too large for the browser


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstem.serve.cubetable.BROWSER_CELLS", 10)


@pytest.mark.usefixtures("large")
async def test_a_large_cube_is_answered_by_the_server(connect: Connect, project: Published) -> None:
    project.publish(1, OTHER)
    page = connect()
    assert (await page.get("/api/dashboards/sales")).json()["cube"] == {"where": "server", "cells": 400}
    assert (await page.get("/api/dashboards/sales/cube")).status_code == 400
    path = "/api/dashboards/sales/query"
    answer = await page.post(path, json={"measures": ["revenue", "price"], "group": ["country"]})
    assert [column["name"] for column in answer.json()["columns"]] == [
        "country",
        "revenue",
        "price__sum",
        "price__count",
    ]
    con = shop.marts()()
    truth = con.execute(
        "select country, sum(amount)::varchar, sum(price_each)::varchar, count(price_each)::varchar "
        "from mart.fact_orders join mart.dim_customers using (customer_key) group by 1 order by 1"
    ).fetchall()
    assert answer.json()["rows"] == [list(row) for row in truth]
    filtered = await page.post(
        path,
        json={
            "measures": ["revenue"],
            "group": ["date.month", "status"],
            "filters": {"country": ["USA", None], "date": ["2003-03-01", "2003-04-30"], "status": [None]},
        },
    )
    truth = con.execute(
        """select left(ordered_date_key, 7) || '-01', status, sum(amount)::varchar
        from mart.fact_orders join mart.dim_customers using (customer_key)
        where (country = 'USA' or country is null) and status is null
            and ordered_date_key between '2003-03-01' and '2003-04-30' group by 1, 2 order by 1, 2"""
    ).fetchall()
    assert len(truth) == 2
    assert filtered.json()["rows"] == [list(row) for row in truth]
    nothing = await page.post(path, json={"measures": ["orders"], "filters": {"country": []}})
    assert nothing.json()["rows"] == [[None]]
    open_end = await page.post(path, json={"measures": ["orders"], "filters": {"date": ["2004-01-01", None]}})
    assert open_end.json()["rows"] == [["35"]]


def test_a_value_is_bound_never_written_into_the_sql() -> None:
    plan = compile_cube(shop.dashboard(), shop.headers())
    evil = "x' or 1=1; drop table mart.fact_orders; --"
    query = CubeQuery(measures=["revenue"], filters={"country": [evil], "date": ["2003-01-01", None]})
    sql, values = compile_query(plan, query)
    assert evil not in sql
    assert values[0] == evil
