"""From a star to files: models and dashboards."""

from __future__ import annotations

from mainstem.draft.boards import board_file
from mainstem.draft.graph import build
from mainstem.draft.profile import Profile
from mainstem.draft.sql_dim import bridge_file, dates_file, dimension_file, junk_file
from mainstem.draft.sql_fact import fact_file
from mainstem.draft.star import DraftedFile, Star
from mainstem.schema import Database


def render(star: Star, database: Database, profile: Profile | None = None) -> list[DraftedFile]:
    """`models/*.sql` and `dashboards/*.yml` of a star that was drafted from this database and profile."""
    graph = build(database, profile)
    files = [fact_file(star, fact, graph) for fact in star.facts]
    files += [dimension_file(star, dimension, graph) for dimension in star.dimensions]
    files += [junk_file(star, fact, fact.junk, graph) for fact in star.facts if fact.junk]
    dates = dates_file(star, graph)
    files += [dates] if dates else []
    files += [bridge_file(star, bridge, graph) for bridge in star.bridges]
    files += [board_file(star, fact, graph) for fact in star.facts]
    return files
