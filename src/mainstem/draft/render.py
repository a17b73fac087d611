"""From a star to files: models and dashboards."""

from __future__ import annotations

from mainstem.draft.boards import board_file
from mainstem.draft.graph import build
from mainstem.draft.sql_dim import bridge_file, dates_file, dimension_file
from mainstem.draft.sql_fact import fact_file
from mainstem.draft.star import DraftedFile, Star
from mainstem.schema import Database


def render(star: Star, database: Database) -> list[DraftedFile]:
    """`models/*.sql` and `dashboards/*.yml` of a star that was drafted from this database."""
    graph = build(database)
    files = [fact_file(star, fact, graph) for fact in star.facts]
    files += [dimension_file(star, dimension, graph) for dimension in star.dimensions]
    dates = dates_file(star, graph)
    files += [dates] if dates else []
    files += [bridge_file(star, bridge, graph) for bridge in star.bridges]
    files += [board_file(star, fact, graph) for fact in star.facts]
    return files
