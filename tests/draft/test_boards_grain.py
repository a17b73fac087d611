"""A drafted dashboard goes by days, or by months where days would make its cube outgrow the browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.draft import draft, from_benchmark, render

from .score import schema


@pytest.mark.parametrize(("rows", "grain"), [(-1, "day"), (1_000_000, "day"), (6_001_215, "month")])
def test_the_date_of_a_large_fact_is_a_month(rows: int, grain: str) -> None:
    database = from_benchmark(schema("tpch"))
    database = replace(database, tables=tuple(replace(table, rows=rows) for table in database.tables))
    files = {file.path: file.text for file in render(draft(database), database)}
    boards = [text for path, text in files.items() if path.startswith("dashboards/") and "column:" in text]
    assert boards
    assert all(f"grain: {grain}}}" in text for text in boards)
