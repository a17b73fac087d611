"""`requirements.yml`: who needs what, to decide what, how fresh."""

from __future__ import annotations

from pydantic import Field

from mainstem.project.strict import Strict


class Requirement(Strict):
    """One need, in at most five fields."""

    who: str
    what: str
    decides: str = ""
    fresh: str = ""
    dashboard: str = ""


class Requirements(Strict):
    """The whole file."""

    requirements: list[Requirement] = Field(default_factory=list)
