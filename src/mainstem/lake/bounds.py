"""Short bounds of texts and bytes, as Iceberg's manifests have them: the lower one cut, the upper one rounded
up. Pure. (pyiceberg's own way up takes a surrogate, which is no character, for the one after U+D7FF.)"""

from __future__ import annotations

import sys
from typing import Any

BOUND = 16  # characters or bytes, Iceberg's default
_SURROGATES = range(0xD800, 0xE000)
_BYTE = 0xFF


def below(least: Any) -> Any:
    """A bound that is not above any value from `least` on."""
    return least[:BOUND] if isinstance(least, str | bytes) else least


def above(most: Any) -> Any:
    """A bound that is not below any value up to `most`; None if there is no short one."""
    if isinstance(most, str):
        return most if len(most) <= BOUND else _text_above(most[:BOUND])
    if isinstance(most, bytes):
        return most if len(most) <= BOUND else _bytes_above(most[:BOUND])
    return most


def _text_above(text: str) -> str | None:
    """The least text that is above all that begin with this one."""
    kept = text.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def _bytes_above(text: bytes) -> bytes | None:
    kept = text.rstrip(bytes((_BYTE,)))
    return kept[:-1] + bytes((kept[-1] + 1,)) if kept else None
