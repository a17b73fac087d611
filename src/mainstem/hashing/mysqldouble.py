"""A double as MySQL and MariaDB print it, in plain Python. Pure: Spark's workers call it too."""

from __future__ import annotations

import math

_DIGITS = 15  # my_gcvt prints up to this many places before or after the point without an exponent


def mysql_double(x: float) -> str:
    """The shortest digits that read back as `x` (`repr` has them); an exponent outside 1e-15 … 1e15 only.
    The servers hold no infinity and no NaN; those become inf, -inf and nan."""
    if not math.isfinite(x):
        return repr(x)
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
