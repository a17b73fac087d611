"""What proofs need of floating point and Spark has not, in plain Python: Spark calls these as functions.
(Java's own, by `reflect`, are no use: Spark takes them for chance, and lets no aggregate have them.)"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

_DIGITS = 15


def mysql_double(x: float | None) -> str | None:
    """As MySQL prints it: the shortest digits that read back as `x`; an exponent outside 1e-15 … 1e15 only.
    The same digits as `hashing.mysql_double_text`."""
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


def double_bits(x: float | None) -> str | None:
    """The 64 bits of a double in hexadecimal."""
    return None if x is None else struct.pack(">d", x).hex().upper()


def float_bits(x: float | None) -> str | None:
    """The 32 bits of a float in hexadecimal."""
    return None if x is None else struct.pack(">f", x).hex().upper()


FUNCTIONS: dict[str, Callable[[float | None], Any]] = {
    "mainstem_mysql_double": mysql_double,
    "mainstem_double_bits": double_bits,
    "mainstem_float_bits": float_bits,
}
