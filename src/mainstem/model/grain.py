"""What one row of a fact is, where the file does not say: inferred from foreign keys. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlglot import exp

from mainstem.schema import HISTORY, RAW, Table

ModelOf = Callable[[str], exp.Query | None]
_SHORTENED = ("group", "distinct", "limit", "offset", "qualify")
_NONE: frozenset[str] = frozenset()


def row_tables(query: exp.Query, model_of: ModelOf) -> frozenset[str]:
    """The source tables whose rows arrive in the result one by one, as the query names them: not those
    that were grouped, made distinct, cut off or united on the way. `model_of` gives a model's query."""
    return _rows(query, {}, model_of)


def _rows(query: exp.Expr, outer: Mapping[str, frozenset[str]], model_of: ModelOf) -> frozenset[str]:
    ctes = dict(outer)
    with_ = query.args.get("with_") or query.args.get("with")
    for cte in with_.expressions if with_ is not None else ():
        recursive = with_ is not None and with_.args.get("recursive")
        ctes[cte.alias.casefold()] = _NONE if recursive else _rows(cte.this, ctes, model_of)
    if isinstance(query, exp.Subquery):
        return _rows(query.this, ctes, model_of)
    source = query.args.get("from_") or query.args.get("from")
    if not isinstance(query, exp.Select) or source is None or _groups(query):
        return _NONE
    joins = [join.this for join in query.args.get("joins") or () if join.kind not in ("SEMI", "ANTI")]
    found = [_of_source(one, ctes, model_of) for one in (source.this, *joins)]
    # Something else multiplies the rows on purpose: unnest, range, lateral.
    return _NONE if None in found else _NONE.union(*(one for one in found if one))


def _of_source(
    source: exp.Expr, ctes: Mapping[str, frozenset[str]], model_of: ModelOf
) -> frozenset[str] | None:
    if isinstance(source, exp.Subquery):
        return _rows(source, ctes, model_of)
    if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
        return None
    if source.args.get("pivots") or source.args.get("sample"):
        return _NONE
    name, schema = source.name, source.db.lower()
    if not schema and name.casefold() in ctes:
        return ctes[name.casefold()]
    if schema == RAW:
        return frozenset({name})
    if schema == HISTORY:
        return _NONE  # several rows a row of the source
    query = model_of(name)
    return _NONE if query is None else _rows(query, {}, model_of)


def _groups(select: exp.Select) -> bool:
    if any(select.args.get(name) for name in _SHORTENED):
        return True
    return any(
        found.find_ancestor(exp.Window, exp.Select) is select for found in select.find_all(exp.AggFunc)
    )


def infer_grain(tables: Iterable[str], schema: Mapping[str, Table]) -> str | None:
    """The one source table whose rows a join of `tables` should keep.

    A table to which another one of them refers by foreign key is a parent and multiplies nothing; the
    grain is the table that is nobody's parent. None if there is not exactly one such table with
    foreign keys.
    """
    names = [name for name in tables if name in schema]
    parents = {key.ref_table for name in names for key in schema[name].foreign_keys if key.ref_table != name}
    leaves = [name for name in names if name not in parents]
    joined = [name for name in leaves if any(key.ref_table in names for key in schema[name].foreign_keys)]
    if len(names) == 1:
        return names[0]
    return joined[0] if len(joined) == 1 else None
