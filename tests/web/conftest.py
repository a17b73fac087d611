"""A browser for each module; a site and a page for each test. Every test also fails on an error in the
page, a refused policy, or a request to anywhere but the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from web.browser import open_chromium
from web.world import Site

Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not longer than a module: while it lives its event loop counts as running, and the tests of other
    # modules that bring their own could not.
    with sync_playwright() as playwright, open_chromium(playwright) as opened:
        yield opened


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


class Watch:
    """What a page must not do."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []

    def request(self, request: Request) -> None:
        self.requests.append(request.url)

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def opener(browser: Browser, site: Site, watch: Watch) -> Iterator[Opener]:
    contexts: list[BrowserContext] = []

    def make(
        path: str = "/", *, url: str = "", width: int = 1280, height: int = 1000, **options: Any
    ) -> Page:
        settings = {"timezone_id": "UTC", "locale": "en-GB", **options}
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", watch.console)
        page.on("pageerror", lambda error: watch.errors.append(str(error)))
        page.on("request", watch.request)
        page.goto(url or site.link(path))
        return page

    yield make
    for context in contexts:
        context.close()
    assert watch.errors == []
    outside = [url for url in watch.requests if not url.startswith((site.url, "file:", "blob:"))]
    assert outside == []
