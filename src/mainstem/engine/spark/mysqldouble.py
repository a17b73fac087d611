"""A double as MySQL prints it, in plain Python: Spark calls it as a function. The same digits as
`hashing.mysql_double_text`, which a test holds it to."""

from __future__ import annotations

import math

_DIGITS = 15


def mysql_double(x: float | None) -> str | None:
    """The shortest digits that read back as `x`; an exponent outside 1e-15 … 1e15 only."""
    if x is None or not math.isfinite(x):
        return None if x is None else repr(x)
    sign, bare = ("-", repr(x)[1:]) if repr(x).startswith("-") else ("", repr(x))
    mantissa, _, power = bare.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    if -_DIGITS < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if 0 < point <= _DIGITS or 0 < point < len(digits):
        whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
        return sign + whole + ("." + fraction if fraction else "")
    return f"{sign}{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}e{point - 1}"
