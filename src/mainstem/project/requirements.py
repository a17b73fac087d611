"""`requirements.yml`: who needs what, to decide what, how fresh."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Requirement(BaseModel):
    """One need, in at most five fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str
    what: str
    decides: str = ""
    fresh: str = ""
    dashboard: str = ""


class Requirements(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirements: list[Requirement] = Field(default_factory=list)
