"""A dashboard as declared in `dashboards/*.yml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from mainstem.project.strict import Strict


class _Spec(Strict):
    model_config = ConfigDict(populate_by_name=True)


Grain = Literal["day", "month", "quarter", "year"]


class MeasureSpec(_Spec):
    """Exactly one of `sum` (a column), `count` ("*"), `average` (a column: sum / count), `ratio`
    ([numerator measure, denominator measure])."""

    sum: str = ""
    count: str = ""
    average: str = ""
    ratio: tuple[str, str] | None = None
    label: str = ""
    format: str = ""  # d3-format specifier

    @model_validator(mode="after")
    def _one_kind(self) -> MeasureSpec:
        if sum(map(bool, (self.sum, self.count, self.average, self.ratio))) != 1:
            raise ValueError("a measure has exactly one of sum, count, average, ratio")
        return self


class DimensionSpec(_Spec):
    """`column` is a column of the fact (`status`) or of a dimension that it references
    (`dim_customers.country`); `via` names the fact's key column when it references that dimension
    more than once. `grain` makes it a date dimension."""

    column: str
    via: str = ""
    grain: Grain | None = None
    label: str = ""


def _dimension(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class Bar(_Spec):
    """A bar a value of the dimension `by`, the `top` ones by the measure."""

    by: str
    measure: str
    top: int = Field(default=12, ge=1, le=200)
    title: str = ""


class Area(_Spec):
    """`x` is `DATE_DIMENSION.GRAIN` (`date.month`); `color` a dimension; `brush` the date dimension."""

    x: str
    measure: str
    color: str = ""
    brush: str = ""
    title: str = ""


class Tile(_Spec):
    """Exactly one of the three."""

    kpi: str = ""
    bar: Bar | None = None
    area: Area | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Tile:
        if sum(map(bool, (self.kpi, self.bar, self.area))) != 1:
            raise ValueError("a tile is exactly one of kpi, bar, area")
        return self


class FilterSpec(_Spec):
    """What the page begins with: `default` is a value, a list (of a date: the first and the last day) or
    "all"; `locked`: nobody can change it there."""

    default: str | list[str] = "all"
    multi: bool = True
    locked: bool = False


class Dashboard(_Spec):
    """The whole file. `layout`: rows of tiles."""

    dashboard: str
    title: str = ""
    model: str
    measures: dict[str, MeasureSpec]
    dimensions: dict[str, Annotated[DimensionSpec, BeforeValidator(_dimension)]]
    filters: dict[str, FilterSpec] = Field(default_factory=dict)
    layout: list[list[Tile]]
