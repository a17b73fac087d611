"""The page and its assets: read once, named exactly, so that no path from outside reaches the disk."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mainstem.errors import UsageError

PAGE = "index.html"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. `packed` is its gzip form, empty where that saves nothing."""

    type: str
    body: bytes
    packed: bytes
    etag: str


def load(folder: Path) -> Mapping[str, Asset]:
    """All files of the folder by name. UsageError if the page is not among them."""
    if not (folder / PAGE).is_file():
        raise UsageError(
            "the dashboard's page is missing from this installation", hint="install Mainstem again"
        )
    return {path.name: _asset(path) for path in sorted(folder.iterdir()) if path.is_file()}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    type_ = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if type_.startswith("text/html"):
        type_ = "text/html; charset=utf-8"
    packed = gzip.compress(body, 9, mtime=0)
    digest = hashlib.sha256(body).hexdigest()[:32]
    return Asset(type_, body, packed if len(packed) < len(body) else b"", f'"{digest}"')
