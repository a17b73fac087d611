"""Rows that the source no longer has, and that stay (`deletes: ignore`), when a table was read whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from mainstem.engine.port import Engine
from mainstem.ingest.apart import standing
from mainstem.lake import Lake, Staged, TableVersion
from mainstem.schema import QUARANTINE, Table, TableName


def with_kept(
    lake: Lake, engine: Engine, head: TableVersion, table: Table, key: Sequence[str], staged: Staged
) -> Staged:
    """The staged rows, and those of the version that stands, or are in quarantine beside it, whose key is
    not among them. The files given are gone afterwards."""
    new, old, apart = (TableName(space, table.name) for space in ("increment", "base", "part"))
    quote = engine.dialect.quote
    columns = ", ".join(f"a.{quote(column.name)}" for column in table.columns)
    same = " and ".join(f"a.{quote(name)} is not distinct from b.{quote(name)}" for name in key)
    try:
        engine.attach_files(new, staged.files, table.columns)
        stands = {old: head}
        if (quarantine := standing(lake, head).get(TableName(QUARANTINE, table.name))) is not None:
            stands[apart] = quarantine
        engine.attach({name: version.metadata_location for name, version in stands.items()})
        selects = [f"select {columns} from {_ref(engine, new)} a"]
        selects += [
            f"select {columns} from {_ref(engine, name)} a anti join {_ref(engine, new)} b on {same}"
            for name in stands
        ]
        # One after the other: as one UNION ALL, DuckDB 1.5 can wait for itself for ever when it streams.
        rows = chain.from_iterable(engine.stream(sql)[1] for sql in selects)
        return lake.stage(head.name, table.columns, rows)
    finally:
        lake.discard(staged)


def _ref(engine: Engine, name: TableName) -> str:
    return f"{engine.dialect.quote(name.namespace)}.{engine.dialect.quote(name.name)}"
