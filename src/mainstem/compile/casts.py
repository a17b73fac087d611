"""CAST from and to each family of types, as DuckDB does it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from mainstem.compile.context import APPROXIMATE, Refused, as_double, is_text_literal, spark, words
from mainstem.compile.sqltypes import Family, SqlType, spark_type, sql_type

_NO_NUMBER = "RAISE_ERROR('a text is cast to a number that the two engines would read in different ways')"
_NO_TIME = "RAISE_ERROR('a text is cast to a date or time that the two engines would read in different ways')"
_MOST = 9007199254740992  # 2^53: up to here a double is every whole number
_DATE = r"'^\\s*\\d{4}-\\d{1,2}-\\d{1,2}\\s*$'"
_MOMENT = r"'^\\s*\\d{4}-\\d{1,2}-\\d{1,2}( \\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?)?\\s*$'"


def target_type(to: exp.DataType) -> SqlType:
    """The type that a CAST names, with DuckDB's defaults."""
    name = to.sql("duckdb").upper()
    aliases = {
        "TEXT": "VARCHAR",
        "INT": "INTEGER",
        "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
        "DECIMAL": "DECIMAL(18,3)",
        "REAL": "FLOAT",
        "INT128": "HUGEINT",
    }
    if name.startswith("VARCHAR("):
        name = "VARCHAR"
    if name.startswith("DECIMAL(") and "," not in name:
        name = name.replace(")", ",0)")
    return sql_type(aliases.get(name, name))


def cast(node: exp.Expr, types: list[SqlType]) -> exp.Expr:
    """CAST and TRY_CAST."""
    (source,) = types
    target = target_type(node.args["to"])
    if source.floating and target.family is Family.TEXT and APPROXIMATE in node.meta:
        return _to_text(node.this, source, "STRING", "CAST")
    made = convert(node.this, source, target, lenient=isinstance(node, exp.TryCast))
    if made is None:
        raise Refused(node, f"CAST from {source.name} to {target.name} is not the same on Spark")
    return made


def convert(x: exp.Expr, source: SqlType, target: SqlType, *, lenient: bool = False) -> exp.Expr | None:
    """`x` of one type in another one; None where Spark cannot be made to do the same."""
    word = spark_type(target)
    if word is None or source.family is Family.OTHER or target.family is Family.OTHER:
        return None
    plain = "TRY_CAST" if lenient else "CAST"
    if source.family is Family.NULL or (source.family is target.family and not _narrowing(source, target)):
        return spark(f"CAST(:x AS {word})", x=x)
    make = _CASTS.get((source.family, target.family))
    return make(x, source, word, plain) if make else None


def _narrowing(source: SqlType, target: SqlType) -> bool:
    return source.name != target.name and source.family in (Family.INTEGER, Family.DECIMAL)


_Make = Callable[[exp.Expr, SqlType, str, str], "exp.Expr | None"]


def _plain(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    return spark(f"{how}(:x AS {word})", x=x)


def _to_text(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    return spark("CAST(:x AS STRING)", x=x)


def _decimal_to_text(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    if source.scale == source.precision:  # DuckDB leaves out the zero before the point
        return spark("REGEXP_REPLACE(CAST(:x AS STRING), '^(-?)0[.]', '$1.')", x=x)
    return spark("CAST(:x AS STRING)", x=x)


def _instant_to_text(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    return spark("CONCAT(CAST(:x AS STRING), '+00')", x=x)


def _decimal_to_integer(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    return spark(f"{how}(ROUND(:x, 0) AS {word})", x=x)


def _double_to_integer(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    return spark(f"{how}(RINT(:x) AS {word})", x=x)


def _double_to_decimal(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    """DuckDB multiplies by the power of ten, then rounds; Spark rounds the printed digits."""
    scale = int(word.rpartition(",")[2].strip(" )"))
    wide = "FLOAT" if source.family is Family.FLOAT else "DOUBLE"  # a FLOAT is multiplied as one
    units = spark(f"ROUND(CAST(CAST(:x AS {wide}) * CAST(1e{scale} AS {wide}) AS DOUBLE), 0)", x=x)
    exact = (
        f"CAST(CAST(:u AS DECIMAL(38, 0)) * CAST(1e-{scale} AS DECIMAL({max(scale, 1)}, {scale})) AS {word})"
    )
    if not scale:
        exact = f"CAST(CAST(:u AS DECIMAL(38, 0)) AS {word})"
    if how == "TRY_CAST":
        exact = f"TRY_{exact}"
    big = "RAISE_ERROR('a floating point number has too many digits to be cast in the same way')"
    return spark(
        f"CASE WHEN :x IS NULL THEN NULL WHEN ABS(:u) <= {_MOST} THEN {exact} ELSE {big} END", x=x, u=units
    )


def _number_to_double(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    made = as_double(x, source)
    return made if word == "DOUBLE" else spark(f"CAST(:x AS {word})", x=made)


def _text_to_number(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    """DuckDB reads hexadecimal, binary and 1_000 as well, and rounds '1.5' to a whole number."""
    inner = f"{how}(:x AS {word})"
    if word in ("INT", "BIGINT", "DECIMAL(20, 0)", "DECIMAL(38, 0)"):
        inner = f"{how}(ROUND({how}(:x AS DECIMAL(38, 12)), 0) AS {word})"
    return spark(rf"CASE WHEN :x RLIKE '\\d[_xXbBdDfFlL]' THEN {_NO_NUMBER} ELSE {inner} END", x=x)


def _text_to_time(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    if is_text_literal(x):
        return spark(f"{how}(:x AS {word})", x=x)
    form = _DATE if word == "DATE" else _MOMENT
    other = (
        f"WHEN NOT (:x RLIKE '[0-9]') THEN NULL ELSE {_NO_TIME}" if how == "TRY_CAST" else f"ELSE {_NO_TIME}"
    )
    return spark(
        f"CASE WHEN :x IS NULL THEN NULL WHEN :x RLIKE {form} THEN {how}(:x AS {word}) {other} END", x=x
    )


def _number_to_boolean(x: exp.Expr, source: SqlType, word: str, how: str) -> exp.Expr:
    return spark("(:x <> 0)", x=x)


_CASTS: dict[tuple[Family, Family], _Make] = {
    (Family.INTEGER, Family.INTEGER): _plain,
    (Family.INTEGER, Family.DECIMAL): _plain,
    (Family.INTEGER, Family.DOUBLE): _number_to_double,
    (Family.INTEGER, Family.FLOAT): _number_to_double,
    (Family.INTEGER, Family.TEXT): _to_text,
    (Family.INTEGER, Family.BOOLEAN): _number_to_boolean,
    (Family.DECIMAL, Family.INTEGER): _decimal_to_integer,
    (Family.DECIMAL, Family.DECIMAL): _plain,
    (Family.DECIMAL, Family.DOUBLE): _number_to_double,
    (Family.DECIMAL, Family.TEXT): _decimal_to_text,
    (Family.DOUBLE, Family.INTEGER): _double_to_integer,
    (Family.DOUBLE, Family.DECIMAL): _double_to_decimal,
    (Family.DOUBLE, Family.FLOAT): _plain,
    (Family.FLOAT, Family.DOUBLE): _plain,
    (Family.FLOAT, Family.DECIMAL): _double_to_decimal,
    (Family.TEXT, Family.INTEGER): _text_to_number,
    (Family.TEXT, Family.DECIMAL): _text_to_number,
    (Family.TEXT, Family.DOUBLE): _text_to_number,
    (Family.TEXT, Family.DATE): _text_to_time,
    (Family.TEXT, Family.TIMESTAMP): _text_to_time,
    (Family.TEXT, Family.TIMESTAMPTZ): lambda x, s, w, h: _plain(x, s, w, h) if is_text_literal(x) else None,
    (Family.BOOLEAN, Family.INTEGER): _plain,
    (Family.BOOLEAN, Family.TEXT): _to_text,
    (Family.DATE, Family.TEXT): _to_text,
    (Family.DATE, Family.TIMESTAMP): _plain,
    (Family.DATE, Family.TIMESTAMPTZ): _plain,
    (Family.TIMESTAMP, Family.TEXT): _to_text,
    (Family.TIMESTAMP, Family.DATE): _plain,
    (Family.TIMESTAMP, Family.TIMESTAMPTZ): _plain,
    (Family.TIMESTAMPTZ, Family.TEXT): _instant_to_text,
    (Family.TIMESTAMPTZ, Family.DATE): _plain,
    (Family.TIMESTAMPTZ, Family.TIMESTAMP): _plain,
}


def as_text(x: exp.Expr, source: SqlType, at: exp.Expr) -> exp.Expr:
    """`x` as the text that DuckDB makes of it where a text is wanted."""
    if source.family is Family.TEXT:
        return x
    made = convert(x, source, sql_type("VARCHAR"))
    if made is None:
        raise Refused(at, f"{source.name} as text in {words(at)} is not the same on Spark")
    return made
