"""The other pages, the errors, the look's fixed points, the server's own cube, and the exported file."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from web.conftest import Opener, Watch
from web.reading import bar, bars, drag, expected, kpi, months, shows
from web.world import STATIC, TOKEN, Site

PAGES = (
    "/",
    "/?line=Planes",
    "/sql",
    "/catalog",
    "/lineage?table=mart.fact_order_lines",
    "/receipt/20261123T120311-4f2a",
)


@pytest.mark.parametrize("width", [390, 1280, 1600])
def test_no_page_scrolls_sideways(opener: Opener, site: Site, width: int) -> None:
    page = opener(width=width, height=800)
    for path in PAGES:
        page.goto(site.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_token_leaves_the_address_and_goes_with_every_request(opener: Opener, watch: Watch) -> None:
    page = opener("/?line=Planes")
    expect(bar(page, "line", "Planes")).to_be_visible()
    assert TOKEN not in page.url
    assert page.url.endswith("/?line=Planes")
    assert not [url for url in watch.requests if TOKEN in url.split("#")[0]]


def test_without_the_token_the_page_says_where_the_link_is(opener: Opener, site: Site) -> None:
    page = opener(url=site.url)
    expect(page.get_by_role("alert")).to_contain_text("Open the link that “mainstem serve” shows")


def test_a_tab_opened_from_the_page_needs_no_new_link(opener: Opener, site: Site) -> None:
    page = opener()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Catalog").click(modifiers=["Control"])
    expect(opened.value.locator("article h2").first).to_have_text("mart.fact_order_lines")


def test_failures_are_said_and_can_be_tried_again(opener: Opener, site: Site) -> None:
    site.world.broken["/api/dashboards/sales/cube"] = 500
    page = opener()
    expect(page.get_by_role("alert")).to_contain_text("The server failed to answer")
    site.world.broken.clear()
    page.get_by_role("button", name="Try again").click()
    shows(page, site.world.cells)
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("link", name="Catalog").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    page.unroute_all()
    site.world.cubes["sales"] = b"not a cube"
    page.goto(site.url + "/d/sales")
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(site.url + "/no/such/page")
    expect(page.get_by_role("alert")).to_contain_text("There is nothing at this address")
    page.goto(site.url + "/d/unknown")
    expect(page.get_by_role("alert")).to_contain_text("There is nothing at this address")


def test_several_dashboards_are_tabs(opener: Opener, site: Site) -> None:
    second = {**site.world.dashboards["sales"], "name": "second one", "title": "Second"}
    site.world.dashboards["second one"] = second
    page = opener()
    expect(page.locator(".tab")).to_have_text(["Sales overview", "Second"])
    page.get_by_role("link", name="Second").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Second")
    expect(page).to_have_url(f"{site.url}/d/second%20one")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sales overview")


def test_a_newer_release_is_offered(opener: Opener, site: Site) -> None:
    page = opener()
    shows(page, site.world.cells)
    site.world.release = "r0004"
    site.world.dashboards["sales"]["release"]["id"] = "r0004"
    page.evaluate(
        "() => { const now = Date.now(); Date.now = () => now + 60000; dispatchEvent(new Event('focus')); }"
    )
    page.get_by_role("button", name="Show release r0004").click()
    expect(page.locator(".facts")).to_contain_text("release r0004")


def test_the_console_shows_rows_as_they_are(opener: Opener) -> None:
    page = opener("/sql")
    page.get_by_role("button", name="Run").click()
    editor = page.get_by_role("textbox", name="SQL")
    editor.fill("select country, amount from mart.fact_order_lines")
    editor.press("Control+Enter")
    cells = page.locator(".flush tbody td")
    expect(cells).to_have_text(["USA", "12345678901234567890.12", "NULL", "-1.50", "=1+1", "0.00"])
    expect(page.locator("[data-result]")).to_have_text("3 rows · 0.012 s")
    expect(page.get_by_text("There are more rows")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    saved = Path(download.value.path()).read_bytes().decode()
    assert saved == "country,amount\r\nUSA,12345678901234567890.12\r\n,-1.50\r\n'=1+1,0.00"
    editor.fill("delete from mart.fact_order_lines")
    editor.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("this console only reads")
    expect(page.get_by_role("alert")).to_contain_text("Only one SELECT at a time.")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_catalog_says_in_one_line_what_may_be_null(opener: Opener, width: int) -> None:
    said = opener("/catalog", width=width).get_by_text("may be NULL", exact=True)
    lines = """said => {
        const range = document.createRange();
        range.selectNodeContents(said.firstChild ?? said);
        return range.getClientRects().length;
    }"""
    assert said.evaluate(lines) == 1


def test_the_catalog_finds_tables_by_column(opener: Opener, site: Site) -> None:
    page = opener("/catalog")
    expect(page.locator("article h2").first).to_have_text("mart.fact_order_lines")
    expect(page.locator("article")).to_contain_text("one row per order line")
    page.get_by_role("searchbox").fill("priceEach")
    expect(page.locator(".side-link:visible")).to_have_count(1)
    page.locator(".side-link:visible").click()
    expect(page).to_have_url(f"{site.url}/catalog?table=raw.orderdetails")
    expect(page.locator("article dl")).to_contain_text("unknown")
    page.go_back()
    expect(page.locator("article h2").first).to_have_text("mart.fact_order_lines")
    page.get_by_role("link", name="dim_customers.customer_key").click()
    expect(page.locator("article h2").first).to_have_text("mart.dim_customers")


def test_the_lineage_shows_a_tables_columns(opener: Opener) -> None:
    page = opener("/lineage")
    page.locator('[data-node="mart.fact_order_lines"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator(".lineage-details")).to_contain_text(
        "raw.orderdetails.quantityOrdered, raw.orderdetails.priceEach"
    )
    expect(page.locator('[data-node="raw.customers"]')).not_to_have_class(re.compile("faint"))
    page.locator('[data-node="mart.dim_customers"]').click()
    expect(page.locator('[data-node="raw.orders"]')).to_have_class(re.compile("faint"))
    expect(page.locator(".node")).to_have_count(6)


def test_the_receipt_says_what_held_and_what_did_not(opener: Opener) -> None:
    page = opener("/receipt/20261123T120311-4f2a")
    expect(page.locator(".heading .proof")).to_have_text("Differs: 1 of 4 proofs")
    rows = page.locator(".receipt tbody tr")
    expect(rows.nth(0)).to_contain_text("326 rows, every cell equal the source")
    expect(rows.nth(2)).to_contain_text("not proven")
    expect(page.locator(".model")).to_contain_text("Differs: 9,604,190.61 there, 9,604,190.60 here")
    expect(page.locator(".model")).to_contain_text("12 rows have no match in dim_employees")


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_light_and_dark_follow_the_system_until_chosen(opener: Opener) -> None:
    assert background(opener(color_scheme="light")) == "rgb(246, 248, 252)"
    page = opener(color_scheme="dark")
    dark = background(page)
    assert dark == "rgb(13, 18, 32)"
    page.get_by_role("button", name="Colours").click()
    expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
    assert background(page) == "rgb(246, 248, 252)"
    page.reload()
    expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
    assert background(page) == "rgb(246, 248, 252)"


def test_no_motion_for_those_who_ask(opener: Opener) -> None:
    page = opener(reduced_motion="reduce")
    expect(kpi(page)).to_be_visible()
    assert page.locator(".menu").first.evaluate("menu => getComputedStyle(menu).transitionProperty") == "none"


def test_the_servers_cube_gives_the_same_page(opener: Opener, site: Site) -> None:
    site.world.dashboards["sales"]["cube"] = {"where": "server", "cells": 900_000}
    page = opener()
    cells = site.world.cells
    shows(page, cells)
    assert bars(page, "country") == expected(cells, "country")
    site.world.gate.clear()
    bar(page, "line", "Motorcycles").click()
    expect(page.locator('[data-kpi="revenue"][aria-busy]')).to_have_count(1)
    computing = page.locator('[data-kpi="revenue"]').evaluate(
        "tile => getComputedStyle(tile, '::after').content"
    )
    assert computing == '"computing"'
    site.world.gate.set()
    some = cells.where(lambda cell: cell.line == "Motorcycles")
    shows(page, some)
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert bars(page, "country") == expected(some, "country")
    drag(page, 3, 8)
    shows(page, months(some, 3, 8))
    asked = len(site.world.queries)
    page.go_back()
    shows(page, some)
    assert len(site.world.queries) == asked
    site.world.broken["/api/dashboards/sales/query"] = 503
    bar(page, "line", "Planes").click()
    expect(page.get_by_role("alert")).to_contain_text("The server failed to answer")
    site.world.broken.clear()
    page.get_by_role("button", name="Try again").click()
    shows(page, cells.where(lambda cell: cell.line == "Planes"))


def exported(site: Site, folder: Path) -> Path:
    """The file as the server's export makes it: each place of the template filled, in one pass."""
    doc = site.world.dashboards["sales"]
    data = json.dumps({"dashboard": doc, "cube": base64.b64encode(site.world.cube("sales")).decode()})
    values = {
        "title": "Sales overview",
        "css": (STATIC / "app.css").read_text(),
        "js": (STATIC / "app.js").read_text(),
        "data": data.replace("<", "\\u003c"),
    }
    template = (STATIC / "export.html.tmpl").read_text()
    file = folder / "sales.html"
    file.write_text(re.sub(r"\{\{(title|css|js|data)\}\}", lambda match: values[match[1]], template))
    return file


def test_the_exported_file_needs_no_server(opener: Opener, site: Site, watch: Watch, tmp_path: Path) -> None:
    file = exported(site, tmp_path).as_uri()
    page = opener(url=file + "#country=USA")
    usa = site.world.cells.where(lambda cell: cell.country == "USA")
    shows(page, usa)
    bar(page, "line", "Ships").click()
    shows(page, usa.where(lambda cell: cell.line == "Ships"))
    expect(page).to_have_url(file + "#country=USA&line=Ships")
    page.go_back()
    shows(page, usa)
    expect(page.locator("#nav")).to_be_hidden()
    expect(page.locator(".heading a")).to_have_count(0)
    assert [url for url in watch.requests if not url.startswith("file:")] == []
