"""Foreign keys that the user says are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mainstem.draft.keys import with_key
from mainstem.draft.profile import Profile
from mainstem.errors import UsageError
from mainstem.schema import Database, ForeignKey
from mainstem.text import nearest


def with_links(database: Database, links: Iterable[str], profile: Profile | None = None) -> Database:
    """The database with these links declared as well: `TABLE.COLUMN=OTHER_TABLE` (its key) or
    `TABLE.COLUMN=OTHER_TABLE.COLUMN`; for a key of several columns `TABLE.ONE,TWO=OTHER_TABLE`.
    UsageError for names that are not there."""
    for link in links:
        left, _, right = link.partition("=")
        table, _, column = left.strip().rpartition(".")
        names = {t.name: t for t in database.tables}
        if not (table and column and right.strip()):
            raise UsageError(
                f"--link {link}: not of the form TABLE.COLUMN=OTHER",
                hint="write it as orders.buyer=customers",
            )
        other, wanted = _target(right.strip(), names)
        for name in (table, other):
            if name not in names:
                hint = nearest(name, names, "tables")
                raise UsageError(f"--link {link}: there is no table {name!r}", hint=hint)
        target = with_key(names[other], profile or Profile())
        keys = tuple(wanted.split(",")) if wanted else target.primary_key
        own = tuple(name.strip() for name in column.split(","))
        for owner, named in (*((names[table], name) for name in own), *((target, key) for key in keys)):
            columns = [c.name for c in owner.columns]
            if named not in columns:
                hint = nearest(named, columns, "columns")
                raise UsageError(f"--link {link}: {owner.name} has no column {named!r}", hint=hint)
        if len(keys) != len(own):
            many = "one column" if len(own) == 1 else f"{len(own)} columns"
            raise UsageError(
                f"--link {link}: {other} has no key of {many}",
                hint=f"name the columns: {left.strip()}={other}.{'COLUMN' if len(own) == 1 else 'ONE,TWO'}",
            )
        key = ForeignKey(own, other, keys)
        made = replace(names[table], foreign_keys=(*names[table].foreign_keys, key))
        database = replace(database, tables=tuple(made if t.name == table else t for t in database.tables))
    return database


def _target(right: str, names: Iterable[str]) -> tuple[str, str]:
    """Table and column (empty: its key); a table's own name may hold a point."""
    if right in set(names):
        return right, ""
    table, _, column = right.rpartition(".")
    return (table, column) if table else (right, "")
