"""Debian's Chromium, headless."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The browser's path: `MAINSTEM_CHROMIUM`, or the first of its names in PATH."""
    found = os.environ.get("MAINSTEM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "Chromium is not installed; its tests need it (Debian: chromium)"
    return found


def open_chromium(playwright: Playwright) -> Browser:
    """The caller closes it."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    return playwright.chromium.launch(executable_path=chromium(), args=sandbox)
