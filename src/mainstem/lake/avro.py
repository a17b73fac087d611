"""Avro container files (specification 1.11) as records, and back again without the loss of a bit.

Iceberg's libraries read of a manifest what they know, and write what they know. Here the writer's own schema
is followed, whoever wrote it: what is not changed stays as it was, header included. Texts and bytes are
bytes, floating-point numbers their raw bytes, unions pairs of branch and value.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

MAGIC = b"Obj\x01"
_SYNC = 16  # bytes of the marker between blocks
_RAW = {"boolean": 1, "float": 4, "double": 8}  # bytes that are passed on as they are

Read = Callable[[BytesIO], Any]
Write = Callable[[BytesIO, Any], None]


@dataclass(frozen=True, slots=True)
class Container:
    """A file: its header's entries, its marker, its records."""

    header: dict[str, bytes]
    marker: bytes
    records: list[Any]


def load(content: bytes) -> Container:
    """A file's content. ValueError for what is no such file, is damaged, or is packed in another way than
    by deflate."""
    source = BytesIO(content)
    if source.read(len(MAGIC)) != MAGIC:
        raise ValueError("no Avro file")
    header = {key.decode(): value for key, value in _read_map(_read_bytes)(source)}
    marker = _exactly(source, _SYNC)
    read, _ = _codec(json.loads(header["avro.schema"]), {})
    records: list[Any] = []
    while source.tell() < len(content):
        count, block = _read_long(source), BytesIO(_unpacked(header, _read_bytes(source)))
        records.extend(read(block) for _ in range(count))
        if _exactly(source, _SYNC) != marker or block.read(1):
            raise ValueError("a block does not end where it should")
    return Container(header, marker, records)


def dump(container: Container) -> bytes:
    """The file with these records, as one block."""
    target = BytesIO()
    target.write(MAGIC)
    _write_map(_write_bytes)(target, [(k.encode(), v) for k, v in container.header.items()])
    target.write(container.marker)
    _, write = _codec(json.loads(container.header["avro.schema"]), {})
    if container.records:
        block = BytesIO()
        for record in container.records:
            write(block, record)
        _write_long(target, len(container.records))
        _write_bytes(target, _packed(container.header, block.getvalue()))
        target.write(container.marker)
    return target.getvalue()


def _packing(header: dict[str, bytes]) -> str:
    name = header.get("avro.codec", b"null").decode()
    if name not in ("null", "deflate"):
        raise ValueError(f"packed by {name}")
    return name


def _unpacked(header: dict[str, bytes], block: bytes) -> bytes:
    return zlib.decompress(block, -zlib.MAX_WBITS) if _packing(header) == "deflate" else block


def _packed(header: dict[str, bytes], block: bytes) -> bytes:
    if _packing(header) == "null":
        return block
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(block) + packer.flush()


# Values


def _codec(schema: Any, named: dict[str, tuple[Read, Write]]) -> tuple[Read, Write]:
    """How values of a schema are read and written; `named` are the types that it may refer to."""
    if isinstance(schema, list):
        return _union([_codec(branch, named) for branch in schema])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(kind, dict | list):
        return _codec(kind, named)
    if kind in ("record", "error"):
        return _record(schema, named)
    if kind == "array":
        read, write = _codec(schema["items"], named)
        return _read_array(read), _write_array(write)
    if kind == "map":
        read, write = _codec(schema["values"], named)
        return _read_map(read), _write_map(write)
    plain = _plain(schema, kind)
    if plain is None:
        return named[kind]
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = plain
    return plain


def _plain(schema: Any, kind: str) -> tuple[Read, Write] | None:
    """The same for what has no parts; None for the name of another type."""
    if kind in ("int", "long", "enum"):
        return _read_long, _write_long
    if kind in ("string", "bytes"):
        return _read_bytes, _write_bytes
    if kind == "null":
        return (lambda _: None), (lambda _target, _value: None)
    size = schema["size"] if kind == "fixed" else _RAW.get(kind)
    if size is None:
        return None
    return (lambda source: _exactly(source, size)), (lambda target, value: _raw(target, value))


def _record(schema: Any, named: dict[str, tuple[Read, Write]]) -> tuple[Read, Write]:
    fields: list[tuple[str, Read, Write]] = []

    def read(source: BytesIO) -> Any:
        return {name: reader(source) for name, reader, _ in fields}

    def write(target: BytesIO, value: Any) -> None:
        for name, _, writer in fields:
            writer(target, value[name])

    named[schema["name"]] = read, write
    fields.extend((field["name"], *_codec(field["type"], named)) for field in schema["fields"])
    return read, write


def _union(branches: list[tuple[Read, Write]]) -> tuple[Read, Write]:
    def read(source: BytesIO) -> Any:
        number = _read_long(source)
        return number, branches[number][0](source)

    def write(target: BytesIO, value: Any) -> None:
        _write_long(target, value[0])
        branches[value[0]][1](target, value[1])

    return read, write


def _read_array(item: Read) -> Read:
    def read(source: BytesIO) -> Any:
        values: list[Any] = []
        while count := _read_long(source):
            if count < 0:  # then the block's size follows
                count, _ = -count, _read_long(source)
            values.extend(item(source) for _ in range(count))
        return values

    return read


def _write_array(item: Write) -> Write:
    def write(target: BytesIO, values: Any) -> None:
        if values:
            _write_long(target, len(values))
            for value in values:
                item(target, value)
        _write_long(target, 0)

    return write


def _read_map(item: Read) -> Read:
    return _read_array(lambda source: (_read_bytes(source), item(source)))


def _write_map(item: Write) -> Write:
    def write(target: BytesIO, pair: Any) -> None:
        _write_bytes(target, pair[0])
        item(target, pair[1])

    return _write_array(write)


def _exactly(source: BytesIO, size: int) -> bytes:
    found = source.read(size) if size >= 0 else b""
    if len(found) != size:
        raise ValueError("it ends too early")
    return found


def _raw(target: BytesIO, value: bytes) -> None:
    target.write(value)


def _read_long(source: BytesIO) -> int:
    shift = number = 0
    while True:
        (byte,) = _exactly(source, 1)
        number |= (byte & 0x7F) << shift
        if number >> 64 or shift > 63:
            raise ValueError("a number is too long")
        if not byte & 0x80:
            return (number >> 1) ^ -(number & 1)
        shift += 7


def _write_long(target: BytesIO, value: int) -> None:
    number = (value << 1) ^ (value >> 63)
    while number > 0x7F:
        target.write(bytes(((number & 0x7F) | 0x80,)))
        number >>= 7
    target.write(bytes((number,)))


def _read_bytes(source: BytesIO) -> bytes:
    return _exactly(source, _read_long(source))


def _write_bytes(target: BytesIO, value: bytes) -> None:
    _write_long(target, len(value))
    target.write(value)
