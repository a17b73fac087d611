"""The price table that comes with Mainstem, and what the user's own figures change in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

from mainstem.project.costs import Costs

FALLBACK = "us-east-1"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars, and the assumptions by which bytes become seconds, files and requests.

    `glue_dpu_hour`; `athena_tb`: 10^12 bytes scanned; `s3_gb_month`: 10^9 bytes; `s3_put_thousand`,
    `s3_get_thousand`, `catalog_million`: requests. `glue_start_seconds`: before the first row;
    `glue_read_mb_second`, `glue_build_mb_second`: 10^6 bytes that one DPU reads from a source, or reads and
    writes in the lake; `lake_share`: a table's Parquet files by its bytes in the source;
    `incremental_share`: the part of a table's rows that an incremental read takes at least; `file_mb`,
    `get_mb`: a data file, and what is read of it by one request.
    """

    glue_dpu_hour: float
    athena_tb: float
    s3_gb_month: float
    s3_put_thousand: float
    s3_get_thousand: float
    catalog_million: float
    glue_start_seconds: float
    glue_read_mb_second: float
    glue_build_mb_second: float
    lake_share: float
    incremental_share: float
    file_mb: float
    get_mb: float
    region: str = FALLBACK
    as_of: str = ""
    overridden: tuple[str, ...] = ()
    known: bool = True


def prices_of(region: str, own: Costs) -> Prices:
    """The region's prices with the user's own figures. A region that the table lacks has those of
    us-east-1, and `known` is False."""
    table = price_table()
    known = region in table["regions"]
    given = {name: value for name, value in own.model_dump().items() if value is not None}
    figures = {**table["assumptions"], **table["regions"][region if known else FALLBACK], **given}
    return Prices(
        **figures,
        region=region,
        as_of=table["as_of"],
        overridden=tuple(sorted(given)),
        known=known,
    )


def assumptions(own: Costs) -> Prices:
    """The figures that need no region."""
    return prices_of(FALLBACK, own)


def price_table() -> dict[str, Any]:
    """The committed table: as_of, source (in words), assumptions, prices by region."""
    text = resources.files("mainstem.cost").joinpath("prices.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


FIGURES = tuple(
    field.name for field in fields(Prices) if field.name not in ("region", "as_of", "overridden", "known")
)
