"""The dashboard in a real browser: the figures on it, and what a click, a key and the address do."""

from __future__ import annotations

import datetime as dt
import re

from playwright.sync_api import expect

from web import cubes
from web.conftest import Opener
from web.cubes import Cells, money
from web.reading import bar, bars, expected, kpi, shows
from web.world import Site


def test_the_figures_are_those_of_the_cube(opener: Opener, site: Site) -> None:
    page = opener()
    cells = site.world.cells
    expect(kpi(page)).to_have_text("$9.60M")
    expect(kpi(page)).to_have_attribute("title", "$9,604,190.61")
    expect(kpi(page, "lines")).to_have_text("2,996")
    expect(kpi(page, "price")).to_have_text(f"${cells.revenue / cells.lines / 100:,.2f}")
    assert bars(page, "country") == expected(cells, "country")
    assert bars(page, "line") == expected(cells, "line")
    rest = sum(sorted(cells.by("country").values(), reverse=True)[12:])
    expect(page.locator('[data-bar="country"] .more')).to_have_text(f"and 4 more: ${rest / 100_000:.0f}K")
    assert page.url == site.url + "/"


def test_the_line_under_the_title_says_what_was_proven(opener: Opener) -> None:
    page = opener()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sales overview")
    expect(page.locator(".facts")).to_contain_text("One row per order line · release r0003 · published")
    proof = page.locator(".heading .proof")
    expect(proof).to_contain_text(re.compile(r"^2,996 rows and 9,604,190\.61 equal the source · .*12:03$"))
    expect(proof.locator(".icon-check")).to_have_count(1)
    expect(page.locator(".proofs")).to_contain_text("12 rows have no match in dim_employees")
    proof.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Receipt 20261123T120311-4f2a")


def test_a_proof_that_failed_or_was_not_made_is_said_plainly(opener: Opener, site: Site) -> None:
    doc = site.world.dashboards["sales"]
    doc["proof"] = {"holds": False, "level": "off", "text": "2,995 rows here, 2,996 there"}
    page = opener()
    line = page.locator(".heading .proof")
    expect(line).to_have_text("Proof failed: 2,995 rows here, 2,996 there")
    expect(line.locator(".icon-cross")).to_have_count(1)
    unproven = ({"level": "off"}, {"holds": True, "level": "off", "text": "all well"})
    for proof in (None, *unproven, {"holds": False, "level": "off", "text": "not proven"}):
        doc["proof"] = proof
        page.reload()
        expect(line).to_have_text("Not proven against the source")
    doc["proof"] = {"holds": True, "level": "count", "text": "2,996 rows equal the source"}
    page.reload()
    expect(line).to_have_text("2,996 rows equal the source (loads proven by their row counts alone)")


def test_a_click_filters_the_other_charts_and_a_second_takes_it_back(opener: Opener, site: Site) -> None:
    page = opener()
    all_cells = site.world.cells
    some = all_cells.where(lambda cell: cell.line == "Motorcycles")
    bar(page, "line", "Motorcycles").click()
    shows(page, some)
    assert bars(page, "country") == expected(some, "country")
    assert bars(page, "line") == expected(all_cells, "line")
    expect(bar(page, "line", "Motorcycles")).to_have_attribute("aria-pressed", "true")
    expect(bar(page, "line", "Planes")).to_have_class("bar off")
    expect(page.locator(".chip")).to_have_text("Product line: Motorcycles")
    expect(page.locator('[data-kpi="revenue"] .kpi-note')).to_have_text(
        f"{some.revenue / all_cells.revenue:.1%} of $9.60M"
    )
    expect(page).to_have_url(f"{site.url}/?line=Motorcycles")
    bar(page, "line", "Motorcycles").click()
    shows(page, all_cells)
    expect(page.locator(".chip")).to_have_count(0)
    expect(page).to_have_url(f"{site.url}/")


def test_control_click_adds_and_two_dimensions_meet(opener: Opener, site: Site) -> None:
    page = opener()
    bar(page, "country", "USA").click()
    bar(page, "country", "Korea, South").or_(bar(page, "country", "Spain")).first.click(modifiers=["Control"])
    bar(page, "line", "Ships").click(modifiers=["Shift"])
    shows(
        page, site.world.cells.where(lambda cell: cell.country in ("USA", "Spain") and cell.line == "Ships")
    )
    expect(page).to_have_url(f"{site.url}/?country=USA,Spain&line=Ships")
    page.get_by_role("button", name="Remove the filter Country: USA").click()
    shows(page, site.world.cells.where(lambda cell: cell.country == "Spain" and cell.line == "Ships"))
    page.get_by_role("button", name="Clear all").click()
    shows(page, site.world.cells)


def test_the_keyboard_reaches_and_presses_bars(opener: Opener, site: Site) -> None:
    page = opener()
    first = page.locator('[data-bar="line"] g.bar[tabindex="0"]')
    expect(first).to_have_count(1)
    first.focus()
    page.keyboard.press("ArrowDown")
    expect(bar(page, "line", "Vintage Cars")).to_be_focused()
    page.keyboard.press("Enter")
    shows(page, site.world.cells.where(lambda cell: cell.line == "Vintage Cars"))
    expect(bar(page, "line", "Vintage Cars")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Control+Space")
    shows(page, site.world.cells.where(lambda cell: cell.line in ("Vintage Cars", "Trains")))
    page.keyboard.press("Home")
    expect(bar(page, "line", "Classic Cars")).to_be_focused()
    width = (
        bar(page, "line", "Classic Cars").locator(".hit").evaluate("hit => getComputedStyle(hit).strokeWidth")
    )
    assert width == "2px"


def test_the_address_is_the_state_and_back_goes_back(opener: Opener, site: Site) -> None:
    cells = site.world.cells
    page = opener("/d/sales?country=Korea%2C+South,~null&status=~~odd,Shipped&date=2003-03..2004")
    first, last = dt.date(2003, 3, 1), dt.date(2004, 12, 31)
    some = cells.where(
        lambda cell: (
            cell.country in ("Korea, South", None)
            and cell.status in ("~odd", "Shipped")
            and cell.date is not None
            and first <= cell.date <= last
        )
    )
    assert some.lines > 5
    shows(page, some)
    expect(page.locator(".chip-text")).to_have_text(
        ["Korea, South", "Unknown", "~odd", "Shipped", "Mar 2003 – Dec 2004"]
    )
    page.get_by_role("button", name="Clear all").click()
    expect(page).to_have_url(f"{site.url}/d/sales")
    bar(page, "country", "USA").click()
    expect(page).to_have_url(f"{site.url}/d/sales?country=USA")
    page.go_back()
    shows(page, cells)
    page.go_back()
    shows(page, some)
    page.go_forward()
    page.go_forward()
    shows(page, cells.where(lambda cell: cell.country == "USA"))
    page.reload()
    shows(page, cells.where(lambda cell: cell.country == "USA"))


def test_what_does_not_change_is_not_touched(opener: Opener) -> None:
    page = opener("/?line=Planes")
    expect(bar(page, "line", "Planes")).to_have_attribute("aria-pressed", "true")
    page.evaluate(
        """() => {
          window.touched = [];
          const tile = (node) => node.closest?.("section")?.dataset;
          new MutationObserver(list => list.forEach(m => window.touched.push(
            tile(m.target)?.bar ?? tile(m.target)?.kpi ?? "elsewhere")))
            .observe(document.querySelector(".board"), { subtree: true, childList: true, attributes: true });
        }"""
    )
    page.evaluate("() => dispatchEvent(new PopStateEvent('popstate'))")
    assert page.evaluate("window.touched") == []
    bar(page, "line", "Planes").click()
    expect(page.locator(".chip")).to_have_count(0)
    assert "country" in page.evaluate("window.touched")
    bars_drawn = page.evaluate(
        "() => [...document.querySelectorAll('[data-bar=line] rect.mark')].map(r => r.getAttribute('width'))"
    )
    assert len(bars_drawn) == 7


def test_menus_choose_what_has_no_chart(opener: Opener, site: Site) -> None:
    page = opener()
    page.locator('[data-menu="status"]').click()
    page.get_by_role("checkbox", name="Cancelled").check()
    page.get_by_role("checkbox", name="On Hold").check()
    shows(page, site.world.cells.where(lambda cell: cell.status in ("Cancelled", "On Hold")))
    page.keyboard.press("Escape")
    expect(page.get_by_role("checkbox", name="Cancelled")).to_have_count(0)
    page.get_by_role("button", name="Clear all").click()
    page.locator('[data-menu="country"]').click()
    page.get_by_role("searchbox").fill("kor")
    expect(page.locator(".option:visible")).to_have_text(["Korea, South"])
    page.get_by_role("checkbox", name="Korea, South").check()
    shows(page, site.world.cells.where(lambda cell: cell.country == "Korea, South"))


def test_a_range_of_dates_is_typed_or_taken_from_presets(opener: Opener, site: Site) -> None:
    page = opener()
    page.locator('[data-menu="date"]').click()
    page.get_by_label("Order date, from").fill("2003-02-03")
    page.get_by_label("Order date, to").fill("2003-03-04")
    first, last = dt.date(2003, 2, 3), dt.date(2003, 3, 4)
    shows(page, site.world.cells.where(lambda cell: cell.date is not None and first <= cell.date <= last))
    expect(page.locator(".chip-text")).to_have_text("3 Feb 2003 – 4 Mar 2003")
    page.get_by_role("button", name="2004", exact=True).click()
    shows(page, site.world.cells.where(lambda cell: cell.date is not None and cell.date.year == 2004))
    expect(page).to_have_url(f"{site.url}/?date=2004-01-01..2004-12-31")


def test_filters_that_leave_nothing_say_so(opener: Opener, site: Site) -> None:
    page = opener("/?country=Atlantis")
    expect(page.get_by_text("Nothing matches these filters").first).to_be_visible()
    expect(kpi(page)).to_have_text("–")
    page.get_by_role("button", name="Clear all filters").click()
    shows(page, site.world.cells)
    expect(page.locator(".nothing")).to_be_hidden()


def test_a_table_without_rows_is_a_page_too(opener: Opener, site: Site) -> None:
    site.world.cells = Cells([])
    page = opener()
    expect(page.get_by_role("heading", name="No rows yet")).to_be_visible()
    expect(kpi(page)).to_have_text("–")
    expect(page.locator("g.bar")).to_have_count(0)
    site.world.cells = cubes.shop().where(lambda cell: cell.date is None)
    site.world.cubes.clear()
    page.reload()
    shows(page, site.world.cells)


def test_locked_filters_hold_and_single_ones_replace(opener: Opener, site: Site) -> None:
    site.world.dashboards["sales"]["filters"] = {
        "status": {"default": ["Shipped"], "locked": True},
        "country": {"default": ["USA"], "multi": False},
    }
    shipped = site.world.cells.where(lambda cell: cell.status == "Shipped")
    page = opener("/?status=Cancelled")
    shows(page, shipped.where(lambda cell: cell.country == "USA"))
    expect(page.locator(".chip.locked")).to_have_text("Status: Shipped")
    expect(page.locator('[data-menu="status"]')).to_have_count(0)
    bar(page, "country", "Spain").click(modifiers=["Control"])
    shows(page, shipped.where(lambda cell: cell.country == "Spain"))
    page.get_by_role("button", name="Clear all").click()
    shows(page, shipped)
    expect(page).to_have_url(f"{site.url}/?country=~all")


def test_each_chart_is_also_a_table(opener: Opener, site: Site) -> None:
    page = opener()
    page.get_by_role("button", name="Revenue by country: show as a table").click()
    rows = page.locator('[data-bar="country"] tbody tr').all_inner_texts()
    figures = dict(row.split("\t")[:2] for row in rows)
    top = expected(site.world.cells, "country")
    assert {name: figures[name] for name in top} == top
    bar(page, "line", "Planes").click()
    planes = site.world.cells.where(lambda cell: cell.line == "Planes")
    expect(page.locator('[data-bar="country"] tbody tr').first).to_contain_text(
        money(planes.by("country")["USA"])
    )
    page.get_by_role("button", name="Monthly revenue by product line: show as a table").click()
    expect(page.locator("[data-area] tbody tr")).to_have_count(29)


def test_names_from_the_data_are_text_and_never_markup(opener: Opener, site: Site) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    renamed = [
        cell._replace(line=nasty) if cell.line == "Trains" else cell for cell in site.world.cells.cells
    ]
    site.world.cells = Cells(renamed)
    cubes.LINES.append(nasty)
    try:
        page = opener()
        expect(page.locator('[data-bar="line"] g.bar').last).to_have_attribute("data-key", nasty)
        assert page.locator("img").count() == 0
    finally:
        cubes.LINES.remove(nasty)
