"""What one row of a fact is, where the file does not say: inferred from foreign keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from mainstem.schema import Table


def aggregates(query: exp.Query) -> bool:
    """Whether the rows of a query are groups or distinct values, not rows of a table."""
    for scope in traverse_scope(query):
        if scope.is_subquery:
            continue  # its value stands in a row, it makes none
        one = scope.expression
        if isinstance(one, exp.SetOperation) or one.args.get("group") or one.args.get("distinct"):
            return True
        if any(found.find_ancestor(exp.Window, exp.Select) is one for found in one.find_all(exp.AggFunc)):
            return True
    return False


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
