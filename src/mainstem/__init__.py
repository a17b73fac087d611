"""Mainstem: from an operational database to numbers that people trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstem.wiring import connect as connect

__all__ = ["__version__", "connect"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Late on purpose: `mainstem --version` must not load an engine.
    if name == "connect":
        from mainstem.wiring import connect

        return connect
    raise AttributeError(name)
