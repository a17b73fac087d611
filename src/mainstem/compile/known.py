"""What means the same on both engines as SQLGlot writes it, and what is refused with words of its own."""

from __future__ import annotations

from sqlglot import exp

# Clauses and plumbing.
_STRUCTURE = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit,
    exp.Offset, exp.With, exp.CTE, exp.TableAlias, exp.Subquery, exp.Union, exp.Except, exp.Intersect,
    exp.Table, exp.Identifier, exp.Column, exp.Star, exp.Alias, exp.Distinct, exp.Qualify, exp.Window,
    exp.WindowSpec, exp.Filter, exp.Paren, exp.Tuple, exp.Values, exp.Var, exp.DataType, exp.DataTypeParam,
    exp.Interval, exp.GenerateSeries, exp.Exists, exp.Placeholder,
)  # fmt: skip
# Values and functions.
_VALUES = (
    exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Not, exp.And, exp.Or, exp.Is, exp.Mul, exp.Abs,
    exp.Count, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr, exp.CountIf,
    exp.Length, exp.Replace, exp.StrPosition, exp.StartsWith, exp.EndsWith, exp.Contains, exp.Repeat, exp.MD5,
    exp.LastDay, exp.DateFromParts,
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.Ntile,
    exp.PercentRank, exp.CumeDist, exp.StddevSamp, exp.Stddev, exp.VariancePop, exp.Variance, exp.StddevPop,
)  # fmt: skip
SAME: frozenset[type[exp.Expr]] = frozenset(_STRUCTURE + _VALUES)

# Aggregates whose floating result depends on the order of the rows: compared to nine digits.
INEXACT: tuple[type[exp.Expr], ...] = (
    exp.StddevSamp, exp.Stddev, exp.VariancePop, exp.Variance, exp.StddevPop,
)  # fmt: skip

_CLOCK = "it asks the clock: two engines give two answers; take the day from a table, or from a column"
_CHANCE = "it is another number each time"
_CHOICE = "it takes whatever row comes first; min(), max() or row_number() with a full order say which"
WHY: dict[type[exp.Expr], str] = {
    exp.CurrentDate: _CLOCK,
    exp.CurrentTimestamp: _CLOCK,
    exp.CurrentTime: _CLOCK,
    exp.Rand: _CHANCE,
    exp.Uuid: _CHANCE,
    exp.AnyValue: _CHOICE,
    exp.First: _CHOICE,
    exp.Last: _CHOICE,
    exp.ArgMax: _CHOICE,
    exp.ArgMin: _CHOICE,
    exp.Mode: _CHOICE,
    exp.Median: "of decimals it is a decimal here, a double there",
    exp.PercentileCont: "of decimals it is a decimal here, a double there",
    exp.ArrayAgg: "the lake holds no lists",
    exp.Array: "the lake holds no lists",
    exp.Struct: "the lake holds no structs",
}
_NAMES = {
    "now": _CLOCK,
    "today": _CLOCK,
    "get_current_timestamp": _CLOCK,
    "random": "it is another number each time",
}


def why_not(node: exp.Expr) -> str:
    """Why a node that no rule knows is refused."""
    if isinstance(node, exp.Anonymous):
        return _NAMES.get(str(node.this).lower(), "no rule knows it, and it is not guessed")
    return WHY.get(type(node), "no rule knows it, and it is not guessed")
