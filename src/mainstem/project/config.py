"""`mainstem.yml` as the user writes it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from mainstem.project.contract import ContractConfig
from mainstem.project.costs import Budget, Costs
from mainstem.project.strict import Strict
from mainstem.project.targets import TargetConfig


class ProofLevel(StrEnum):
    """How far a load is proven: every cell, the rows that were read and the number of all, the row count, or
    nothing."""

    FULL = "full"
    CHANGES = "changes"
    COUNT = "count"
    OFF = "off"


class OnChange(StrEnum):
    """What a run does with a table whose columns changed in the source since its last load."""

    EVOLVE = "evolve"  # take them over
    DISCARD_COLUMN = "discard_column"  # leave new columns out; stop for any other change
    FREEZE = "freeze"  # keep the table as it stands, read nothing
    FAIL = "fail"  # stop for any change


class Mode(StrEnum):
    """How a table is read when it is not as it was: whole, or the rows since its cursor. auto: the latter
    if a cursor is named."""

    AUTO = "auto"
    FULL = "full"
    INCREMENTAL = "incremental"


class Deletes(StrEnum):
    """What an incremental load does about rows that the source no longer has."""

    DETECT = "detect"  # find them by their keys, and remove them
    IGNORE = "ignore"  # keep them


def _null_is_a_word(value: Any) -> Any:
    return "null" if value is None else value  # YAML's null, written without quotes


class ColumnConfig(Strict):
    """`out_of_range`: what to do with a value that the lake's type cannot hold. text: the whole column
    arrives as the server's own text; null: the value alone arrives NULL, its text in a side column. Not
    given: as the source has it."""

    out_of_range: Annotated[Literal["fail", "text", "null"], BeforeValidator(_null_is_a_word)] = "fail"


class HistoryKind(StrEnum):
    """Whether earlier versions of a table's rows are kept."""

    OFF = "off"
    SCD2 = "scd2"  # in history.TABLE: since when and until when each one held


class TableConfig(Strict):
    """Choices for one table of a source, named as in the lake."""

    proof: ProofLevel | None = None
    on_change: OnChange | None = None
    mode: Mode = Mode.AUTO
    cursor: str = ""
    key: list[str] = Field(default_factory=list)
    overlap: int | None = Field(default=None, ge=0)
    deletes: Deletes = Deletes.DETECT
    allow_empty: bool = False
    deleted: str = ""
    history: HistoryKind = HistoryKind.OFF
    contract: ContractConfig | None = None
    columns: dict[str, ColumnConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _cursor_named(self) -> TableConfig:
        if self.mode is Mode.INCREMENTAL and not self.cursor:
            raise ValueError("mode: incremental needs a cursor (mainstem plan proposes one)")
        return self


class DraftConfig(Strict):
    """How a star is drafted from a source: foreign keys that nobody declared (`orders.buyer=customers`),
    and how far the data is looked at (rows a table, seconds in all; 0: not at all)."""

    links: list[str] = Field(default_factory=list)
    rows: int = Field(default=50_000, ge=0)
    seconds: float = Field(default=10.0, ge=0)


class SourceConfig(Strict):
    """One database. `url` refers to the environment: `{{ env_var('SHOP_URL') }}`."""

    url: str
    schemas: list[str] = Field(default_factory=list)
    include: list[str] = Field(default_factory=lambda: ["*"])
    exclude: list[str] = Field(default_factory=list)
    proof: ProofLevel = ProofLevel.FULL
    on_change: OnChange = OnChange.EVOLVE
    out_of_range: Annotated[Literal["fail", "null"], BeforeValidator(_null_is_a_word)] = "fail"
    timeout: float = Field(default=60.0, gt=0, le=86_400)
    retries: int = Field(default=3, ge=0, le=20)
    max_snapshot: float = Field(default=14_400.0, gt=0)
    tables: dict[str, TableConfig] = Field(default_factory=dict)
    draft: DraftConfig = DraftConfig()


class ProjectConfig(Strict):
    """The whole file."""

    name: str = Field(min_length=1)
    sources: dict[str, SourceConfig] = Field(min_length=1)
    targets: dict[str, TargetConfig] = Field(default_factory=dict)
    keep_releases: int = Field(default=10, ge=1)
    budget: Budget = Field(default_factory=Budget)
    costs: Costs = Field(default_factory=Costs)
