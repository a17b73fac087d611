"""information_schema → `Database`: four queries for any number of tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

from mainstem.errors import SourceRefused, UsageError
from mainstem.schema import Column, Database, ForeignKey, Table
from mainstem.source.guard import guard
from mainstem.source.mysql.boundaries import number_of_parts
from mainstem.source.mysql.mapping import lake_type, may_exceed, native_text
from mainstem.source.mysql.session import Rows, Session
from mainstem.source.port import OutOfRange, SourceOptions

Key = tuple[str, str]  # schema, table: the source's own names

_TABLES = """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_COMMENT, t.TABLE_ROWS, t.DATA_LENGTH, e.TRANSACTIONS
FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND t.TABLE_SCHEMA IN ({schemas})
ORDER BY t.TABLE_SCHEMA, t.TABLE_NAME"""
_COLUMNS = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_COMMENT,
       CHARACTER_SET_NAME
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN ({schemas})
ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"""
_KEYS = """
SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME
FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA IN ({schemas})
ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"""
_FOREIGN = """
SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME,
       REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE
WHERE REFERENCED_TABLE_NAME IS NOT NULL AND TABLE_SCHEMA IN ({schemas})
ORDER BY TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"""


def introspect(session: Session, database: str, options: SourceOptions) -> Database:
    """All base tables of the schemas asked for (by default the URL's database), by the options."""
    schemas = options.schemas or ((database,) if database else ())
    if not schemas:
        raise UsageError("no database is named", hint="write it in the URL (…/database) or under schemas")
    exact = _Exact(session, schemas)
    found = exact.rows(_TABLES)
    names = _lake_names([(row[0], row[1]) for row in found], options)
    columns = _grouped(exact.rows(_COLUMNS))
    keys = _grouped(exact.rows(_KEYS))
    foreign = _grouped(exact.rows(_FOREIGN))
    tables = []
    for schema, name, comment, rows, size, transactions in found:
        key = (schema, name)
        if key not in names:
            continue
        table = Table(
            name=names[key],
            columns=tuple(_column(names[key], *row[2:], options=options) for row in columns[key]),
            comment=comment or "",
            rows=-1 if rows is None else int(rows),
            bytes=-1 if size is None else int(size),
            source_schema=schema,
            source_name=name,
        )
        if not table.columns:
            raise SourceRefused(
                f"this user may not see any column of {table.name}", hint="GRANT SELECT on it"
            )
        table = _with_keys(table, keys[key], foreign[key], names)
        table = replace(table, parts=number_of_parts(table) if transactions == "YES" else 0)
        tables.append(guard(table, options, may_exceed))
    engine = "mariadb" if session.is_mariadb else "mysql"
    return Database(engine=engine, name=database or schemas[0], version=session.version, tables=tuple(tables))


def non_transactional(session: Session, database: str, options: SourceOptions) -> list[str]:
    """Lake names of the tables that a consistent snapshot does not cover (MyISAM, MEMORY, Aria, CSV)."""
    schemas = options.schemas or ((database,) if database else ())
    if not schemas:
        return []
    found = _Exact(session, schemas).rows(_TABLES)
    names = _lake_names([(row[0], row[1]) for row in found], options)
    return [names[row[0], row[1]] for row in found if (row[0], row[1]) in names and row[5] != "YES"]


class _Exact:
    """information_schema compares names without case; the server's tables may differ in case alone."""

    def __init__(self, session: Session, schemas: Iterable[str]) -> None:
        self.session = session
        self.folds = session.rows("SELECT @@lower_case_table_names")[0][0] != 0
        self.schemas = {self._fold(schema) for schema in schemas}
        self.literals = ", ".join(session.quoted(schema) for schema in schemas)

    def rows(self, sql: str) -> Rows:
        """By schema and table in binary order, within a table as the query orders them."""
        rows = self.session.rows(sql.format(schemas=self.literals))
        return sorted((r for r in rows if self._fold(r[0]) in self.schemas), key=lambda row: row[:2])

    def _fold(self, name: str) -> str:
        return name.casefold() if self.folds else name


def _lake_names(keys: list[Key], options: SourceOptions) -> dict[Key, str]:
    """Source table → lake name, for the tables that the options include. The name is kept; where two
    schemas have it, both get their schema in front. Lakes fold case: names equal but for it clash."""
    schemas_of = defaultdict(set)
    for schema, name in keys:
        schemas_of[name.casefold()].add(schema)
    names: dict[Key, str] = {}
    taken: dict[str, str] = {}
    for schema, name in keys:
        lake = name if len(schemas_of[name.casefold()]) == 1 else f"{schema}_{name}"
        if not _included(lake, options):
            continue
        if lake.casefold() in taken:
            raise UsageError(
                f"two tables would have one name in the lake: {taken[lake.casefold()]} and {lake}",
                hint="exclude one of them",
            )
        taken[lake.casefold()] = lake
        names[schema, name] = lake
    return names


def _included(name: str, options: SourceOptions) -> bool:
    included = any(fnmatchcase(name, pattern) for pattern in options.include)
    return included and not any(fnmatchcase(name, pattern) for pattern in options.exclude)


def _grouped(rows: Rows) -> dict[Key, Rows]:
    groups: dict[Key, Rows] = defaultdict(list)
    for row in rows:
        groups[row[0], row[1]].append(row)
    return groups


def _column(
    table: str,
    name: str,
    native: str,
    nullable: str,
    comment: str,
    charset: str | None,
    *,
    options: SourceOptions,
) -> Column:
    policy = options.out_of_range.get((table, name), OutOfRange.FAIL)
    return Column(
        name, lake_type(native, policy), nullable == "YES", native_text(native, charset), comment or ""
    )


def _with_keys(table: Table, keys: Rows, foreign: Rows, names: dict[Key, str]) -> Table:
    unique: dict[str, list[str]] = defaultdict(list)
    for *_, index, column in keys:
        unique[index].append(column)
    unique = {index: columns for index, columns in unique.items() if None not in columns}  # expressions
    primary = unique.pop("PRIMARY", [])
    references: dict[str, list[tuple[str, Key, str]]] = defaultdict(list)
    for _, _, constraint, column, ref_schema, ref_table, ref_column in foreign:
        references[constraint].append((column, (ref_schema, ref_table), ref_column))
    return replace(
        table,
        primary_key=tuple(primary),
        unique_keys=tuple(tuple(columns) for columns in unique.values()),
        foreign_keys=tuple(
            ForeignKey(tuple(p[0] for p in parts), names[parts[0][1]], tuple(p[2] for p in parts))
            for parts in references.values()
            if parts[0][1] in names
        ),
    )
