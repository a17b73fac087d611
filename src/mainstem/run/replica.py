"""A replica does not show what was read before as it was before that."""

from __future__ import annotations

import json

from mainstem.errors import SourceUnavailable, Where
from mainstem.ingest.state import POSITION, SOURCE
from mainstem.plan import IngestStep
from mainstem.run.parts import Parts
from mainstem.source.port import Snapshot


def require_not_behind(steps: list[IngestStep], parts: Parts, snapshot: Snapshot) -> None:
    """SourceUnavailable, so that it is waited for, unless the replica has applied all that the tables were
    read from before. `--full-refresh` takes its rows as they are."""
    for step in steps:
        head = parts.lake.head(step.name) if step.action != "rebuild" else None
        if head is None or head.summary.get(SOURCE) != step.source:
            continue
        before = json.loads(head.summary.get(POSITION, "{}"))
        if parts.sources[step.source].dialect.behind(before, snapshot.position):
            raise SourceUnavailable(
                "the replica is behind the state from which the table was read before",
                where=Where(table=str(step.name)),
                hint="nothing was read; run again when it has caught up (mainstem doctor), or take its older "
                f"rows: mainstem run --full-refresh --select {step.name}+",
            )
