"""Dates and times that differ. Pure functions from a node to Spark's SQL."""

from __future__ import annotations

import re
from decimal import Decimal

from sqlglot import exp

from mainstem.compile.context import Refused, is_text_literal, spark, text_literal, whole_literal, words
from mainstem.compile.sqltypes import Family, SqlType

Types = list[SqlType]
_TIMES = (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMPTZ)
_FORMATS = {
    "Y": "yyyy",
    "y": "yy",
    "m": "MM",
    "-m": "M",
    "B": "MMMM",
    "b": "MMM",
    "d": "dd",
    "-d": "d",
    "j": "DDD",
    "A": "EEEE",
    "a": "EEE",
    "H": "HH",
    "-H": "H",
    "I": "hh",
    "M": "mm",
    "S": "ss",
    "p": "a",
}
_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")
_PARTS = {
    "YEAR": "YEAR(:x)",
    "QUARTER": "QUARTER(:x)",
    "MONTH": "MONTH(:x)",
    "DAY": "DAY(:x)",
    "DAYOFMONTH": "DAY(:x)",
    "DAYOFYEAR": "DAYOFYEAR(:x)",
    "DOY": "DAYOFYEAR(:x)",
    "DAYOFWEEK": "(DAYOFWEEK(:x) - 1)",
    "WEEKDAY": "(DAYOFWEEK(:x) - 1)",
    "DOW": "(DAYOFWEEK(:x) - 1)",
    "DAYOFWEEKISO": "(WEEKDAY(:x) + 1)",
    "ISODOW": "(WEEKDAY(:x) + 1)",
    "WEEK": "WEEKOFYEAR(:x)",
    "WEEKOFYEAR": "WEEKOFYEAR(:x)",
    "HOUR": "HOUR(:x)",
    "MINUTE": "MINUTE(:x)",
    "SECOND": "SECOND(:x)",
}


def part(node: exp.Expr, types: Types) -> exp.Expr:
    """Parts of a date are 64-bit integers, the week is ISO's, Sunday is day 0."""
    if isinstance(node, exp.Extract):
        name, value = str(node.this.this).upper(), node.expression
    else:
        name, value = type(node).__name__.upper(), node.this
    return _part(node, name, value, types)


def _part(node: exp.Expr, name: str, value: exp.Expr, types: Types) -> exp.Expr:
    template = _PARTS.get(name)
    if template is None or types[0].family not in _TIMES:
        raise Refused(
            node, f"{words(node)}: this part of {types[0].name} is not known to be the same on Spark"
        )
    return spark(f"CAST({template} AS BIGINT)", x=value)


def formatted(node: exp.Expr, types: Types) -> exp.Expr:
    """STRFTIME in Java's letters."""
    form = node.args.get("format")
    if form is None or not is_text_literal(form) or types[0].family not in _TIMES:
        raise Refused(node, f"{words(node)}: the format has to be a literal")
    made = []
    for plain, letter in re.findall(r"([^%]+)|%(-?[A-Za-z%])", str(form.this)):
        if plain or letter == "%":
            made.append("'" + (plain or "%").replace("'", "''") + "'")
        elif letter in _FORMATS:
            made.append(_FORMATS[letter])
        else:
            raise Refused(node, f"{words(node)}: %{letter} is not known to be the same on Spark")
    return exp.Anonymous(this="DATE_FORMAT", expressions=[node.this.copy(), text_literal("".join(made))])


def name_of(node: exp.Expr, types: Types) -> exp.Expr:
    """MONTHNAME and DAYNAME in full."""
    form = "MMMM" if isinstance(node, exp.Monthname) else "EEEE"
    return exp.Anonymous(this="DATE_FORMAT", expressions=[node.this.copy(), text_literal(form)])


def truncated(node: exp.Expr, types: Types) -> exp.Expr:
    """DATE_TRUNC keeps to time without a zone; of a date it is a timestamp."""
    unit = str(node.args["unit"].this).upper() if node.args.get("unit") else ""
    (type_,) = types
    if unit.partition("(")[0] not in _UNITS or type_.family not in _TIMES:
        raise Refused(node, f"{words(node)}: this unit is not known to be the same on Spark")
    made = spark(f"DATE_TRUNC('{unit}', CAST(:x AS TIMESTAMP_LTZ))", x=node.this)
    return made if type_.family is Family.TIMESTAMPTZ else spark("CAST(:x AS TIMESTAMP_NTZ)", x=made)


def added(node: exp.Expr, types: Types) -> exp.Expr | None:
    """A date with an interval is a timestamp, with a whole number a date."""
    left, right = types
    a, b = node.this, node.expression
    if right.family in _TIMES and left.family not in _TIMES and isinstance(node, exp.Add):
        left, right, a, b = right, left, b, a
    if left.family not in _TIMES and Family.INTERVAL not in (left.family, right.family):
        return None
    sign = "+" if isinstance(node, exp.Add) else "-"
    if isinstance(b, exp.Interval) and left.family in _TIMES:
        return _moved(node, a, b, left, sign)
    if left.family is Family.DATE and right.family is Family.INTEGER:
        return spark(f"(:a {sign} CAST(:b AS INT))", a=a, b=b)
    if left.family is right.family is Family.DATE and isinstance(node, exp.Sub):
        return spark("CAST(DATEDIFF(:a, :b) AS BIGINT)", a=a, b=b)
    raise Refused(node, f"{words(node)} of {left.name} and {right.name} is not the same on Spark")


def _moved(node: exp.Expr, a: exp.Expr, interval: exp.Interval, type_: SqlType, sign: str) -> exp.Expr:
    amount = interval.this
    unit = str(interval.args["unit"].this).upper() if interval.args.get("unit") else ""
    number = whole_literal(amount)
    if number is None and is_text_literal(amount) and re.fullmatch(r"-?\d+", str(amount.this)):
        number = int(amount.this)
    if number is None or unit.rstrip("S") not in (*_UNITS, "MICROSECOND"):
        raise Refused(node, f"{words(node)}: the interval has to be a whole number of one unit")
    if unit.rstrip("S") == "QUARTER":
        number, unit = 3 * number, "MONTH"
    x = spark("CAST(:a AS TIMESTAMP_NTZ)", a=a) if type_.family is Family.DATE else a.copy()
    return spark(f"(:x {sign} MAKE_{_interval(unit.rstrip('S'), number)})", x=x)


def _interval(unit: str, number: int) -> str:
    if unit in ("YEAR", "MONTH"):
        return f"YM_INTERVAL({number if unit == 'YEAR' else 0}, {number if unit == 'MONTH' else 0})"
    if unit == "MICROSECOND":
        return f"DT_INTERVAL(0, 0, 0, CAST({Decimal(number).scaleb(-6):f} AS DECIMAL(18, 6)))"
    days = number * 7 if unit == "WEEK" else number if unit == "DAY" else 0
    clock = ", ".join(str(number if unit == one else 0) for one in ("HOUR", "MINUTE", "SECOND"))
    return f"DT_INTERVAL({days}, {clock})"


def difference(node: exp.Expr, types: Types) -> exp.Expr:
    """DATE_DIFF counts the boundaries between two dates."""
    unit = str(node.args["unit"].this).upper() if node.args.get("unit") else "DAY"
    forms = {
        "DAY": "DATEDIFF(CAST(:e AS DATE), CAST(:s AS DATE))",
        "MONTH": "((YEAR(:e) - YEAR(:s)) * 12 + MONTH(:e) - MONTH(:s))",
        "QUARTER": "((YEAR(:e) - YEAR(:s)) * 4 + QUARTER(:e) - QUARTER(:s))",
        "YEAR": "(YEAR(:e) - YEAR(:s))",
    }
    if unit not in forms or any(type_.family not in _TIMES for type_ in types):
        raise Refused(node, f"{words(node)}: days, months, quarters and years are the same, this is not")
    return spark(f"CAST({forms[unit]} AS BIGINT)", e=node.this, s=node.expression)


def series(node: exp.Expr, types: Types) -> exp.Expr:
    """UNNEST(GENERATE_SERIES) of days: timestamps, and none if the end is before the start."""
    made = node.this
    if not isinstance(made, exp.GenerateSeries) or made.args.get("is_end_exclusive"):
        raise Refused(node, f"{words(node)}: only generate_series of dates by days is the same on Spark")
    start, end, step = made.args["start"], made.args["end"], made.args.get("step")
    if any(type_.family not in (Family.DATE, Family.TIMESTAMP) for type_ in types):
        raise Refused(node, f"{words(node)}: a series of dates is expected")
    if not isinstance(step, exp.Interval) or str(step.args["unit"].this).upper().rstrip("S") != "DAY":
        raise Refused(node, f"{words(node)}: the step has to be an interval of days")
    return spark(
        f"EXPLODE(CASE WHEN :a <= :b THEN SEQUENCE(CAST(:a AS TIMESTAMP_NTZ), CAST(:b AS TIMESTAMP_NTZ), "
        f"INTERVAL '{int(step.this.this)}' DAY) END)",
        a=start,
        b=end,
    )
