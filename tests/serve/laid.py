"""The shop with its fact in the lake, in two files, and a source's table beside it that is not served."""

from __future__ import annotations

from pathlib import Path

from mainstem.schema import TableName
from mainstem.serve.bundle import NATIVE_BYTES, Built, build
from mainstem.serve.spec import ServeSpec

from . import shop

FACT = TableName("mart", "fact_orders")
FILES = ("lake/mart/fact_orders-1/data/a[1].parquet", "lake/mart/fact_orders-1/data/b.parquet")
RAW = "lake/raw/orders-1/data/a.parquet"


def lay(state: Path) -> dict[TableName, tuple[Path, ...]]:
    """Write the lake's files below `.mainstem`; those of the fact by its name."""
    con = shop.marts()()
    parts = [f"from mart.fact_orders where order_number % 2 = {n}" for n in range(2)]
    for file, sql in zip((*FILES, RAW), (*parts, "from raw.orders"), strict=True):
        (state / file).parent.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy ({sql}) to '{state / file}'")
    con.close()
    return {FACT: tuple(state / file for file in FILES)}


def spec() -> ServeSpec:
    """The shop's specification; its fact is too large to be copied."""
    size = {"bytes": NATIVE_BYTES + 1}
    return shop.spec(
        tables=[t.model_copy(update=size if t.table == FACT else {}) for t in shop.spec().tables]
    )


def publish(state: Path) -> Built:
    """The served file, which reads the fact in the lake."""
    return build(state, spec(), shop.marts(), lake=lay(state))
