"""Whether a model could be brought up to date in part: read from its text alone, for the plan."""

from __future__ import annotations

from mainstem.model.rowwise import Rowwise, rowwise
from mainstem.model.sql import parse_query
from mainstem.project.modelfile import ModelFile


def shape_of(model: ModelFile) -> Rowwise | str:
    """The model's form, or why it is always built in full: words that follow "in full: it"."""
    return rowwise(parse_query(model.sql, model.file, model.sql_line), model.header.key)
