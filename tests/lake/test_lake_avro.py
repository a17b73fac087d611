"""Avro files are read as their writer's schema says, and written back as they were."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakes import commit, files
from mainstem.lake import Lake, avro

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "all",
    "fields": [
        {"name": "whole", "type": "long"},
        {"name": "small", "type": {"type": "int", "logicalType": "date"}},
        {"name": "yes", "type": "boolean"},
        {"name": "real", "type": "double"},
        {"name": "short", "type": "float"},
        {"name": "text", "type": "string"},
        {"name": "maybe", "type": ["null", "bytes", {"type": "fixed", "name": "four", "size": 4}]},
        {"name": "again", "type": "four"},
        {"name": "pairs", "type": {"type": "map", "values": "long"}},
        {"name": "suit", "type": {"type": "enum", "name": "suit", "symbols": ["a", "b"]}},
        {
            "name": "list",
            "type": {
                "type": "array",
                "items": {"type": "record", "name": "kv", "fields": [{"name": "k", "type": "int"}]},
            },
        },
        {"name": "nothing", "type": "null"},
    ],
}
LONG = st.integers(-(2**63), 2**63 - 1)
INT = st.integers(-(2**31), 2**31 - 1)
FOUR = st.binary(min_size=4, max_size=4)
RECORD = st.fixed_dictionaries(
    {
        "whole": LONG,
        "small": INT,
        "yes": st.sampled_from([b"\0", b"\1"]),
        "real": st.floats().map(lambda n: struct.pack("<d", n)),
        "short": FOUR,
        "text": st.text().map(str.encode),
        "maybe": st.one_of(st.just((0, None)), st.binary().map(lambda b: (1, b)), FOUR.map(lambda b: (2, b))),
        "again": FOUR,
        "pairs": st.lists(st.tuples(st.text().map(str.encode), LONG)),
        "suit": st.sampled_from([0, 1]),
        "list": st.lists(st.fixed_dictionaries({"k": INT})),
        "nothing": st.none(),
    }
)


def container(records: list[Any], codec: str = "deflate") -> avro.Container:
    header = {"avro.schema": json.dumps(SCHEMA).encode(), "avro.codec": codec.encode(), "other": b"\0x"}
    return avro.Container(header, bytes(range(16)), records)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORD, max_size=3), st.sampled_from(["null", "deflate"]))
def test_what_is_written_is_read(records: list[Any], codec: str) -> None:
    made = container(records, codec)
    assert avro.load(avro.dump(made)) == made


def test_what_iceberg_wrote_stays_byte_by_byte(tmp_path: Path) -> None:
    """Unpacked, that is: two packers of the same bytes may differ."""
    lake = Lake(tmp_path / ".mainstem")
    commit(lake, 1, 2)
    commit(lake, 3)
    written = [path for path in files(lake.root) if path.suffix == ".avro"]
    assert len(written) == 4
    for path in written:
        assert blocks(avro.dump(avro.load(path.read_bytes()))) == blocks(path.read_bytes())


def blocks(content: bytes) -> tuple[bytes, bytes]:
    """A file's header, and its blocks unpacked, found by the marker, as one."""
    found = avro.load(content)
    head, *rest = content.split(found.marker)
    unpacked = []
    for block in rest[:-1]:
        source = BytesIO(block)
        avro._read_long(source)
        unpacked.append(zlib.decompress(avro._read_bytes(source), -15))
    return head, b"".join(unpacked)


def test_blocks_that_tell_their_size(tmp_path: Path) -> None:
    """A negative count, then the bytes of the block: so may any writer write arrays and maps."""
    read, write = avro._codec({"type": "array", "items": "long"}, {})
    target = BytesIO()
    for number in (-2, 2, 7, 8, 1, 9, 0):
        avro._write_long(target, number)
    assert read(BytesIO(target.getvalue())) == [7, 8, 9]
    again = BytesIO()
    write(again, [7, 8, 9])
    assert read(BytesIO(again.getvalue())) == [7, 8, 9]


def test_what_is_no_avro_file_is_refused() -> None:
    whole = avro.dump(container([{**EXAMPLE}], "null"))
    assert avro.load(whole).records == [EXAMPLE]
    header = whole.index(bytes(range(16))) + 16
    for end in [*range(4), *range(4, len(whole), 7), len(whole) - 1]:
        if end != header:
            with pytest.raises((ValueError, KeyError)):
                avro.load(whole[:end])
    with pytest.raises(ValueError, match="packed by zstandard"):
        avro.dump(replace(container([EXAMPLE]), header={**container([]).header, "avro.codec": b"zstandard"}))


@pytest.mark.parametrize("varint", [b"\xfe" + b"\xff" * 8 + b"\x7f", b"\xff" * 10 + b"\1"])
def test_a_number_of_more_than_64_bits_is_damage(varint: bytes) -> None:
    with pytest.raises(ValueError, match="too long"):
        avro.load(avro.MAGIC + varint)


EXAMPLE: dict[str, Any] = {
    "whole": -(2**63),
    "small": 2**31 - 1,
    "yes": b"\1",
    "real": struct.pack("<d", float("nan")),
    "short": b"\1\2\3\4",
    "text": "größer".encode(),
    "maybe": (2, b"four"),
    "again": b"nine",
    "pairs": [(b"a", 1), (b"b", -1)],
    "suit": 1,
    "list": [{"k": 1}, {"k": -1}],
    "nothing": None,
}
