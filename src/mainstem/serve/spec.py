"""What a served file is made of: the run's tables, models, dashboards and proof, as one JSON value.

It is stored beside the served file, so that the file can be made again for an older release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mainstem.project.dashboard import Dashboard
from mainstem.project.header import Header
from mainstem.schema import Column, TableName, Type


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnDoc(_Frozen):
    """A column of a table of the lake; `type` as `str(schema.Type)`, `native` the source's own word."""

    name: str
    type: str
    nullable: bool = True
    native: str = ""
    comment: str = ""


class TableDoc(_Frozen):
    """A table of the release. `rows` and `bytes` -1: unknown."""

    namespace: str
    name: str
    columns: list[ColumnDoc] = Field(default_factory=list)
    rows: int = -1
    bytes: int = -1
    snapshot: int | None = None
    comment: str = ""

    @classmethod
    def of(
        cls,
        name: TableName,
        columns: Iterable[Column],
        *,
        rows: int = -1,
        size: int = -1,
        snapshot: int | None = None,
        comment: str = "",
    ) -> TableDoc:
        """From the lake's words for a table; `size` in bytes."""
        docs = [
            ColumnDoc(name=c.name, type=str(c.type), nullable=c.nullable, native=c.native, comment=c.comment)
            for c in columns
        ]
        return cls(
            namespace=name.namespace, name=name.name, columns=docs, rows=rows, bytes=size,
            snapshot=snapshot, comment=comment,
        )  # fmt: skip

    @property
    def table(self) -> TableName:
        return TableName(self.namespace, self.name)


class ModelDoc(_Frozen):
    """A model as the release was made with it: header and SQL text, and the file that it stands in."""

    name: str
    header: Header
    sql: str
    file: str = ""


class ServeSpec(_Frozen):
    """The whole. `proof` is the receipt's `proof` document; `source` is how the source is called on the
    page ("shop (mariadb)"); `raw` copies the raw tables too, for the SQL console."""

    run: str
    tables: list[TableDoc]
    models: list[ModelDoc] = Field(default_factory=list)
    dashboards: list[Dashboard] = Field(default_factory=list)
    proof: dict[str, Any] = Field(default_factory=dict)
    source: str = ""
    raw: bool = False

    @property
    def headers(self) -> Mapping[str, Header]:
        return {model.name: model.header for model in self.models}

    @property
    def types(self) -> Mapping[str, Mapping[str, Type]]:
        """Column types of the mart's tables, by model."""
        return {
            t.name: {c.name: Type.parse(c.type) for c in t.columns}
            for t in self.tables
            if t.namespace == "mart"
        }
