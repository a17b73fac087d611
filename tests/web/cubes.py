"""Cubes for the client's tests: cells made from a seed, their bytes, and the figures that the page must
show, counted here without any of the client's code."""

from __future__ import annotations

import datetime as dt
import json
import random
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

NO_DATE = -(1 << 31)
EPOCH = dt.date(1970, 1, 1)

COUNTRIES: list[str | None] = [
    "USA", "Spain", "France", "Australia", "UK", "Italy", "Finland", "Norway", "Singapore", "Canada",
    "Denmark", "Germany", "Sweden", "Japan", "Korea, South", None,
]  # fmt: skip
LINES: list[str | None] = [
    "Classic Cars", "Vintage Cars", "Motorcycles", "Planes", "Trucks and Buses", "Ships", "Trains",
]  # fmt: skip
STATUSES: list[str | None] = ["Shipped", "Cancelled", "On Hold", "Resolved", "In Process", "~odd"]


class Cell(NamedTuple):
    """One cell; `revenue` in cents."""

    country: str | None
    line: str | None
    status: str | None
    date: dt.date | None
    revenue: int
    lines: int


@dataclass(frozen=True)
class Cells:
    """A cube's cells, and sums over them."""

    cells: Sequence[Cell]

    def where(self, test: Callable[[Cell], bool]) -> Cells:
        return Cells([cell for cell in self.cells if test(cell)])

    @property
    def revenue(self) -> int:
        return sum(cell.revenue for cell in self.cells)

    @property
    def lines(self) -> int:
        return sum(cell.lines for cell in self.cells)

    def by(self, name: str) -> dict[Any, int]:
        sums: dict[Any, int] = defaultdict(int)
        for cell in self.cells:
            sums[getattr(cell, name)] += cell.revenue
        return dict(sums)


def money(cents: int) -> str:
    """Cents as the page must write them: `$9,604,190.61`."""
    sign = "−" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


@cache
def shop(total: int = 960_419_061, rows: int = 2_996) -> Cells:
    """About 29 months of order lines that come to `total` cents in `rows` rows."""
    random.seed(7)
    start = dt.date(2003, 1, 6)
    made: list[Cell] = []
    for i in range(2_400):
        country = random.choices(COUNTRIES, [36, 12, 11, 6, 5, 4, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1])[0]
        line = random.choices(LINES, [10, 6, 4, 3, 3, 2, 1])[0]
        day = start + dt.timedelta(days=random.randrange(875))
        season = 2.4 if day.month in (10, 11) else 1.0
        date = None if i % 400 == 399 else day
        revenue = int(random.lognormvariate(12.4, 0.5) * season * (1 + (day - start).days / 900))
        status = random.choices(STATUSES, [88, 3, 3, 2, 3, 1])[0]
        made.append(Cell(country, line, status, date, revenue, 1))
    made = [cell._replace(revenue=-cell.revenue) if i % 97 == 0 else cell for i, cell in enumerate(made)]
    scale = total / sum(cell.revenue for cell in made)
    made = [cell._replace(revenue=int(cell.revenue * scale)) for cell in made]
    made = [cell._replace(lines=2) if i < rows - len(made) else cell for i, cell in enumerate(made)]
    rest = total - sum(cell.revenue for cell in made)
    made[1] = made[1]._replace(revenue=made[1].revenue + rest)
    return Cells(made)


class Arrays:
    """Arrays one after another, each on a multiple of eight bytes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, kind: str, values: Sequence[float]) -> dict[str, Any]:
        code = {"u8": "B", "u16": "H", "u32": "I", "i32": "i", "f64": "d"}[kind]
        self.data += b"\0" * (-len(self.data) % 8)
        entry = {"type": kind, "offset": len(self.data), "length": len(values)}
        self.data += struct.pack(f"<{len(values)}{code}", *values)
        return entry


def container(header: dict[str, Any], arrays: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 8)
    return b"MSC1" + struct.pack("<I", len(text)) + text + arrays


def days(date: dt.date | None) -> int:
    return NO_DATE if date is None else (date - EPOCH).days


def encode(cells: Cells, release: str = "r0003") -> bytes:
    arrays = Arrays()
    rows = cells.cells

    def category(name: str, values: list[str | None], kind: str) -> dict[str, Any]:
        codes = [values.index(getattr(cell, name)) for cell in rows]
        return {"name": name, "kind": "category", "values": values, "array": arrays.add(kind, codes)}

    def measure(name: str, scale: int, values: Sequence[float]) -> dict[str, Any]:
        return {"name": name, "scale": scale, "exact": True, "array": arrays.add("f64", values)}

    header = {
        "release": release,
        "cells": len(rows),
        "dimensions": [
            category("country", COUNTRIES, "u8"),
            category("line", LINES, "u16"),
            category("status", STATUSES, "u32"),
            {"name": "date", "kind": "date", "grain": "day",
             "array": arrays.add("i32", [days(cell.date) for cell in rows])},
        ],
        "measures": [
            measure("revenue", 2, [cell.revenue for cell in rows]),
            measure("lines", 0, [cell.lines for cell in rows]),
            measure("price__sum", 2, [cell.revenue for cell in rows]),
            measure("price__count", 0, [cell.lines for cell in rows]),
        ],
    }  # fmt: skip
    return container(header, bytes(arrays.data))


def dashboard(**changes: Any) -> dict[str, Any]:
    """The document of the dashboard over `shop()`."""
    moment = "2026-11-23T12:03:11Z"
    return {
        "name": "sales",
        "title": "Sales overview",
        "model": "fact_order_lines",
        "grain": "one row per order line",
        "release": {"id": "r0003", "published": moment, "run": "20261123T120311-4f2a"},
        "proof": {
            "holds": True, "level": "full", "text": "2,996 rows and 9,604,190.61 equal the source",
            "checked": moment, "source": "classicmodels (mariadb)", "run": "20261123T120311-4f2a",
            "unmatched": [{"dimension": "dim_employees", "rows": 12}],
        },
        "measures": [
            {"name": "revenue", "label": "Revenue", "kind": "sum", "format": "$,.2f"},
            {"name": "lines", "label": "Order lines", "kind": "count", "format": ",d"},
            {"name": "price", "label": "Revenue per line", "kind": "average", "format": "$,.2f",
             "of": ["price__sum", "price__count"]},
        ],
        "dimensions": [
            {"name": "country", "label": "Country", "kind": "category"},
            {"name": "line", "label": "Product line", "kind": "category"},
            {"name": "status", "label": "Status", "kind": "category"},
            {"name": "date", "label": "Order date", "kind": "date", "grain": "day"},
        ],
        "filters": {"date": {"default": "all", "multi": True, "locked": False}},
        "layout": [
            [{"kpi": "revenue"}, {"kpi": "lines"}, {"kpi": "price"}],
            [{"bar": {"by": "country", "measure": "revenue", "top": 12, "title": "Revenue by country"}},
             {"bar": {"by": "line", "measure": "revenue", "top": 12, "title": "Revenue by product line"}}],
            [{"area": {"x": "date.month", "measure": "revenue", "color": "line", "brush": "date",
                       "title": "Monthly revenue by product line"}}],
        ],
        "cube": {"where": "browser", "cells": 2400},
        **changes,
    }  # fmt: skip
