"""From an operational schema to a star schema that people own: deterministic, explained, without I/O."""

from __future__ import annotations

from mainstem.draft.asks import SumOverLines, inclusions, sums
from mainstem.draft.assemble import assemble
from mainstem.draft.benchmark import from_benchmark, to_benchmark
from mainstem.draft.dims import plan
from mainstem.draft.explain import explain
from mainstem.draft.facts import find
from mainstem.draft.graph import build
from mainstem.draft.histories import with_histories
from mainstem.draft.joined import joined, joined_profiles
from mainstem.draft.links import with_links
from mainstem.draft.lint import SQLFLUFF
from mainstem.draft.patch import Proposed, propose
from mainstem.draft.profile import ColumnProfile, Profile, contained_key
from mainstem.draft.render import render
from mainstem.draft.star import DraftedFile, Hop, Star
from mainstem.schema import Database

__all__ = [
    "SQLFLUFF",
    "ColumnProfile",
    "DraftedFile",
    "Hop",
    "Profile",
    "Proposed",
    "Star",
    "SumOverLines",
    "contained_key",
    "draft",
    "explain",
    "from_benchmark",
    "inclusions",
    "joined",
    "joined_profiles",
    "propose",
    "render",
    "sums",
    "to_benchmark",
    "with_links",
]


def draft(database: Database, profile: Profile | None = None) -> Star:
    """The star for a database: facts with their grain, dimensions, bridges, and a verdict on every table.

    Never empty for a database that has a table with columns. See docs/drafting.md for how it decides.
    """
    found = find(build(database, profile))
    return assemble(found, with_histories(found, plan(found)))
