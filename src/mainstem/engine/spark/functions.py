"""What proofs need of floating point and Spark has not, in plain Python: Spark calls these as functions.
(Java's own, by `reflect`, are no use: Spark takes them for chance, and lets no aggregate have them.)"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from mainstem.hashing import mysqldouble


def mysql_double(x: float | None) -> str | None:
    """As MySQL prints it."""
    return None if x is None else mysqldouble.mysql_double(x)


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
