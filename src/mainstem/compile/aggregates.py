"""Aggregates that differ, with their FILTER and OVER. Pure."""

from __future__ import annotations

from sqlglot import exp

from mainstem.compile.context import Refused, spark, words
from mainstem.compile.sqltypes import Family, SqlType


def outermost(node: exp.Expr) -> exp.Expr:
    """The aggregate with its FILTER and OVER."""
    while isinstance(node.parent, exp.Filter | exp.Window) and node.arg_key == "this":
        node = node.parent
    return node


def _wrapped(node: exp.Expr, aggregate: exp.Expr) -> exp.Expr:
    """Another aggregate in the FILTER and OVER of this one."""
    made = aggregate
    while isinstance(node.parent, exp.Filter | exp.Window) and node.arg_key == "this":
        parent = node.parent.copy()
        parent.set("this", made)
        made, node = parent, node.parent
    return made


def _argument(node: exp.Expr) -> tuple[exp.Expr, bool]:
    """The argument, and whether DISTINCT stands before it."""
    if isinstance(node.this, exp.Distinct):
        return node.this.expressions[0], True
    return node.this, False


def _over(made: exp.Expr, distinct: bool) -> exp.Expr:
    return exp.Distinct(expressions=[made]) if distinct else made


def total(node: exp.Expr, types: list[SqlType]) -> exp.Expr | None:
    """SUM: of 64-bit integers in 128 bits, of booleans as numbers."""
    (type_,) = types
    x, distinct = _argument(node)
    if type_.family is Family.BOOLEAN:
        return _wrapped(node, exp.Sum(this=_over(spark("CAST(:x AS INT)", x=x), distinct)))
    if type_.family is Family.INTEGER and type_.wide:
        return _wrapped(node, exp.Sum(this=_over(spark("CAST(:x AS DECIMAL(38, 0))", x=x), distinct)))
    if type_.family is Family.FLOAT:
        return _wrapped(node, exp.Sum(this=_over(spark("CAST(:x AS DOUBLE)", x=x), distinct)))
    if not type_.numeric:
        raise Refused(node, f"{words(node)} of {type_.name} is not the same on Spark")
    return _wrapped(node, exp.Sum(this=_over(x, distinct)))


def mean(node: exp.Expr, types: list[SqlType]) -> exp.Expr:
    """AVG: the exact sum as a double, divided by the count times the power of the scale."""
    (type_,) = types
    x, distinct = _argument(node)
    if not type_.numeric:
        raise Refused(node, f"{words(node)} of {type_.name} is not the same on Spark")
    summed = x
    if type_.family is Family.INTEGER:
        summed = spark("CAST(:x AS DECIMAL(38, 0))", x=x)
    elif type_.family is Family.FLOAT:
        summed = spark("CAST(:x AS DOUBLE)", x=x)
    sum_ = _wrapped(node, exp.Sum(this=_over(summed, distinct)))
    count = _wrapped(node, exp.Count(this=_over(x.copy(), distinct)))
    power = f"CAST(1e{type_.scale} AS DOUBLE)"
    if type_.scale:
        units = f"CAST(:s * CAST(1e{type_.scale} AS DECIMAL({type_.scale + 1}, 0)) AS DECIMAL(38, 0))"
        return spark(f"CAST({units} AS DOUBLE) / (NULLIF(CAST(:n AS DOUBLE), 0) * {power})", s=sum_, n=count)
    return spark("CAST(:s AS DOUBLE) / NULLIF(CAST(:n AS DOUBLE), 0)", s=sum_, n=count)


def joined_list(node: exp.Expr, types: list[SqlType]) -> exp.Expr:
    """ARRAY_TO_STRING of a sorted list of texts; NULLs are left out of the text."""
    (type_,) = types
    x, distinct = _argument(node)
    if type_.family is not Family.TEXT or not isinstance(node.expression, exp.Literal):
        raise Refused(node, f"{words(node)} is no sorted list of texts with a literal between them")
    gathered = "COLLECT_SET" if distinct else "COLLECT_LIST"
    text = f"ARRAY_JOIN(ARRAY_SORT({gathered}(:x)), :s)"
    return spark(f"CASE WHEN COUNT(*) = 0 THEN NULL ELSE {text} END", x=x, s=node.expression)


def joined_text(node: exp.Expr, types: list[SqlType]) -> exp.Expr:
    """STRING_AGG in the order of its own values; any other order is one that Spark 3.5 cannot keep."""
    ordered = node.this
    if not isinstance(ordered, exp.Order) or isinstance(node.parent, exp.Filter | exp.Window):
        raise Refused(node, f"{words(node)} has no order of its own", "string_agg(x, ', ' order by x)")
    (key,) = ordered.expressions if len(ordered.expressions) == 1 else (None,)
    if key is None or key.args.get("desc") or key.this != ordered.this:
        raise Refused(
            node,
            f"{words(node)} is ordered by something else",
            "Spark 3.5 can order it by its own values alone",
        )
    separator = node.args.get("separator") or exp.Literal.string(",")
    return spark(
        "CASE WHEN COUNT(:x) = 0 THEN NULL ELSE ARRAY_JOIN(ARRAY_SORT(COLLECT_LIST(:x)), :s) END",
        x=ordered.this,
        s=separator,
    )
