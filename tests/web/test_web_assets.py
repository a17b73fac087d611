"""The committed assets are those that the sources build; no node is needed to see it."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from web.world import STATIC

WEB = Path(__file__).parents[2] / "web"
MANIFEST = json.loads((STATIC / "manifest.json").read_text())


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_assets_are_those_of_the_manifest() -> None:
    files = sorted(path.name for path in STATIC.iterdir() if path.name != "manifest.json")
    assert files == sorted(MANIFEST["assets"])
    assert {name: sha(STATIC / name) for name in files} == MANIFEST["assets"]


def test_the_assets_were_built_from_these_sources() -> None:
    own = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json"]
    names = own + [path.relative_to(WEB).as_posix() for path in (WEB / "src").rglob("*") if path.is_file()]
    stale = {name for name in names if sha(WEB / name) != MANIFEST["sources"].get(name)}
    assert not stale, "run “npm run build” in web/"
    assert sorted(names) == sorted(MANIFEST["sources"])


def test_the_script_is_small() -> None:
    assert len(gzip.compress((STATIC / "app.js").read_bytes())) <= 60_000


def test_the_page_has_nothing_inline_and_nothing_from_outside() -> None:
    page = (STATIC / "index.html").read_text()
    assert "style=" not in page
    assert "<style" not in page
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert all(path.startswith(("/", "#")) for path in re.findall(r'(?:src|href)="([^"]*)"', page))
    for name in ("app.js", "app.css"):
        urls = set(re.findall(r"https?://[\w./-]+", (STATIC / name).read_text()))
        assert urls <= {"http://www.w3.org/2000/svg"}
    assert f'app.js?v={MANIFEST["assets"]["app.js"][:12]}"' in page


@pytest.mark.parametrize("name", ["title", "css", "js", "data"])
def test_the_exports_template_has_each_place_once(name: str) -> None:
    assert (STATIC / "export.html.tmpl").read_text().count("{{" + name + "}}") == 1


def test_the_lock_file_names_no_host() -> None:
    lock = (WEB / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 10
