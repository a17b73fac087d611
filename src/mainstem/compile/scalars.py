"""Scalar expressions that differ: arithmetic and text. Pure functions from a node to Spark's SQL."""

from __future__ import annotations

import re

from sqlglot import exp

from mainstem.compile import letters
from mainstem.compile.casts import as_text
from mainstem.compile.context import (
    Refused,
    as_double,
    is_text_literal,
    spark,
    text_literal,
    whole_literal,
    words,
)
from mainstem.compile.sqltypes import Family, SqlType

Types = list[SqlType]


# Arithmetic


def divided(node: exp.Expr, types: Types) -> exp.Expr:
    """`/` is a division of doubles; by zero it gives an infinity, or no number for 0 / 0."""
    left, right, result = types
    if result.family not in (Family.DOUBLE, Family.FLOAT):
        raise Refused(node, f"{words(node)} divides {left.name} by {right.name}")
    a, b = as_double(node.this, left), as_double(node.expression, right)
    made = spark("(:a) / (:b)", a=a, b=b)
    if not whole_literal(node.expression):
        zero = "CASE WHEN :b = 0 THEN :a * CAST('Infinity' AS DOUBLE) END"
        made = spark(f"COALESCE(TRY_DIVIDE(:a, :b), {zero})", a=a, b=b)
    return spark("CAST(:x AS FLOAT)", x=made) if result.family is Family.FLOAT else made


def divided_whole(node: exp.Expr, types: Types) -> exp.Expr:
    """`//` of integers; by zero it gives NULL."""
    if any(type_.family is not Family.INTEGER for type_ in types):
        raise Refused(
            node, f"{words(node)} is no division of whole numbers", "floor(a / b) says what is meant"
        )
    return spark("(:a DIV NULLIF(:b, 0))", a=node.this, b=node.expression)


def remainder(node: exp.Expr, types: Types) -> exp.Expr:
    """`%` by zero gives NULL, of doubles no number."""
    if any(type_.floating for type_ in types):
        a, b = (as_double(x, t) for x, t in zip((node.this, node.expression), types, strict=True))
        return spark("CASE WHEN :b = 0 THEN :a * CAST('NaN' AS DOUBLE) ELSE MOD(:a, :b) END", a=a, b=b)
    return spark("MOD(:a, NULLIF(:b, 0))", a=node.this, b=node.expression)


def rounded(node: exp.Expr, types: Types) -> exp.Expr | None:
    """ROUND of a double: multiply, round half away from zero, divide; Spark rounds the printed digits."""
    (type_,) = types
    places = whole_literal(node.args.get("decimals")) if node.args.get("decimals") else 0
    if places is None:
        raise Refused(node, f"{words(node)} rounds to places that are no literal")
    if type_.floating:
        power = f"CAST(1e{abs(places)} AS DOUBLE)"
        if places == 0:
            return spark("ROUND(:x, 0)", x=node.this)
        first, second = ("*", "/") if places > 0 else ("/", "*")
        return spark(f"(ROUND(:x {first} {power}, 0) {second} {power})", x=node.this)
    if not type_.numeric:
        raise Refused(node, f"{words(node)} rounds {type_.name}")
    return None


def up_or_down(node: exp.Expr, types: Types) -> exp.Expr | None:
    """CEIL and FLOOR of a double stay doubles; Spark makes them 64-bit integers."""
    (type_,) = types
    if not type_.floating:
        return None
    name = "CEIL" if isinstance(node, exp.Ceil) else "FLOOR"
    return spark(
        f"CASE WHEN ABS(:x) < 4503599627370496 THEN CAST({name}(:x) AS DOUBLE) ELSE :x END", x=node.this
    )


def signed(node: exp.Expr, types: Types) -> exp.Expr:
    """SIGN is a small whole number; Spark's is of the argument's type."""
    return spark("CAST(SIGN(:x) AS INT)", x=node.this)


def root(node: exp.Expr, types: Types) -> exp.Expr:
    """SQRT of a negative number is an error."""
    x = as_double(node.this, types[0])
    return spark(
        "CASE WHEN :x < 0 THEN RAISE_ERROR('square root of a negative number') ELSE SQRT(:x) END", x=x
    )


# Text


def trimmed(node: exp.Expr, types: Types) -> exp.Expr:
    """TRIM without characters takes every space of Unicode."""
    position = str(node.args.get("position") or "BOTH").upper()
    characters = node.expression if node.args.get("expression") else text_literal(letters.SPACES)
    return spark(f"TRIM({position} :c FROM :x)", c=characters, x=node.this)


def cased(node: exp.Expr, types: Types) -> exp.Expr:
    """UPPER and LOWER letter by letter, where a text has more than ASCII."""
    if isinstance(node, exp.Upper):
        name, source, target = "UPPER", letters.UPPER_FROM, letters.UPPER_TO
    else:
        name, source, target = "LOWER", letters.LOWER_FROM, letters.LOWER_TO
    return spark(
        rf"CASE WHEN :x RLIKE '^[\\x00-\\x7F]*$' THEN {name}(:x) ELSE ARRAY_JOIN(TRANSFORM(SPLIT(:x, ''), "
        f"c -> CASE WHEN INSTR(:f, c) > 0 THEN TRANSLATE(c, :f, :t) ELSE {name}(c) END), '') END",
        x=node.this,
        f=text_literal(source),
        t=text_literal(target),
    )


def concatenated(node: exp.Expr, types: Types) -> exp.Expr:
    """`||` with a NULL is NULL; what is no text becomes DuckDB's text."""
    a, b = (as_text(x, t, node) for x, t in zip((node.this, node.expression), types, strict=True))
    return spark("CONCAT(:a, :b)", a=a, b=b)


def concat_call(node: exp.Expr, types: Types) -> exp.Expr:
    """CONCAT leaves NULLs out."""
    parts = [as_text(x, t, node) for x, t in zip(node.expressions, types, strict=True)]
    return exp.Anonymous(this="CONCAT", expressions=[spark("COALESCE(:x, '')", x=part) for part in parts])


def concat_with(node: exp.Expr, types: Types) -> exp.Expr:
    """CONCAT_WS of what is no text: DuckDB's texts."""
    parts = [as_text(x, t, node) for x, t in zip(node.expressions, types, strict=True)]
    return exp.Anonymous(this="CONCAT_WS", expressions=parts)


def part_of_text(node: exp.Expr, types: Types) -> exp.Expr | None:
    """SUBSTRING from a place before the text, or of a negative length, is another one on Spark."""
    start = whole_literal(node.args.get("start"))
    length = node.args.get("length")
    size = 0 if length is None else whole_literal(length)
    if start is None or start < 1 or size is None or size < 0:
        raise Refused(node, f"{words(node)}: start and length have to be literals, the start 1 or more")
    return None


def end_of_text(node: exp.Expr, types: Types) -> exp.Expr | None:
    """LEFT and RIGHT of a negative length are other ones on Spark."""
    length = whole_literal(node.expression)
    if length is None or length < 0:
        raise Refused(node, f"{words(node)}: the length has to be a literal, 0 or more")
    return None


def padded(node: exp.Expr, types: Types) -> exp.Expr | None:
    """LPAD and RPAD with an empty filling are an error in DuckDB."""
    length, fill = whole_literal(node.expression), node.args.get("fill_pattern")
    if length is None or length < 0 or fill is None or not is_text_literal(fill) or not fill.this:
        raise Refused(node, f"{words(node)}: length and filling have to be literals, the filling not empty")
    return None


def split_off(node: exp.Expr, types: Types) -> exp.Expr | None:
    """SPLIT_PART with part 0 or an empty separator is an error on Spark."""
    part, separator = whole_literal(node.args.get("part_index")), node.args.get("delimiter")
    if not part or separator is None or not is_text_literal(separator) or not separator.this:
        raise Refused(node, f"{words(node)}: separator and part have to be literals, not empty and not 0")
    return None


def like(node: exp.Expr, types: Types) -> exp.Expr | None:
    """A backslash means itself in DuckDB's LIKE; Spark would take it for an escape."""
    if not is_text_literal(node.expression) or "\\" in str(node.expression.this):
        raise Refused(node, f"{words(node)}: the pattern has to be a literal without backslashes")
    return None


def ilike(node: exp.Expr, types: Types) -> exp.Expr | None:
    """ILIKE compares lower-case letters: those of ASCII are the same."""
    like(node, types)
    if not str(node.expression.this).isascii():
        raise Refused(node, f"{words(node)}: letters beyond ASCII have other cases on Spark")
    return spark(
        "CASE WHEN :x IS NULL THEN NULL ELSE :l LIKE :p END",
        x=node.this,
        l=cased(exp.Lower(this=node.this.copy()), []),
        p=text_literal(str(node.expression.this).lower()),
    )


_CLASS = r"\[\^?[A-Za-z0-9 _.@%+:,/#=<>~'\"!*()|?;-]+\]"
_SIMPLE = re.compile(
    rf"\^?(?:[A-Za-z0-9 _:;,/@#%&=<>~'\"!.-]|\\[dw.]|{_CLASS}|\((?!\?)|\(\?:|[)|*+?]|\{{\d+(?:,\d*)?\}})*\$?"
)
_DOT = re.compile(rf"\\.|{_CLASS}|\.")


def _pattern(node: exp.Expr) -> str:
    """A regular expression of the part that RE2 and Java read in the same way, its dots as RE2 takes them
    (all but a line feed; Java leaves out other ends of lines, too)."""
    pattern = node.expression
    if not is_text_literal(pattern) or not _SIMPLE.fullmatch(str(pattern.this)) or node.args.get("flag"):
        raise Refused(
            node,
            f"{words(node)}: this regular expression may mean something else in Java",
            "letters, digits, [classes], ., \\d, \\w, ^, $, groups and repetitions are the same",
        )
    return _DOT.sub(lambda found: "[^\\n]" if found[0] == "." else found[0], str(pattern.this))


def matched(node: exp.Expr, types: Types) -> exp.Expr:
    """REGEXP_MATCHES; `$` is the very end."""
    text = _pattern(node)
    text = text[:-1] + "\\z" if text.endswith("$") else text
    return exp.RegexpLike(this=node.this.copy(), expression=text_literal(text))


def matched_whole(node: exp.Expr, types: Types) -> exp.Expr:
    """REGEXP_FULL_MATCH: from the very beginning to the very end."""
    text = f"^(?:{_pattern(node).removeprefix('^').removesuffix('$')})\\z"
    return exp.RegexpLike(this=node.this.copy(), expression=text_literal(text))


def reversed_text(node: exp.Expr, types: Types) -> exp.Expr:
    """REVERSE keeps letters with their accents together in DuckDB: here only ASCII is turned around."""
    error = "RAISE_ERROR('a text beyond ASCII is not reversed in the same way')"
    return spark(
        rf"CASE WHEN :x IS NULL THEN NULL WHEN :x RLIKE '^[\\x00-\\x7F]*$' THEN REVERSE(:x) ELSE {error} END",
        x=node.this,
    )


def named_type(node: exp.Expr, types: Types) -> exp.Expr:
    """TYPEOF is known before anything runs: DuckDB's word for it."""
    return text_literal(types[0].name)
