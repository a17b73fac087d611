"""Several sources as one database, so that one star covers them: their facts share its dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mainstem.draft.profile import Profile
from mainstem.errors import UsageError
from mainstem.schema import Database, Table


def joined(databases: Mapping[str, Database]) -> Database:
    """The tables of all sources, in their order. UsageError if two of them have one name in the lake.

    Where one of the servers takes padded texts for equal, dimensions trim them for all.
    """
    tables: dict[str, tuple[str, Table]] = {}
    for source, database in databases.items():
        for table in database.tables:
            other, _ = tables.setdefault(table.name.casefold(), (source, table))
            if other != source:
                raise UsageError(
                    f"two source tables would be raw.{table.name}: of {other} and of {source}",
                    hint=f"exclude one of them in mainstem.yml, or draft from one source: --source {source}",
                )
    engines = [database.engine for database in databases.values()]
    padding = next((engine for engine in engines if engine in ("mysql", "mariadb")), engines[0])
    return Database(padding, " and ".join(databases), "", tuple(table for _, table in tables.values()))


def joined_profiles(profiles: Iterable[Profile]) -> Profile:
    """What the data of all sources says; tables of different sources have different names."""
    many = list(profiles)
    return Profile(
        rows={k: v for one in many for k, v in one.rows.items()},
        columns={k: v for one in many for k, v in one.columns.items()},
        contained={k: v for one in many for k, v in one.contained.items()},
        adds_up={k: v for one in many for k, v in one.adds_up.items()},
        looked={k: v for one in many for k, v in one.looked.items()},
        sampled=frozenset(name for one in many for name in one.sampled),
        unasked=tuple(name for one in many for name in one.unasked),
        unfinished=sum(one.unfinished for one in many),
    )
