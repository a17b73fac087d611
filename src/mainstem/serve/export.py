"""A dashboard as one HTML file: page, program and cube inside, for a reader without a server."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainstem.catalog.port import Release
from mainstem.errors import LakeUnavailable, UsageError
from mainstem.serve import assets
from mainstem.serve.config import STATIC, Limits
from mainstem.serve.documents import dashboard_document
from mainstem.serve.documents import find as find_dashboard
from mainstem.serve.manifest import find
from mainstem.serve.served import Served
from mainstem.serve.wire import packed
from mainstem.text import nearest

TEMPLATE = "export.html.tmpl"
_PLACE = re.compile(r"\{\{(title|css|data|js)\}\}")


def export(state: Path, release: Release, name: str, static: Path = STATIC) -> bytes:
    """The HTML file of a dashboard as it stands in a release.

    Raises UsageError for an unknown dashboard and for a cube that is too large for a browser,
    LakeUnavailable if the release's served file is missing.
    """
    path = find(state, release.run)
    if path is None:
        raise LakeUnavailable(f"the served file of {release.id} is missing", hint="mainstem run")
    served = Served(release, path, Limits())
    served.enter()
    try:
        dashboard = find_dashboard(served.spec.dashboards, name)
        if dashboard is None:
            names = [one.dashboard for one in served.spec.dashboards]
            raise UsageError(f"there is no dashboard {name!r}", hint=nearest(name, names, "dashboards"))
        cube = served.cubes[name]
        if cube["where"] != "browser":
            hint = "leave out a dimension, or choose a coarser grain"
            raise UsageError(
                f"the cube of {name!r} has {cube['cells']:,} cells, too many for one file", hint=hint
            )
        document = dashboard_document(served.spec, dashboard, release, cube, served.lineage)
        body = packed(served.body(name).plain(), 9)
    finally:
        served.retire()
        served.leave()
    return inline(assets.load(static), document, body)


def inline(files: Mapping[str, assets.Asset], document: Mapping[str, Any], cube: bytes) -> bytes:
    """The template with the page's assets, a dashboard's document and the gzip bytes of its cube in it.

    The template's own policy forbids every request.
    """
    data = json.dumps(
        {"dashboard": document, "cube": base64.b64encode(cube).decode()},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    values = {
        "title": html.escape(str(document["title"])),
        "css": _text(files, "app.css"),
        "js": _text(files, "app.js"),
        # Inside a script element, only these characters could end it or be read as markup.
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
    }
    if re.search(r"</(script|style)|<!--", values["css"] + values["js"], re.IGNORECASE):
        raise UsageError("an asset of the page would end its own element", hint="build the page again")
    # One pass: what is put in is never looked at again.
    return _PLACE.sub(lambda match: values[match[1]], _text(files, TEMPLATE)).encode()


def _text(files: Mapping[str, assets.Asset], name: str) -> str:
    if name not in files:
        raise UsageError(
            f"the page's asset {name} is missing from this installation", hint="install Mainstem again"
        )
    return files[name].body.decode()
