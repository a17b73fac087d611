"""A table in ranges of its pages. A row is on one page at a time, so that the ranges divide the rows of any
snapshot; the server reads the pages of a range alone (Tid Range Scan, PostgreSQL 14 and later)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mainstem.schema import Table
from mainstem.source.postgres.types import quote

PART_ROWS = 1_000_000  # of a part, about: the server's statistics are estimates
_OLDEST = 140_000  # the first version that finds the rows of a range of pages
# A partitioned table has no pages of its own: its partitions are cut at the same numbers.
PAGES = """
SELECT max(pg_relation_size(c.oid) / current_setting('block_size')::int8)::int8,
  bool_and(coalesce(a.amname = 'heap', false))
FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
WHERE c.relkind <> 'p' AND (c.oid = to_regclass('{name}')::oid
    OR c.oid IN (SELECT relid::oid FROM pg_partition_tree(to_regclass('{name}'))))
"""


def number_of_parts(table: Table, version: int) -> int:
    """About how many parts a table is read in; 0 for one that is read whole."""
    return table.rows // PART_ROWS if table.rows >= 2 * PART_ROWS and version >= _OLDEST else 0


def literal_name(table: Table) -> str:
    """The table's name, quoted, for the inside of a literal."""
    return f"{quote(table.source_schema)}.{quote(table.source_name)}".replace("'", "''")


def page_ranges(found: list[tuple[Any, ...]], number: int) -> tuple[str, ...]:
    """Conditions on ctid for the answer to `PAGES`; the first and the last are open. Empty if the table is
    kept in another way than PostgreSQL's own."""
    ((pages, heap),) = found
    if not pages or not heap:
        return ()
    number = min(number, int(pages))
    cuts = [int(pages) * at // number for at in range(1, number)]
    if not cuts:
        return ()
    between = [f"ctid >= '({low},0)'::tid AND ctid < '({high},0)'::tid" for low, high in pairwise(cuts)]
    return (f"ctid < '({cuts[0]},0)'::tid", *between, f"ctid >= '({cuts[-1]},0)'::tid")
