"""The table of what differs between DuckDB and Spark: a name, the nodes, the parts whose types decide, the
rewriting, the reason. Whatever is neither here nor in `known.SAME` is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mainstem.compile import aggregates, casts, scalars, times
from mainstem.compile.context import Apply, Refused, is_text_literal, spark, words
from mainstem.compile.sqltypes import Family, SqlType, spark_type

Parts = Callable[[exp.Expr], Sequence[exp.Expr]]


def _none(node: exp.Expr) -> Sequence[exp.Expr]:
    return ()


def _this(node: exp.Expr) -> Sequence[exp.Expr]:
    return (node.this,)


def _both(node: exp.Expr) -> Sequence[exp.Expr]:
    return (node.this, node.expression)


def _both_and_itself(node: exp.Expr) -> Sequence[exp.Expr]:
    return (node.this, node.expression, node)


def _listed(node: exp.Expr) -> Sequence[exp.Expr]:
    return tuple(node.expressions)


def _argument(node: exp.Expr) -> Sequence[exp.Expr]:
    return (node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this,)


def _gathered(node: exp.Expr) -> Sequence[exp.Expr]:
    made = node.this
    if isinstance(made, exp.ArraySort) and isinstance(made.this, exp.ArrayAgg):
        made = made.this.this
    return (made.expressions[0] if isinstance(made, exp.Distinct) else made,)


def _extracted(node: exp.Expr) -> Sequence[exp.Expr]:
    return (node.expression if isinstance(node, exp.Extract) else node.this,)


def _ends(node: exp.Expr) -> Sequence[exp.Expr]:
    made = node.this
    return (made.args["start"], made.args["end"]) if isinstance(made, exp.GenerateSeries) else ()


def _alternatives(node: exp.Expr) -> Sequence[exp.Expr]:
    """The values of which the expression is one, or that are compared."""
    if isinstance(node, exp.Case):
        found = [branch.args["true"] for branch in node.args.get("ifs") or []]
        found += [node.args["default"]] if node.args.get("default") else []
        return found
    if isinstance(node, exp.If):
        return (
            ()
            if isinstance(node.parent, exp.Case)
            else [v for k in ("true", "false") if (v := node.args.get(k))]
        )
    if isinstance(node, exp.In):
        return () if node.args.get("query") else (node.this, *node.expressions)
    if isinstance(node, exp.Between):
        return (node.this, node.args["low"], node.args["high"])
    rest = node.expressions if node.args.get("expressions") else [node.expression]
    return (node.this, *rest)


def one_family(node: exp.Expr, types: list[SqlType]) -> exp.Expr | None:
    """A text beside another type: which of the two is read as the other, Spark decides otherwise."""
    parts = [
        (part, type_)
        for part, type_ in zip(_alternatives(node), types, strict=True)
        if type_.family is not Family.NULL and not is_text_literal(part)
    ]
    families = {type_.family for _, type_ in parts}
    if Family.TEXT in families and len(families) > 1:
        raise Refused(node, f"{words(node)} mixes text with {_other(families)}", "CAST one side")
    if isinstance(node, COMPARED):
        _constants(node, parts)
    return None


def _constants(node: exp.Expr, parts: list[tuple[exp.Expr, SqlType]]) -> None:
    """What is compared with a decimal or a FLOAT takes its type (Spark: both become doubles)."""
    names = {type_.name: type_ for _, type_ in parts}
    floats = [type_ for type_ in names.values() if type_.family is Family.FLOAT]
    if len(names) == 1 and parts[0][1].family is Family.DECIMAL:
        for part in _alternatives(node):
            if is_text_literal(part):
                part.replace(spark(f"CAST(:x AS {spark_type(parts[0][1])})", x=part))
    if floats and not any(type_.family is Family.DOUBLE for type_ in names.values()):
        for part, type_ in parts:
            if type_.family in (Family.INTEGER, Family.DECIMAL):
                part.replace(spark("CAST(:x AS FLOAT)", x=part))


def _other(families: set[Family]) -> str:
    return ", ".join(sorted(family.value for family in families if family is not Family.TEXT))


@dataclass(frozen=True, slots=True)
class Rule:
    """`late` rules come last: they take the FILTER and OVER of an aggregate with them."""

    name: str
    nodes: tuple[type[exp.Expr], ...]
    parts: Parts
    apply: Apply
    reason: str
    late: bool = False


COMPARED = (
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.In,
    exp.Between,
)
CHOSEN = (exp.Case, exp.If, exp.Coalesce, exp.Greatest, exp.Least, exp.Nullif)
PARTS = (exp.Extract, exp.Year, exp.Quarter, exp.Month, exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.DayOfWeek,
         exp.DayOfWeekIso, exp.Week, exp.WeekOfYear, exp.Hour, exp.Minute, exp.Second)  # fmt: skip

RULES: tuple[Rule, ...] = (
    Rule("division", (exp.Div,), _both_and_itself, scalars.divided,
         "`/` divides doubles; by zero an infinity (Spark: decimals stay decimals, zero is an error)"),
    Rule("whole division", (exp.IntDiv,), _both, scalars.divided_whole,
         "`//` by zero is NULL (Spark: an error)"),
    Rule("remainder", (exp.Mod,), _both, scalars.remainder, "`%` by zero is NULL (Spark: an error)"),
    Rule("round", (exp.Round,), _this, scalars.rounded,
         "a double is scaled and rounded (Spark rounds its printed digits)"),
    Rule("ceil, floor", (exp.Ceil, exp.Floor), _this, scalars.up_or_down,
         "of a double they stay doubles (Spark: 64-bit integers)"),
    Rule("sign", (exp.Sign,), _this, scalars.signed, "a whole number (Spark: of the argument's type)"),
    Rule("sqrt", (exp.Sqrt,), _this, scalars.root, "of a negative number an error (Spark: no number)"),
    Rule("cast", (exp.Cast, exp.TryCast), _this, casts.cast,
         "numbers round half up, doubles half to even (Spark cuts off); texts are read by DuckDB's rules"),
    Rule("sum", (exp.Sum,), _argument, aggregates.total,
         "64-bit integers are added in 128 bits (Spark: 64, then an error)", late=True),
    Rule("avg", (exp.Avg,), _argument, aggregates.mean,
         "the exact sum as a double, divided by the count (Spark: of decimals a rounded decimal)", late=True),
    Rule("string_agg", (exp.GroupConcat,), _none, aggregates.joined_text,
         "ordered by its own values (Spark 3.5 has none)", late=True),
    Rule("array_to_string", (exp.ArrayToString,), _gathered, aggregates.joined_list,
         "of a sorted list of texts; other lists are refused"),
    Rule("trim", (exp.Trim,), _none, scalars.trimmed, "takes all spaces of Unicode (Spark: the first one)"),
    Rule("upper, lower", (exp.Upper, exp.Lower), _none, scalars.cased,
         "letter by letter (Java: ß becomes SS, a Σ at the end of a word ς)"),
    Rule("||", (exp.DPipe,), _both, scalars.concatenated, "what is no text becomes DuckDB's text"),
    Rule("concat", (exp.Concat,), _listed, scalars.concat_call, "leaves NULLs out (Spark: NULL)"),
    Rule("concat_ws", (exp.ConcatWs,), _listed, scalars.concat_with, "what is no text becomes DuckDB's text"),
    Rule("substring", (exp.Substring,), _none, scalars.part_of_text,
         "a start below 1 means something else: refused"),
    Rule("left, right", (exp.Left, exp.Right), _none, scalars.end_of_text,
         "a negative length means something else: refused"),
    Rule("lpad, rpad", (exp.Pad,), _none, scalars.padded, "without a filling an error: refused"),
    Rule("split_part", (exp.SplitPart,), _none, scalars.split_off, "part 0 and no separator: refused"),
    Rule("like", (exp.Like,), _none, scalars.like, "a backslash means itself (Spark: an escape): refused"),
    Rule("ilike", (exp.ILike,), _none, scalars.ilike, "by lower-case letters; beyond ASCII refused"),
    Rule("regexp_matches", (exp.RegexpLike,), _none, scalars.matched,
         "RE2 and Java differ: a common part is allowed, `$` is the very end"),
    Rule("regexp_full_match", (exp.RegexpFullMatch,), _none, scalars.matched_whole,
         "the same part of regular expressions, anchored at both ends (Spark has no such function)"),
    Rule("reverse", (exp.Reverse,), _none, scalars.reversed_text, "keeps accents with letters: ASCII only"),
    Rule("typeof", (exp.Typeof,), _this, scalars.named_type, "in DuckDB's words"),
    Rule("date parts", PARTS, _extracted, times.part, "64-bit integers, Sunday is 0 (Spark: 32 bits, 1)"),
    Rule("strftime", (exp.TimeToStr,), _this, times.formatted, "in Java's letters; unknown ones refused"),
    Rule("monthname, dayname", (exp.Monthname, exp.Dayname), _this, times.name_of, "in full"),
    Rule("date_trunc", (exp.TimestampTrunc, exp.DateTrunc), _this, times.truncated,
         "without a zone, of a date a timestamp (Spark: with a zone)"),
    Rule("dates + and -", (exp.Add, exp.Sub), _both, times.added,
         "a date with an interval is a timestamp, two dates a number of days (Spark: a date, an interval)"),
    Rule("date_diff", (exp.DateDiff,), _both, times.difference, "counts boundaries (Spark: whole units)"),
    Rule("unnest(generate_series)", (exp.Explode,), _ends, times.series,
         "empty if the end is before the start (Spark: an error)"),
    Rule("comparisons", COMPARED, _alternatives, one_family, "text beside another type is refused"),
    Rule("choices", CHOSEN, _alternatives, one_family, "text beside another type is refused"),
)  # fmt: skip
BY_NODE: dict[type[exp.Expr], Rule] = {node: rule for rule in RULES for node in rule.nodes}
