"""The YAML header of a model: what the SQL below it promises."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mainstem.project.strict import Strict


class ModelKind(StrEnum):
    """What a table is in the star; `table`: none of it."""

    FACT = "fact"
    DIMENSION = "dimension"
    BRIDGE = "bridge"
    TABLE = "table"


class Additive(StrEnum):
    """Over which dimensions a measure may be summed (Kimball): all, all but time, none."""

    FULL = "full"
    SEMI = "semi"
    NONE = "none"


class Grain(Strict):
    """What one row is. `table` is the lake table whose rows the model's rows must equal in number,
    after `where` (SQL over that table's columns), if there is one."""

    statement: str = ""
    table: str
    where: str = ""


class ColumnSpec(Strict):
    """A column's promise. `references` (`dim_customers.customer_key`) makes it a join to a dimension."""

    description: str = ""
    references: str = ""

    @field_validator("references")
    @classmethod
    def _two_names(cls, value: str) -> str:
        if value and not all(value.rpartition(".")[::2]):
            raise ValueError("write it as MODEL.COLUMN: dim_customers.customer_key")
        return value


def _column(value: Any) -> Any:
    return {"description": value} if isinstance(value, str) else ({} if value is None else value)


class Measure(Strict):
    """A measure column. `equals` is an expression over the grain table (`quantityOrdered * priceEach`):
    its sum there must equal the column's sum here. `format` is a d3-format specifier."""

    description: str = ""
    additive: Additive = Additive.FULL
    equals: str = ""
    format: str = ""


class Severity(StrEnum):
    """What a check that does not hold does."""

    ERROR = "error"  # stops the release
    WARN = "warn"  # is told


class Check(Strict):
    """One expectation; exactly one of the four kinds is given."""

    not_null: list[str] = Field(default_factory=list)
    unique: list[str] = Field(default_factory=list)
    accepted_values: dict[str, list[Any]] = Field(default_factory=dict)
    sql: str = ""  # a SELECT that returns the offending rows: none is well
    severity: Severity = Severity.ERROR

    @model_validator(mode="after")
    def _one_kind(self) -> Check:
        if sum(map(bool, (self.not_null, self.unique, self.accepted_values, self.sql))) != 1:
            raise ValueError("a check has exactly one of not_null, unique, accepted_values, sql")
        return self


class Header(Strict):
    """The whole header. `why` keeps the reasons of folds, rejections and alternatives."""

    kind: ModelKind = ModelKind.TABLE
    description: str = ""
    grain: Grain | None = None
    key: list[str] = Field(default_factory=list)
    columns: dict[str, Annotated[ColumnSpec, BeforeValidator(_column)]] = Field(default_factory=dict)
    measures: dict[str, Annotated[Measure, BeforeValidator(_column)]] = Field(default_factory=dict)
    checks: list[Check] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    why: list[str] | str = Field(default_factory=list)
    unknown: str = "missing"  # the key of the unknown member
