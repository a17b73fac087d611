"""What a rule works with: templates in Spark's SQL, the refusal, the types of operands. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sqlglot
from sqlglot import exp

from mainstem.compile.operands import types_of
from mainstem.compile.sqltypes import Family, SqlType


class Refused(Exception):
    """A part of a query that is not known to be the same on Spark; `node` is where it stands."""

    def __init__(self, node: exp.Expr, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.node = node
        self.message = message
        self.hint = hint


APPROXIMATE = "mainstem_approximate"  # at a CAST: its text is read as a number again
Apply = Callable[[exp.Expr, "list[SqlType]"], exp.Expr | None]


@cache
def _parsed(template: str) -> exp.Expr:
    made = sqlglot.parse_one(template, dialect="spark")
    for node in made.walk():
        node.meta.clear()  # lines of the template are not the user's
    return made


def spark(template: str, **parts: exp.Expr) -> exp.Expr:
    """An expression in Spark's SQL; `:name` stands for a part, which is copied."""
    made = _parsed(template).copy()
    holder = exp.Paren(this=made)
    for place in list(holder.find_all(exp.Placeholder)):
        part = parts[str(place.this)].copy()
        plain = isinstance(part, exp.Column | exp.Literal | exp.Func | exp.Paren | exp.Null)
        place.replace(part if plain else exp.Paren(this=part))
    result = holder.this
    assert isinstance(result, exp.Expr)
    result.pop()
    return result


def known_types(node: exp.Expr, count: int) -> list[SqlType]:
    """The types of the node's typed parts. Refused if DuckDB could not tell one of them alone."""
    found = types_of(node)
    types = [one for one in found if one is not None]
    if len(found) != count or len(types) != count:
        raise Refused(
            node,
            f"the types in {words(node)} cannot be told where it stands",
            "move it into a common table expression of its own, or CAST its parts",
        )
    return types


def words(node: exp.Expr) -> str:
    """A part of the user's SQL, short."""
    text = " ".join(node.sql("duckdb").split())
    return text if len(text) <= 60 else text[:59] + "…"


def text_literal(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def is_text_literal(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def whole_literal(node: exp.Expr | None) -> int | None:
    """The value of an integer literal, also a negative one."""
    if isinstance(node, exp.Neg):
        value = whole_literal(node.this)
        return None if value is None else -value
    if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit():
        return int(node.this)
    return None


def as_double(node: exp.Expr, type_: SqlType) -> exp.Expr:
    """A number as DuckDB makes it a double: a decimal of more than 2^53 units in two parts."""
    if type_.family is not Family.DECIMAL or type_.precision <= 15:
        return spark("CAST(:x AS DOUBLE)", x=node)
    scale = type_.scale
    whole = "CAST(CASE WHEN v < 0 THEN CEIL(v) ELSE FLOOR(v) END AS DECIMAL(38, 0))"
    power = f"CAST(1e{scale} AS DECIMAL(38, 0))"
    digits = f"CAST(CAST(v - {whole} AS DECIMAL(38, {scale})) * {power} AS DECIMAL(38, 0))"
    rest = f"CAST({digits} AS DOUBLE) / CAST(1e{scale} AS DOUBLE)"
    most = f"CAST('{_fixed(2**53, scale)}' AS DECIMAL(38, {scale}))"
    return let(
        f"CASE WHEN ABS(v) <= {most} THEN CAST(v AS DOUBLE) ELSE CAST({whole} AS DOUBLE) + {rest} END", node
    )


def let(body: str, value: exp.Expr) -> exp.Expr:
    """An expression of `v`, with the value computed once."""
    return spark(f"ELEMENT_AT(TRANSFORM(ARRAY(:x), v -> {body}), 1)", x=value)


def _fixed(units: int, scale: int) -> str:
    digits = str(units).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
