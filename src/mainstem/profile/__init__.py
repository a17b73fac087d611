"""Looking at a source's data before drafting: bounded in rows and in time, read-only, one pass a table."""

from __future__ import annotations

from mainstem.profile.bounds import Bounds, bounds_of
from mainstem.profile.look import Limits, profile_source, told

__all__ = ["Bounds", "Limits", "bounds_of", "profile_source", "told"]
