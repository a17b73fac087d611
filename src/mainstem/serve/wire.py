"""The cube on its way to the browser: `MSC1`, the header as JSON, then the arrays. Pure."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

MAGIC = b"MSC1"


def compose(release: str, header: Mapping[str, Any], arrays: bytes) -> bytes:
    """The document that the browser decodes."""
    text = json.dumps({"release": release, **header}, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 8)
    return b"".join((MAGIC, struct.pack("<I", len(text)), text, arrays))


def packed(body: bytes, level: int = 6) -> bytes:
    """The gzip form, the same bytes for the same body."""
    return gzip.compress(body, level, mtime=0)
