"""What a PostgreSQL database holds, from pg_catalog, in a handful of queries.

Ordinary and partitioned tables; partitions count as part of their root, inheritance children are tables
of their own; views, foreign tables and tables of which the user may read no column are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from mainstem.errors import SourceRefused
from mainstem.schema import Column, ForeignKey, Kind, Table, Type
from mainstem.source.guard import guard
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.postgres.types import lake_type, may_exceed
from mainstem.text import joined, nearest

Ask = Callable[[str], list[tuple[Any, ...]]]

_RELATIONS = """
SELECT c.oid::int8, n.nspname::text, c.relname::text, obj_description(c.oid, 'pg_class'),
  (SELECT sum(p.reltuples)::int8 FROM pg_class p WHERE p.oid = ANY (parts.oids) AND p.reltuples >= 0),
  (SELECT sum(p.relpages::int8 + coalesce(x.relpages, 0)) * current_setting('block_size')::int8
   FROM pg_class p LEFT JOIN pg_class x ON x.oid = p.reltoastrelid WHERE p.oid = ANY (parts.oids))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT CASE WHEN c.relkind = 'r' THEN ARRAY[c.oid] ELSE ARRAY(
  SELECT relid::oid FROM pg_partition_tree(c.oid) WHERE isleaf) END) parts (oids)
WHERE n.nspname = ANY ({schemas}) AND c.relkind IN ('r', 'p')
  AND NOT (c.relispartition AND EXISTS (
    SELECT FROM pg_class r JOIN pg_namespace m ON m.oid = r.relnamespace
    WHERE r.oid = pg_partition_root(c.oid) AND m.nspname = ANY ({schemas})))
  AND (c.relkind = 'r' OR NOT c.relispartition)
  AND has_schema_privilege(n.oid, 'USAGE')
  AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
"""
# A domain stands for its base type, through any number of domains.
_COLUMNS = """
WITH RECURSIVE base (domain, oid, typmod) AS (
  SELECT oid, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT b.domain, t.typbasetype, CASE WHEN b.typmod < 0 THEN t.typtypmod ELSE b.typmod END
  FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
), shown AS (
  SELECT a.attrelid, a.attnum, a.attname, a.attnotnull,
    coalesce(b.oid, a.atttypid) AS typ, coalesce(b.typmod, a.atttypmod) AS typmod
  FROM pg_attribute a LEFT JOIN (
    SELECT base.* FROM base JOIN pg_type t ON t.oid = base.oid WHERE t.typtype <> 'd'
  ) b ON b.domain = a.atttypid
  WHERE a.attrelid = ANY ({oids}) AND a.attnum > 0 AND NOT a.attisdropped
)
SELECT s.attrelid::int8, s.attnum::int4, s.attname::text, s.attnotnull,
  CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname::text ELSE '' END,
  s.typmod, format_type(s.typ, s.typmod), col_description(s.attrelid, s.attnum)
FROM shown s JOIN pg_type t ON t.oid = s.typ ORDER BY s.attrelid, s.attnum
"""
_INDEXES = """
SELECT i.indrelid::int8, i.indisprimary,
  (i.indkey::int2[])[0:i.indnkeyatts - 1]::int4[]
FROM pg_index i
WHERE i.indrelid = ANY ({oids}) AND i.indisunique AND i.indisvalid
  AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indexrelid
"""
_FOREIGN_KEYS = """
SELECT conrelid::int8, confrelid::int8, conkey::int4[], confkey::int4[]
FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND conrelid = ANY ({oids}) AND confrelid = ANY ({oids})
ORDER BY oid
"""
PARENTS = """
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relhassubclass
"""
_SCHEMAS = """
SELECT n.nspname::text, count(c.oid) FROM pg_namespace n
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' GROUP BY 1 ORDER BY 1
"""
# Of the server, and by schema how many tables the user may see: for a note on those that are not read.
SERVER = """
SELECT current_setting('server_version'), current_database()::text, ARRAY(
  SELECT n.nspname::text FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1)
"""


@dataclass(frozen=True, slots=True)
class _Relation:
    oid: int
    lake: str
    schema: str
    name: str
    comment: str
    rows: int
    bytes: int


def tables_of(ask: Ask, schemas: Sequence[str], options: SourceOptions) -> tuple[Table, ...]:
    """The tables that the options include, ordered by lake name.

    No schema named means `public`. Tables of the first schema keep their names, those of further ones
    become `schema__table`.
    """
    named = tuple(dict.fromkeys(schemas)) or ("public",)
    hidden = _require_schemas(ask, named, given=bool(schemas))
    found = ask(_RELATIONS.format(schemas=_array(named)))
    if hidden and not found:
        raise SourceRefused(
            f"the user may read none of the tables in schema {joined(repr(name) for name in named)}",
            hint="GRANT USAGE ON SCHEMA and SELECT ON ALL TABLES IN SCHEMA to the user",
        )
    relations = _relations(found, named, options)
    if not relations:
        return ()
    oids = _array([relation.oid for relation in relations])
    money_scale = int(ask("SELECT scale(0::money::numeric)")[0][0])
    columns: dict[int, dict[int, Column]] = defaultdict(dict)
    names = {relation.oid: relation.lake for relation in relations}
    for oid, number, name, not_null, type_name, typmod, native, comment in ask(_COLUMNS.format(oids=oids)):
        type_ = lake_type(type_name, typmod, money_scale)
        if options.out_of_range.get((names[oid], name)) is OutOfRange.TEXT:
            type_ = Type(Kind.STRING)
        columns[oid][number] = Column(name, type_, not not_null, native, comment or "")
    keys = _keys(ask(_INDEXES.format(oids=oids)), columns)
    foreign = _foreign_keys(ask(_FOREIGN_KEYS.format(oids=oids)), columns, names)
    tables = (
        Table(
            name=relation.lake,
            columns=tuple(columns[relation.oid].values()),
            primary_key=keys[relation.oid, True][0] if keys[relation.oid, True] else (),
            unique_keys=tuple(keys[relation.oid, False]),
            foreign_keys=tuple(foreign[relation.oid]),
            comment=relation.comment,
            rows=relation.rows,
            bytes=relation.bytes,
            source_schema=relation.schema,
            source_name=relation.name,
        )
        for relation in relations
        if columns[relation.oid]  # a table without columns has nothing to load
    )
    return tuple(guard(table, options, may_exceed) for table in tables)


def _require_schemas(ask: Ask, schemas: Sequence[str], *, given: bool) -> int:
    """How many tables the schemas hold, readable or not; SourceRefused if the schemas are the wrong ones."""
    found = {name: int(tables) for name, tables in ask(_SCHEMAS)}
    for schema in schemas:
        if schema not in found and (given or any(found.values())):
            raise SourceRefused(
                f"there is no schema {schema!r}", hint=nearest(schema, found, "schemas of this database")
            )
    others = [name for name, number in found.items() if number and name not in schemas]
    tables = sum(found.get(schema, 0) for schema in schemas)
    if others and not tables:
        where = joined(repr(schema) for schema in schemas)
        raise SourceRefused(
            f"no tables in schema {where}",
            hint=f"name the schemas to read under `schemas:`: {joined(others)}",
        )
    return tables


def _relations(
    found: list[tuple[Any, ...]], schemas: Sequence[str], options: SourceOptions
) -> list[_Relation]:
    relations: list[_Relation] = []
    for oid, schema, name, comment, rows, size in found:
        lake = name if schema == schemas[0] else f"{schema}__{name}"
        if any(fnmatchcase(lake, p) for p in options.include) and not any(
            fnmatchcase(lake, p) for p in options.exclude
        ):
            estimate = -1 if rows is None else int(rows)
            relations.append(_Relation(oid, lake, schema, name, comment or "", estimate, int(size or -1)))
    relations.sort(key=lambda relation: relation.lake)
    seen: dict[str, _Relation] = {}
    for relation in relations:
        other = seen.setdefault(relation.lake.casefold(), relation)
        if other is not relation:
            raise SourceRefused(
                f"{other.schema}.{other.name} and {relation.schema}.{relation.name} would have the same name "
                "in the lake, where case does not count",
                hint="exclude one of them",
            )
    return relations


def _array(values: Sequence[int] | Sequence[str]) -> str:
    literals = [str(v) if isinstance(v, int) else "'" + v.replace("'", "''") + "'" for v in values]
    kind = "oid" if values and isinstance(values[0], int) else "name"
    return f"ARRAY[{', '.join(literals)}]::{kind}[]"


def _keys(
    rows: list[tuple[Any, ...]], columns: dict[int, dict[int, Column]]
) -> defaultdict[tuple[int, bool], list[tuple[str, ...]]]:
    """Keys by (table, is it the primary key)."""
    keys: defaultdict[tuple[int, bool], list[tuple[str, ...]]] = defaultdict(list)
    for oid, primary, numbers in rows:
        names = tuple(columns[oid][number].name for number in numbers)
        if names not in keys[oid, primary]:
            keys[oid, primary].append(names)
    return keys


def _foreign_keys(
    rows: list[tuple[Any, ...]], columns: dict[int, dict[int, Column]], names: dict[int, str]
) -> defaultdict[int, list[ForeignKey]]:
    keys: defaultdict[int, list[ForeignKey]] = defaultdict(list)
    for oid, other, numbers, referred in rows:
        key = ForeignKey(
            tuple(columns[oid][n].name for n in numbers),
            names[other],
            tuple(columns[other][n].name for n in referred),
        )
        if key not in keys[oid]:
            keys[oid].append(key)
    return keys
