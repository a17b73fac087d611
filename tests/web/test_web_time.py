"""The chart over time: its brush by pointer and keyboard, its steps, and its legend."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from web.conftest import Opener
from web.reading import at, drag, months, shows
from web.world import Site


def handle(page: Page, end: str) -> Locator:
    return page.locator(f'[data-handle="{end}"]')


def test_a_drag_selects_months_and_enters_the_history_once(opener: Opener, site: Site) -> None:
    page = opener()
    shows(page, site.world.cells)
    series = page.locator("[data-series]").evaluate_all("all => all.map(path => path.getAttribute('d'))")
    drag(page, 3, 8)
    shows(page, months(site.world.cells, 3, 8))
    expect(page).to_have_url(f"{site.url}/?date=2003-04-01..2003-09-30")
    drag(page, 5, 7)
    shows(page, months(site.world.cells, 5, 10))
    assert series == page.locator("[data-series]").evaluate_all(
        "all => all.map(path => path.getAttribute('d'))"
    )
    page.go_back()
    shows(page, months(site.world.cells, 3, 8))
    page.go_back()
    shows(page, site.world.cells)


def test_handles_change_one_end_and_a_click_outside_clears(opener: Opener, site: Site) -> None:
    page = opener("/?date=2003-04-01..2003-09-30")
    shows(page, months(site.world.cells, 3, 8))
    box = handle(page, "to").locator(".brush-grip").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(*at(page, 12), steps=4)
    page.mouse.up()
    shows(page, months(site.world.cells, 3, 12))
    page.mouse.click(*at(page, 20))
    shows(page, site.world.cells)
    page.mouse.click(*at(page, 20))
    shows(page, months(site.world.cells, 20, 20))


def test_handles_are_sliders_for_the_keyboard(opener: Opener, site: Site) -> None:
    page = opener()
    handle(page, "from").focus()
    expect(handle(page, "from")).to_have_attribute("aria-valuetext", "1 Jan 2003")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(handle(page, "from")).to_have_attribute("aria-valuetext", "1 May 2003")
    shows(page, months(site.world.cells, 4, 28))
    handle(page, "to").focus()
    page.keyboard.press("ArrowLeft")
    expect(handle(page, "to")).to_have_attribute("aria-valuetext", "30 Apr 2005")
    shows(page, months(site.world.cells, 4, 27))
    page.keyboard.press("Escape")
    shows(page, site.world.cells)


def test_steps_of_quarters_and_years(opener: Opener, site: Site) -> None:
    page = opener()
    page.get_by_role("button", name="Quarter").click()
    expect(page).to_have_url(f"{site.url}/?~date=quarter")
    expect(page.locator(".axis text")).to_contain_text(["2003", "Q2"])
    page.get_by_role("button", name="Year", exact=True).click()
    expect(page.locator(".segment")).to_have_text(["Month", "Quarter", "Year"])
    page.get_by_role("button", name="Monthly revenue by product line: show as a table").click()
    rows = page.locator("[data-area] tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["2003", "2004", "2005"]
    for year, row in zip((2003, 2004, 2005), rows, strict=True):
        cents = site.world.cells.where(lambda c, y=year: c.date is not None and c.date.year == y).revenue  # type: ignore[misc]
        assert row.split("\t")[-1] == f"${cents / 100:,.2f}"


def test_the_legend_filters_like_the_bars(opener: Opener, site: Site) -> None:
    page = opener()
    page.locator('.legend-entry[data-key="Ships"]').click()
    shows(page, site.world.cells.where(lambda cell: cell.line == "Ships"))
    expect(page.locator('.legend-entry[data-key="Ships"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-series]")).to_have_count(1)


def test_a_pointer_over_the_chart_reads_it(opener: Opener, site: Site) -> None:
    page = opener()
    page.mouse.move(*at(page, 10))
    cells = months(site.world.cells, 10, 10)
    expect(page.locator(".tip-title")).to_have_text("Nov 2003")
    expect(page.locator(".tip-row").last).to_have_text(f"Total${cells.revenue / 100:,.2f}")
