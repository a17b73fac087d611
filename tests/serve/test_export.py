"""A dashboard as one file: complete, without a server, without a way out."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from mainstem.errors import LakeUnavailable, UsageError
from mainstem.serve.config import STATIC
from mainstem.serve.export import export

from . import shop
from .conftest import Published

EVIL = "</script><script>document.title='evil'</script><!-- {{js}} \u2028"


def data(page: bytes) -> dict[str, str]:
    found = re.search(
        r'<script type="application/json" id="mainstem-data">(.*?)</script>', page.decode(), re.DOTALL
    )
    assert found
    value: dict[str, str] = json.loads(found[1])
    return value


def test_it_holds_the_document_and_the_cube(project: Published) -> None:
    release = project.publish()
    page = export(project.state, release, "sales")
    header, columns = shop.decode(base64.b64decode(data(page)["cube"]))
    assert (header["release"], sum(columns["revenue"])) == ("r0001", 2560530)
    assert b"<link" not in page
    assert b"/static/" not in page


def test_texts_cannot_end_the_element_they_stand_in(project: Published) -> None:
    release = project.publish(1, "evil", dashboards=[shop.dashboard(title=EVIL)])
    page = export(project.state, release, "sales")
    assert json.loads(json.dumps(data(page)["dashboard"]))["title"] == EVIL
    assert page.count(b"<script") == export(project.state, project.publish(2), "sales").count(b"<script")


def test_what_cannot_be_exported(project: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    release = project.publish()
    with pytest.raises(UsageError, match="no dashboard 'sale'") as raised:
        export(project.state, release, "sale")
    assert raised.value.hint == "did you mean sales?"
    monkeypatch.setattr("mainstem.serve.cubetable.BROWSER_CELLS", 10)
    large = project.publish(1, "large")
    with pytest.raises(UsageError, match="400 cells, too many"):
        export(project.state, large, "sales")
    for file in (project.state / "serve").glob("large-*"):
        file.unlink()
    with pytest.raises(LakeUnavailable, match="missing"):
        export(project.state, large, "sales")


def test_a_browser_opens_it_from_the_disk(project: Published, tmp_path: Path) -> None:
    release = project.publish(1, "evil", dashboards=[shop.dashboard(title=EVIL)])
    file = tmp_path / "sales.html"
    file.write_bytes(export(project.state, release, "sales", STATIC))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        wrong: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(file.as_uri())
        page.get_by_text("25,605.30").first.wait_for()
        assert page.get_by_text("400 rows equal the source").first.is_visible()
        assert page.title() != "evil"
        browser.close()
    assert wrong == []
    assert asked == [file.as_uri()]
