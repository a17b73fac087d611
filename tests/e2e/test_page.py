"""The page of a real project, from a real server, in a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from e2e.conftest import Workplace
from web.browser import open_chromium


@contextmanager
def serving(place: Workplace) -> Iterator[str]:
    """`mainstem serve` as a process; the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mainstem", "serve", "--no-open"],
        cwd=place.root,
        env={**os.environ, **place.env},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.search(r"http://\S+", line)
            if found:
                yield found[0]
                break
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture(scope="module")
def address(classicmodels: Workplace) -> Iterator[str]:
    with serving(classicmodels) as found:
        yield found


@pytest.fixture
def asked() -> list[str]:
    """The addresses that the page has asked for."""
    return []


@pytest.fixture
def page(address: str, asked: list[str]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(address)
        expect(opened.get_by_role("heading", name="Order lines", level=1)).to_be_visible(timeout=20_000)
        yield opened
        browser.close()


def test_the_figures_and_the_proof(page: Page) -> None:
    expect(page.get_by_text("2,996 rows and 9,604,190.61 equal the source")).to_be_visible()
    expect(page.locator("[title*='9,604,190.61'], [aria-label*='9,604,190.61']").first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"USA.*3,273,280\.05"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"New Zealand.*476,847\.01"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"Norway.*270,846\.30"))).to_have_count(1)


def test_a_click_filters(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"^USA")).click()
    expect(
        page.locator("[title*='3,273,280.05'], [aria-label*='Amount'][aria-label*='3,273,280.05']").first
    ).to_be_visible()
    assert "USA" in page.url
    page.reload()
    expect(page.get_by_role("button", name=re.compile(r"^USA")).first).to_have_attribute(
        "aria-pressed", "true"
    )


def test_the_receipt_is_one_click_away(page: Page) -> None:
    page.get_by_text("2,996 rows and 9,604,190.61 equal the source").click()
    expect(page.get_by_text("raw.orderdetails").first).to_be_visible()
    assert "/receipt/" in page.url


def test_nothing_is_asked_outside(page: Page, asked: list[str], address: str) -> None:
    origin = address.split("/#")[0]
    page.get_by_role("link", name="Catalog").click()
    expect(page.get_by_text("fact_order_lines").first).to_be_visible()
    page.get_by_role("link", name="Lineage").click()
    expect(page.get_by_text("raw.orderdetails").first).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []


def test_a_new_release_is_served_at_once(tmp_path: Path) -> None:
    """Publishing while the server runs needs no restart."""
    place = Workplace(tmp_path)
    place.well("demo", "--no-serve", "--dir", "shop")
    place.root = tmp_path / "shop"
    with serving(place) as found, sync_playwright() as playwright:
        browser = open_chromium(playwright)
        page = browser.new_page()
        page.goto(found)
        expect(page.get_by_text("release r0001")).to_be_visible(timeout=20_000)
        place.well("run", "--full-refresh")
        page.reload()
        expect(page.get_by_text("release r0002")).to_be_visible(timeout=20_000)
        place.well("rollback")
        page.reload()
        expect(page.get_by_text("release r0001")).to_be_visible(timeout=20_000)
        browser.close()
