"""Is a table still what introspection saw? Asked inside the snapshot, right before a read.

A snapshot of PostgreSQL covers rows, not definitions: names in a statement mean the columns of now, and
after a TRUNCATE or an ALTER that rewrites the table an older snapshot finds it empty (PostgreSQL's manual,
13.6 Caveats). So the table is locked by looking at it (ACCESS SHARE, kept to the end of the transaction,
the lock of every SELECT), then what it is now is compared with what the snapshot's catalogue says.
"""

from __future__ import annotations

from mainstem.errors import MainstemError, SourceRefused, SourceUnavailable, Where
from mainstem.schema import Table
from mainstem.source.guard import own_columns
from mainstem.source.postgres.dialect import PostgresDialect
from mainstem.source.postgres.session import Session, statement
from mainstem.source.postgres.types import quote

Layout = dict[str, tuple[str, str, bool]]  # column → lake type, native type, nullable

# A result's description has the base type in the place of a domain: then the number alone is compared.
_SEEN = """
SELECT a.attname::text, a.attnum::int4, a.atttypid::int8, a.atttypmod, t.typtype = 'd'
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass('{name}') AND a.attnum > 0 AND NOT a.attisdropped
"""
# pg_relation_filenode tells the file of now, the column that of the snapshot.
_REWRITTEN = """
SELECT count(*) FROM pg_class c
WHERE (c.oid = to_regclass('{name}')::oid
    OR c.oid IN (SELECT relid::oid FROM pg_partition_tree(to_regclass('{name}'))))
  AND pg_relation_filenode(c.oid) IS DISTINCT FROM nullif(c.relfilenode, 0)
"""


def layout_of(table: Table) -> Layout:
    """What has to stay the same between introspection and read, by name: the order may change."""
    return {column.name: (str(column.type), column.native, column.nullable) for column in own_columns(table)}


def altered(table: Table, now: Layout) -> MainstemError:
    """The error for a table that is not what introspection saw; names the first column."""
    names = (name for name, shape in layout_of(table).items() if now.get(name) != shape)
    return SourceRefused(
        "was altered since it was looked at",
        where=Where(table=table.name, column=next(names, "")),
        hint="run again: mainstem plan shows what changed",
    )


def require_unaltered(session: Session, dialect: PostgresDialect, table: Table) -> None:
    """Lock the table, then compare its columns and files of now with the snapshot's."""
    columns = own_columns(table)
    names = ", ".join(quote(column.name) for column in columns)
    cursor = session.execute(f"SELECT {names} FROM {dialect.ref(table)} LIMIT 0".encode())
    result = cursor.pgresult
    assert result is not None
    now = {
        column.name: (result.ftablecol(at), result.ftype(at), result.fmod(at))
        for at, column in enumerate(columns)
    }
    name = f"{quote(table.source_schema)}.{quote(table.source_name)}".replace("'", "''")
    rows = statement(session, _SEEN.format(name=name))
    seen = {row[0]: (row[1], *(now[row[0]][1:] if row[4] else row[2:4])) for row in rows if row[0] in now}
    same = seen == now
    if not same or statement(session, _REWRITTEN.format(name=name)) != [(0,)]:
        raise SourceUnavailable(
            "the table was altered or truncated while the snapshot was open",
            where=Where(table=table.name),
            hint="run again",
        )
