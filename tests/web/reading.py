"""How the tests read a page and move on it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from web.cubes import Cells, money

MONTHS = 29


def bar(page: Page, by: str, key: str) -> Locator:
    return page.locator(f'[data-bar="{by}"] g.bar[data-key="{key}"]')


def kpi(page: Page, name: str = "revenue") -> Locator:
    return page.locator(f'[data-kpi="{name}"] .kpi-value')


def shows(page: Page, cells: Cells) -> None:
    """The page's figures are those of `cells`, to the last digit."""
    expect(kpi(page)).to_have_attribute("title", money(cells.revenue))
    expect(kpi(page)).to_have_attribute("aria-label", f"Revenue: {money(cells.revenue)}")
    expect(kpi(page, "lines")).to_have_text(f"{cells.lines:,}")


def bars(page: Page, by: str) -> dict[str, str]:
    """What each bar says: its label → its exact figure."""
    said = page.locator(f'[data-bar="{by}"] g.bar').evaluate_all("bars => bars.map(b => b.ariaLabel)")
    found = [re.fullmatch(r"(.*): (.*?)(, −?[\d.]+%)?", each) for each in said]
    return {match[1]: match[2] for match in found if match}


def expected(cells: Cells, by: str, top: int = 12) -> dict[str, str]:
    sums = sorted(cells.by(by).items(), key=lambda item: -item[1])[:top]
    return {key if key is not None else "Unknown": money(cents) for key, cents in sums}


def at(page: Page, month: int) -> tuple[float, float]:
    """The middle of a month of the chart, 0 = January 2003, in the window's pixels."""
    page.locator(".brush-back").scroll_into_view_if_needed()
    box = page.locator(".brush-back").bounding_box()
    assert box is not None
    return box["x"] + (month + 0.5) * box["width"] / MONTHS, box["y"] + box["height"] / 2


def drag(page: Page, first: int, last: int) -> None:
    page.mouse.move(*at(page, first))
    page.mouse.down()
    page.mouse.move(*at(page, last), steps=6)
    page.mouse.up()


def months(cells: Cells, first: int, last: int) -> Cells:
    """The cells of the months `first` to `last`, 0 = January 2003."""
    return cells.where(
        lambda c: c.date is not None and first <= (c.date.year - 2003) * 12 + c.date.month - 1 <= last
    )
