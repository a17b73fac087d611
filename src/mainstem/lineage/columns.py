"""Column lineage from SQL: which columns of which tables each column of a model is made of. Pure.

A column counts as a source when it stands in the expression that makes the result; a column that only
filters, joins or groups the query does not. Tables are edges in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from mainstem.lineage.graph import ColumnName, Lineage
from mainstem.model.sql import DIALECT
from mainstem.schema import MART, TableName


def trace(models: Mapping[TableName, str], tables: Mapping[TableName, Sequence[str]]) -> Lineage:
    """The lineage of all models. `models` maps each to its SQL, `tables` every known table, raw and mart,
    to its columns' names. SQL that cannot be parsed or resolved is left out and named, never raised."""
    schema = _schema(tables)
    names = {(t.namespace.casefold(), t.name.casefold()): t for t in (*tables, *models)}
    # SQLGlot folds names as DuckDB compares them; people read them as they are written.
    cased = {(t, c.casefold()): c for t, columns in tables.items() for c in columns}
    edges: set[tuple[TableName, TableName]] = set()
    columns: dict[ColumnName, tuple[ColumnName, ...]] = {}
    unresolved = []
    for model, sql in models.items():
        try:
            tracer = _Tracer(sql, schema, names)
            columns |= {
                _cased(ColumnName(model, name), cased): tuple(sorted(_cased(c, cased) for c in found))
                for name, found in tracer.columns()
            }
        except (SqlglotError, RecursionError, ValueError):
            unresolved.append(model)
        edges |= {(table, model) for table in _read(sql, names)}
    return Lineage(tuple(sorted(edges)), columns, tuple(unresolved))


def _cased(column: ColumnName, cased: Mapping[tuple[TableName, str], str]) -> ColumnName:
    return ColumnName(column.table, cased.get((column.table, column.name.casefold()), column.name))


_Names = Mapping[tuple[str, str], TableName]


def _schema(tables: Mapping[TableName, Sequence[str]]) -> MappingSchema:
    nested: dict[str, object] = {}
    for namespace in {table.namespace for table in tables}:
        nested[namespace] = {
            table.name: dict.fromkeys(columns, "text")
            for table, columns in tables.items()
            if table.namespace == namespace and columns
        }
    return MappingSchema(nested, dialect=DIALECT)


def _parsed(sql: str) -> exp.Expr:
    query: exp.Expr = sqlglot.parse_one(sql, dialect=DIALECT)
    for table in query.find_all(exp.Table):
        if not table.db and not _is_cte(table):
            table.set("db", exp.to_identifier(MART))
    return query


def _is_cte(table: exp.Table) -> bool:
    name = table.name.casefold()
    node: exp.Expr | None = table
    while node is not None:
        if isinstance(node, exp.Query) and any(c.alias_or_name.casefold() == name for c in node.ctes):
            return True
        node = node.parent
    return False


def _read(sql: str, names: _Names) -> set[TableName]:
    try:
        query = _parsed(sql)
    except SqlglotError:
        return set()
    found = {names.get((t.db.casefold(), t.name.casefold())) for t in query.find_all(exp.Table) if t.db}
    return {table for table in found if table is not None}


class _Tracer:
    """Follows the columns of one query through its CTEs, subqueries and unions."""

    def __init__(self, sql: str, schema: MappingSchema, names: _Names) -> None:
        query = qualify(
            _parsed(sql), schema=schema, dialect=DIALECT, validate_qualify_columns=False,
            quote_identifiers=False,
        )  # fmt: skip
        self.names = names
        self.scopes = traverse_scope(query)
        self.owner = {id(column): scope for scope in self.scopes for column in scope.columns}
        self.known: dict[tuple[int, str], frozenset[ColumnName]] = {}

    def columns(self) -> Iterator[tuple[str, frozenset[ColumnName]]]:
        root = self.scopes[-1]
        for name in _outputs(root):
            yield name, self.sources(root, name)

    def sources(self, scope: Scope, name: str) -> frozenset[ColumnName]:
        key = (id(scope), name.casefold())
        if key not in self.known:
            self.known[key] = frozenset()  # a recursive CTE meets itself here
            self.known[key] = self.resolve(scope, name)
        return self.known[key]

    def resolve(self, scope: Scope, name: str) -> frozenset[ColumnName]:
        if scope.set_operation_scopes:
            first, *_ = scope.set_operation_scopes
            outputs = [column.casefold() for column in _outputs(first)]
            if name.casefold() not in outputs:
                return frozenset()
            place = outputs.index(name.casefold())
            parts = [(part, _outputs(part)) for part in scope.set_operation_scopes]
            return frozenset().union(*(self.sources(p, o[place]) for p, o in parts if place < len(o)))
        for projection in _projections(scope):
            if projection.alias_or_name.casefold() == name.casefold():
                return frozenset().union(*(self.column(c, scope) for c in projection.find_all(exp.Column)))
        return frozenset()

    def column(self, column: exp.Column, scope: Scope) -> frozenset[ColumnName]:
        owner: Scope | None = self.owner.get(id(column), scope)
        while owner is not None:
            source = owner.sources.get(column.table)
            if isinstance(source, Scope):
                return self.sources(source, column.name)
            if isinstance(source, exp.Table):
                table = self.names.get((source.db.casefold(), source.name.casefold()))
                return frozenset() if table is None else frozenset({ColumnName(table, column.name)})
            owner = owner.parent
        return frozenset()


def _projections(scope: Scope) -> list[exp.Expr]:
    return list(scope.expression.selects) if isinstance(scope.expression, exp.Query) else []


def _outputs(scope: Scope) -> list[str]:
    if scope.set_operation_scopes:
        return _outputs(scope.set_operation_scopes[0])
    return [projection.alias_or_name for projection in _projections(scope)]
