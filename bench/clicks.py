"""How long a click takes on a cube of 261,000 cells: from the event to the painted frame.

    python bench/clicks.py [clicks]

Five years of days × 21 countries × 7 product lines; a figure, two bar charts and a stacked area on the
page. Chromium draws without a graphics card here; a frame lasts 16.7 ms, so that a click waits 8 ms for
it on average. The figures mean something on a quiet machine only: the load is printed with them.
"""

from __future__ import annotations

import gzip
import os
import random
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from web import cubes
from web.browser import open_chromium
from web.world import Site

DAYS, COUNTRIES, LINES = 1774, 21, 7
MEASURE = """async (count) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now());
    channel.port2.postMessage(0);
  }));
  const times = [], work = [];
  for (let i = 0; i < count; i++) {
    await frame();
    await new Promise((done) => setTimeout(done, 20 + (i * 7) % 30));
    const charts = document.querySelectorAll("[data-bar]");
    const bars = charts[i % charts.length].querySelectorAll("g.bar");
    const bar = bars[(i * 5) % bars.length];
    const start = performance.now();
    bar.dispatchEvent(new MouseEvent("click", { bubbles: true, ctrlKey: i % 3 === 0 }));
    work.push(performance.now() - start);
    times.push((await frame()) - start);
  }
  return { times, work };
}"""


def big() -> bytes:
    """The bytes of a dense cube: day × country × line."""
    random.seed(3)
    count = DAYS * COUNTRIES * LINES
    arrays = cubes.Arrays()
    codes = [
        (day, country, line) for day in range(DAYS) for country in range(COUNTRIES) for line in range(LINES)
    ]
    amounts = [random.randrange(100_000, 9_000_000) for _ in range(count)]

    def category(name: str, size: int, place: int) -> dict[str, Any]:
        values = [f"{name} {i + 1}" for i in range(size)]
        array = arrays.add("u8", [code[place] for code in codes])
        return {"name": name, "kind": "category", "values": values, "array": array}

    dates = arrays.add("i32", [17_000 + code[0] for code in codes])
    header = {
        "release": "r0001",
        "cells": count,
        "dimensions": [
            category("country", COUNTRIES, 1),
            category("line", LINES, 2),
            {"name": "date", "kind": "date", "grain": "day", "array": dates},
        ],
        "measures": [
            {"name": "revenue", "scale": 2, "exact": True, "array": arrays.add("f64", amounts)},
            {"name": "lines", "scale": 0, "exact": True, "array": arrays.add("f64", [1.0] * count)},
        ],
    }
    return gzip.compress(cubes.container(header, bytes(arrays.data)), mtime=0, compresslevel=6)


def document() -> dict[str, Any]:
    doc = cubes.dashboard(cube={"where": "browser", "cells": DAYS * COUNTRIES * LINES})
    doc["measures"] = [measure for measure in doc["measures"] if measure["name"] != "price"]
    doc["dimensions"] = [dimension for dimension in doc["dimensions"] if dimension["name"] != "status"]
    doc["layout"][0] = [{"kpi": "revenue"}]
    return doc


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def show(name: str, values: list[float]) -> None:
    p50, p95 = quantile(values, 0.5), quantile(values, 0.95)
    print(f"{name:<28} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   max {max(values):6.1f} ms")


def measured(page: Page, clicks: int) -> None:
    page.wait_for_selector("[data-bar] g.bar")
    page.evaluate(MEASURE, 20)
    result = page.evaluate(MEASURE, clicks)
    show("click to painted frame", result["times"])
    show("of which this page's script", result["work"])
    timing = page.evaluate("""() => ({
      paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN })""")
    print(f"{'first contentful paint':<28}     {timing['paint']:6.1f} ms")


def main() -> None:
    clicks = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with Site() as site, sync_playwright() as playwright, open_chromium(playwright) as browser:
        site.world.cubes["sales"] = big()
        site.world.dashboards["sales"] = document()
        size = len(site.world.cubes["sales"]) / 1e6
        load = os.getloadavg()[0]
        print(f"{DAYS * COUNTRIES * LINES:,} cells, {size:.2f} MB gzip, {clicks} clicks, load {load:.1f}")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(site.link())
        measured(page, clicks)


if __name__ == "__main__":
    main()
