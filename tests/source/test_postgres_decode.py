"""The decoder of binary COPY beside a plain one: the same values, the same refusals, however the stream is
cut. The decoder of COPY's text: whole rows or a refusal."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any, Literal

import pyarrow as pa
import pytest
from copyreference import Reference

from mainstem.errors import UsageError
from mainstem.schema import Column, Kind, Table, Type
from mainstem.source.postgres import decode
from mainstem.source.postgres.decode import SIGNATURE, decoder_of
from mainstem.source.postgres.misfit import Misfit, Reason, error_of
from mainstem.source.postgres.textual import TextDecoder

HEADER = SIGNATURE + struct.pack(">II", 0, 0)
END = b"\xff\xff"
Binary = Literal["reference", "compiled"]
DECODERS: list[Binary] = ["reference", "compiled"]
TYPES = [
    ("a", Type(Kind.BOOLEAN), ""),
    ("b", Type(Kind.INT), ""),
    ("c", Type(Kind.LONG), ""),
    ("d", Type(Kind.DECIMAL, 12, 3), ""),
    ("e", Type(Kind.DECIMAL, 38, 20), ""),
    ("f", Type(Kind.FLOAT), ""),
    ("g", Type(Kind.DOUBLE), ""),
    ("h", Type(Kind.STRING), "text"),
    ("i", Type(Kind.STRING), "character(9)"),
    ("j", Type(Kind.BINARY), ""),
    ("k", Type(Kind.DATE), ""),
    ("l", Type(Kind.TIMESTAMP), ""),
    ("m", Type(Kind.TIMESTAMPTZ), ""),
]


def _table(*types: tuple[str, Type, str], nullable: bool = True) -> Table:
    return Table("t", tuple(Column(name, type_, nullable, native) for name, type_, native in types))


def _row(*fields: bytes | None) -> bytes:
    parts = [struct.pack(">h", len(fields))]
    for field in fields:
        parts.append(struct.pack(">i", -1) if field is None else struct.pack(">i", len(field)) + field)
    return b"".join(parts)


def _numeric(groups: list[int], weight: int, sign: int = 0) -> bytes:
    return struct.pack(f">hhHH{len(groups)}H", len(groups), weight, sign, 0, *groups)


def _random_numeric(rng: random.Random) -> bytes:
    groups = [
        rng.choice([0, 1, 10, 99, 500, 1000, 9000, 9999, rng.randrange(10_000)])
        for _ in range(rng.randrange(6))
    ]
    sign = rng.choice([0, 0, 0x4000, 0x4000, 0xC000 if rng.random() < 0.05 else 0])
    return _numeric(groups, rng.randrange(-3, 5), sign)


def _random_text(rng: random.Random) -> bytes:
    text = "".join(rng.choice(["a", " ", "é", "中", "😀", "\x01", "\n"]) for _ in range(rng.randrange(12)))
    return text.encode() + (b"\xff" if rng.random() < 0.01 else b"")


_RANDOM: dict[Kind, Callable[[random.Random], bytes]] = {
    Kind.BOOLEAN: lambda rng: rng.choice([b"\0", b"\1"]),
    Kind.INT: lambda rng: rng.randbytes(4),
    Kind.LONG: lambda rng: rng.randbytes(8),
    Kind.DECIMAL: _random_numeric,
    Kind.FLOAT: lambda rng: rng.randbytes(4),
    Kind.DOUBLE: lambda rng: rng.randbytes(8),
    Kind.STRING: _random_text,
    Kind.BINARY: lambda rng: rng.randbytes(rng.randrange(20)),
    Kind.DATE: lambda rng: struct.pack(">i", rng.choice([0, rng.randrange(-740_000, 3_000_000), 2**31 - 1])),
    Kind.TIMESTAMP: lambda rng: struct.pack(">q", rng.randrange(-65 * 10**15, 26 * 10**16)),
    Kind.TIMESTAMPTZ: lambda rng: struct.pack(">q", rng.choice([-(2**63), rng.randrange(-(10**17), 10**17)])),
}


def _decoder(choice: Binary, table: Table) -> Reference | decode.Decoder:
    return Reference(table) if choice == "reference" else decoder_of(table, choice)


def _outcome(choice: Binary, table: Table, pieces: list[bytes]) -> Any:
    """The buffers of the batch read, or column and reason of the refusal."""
    decoder = _decoder(choice, table)
    try:
        for piece in pieces:
            decoder.feed(piece)
        batch = decoder.take()
    except Misfit as misfit:
        return misfit.column, misfit.reason
    batch.validate(full=True)
    return decoder.done, batch


def _same(left: Any, right: Any) -> bool:
    if isinstance(left[1], pa.RecordBatch) and isinstance(right[1], pa.RecordBatch):
        # NaN differs from itself: floats are compared by their bits.
        bits = {pa.float32(): pa.int32(), pa.float64(): pa.int64()}
        return left[0] == right[0] and all(
            (a.view(bits[a.type]) if a.type in bits else a) == (b.view(bits[b.type]) if b.type in bits else b)
            for a, b in zip(left[1].columns, right[1].columns, strict=True)
        )
    return bool(left == right)


def _is_read(outcome: Any) -> bool:
    return outcome[0] is True


@pytest.mark.parametrize("seed", range(300))
def test_the_decoders_agree(seed: int) -> None:
    rng = random.Random(seed)
    types = rng.sample(TYPES, rng.randrange(1, len(TYPES) + 1))
    table = _table(*types, nullable=rng.random() < 0.9)
    rows = []
    for _ in range(rng.randrange(6) if seed % 2 else rng.randrange(60)):
        rows.append(
            _row(*(None if rng.random() < 0.1 else _RANDOM[type_.kind](rng) for _, type_, _ in types))
        )
    stream = HEADER + b"".join(rows) + END
    broken = rng.random() < 0.1
    if broken:
        at = rng.randrange(len(stream))
        stream = stream[:at] + bytes([stream[at] ^ (1 << rng.randrange(8))]) + stream[at + 1 :]
    cuts = sorted(rng.randrange(len(stream) + 1) for _ in range(rng.randrange(5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    for parts in (pieces, [stream]):
        plain, compiled = _outcome("reference", table, parts), _outcome("compiled", table, parts)
        # Of several faults in one row either may come first; that there is one is beyond doubt.
        assert _same(plain, compiled) or (broken and not _is_read(plain) and not _is_read(compiled))


@pytest.mark.parametrize("choice", DECODERS)
def test_a_stream_byte_by_byte(choice: Binary) -> None:
    table = _table(("a", Type(Kind.INT), ""), ("h", Type(Kind.STRING), ""))
    stream = HEADER + _row(b"\0\0\0\7", b"seven") + _row(None, None) + _row(b"\xff\xff\xff\xff", b"") + END
    done, batch = _outcome(choice, table, [stream[i : i + 1] for i in range(len(stream))])
    assert done
    assert batch.to_pydict() == {"a": [7, None, -1], "h": ["seven", None, ""]}


@pytest.mark.parametrize("choice", DECODERS)
def test_batches_do_not_share_memory_or_leak_into_each_other(choice: Binary) -> None:
    table = _table(("a", Type(Kind.BOOLEAN), ""), ("h", Type(Kind.STRING), ""))
    decoder = _decoder(choice, table)
    decoder.feed(HEADER + _row(b"\1", b"one") + _row(None, None))
    first = decoder.take()
    decoder.feed(_row(b"\0", b"three") + END)
    second = decoder.take()
    assert first.to_pydict() == {"a": [True, None], "h": ["one", None]}
    assert second.to_pydict() == {"a": [False], "h": ["three"]}
    assert decoder.take().num_rows == 0
    del decoder, first
    assert second.column("h").to_pylist() == ["three"]


MALFORMED = [
    b"PGCOPX" + b"\0" * 30,
    SIGNATURE + struct.pack(">II", 1 << 16, 0),
    HEADER + struct.pack(">h", 2),
    HEADER + struct.pack(">h", -2),
    HEADER + struct.pack(">hi", 1, -2),
    HEADER + _row(b"\0\0\0"),
    HEADER + END + b"more",
]


@pytest.mark.parametrize("choice", DECODERS)
@pytest.mark.parametrize("stream", MALFORMED)
def test_malformed(stream: bytes, choice: Binary) -> None:
    table = _table(("b", Type(Kind.INT), ""))
    assert _outcome(choice, table, [stream]) == (0, Reason.MALFORMED)
    assert "PostgreSQL's COPY" in str(error_of(Misfit(0, Reason.MALFORMED), table))


NUMBERS = [
    ((1, 0), [9], 0, "9"),
    ((1, 0), [10], 0, None),
    ((38, 0), [99] + [9999] * 9, 9, "9" * 38),
    ((38, 0), [100] + [0] * 9, 9, None),
    ((38, 0), [1], 100, None),
    ((38, 0), [], 0, "0"),
    ((38, 0), [0], 30_000, "0"),
    ((38, 38), [1000], -1, "0.1" + "0" * 37),
    ((38, 38), [100], -10, "0." + "0" * 37 + "1"),
    ((38, 38), [1], -10, None),
    ((5, 2), [1, 2300], 0, "1.23"),
    ((5, 2), [1, 2340], 0, None),
    ((5, 2), [1, 2300, 0], 0, "1.23"),
    ((5, 2), [1, 2300, 1], 0, None),
    ((5, 2), [999, 9900], 0, "999.99"),
    ((5, 2), [1000], 0, None),
    ((6, 0), [12], 1, "120000"),
]


@pytest.mark.parametrize("choice", DECODERS)
@pytest.mark.parametrize(("size", "groups", "weight", "text"), NUMBERS)
def test_numbers(
    size: tuple[int, int], groups: list[int], weight: int, text: str | None, choice: Binary
) -> None:
    table = _table(("d", Type(Kind.DECIMAL, *size), ""))
    stream = HEADER + _row(_numeric(groups, weight)) + END
    outcome = _outcome(choice, table, [stream])
    if text is None:
        assert outcome == (0, Reason.DIGITS)
    else:
        assert [format(v, "f") for v in outcome[1].column("d").to_pylist()] == [text]


@pytest.mark.parametrize("choice", DECODERS)
def test_null_where_none_may_be(choice: Binary) -> None:
    table = _table(("b", Type(Kind.INT), ""), nullable=False)
    assert _outcome(choice, table, [HEADER + _row(None) + END]) == (0, Reason.NULL)


@pytest.mark.parametrize("choice", DECODERS)
def test_text_that_is_not_utf8(choice: Binary) -> None:
    table = _table(("h", Type(Kind.STRING), "text"))
    assert _outcome(choice, table, [HEADER + _row(b"caf\xe9") + END]) == (0, Reason.ENCODING)


def test_auto_takes_the_compiled_decoder_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = _table(("b", Type(Kind.INT), ""))
    assert isinstance(decoder_of(table), decode.CompiledDecoder)
    monkeypatch.setattr(decode, "pgcopy", None)
    assert isinstance(decoder_of(table), TextDecoder)
    with pytest.raises(UsageError, match="not installed"):
        decoder_of(table, "compiled")


TEXTS = [
    (
        Type(Kind.STRING),
        "text",
        b'1,\xef\xbb\xbfbom\n1,"a\r\n,""b"\n1,\n1,""\n',
        ["\ufeffbom", 'a\r\n,"b', None, ""],
    ),
    (Type(Kind.STRING), "character(4)", b"1,a   \n1,    \n", ["a", ""]),
    (Type(Kind.BINARY), "", b"1,\\x00ff\n1,\n1,\\x\n", [b"\0\xff", None, b""]),
    (Type(Kind.LONG), "time", b"1,24:00:00\n1,00:00:01.5\n1,\n", [86_400_000_000, 1_500_000, None]),
    (Type(Kind.BOOLEAN), "", b"1,t\n1,f\n1,\n", [True, False, None]),
    (Type(Kind.DOUBLE), "", b"1,5e-324\n1,-Infinity\n1,0.1\n", [5e-324, float("-inf"), 0.1]),
]


@pytest.mark.parametrize(("type_", "native", "data", "values"), TEXTS, ids=lambda one: str(one)[:12])
def test_text(type_: Type, native: str, data: bytes, values: list[Any]) -> None:
    decoder = TextDecoder(_table(("c", type_, native)))
    for _ in range(2):
        decoder.feed(data)
    assert decoder.rows == 2 * len(values)
    assert decoder.take().column(0).to_pylist() == [*values, *values]
    assert decoder.take().num_rows == decoder.rows == 0


NO_TEXTS = [
    (Type(Kind.STRING), b"1,a", Reason.MALFORMED),  # a row that was cut
    (Type(Kind.STRING), b"1,a\nb\n", Reason.MALFORMED),
    (Type(Kind.STRING), b"1,a,b\n", Reason.MALFORMED),
    (Type(Kind.STRING), b"1,caf\xe9\n", Reason.ENCODING),
    (Type(Kind.INT), b"1,2147483648\n", Reason.MALFORMED),
    (Type(Kind.BOOLEAN), b"1,true\n", Reason.MALFORMED),
    (Type(Kind.BINARY), b"1,00\n", Reason.MALFORMED),
    (Type(Kind.DECIMAL, 5, 2), b"1,NaN\n", Reason.NOT_FINITE),
    (Type(Kind.DECIMAL, 5, 2), b"1,1.234\n", Reason.DIGITS),
    (Type(Kind.DECIMAL, 5, 2), b"1,1000.00\n", Reason.DIGITS),
    (Type(Kind.DECIMAL, 5, 2), b"1,9999.9\n", Reason.DIGITS),
    (Type(Kind.DATE), b"1,infinity\n", Reason.INFINITE_DATE),
    (Type(Kind.DATE), b"1,2024-01-01\n1,0044-03-15 BC\n", Reason.DATE_RANGE),
    (Type(Kind.TIMESTAMP), b"1,10000-01-01 00:00:00\n", Reason.DATE_RANGE),
    (Type(Kind.TIMESTAMPTZ), b"1,0001-12-31 23:59:59.5+00 BC\n", Reason.DATE_RANGE),
    (Type(Kind.TIMESTAMPTZ), b"1,2024-01-01 00:00:00\n", Reason.MALFORMED),
]


@pytest.mark.parametrize(("type_", "data", "reason"), NO_TEXTS, ids=str)
def test_text_that_is_refused(type_: Type, data: bytes, reason: Reason) -> None:
    with pytest.raises(Misfit) as caught:
        TextDecoder(_table(("c", type_, ""))).feed(data)
    assert (caught.value.column, caught.value.reason) == (0, reason)


def test_null_in_text_where_none_may_be() -> None:
    table = _table(("a", Type(Kind.INT), ""), ("b", Type(Kind.INT), ""), nullable=False)
    with pytest.raises(Misfit) as caught:
        TextDecoder(table).feed(b"1,2,\n")
    assert (caught.value.column, caught.value.reason) == (1, Reason.NULL)
