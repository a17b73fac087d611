"""PostgreSQL's 64-bit hash of bytes, in plain Python: what the kernel computes where there is a compiler."""

from __future__ import annotations

import struct

_WORD = 0xFFFFFFFF
_TOP = 1 << 63
_BEGIN = 0x9E3779B9 + 3923095  # hashfn.c: the golden ratio, and a constant of PostgreSQL's own


def jenkins_64(data: bytes) -> int:
    """`hashtextextended(data, 0)` of a little-endian server, plus 2^63: from 0 to 2^64 - 1.

    hash_bytes_extended in src/common/hashfn.c, PostgreSQL 11 and later; B. Jenkins, "lookup3", 2006.
    """
    a = b = c = (_BEGIN + len(data)) & _WORD
    whole = len(data) // 12 * 12
    for x, y, z in struct.iter_unpack("<III", data[:whole]):
        a, b, c = _mixed((a + x) & _WORD, (b + y) & _WORD, (c + z) & _WORD)
    x, y, z = struct.unpack("<III", data[whole:].ljust(12, b"\0"))
    # The lowest byte of c is reserved: the last word begins one byte further.
    return _final((a + x) & _WORD, (b + y) & _WORD, (c + (z << 8)) & _WORD) ^ _TOP


def _turn(x: int, n: int) -> int:
    return (x << n | x >> (32 - n)) & _WORD


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for first, second in ((4, 6), (16, 19)):
        a = (a - c) & _WORD ^ _turn(c, first)
        c = (c + b) & _WORD
        b = (b - a) & _WORD ^ _turn(a, second)
        a = (a + c) & _WORD
        c = (c - b) & _WORD ^ _turn(b, 8 if first == 4 else 4)
        b = (b + a) & _WORD
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    c = ((c ^ b) - _turn(b, 14)) & _WORD
    a = ((a ^ c) - _turn(c, 11)) & _WORD
    b = ((b ^ a) - _turn(a, 25)) & _WORD
    c = ((c ^ b) - _turn(b, 16)) & _WORD
    a = ((a ^ c) - _turn(c, 4)) & _WORD
    b = ((b ^ a) - _turn(a, 14)) & _WORD
    c = ((c ^ b) - _turn(b, 24)) & _WORD
    return b << 32 | c
