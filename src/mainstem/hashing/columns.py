"""CRC-32 of each string of an Arrow array, and each double as MySQL prints it; compiled, or in Python."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.hashing.jenkins import jenkins_64
from mainstem.hashing.mysqldouble import mysql_double

try:
    from mainstem.hashing._kernel import hashes
except ImportError:  # no compiler where it was installed
    hashes = None  # type: ignore[assignment]

COMPILED: bool = hashes is not None
_ROWS = 1 << 20  # doubles printed at once: their texts fit 32-bit offsets and little memory


def crc32_each(array: pa.Array[Any] | pa.ChunkedArray[Any], *, compiled: bool = COMPILED) -> pa.Array[Any]:
    """CRC-32 (ISO 3309, as zlib's) of the UTF-8 or binary value of each row, uint32; null for null."""
    return _each(array, pa.uint32(), zlib.crc32, hashes.crc32 if compiled else None)


def jenkins_each(array: pa.Array[Any] | pa.ChunkedArray[Any], *, compiled: bool = COMPILED) -> pa.Array[Any]:
    """PostgreSQL's 64-bit hash (`jenkins_64`) of each row's value, uint64; null for null."""
    return _each(array, pa.uint64(), jenkins_64, hashes.jenkins if compiled else None)


def _each(
    array: pa.Array[Any] | pa.ChunkedArray[Any],
    type_: pa.DataType,
    plain: Callable[[bytes], int],
    kernel: Callable[[int, int, int, int, int], None] | None,
) -> pa.Array[Any]:
    if isinstance(array, pa.ChunkedArray):
        parts = [_each(chunk, type_, plain, kernel) for chunk in array.chunks]
        return pa.concat_arrays(parts) if parts else pa.array([], type_)
    array = _plain(array)
    if kernel is None:
        return pa.array([None if v is None else plain(v) for v in array.to_pylist()], type_)
    validity, offsets, data = _buffers(array)
    out = pa.allocate_buffer(len(array) * type_.bit_width // 8)
    if len(array):
        kernel(offsets.address, data.address if data else 0, array.offset, len(array), out.address)
    return pa.Array.from_buffers(type_, len(array), [_validity(array, validity), out])


def crc32_sum(array: pa.Array[Any] | pa.ChunkedArray[Any], *, compiled: bool = COMPILED) -> int:
    """The exact sum of `crc32_each`, nulls left out (fewer than 2³² rows fit 64 bits)."""
    return pc.sum(crc32_each(array, compiled=compiled)).as_py() or 0


def mysql_double_text(
    array: pa.Array[Any] | pa.ChunkedArray[Any], *, compiled: bool = COMPILED
) -> pa.Array[Any]:
    """Each double as MySQL and MariaDB print `CAST(x + 0e0 AS CHAR)`; null for null. Floats are widened.

    The shortest digits that read back as x. An exponent, written `1.5e-20`, only outside 1e-15 … 1e15, and
    above that only if no digit is left after the point: 1000000000000000.1 (my_gcvt in the servers'
    strings/dtoa.c). The servers hold no infinity and no NaN; those become inf, -inf and nan.
    """
    if isinstance(array, pa.ChunkedArray):
        parts = [mysql_double_text(chunk, compiled=compiled) for chunk in array.chunks]
        return pa.concat_arrays(parts) if parts else pa.array([], pa.string())
    wide = array.cast(pa.float64())
    if not compiled:
        return pa.array([None if x is None else mysql_double(x) for x in wide.to_pylist()], pa.string())
    parts = [_double_texts(wide.slice(at, _ROWS)) for at in range(0, len(wide), _ROWS)]
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def _plain(array: pa.Array[Any]) -> pa.Array[Any]:
    """Strings and bytes of any Arrow flavour as binary with 32-bit offsets."""
    if pa.types.is_string(array.type):
        return array.view(pa.binary())
    return array if pa.types.is_binary(array.type) else array.cast(pa.binary())


def _buffers(array: pa.Array[Any]) -> list[Any]:
    return list(array.buffers())


def _validity(array: pa.Array[Any], validity: pa.Buffer | None) -> pa.Buffer | None:
    """The null bits of an array without its offset."""
    if validity is None or array.null_count == 0:
        return None
    return validity if array.offset == 0 else pc.is_valid(array).buffers()[1]


def _double_texts(array: pa.Array[Any]) -> pa.Array[Any]:
    validity, values = _buffers(array)
    offsets = pa.allocate_buffer((len(array) + 1) * 4)
    text = pa.allocate_buffer(len(array) * hashes.LONGEST, None, resizable=True)
    used = hashes.double_texts(values.address, array.offset, len(array), offsets.address, text.address)
    text.resize(used)
    return pa.Array.from_buffers(pa.string(), len(array), [_validity(array, validity), offsets, text])
