"""What a run may cost, and figures of the user's own for the estimate."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from mainstem.project.strict import Strict

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)B\s*", re.IGNORECASE)


def size_in_bytes(text: str) -> int:
    """`20GB` → bytes (10^9; `GiB`: 2^30). ValueError for anything else."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError("write it like 20GB")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** " KMGTP".index(match[2].upper() or " "))


class Budget(Strict):
    """What one run may cost by its estimate, before it starts: `usd` on AWS, `read` from the sources."""

    usd: float | None = Field(default=None, ge=0)
    read: str = ""

    @field_validator("read")
    @classmethod
    def _is_size(cls, value: str) -> str:
        if value:
            size_in_bytes(value)
        return value

    @property
    def read_bytes(self) -> int | None:
        """The bytes that a run may read; None: any number."""
        return size_in_bytes(self.read) if self.read else None


class Costs(Strict):
    """Figures that take the place of the price table's: see `cost.prices.Prices`."""

    glue_dpu_hour: float | None = Field(default=None, ge=0)
    athena_tb: float | None = Field(default=None, ge=0)
    s3_gb_month: float | None = Field(default=None, ge=0)
    s3_put_thousand: float | None = Field(default=None, ge=0)
    s3_get_thousand: float | None = Field(default=None, ge=0)
    catalog_million: float | None = Field(default=None, ge=0)
    glue_start_seconds: float | None = Field(default=None, ge=0)
    glue_read_mb_second: float | None = Field(default=None, gt=0)
    glue_build_mb_second: float | None = Field(default=None, gt=0)
    lake_share: float | None = Field(default=None, gt=0)
    incremental_share: float | None = Field(default=None, ge=0, le=1)
    file_mb: float | None = Field(default=None, gt=0)
    get_mb: float | None = Field(default=None, gt=0)
