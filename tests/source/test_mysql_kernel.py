"""The compiled decoder and the plain one: same values, same refusals, whatever the bytes."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from test_mysql_values import canonical

from mainstem.arrow import schema_of
from mainstem.errors import ValueNotExact
from mainstem.hashing import crc32_each, crc32_sum, mysql_double_text
from mainstem.schema import Column, Table, Type
from mainstem.source._kernel import mysqlrows
from mainstem.source.mysql import MySQLSource
from mainstem.source.mysql.decode import Problem, decode_batch, not_exact, split_row
from mainstem.source.mysql.mapping import wire
from servers.mariadb import MariaDB

Row = list[bytes | None]
END = b"\xfe\0\0\2\0"


def column(lake: str, native: str = "", nullable: bool = True, name: str = "c") -> Column:
    return Column(name, Type.parse(lake), nullable, native)


def lenenc(cell: bytes | None) -> bytes:
    if cell is None:
        return b"\xfb"
    if len(cell) < 251:
        return bytes([len(cell)]) + cell
    if len(cell) < 1 << 16:
        return b"\xfc" + struct.pack("<H", len(cell)) + cell
    if len(cell) < 1 << 24:
        return b"\xfd" + struct.pack("<I", len(cell))[:3] + cell
    return b"\xfe" + struct.pack("<Q", len(cell)) + cell


def packets(payloads: list[bytes], sequence: int = 0) -> bytes:
    out = []
    for payload in payloads:
        while True:
            part, payload = payload[:0xFFFFFF], payload[0xFFFFFF:]
            out.append(struct.pack("<I", len(part))[:3] + bytes([sequence & 0xFF]) + part)
            sequence += 1
            if len(part) < 0xFFFFFF:
                break
    return b"".join(out)


def decoder(columns: list[Column], sequence: int = 0, target: int = 1 << 20) -> mysqlrows.RowDecoder:
    return mysqlrows.RowDecoder(
        [wire(c) for c in columns],
        [c.type.precision for c in columns],
        [c.type.scale for c in columns],
        [c.nullable for c in columns],
        sequence,
        target,
    )


def compiled(columns: list[Column], stream: bytes, step: int, target: int = 1 << 20) -> pa.Table:
    """What the kernel makes of a stream that comes `step` bytes at a time."""
    table, schema = Table("t", tuple(columns)), schema_of(columns)
    kernel = decoder(columns, target=target)
    buffer = bytearray(stream) or bytearray(1)
    batches, start, end = [], 0, 0
    while True:
        state = kernel.feed(buffer, start, end)
        start += kernel.consumed
        if state == mysqlrows.MORE:
            assert end < len(stream), "the kernel wants more than there is"
            end = min(len(stream), end + step)
            continue
        if state == mysqlrows.PROBLEM:
            raise not_exact(table, columns[kernel.column], Problem(kernel.problem))
        assert state in (mysqlrows.FULL, mysqlrows.DONE), state
        batch = kernel.take(schema)
        if batch is not None:
            batch.validate(full=True)
            batches.append(batch)
        if state == mysqlrows.DONE:
            assert start == len(stream)
            return pa.Table.from_batches(batches, schema)


def plain(columns: list[Column], rows: list[Row]) -> pa.Table:
    table, schema = Table("t", tuple(columns)), schema_of(columns)
    if not rows:
        return schema.empty_table()
    return pa.Table.from_batches([decode_batch(table, list(zip(*rows, strict=True)), schema)])


def outcome(columns: list[Column], rows: list[Row], kernel: bool) -> str:
    """The values (with the sign of a zero), or the refusal."""
    try:
        if kernel:
            stream = packets([b"".join(map(lenenc, row)) for row in rows] + [END])
            return repr(compiled(columns, stream, len(stream)).to_pylist())
        return repr(plain(columns, rows).to_pylist())
    except ValueNotExact as error:
        return str(error)


COLUMNS = [
    column("boolean", "bit(1)"),
    column("int", "int(11)"),
    column("long", "bigint(20)"),
    column("long", "time(6)"),
    column("decimal(20,0)", "bigint(20) unsigned"),
    column("decimal(10,2)", "decimal(10,2)"),
    column("decimal(38,20)", "decimal(38,20)"),
    column("float", "float"),
    column("double", "double"),
    column("date", "date"),
    column("timestamp", "datetime(6)"),
    column("timestamptz", "timestamp(6)"),
    column("string", "varchar(20)"),
    column("binary", "blob"),
]
ODD = [
    b"", b"-", b".", b"-.", b"0", b"-0", b"1", b"2", b"00", b"+1", b" 1", b"1 ", b"1_0", b"1.", b".5",
    b"1e5", b"-1.5e-3", b"1e", b"e5", b"1e+", b"1e99999", b"1e400", b"1e-400", b"inf", b"nan", b"0x10",
    b"1.2.3", b"2147483647", b"2147483648", b"-2147483648", b"-2147483649", b"9223372036854775807",
    b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809", b"18446744073709551616",
    b"99999999999999999999", b"100000000000000000000", b"99999999.99", b"100000000.00", b"0.001",
    b"1.000", b"9" * 38, b"9" * 39, b"0" * 60 + b"1", b"0." + b"0" * 20, b"0." + b"9" * 21, b"-0.00",
    b"1\x00", b"\xff", b"2024-02-29", b"2023-02-29", b"1900-02-29", b"2000-02-29", b"0000-00-00",
    b"0001-01-01", b"9999-12-31", b"2024-00-01", b"2024-13-01", b"2024-04-31", b"2024-1-01",
    b"2024-01-1x", b"2024/01/01", b"12024-01-01", b"2024-01-01 00:00:00", b"2024-01-01 23:59:59.999999",
    b"2024-01-01 24:00:00", b"2024-01-01 23:60:00", b"2024-01-01T00:00:00", b"2024-01-01 00:00:00.",
    b"2024-01-01 00:00:00.1234567", b"2024-01-01 00:00", b"2024-01-01 00:00:60", b"0000-00-00 00:00:00",
    b"2024-01-01 00:00:00.1", b"2024-01-01 0a:00:00", b"00:00:00", b"-838:59:59.999999", b"838:59:60",
    b"1:00:00", b"1000:00:00", b"-00:00:00.000001", b"--1:00:00", b"10:00", b"10:00:00.", b"10:60:00",
    b"10:00:00.1234567", b"-", b"ab:cd:ef", b"\xc3\xa9", b"\xc3", b"\xc0\x80", b"\xe0\x80\x80",
    b"\xed\xa0\x80", b"\xed\x9f\xbf", b"\xef\xbf\xbf", b"\xf0\x9f\x98\x80", b"\xf0\x80\x80\x80",
    b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x80", b"abcdefgh\xff",
    b"abcdefg\xc3\xa9ijklmnop", b"\xe2\x82", b"\xf0\x9f\x98", b"a\0b", b"x" * 251,
]  # fmt: skip


@pytest.mark.parametrize("cell", ODD, ids=[repr(cell[:30]) for cell in ODD])
def test_odd_texts_have_the_same_fate_in_every_type(cell: bytes) -> None:
    for each in COLUMNS:
        assert outcome([each], [[cell]], True) == outcome([each], [[cell]], False), each


def valid(rng: random.Random, each: Column) -> bytes:
    """A text as the server might send it for that column, at times the most extreme."""
    kind, native = each.type.kind.value, each.native
    clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    fraction = rng.choice(["", f".{rng.randrange(10**6):06}", f".{rng.randrange(1000):03}"])
    day = f"{rng.randint(1, 9999):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    digits = str(rng.randrange(10 ** rng.randint(1, max(1, each.type.precision - each.type.scale))))
    scaled = (
        f"{digits}.{rng.randrange(10**each.type.scale):0{each.type.scale}}" if each.type.scale else digits
    )
    sign = rng.choice(["", "-"])
    bits = rng.getrandbits(64)
    double = struct.unpack("<d", struct.pack("<Q", bits))[0]
    real = double if abs(double) < 1e308 else rng.gauss(0, 1)
    rounded = f"{rng.uniform(-1e6, 1e6):.{rng.randrange(8)}f}"
    narrow = struct.unpack("<f", struct.pack("<f", rng.gauss(0, 1e10)))[0]
    texts = {
        "boolean": str(bits & 1),
        "int": str(rng.randint(-(2**31), 2**31 - 1)),
        "long": f"{sign}{rng.randrange(839):02}:{clock[3:]}{fraction}" if native.startswith("time") else
        str(rng.randint(-(2**63), 2**63 - 1)),
        "decimal": ("" if "unsigned" in native else sign) + scaled,
        "float": rng.choice([repr(narrow), str(rng.randrange(2**24)), "0", "-0"]),
        "double": rng.choice([repr(real), repr(rng.gauss(0, 1000)), rounded, str(bits)]),
        "date": day,
        "timestamp": f"{day} {clock}{fraction}",
        "timestamptz": f"{day} {clock}{fraction}",
        "string": "".join(rng.choice("aé漢😀\0 ") for _ in range(rng.choice([0, 1, 7, 8, 9, 40, 300]))),
    }  # fmt: skip
    return (
        rng.randbytes(rng.choice([0, 1, 50, 250, 251, 70_000])) if kind == "binary" else texts[kind].encode()
    )


DAMAGE = [b"", b"0", b"9", b"-", b".", b":", b" ", b"e", b"\xff"]


def random_rows(rng: random.Random, columns: list[Column], count: int) -> list[Row]:
    return [[None if rng.random() < 0.1 else valid(rng, each) for each in columns] for _ in range(count)]


@pytest.mark.parametrize("seed", range(6))
def test_random_rows_however_they_are_cut(seed: int) -> None:
    rng = random.Random(seed)
    rows = random_rows(rng, COLUMNS, rng.choice([1, 7, 8, 9, 300]))
    columns = [column(str(c.type), c.native, name=f"c{i}") for i, c in enumerate(COLUMNS)]
    stream = packets([b"".join(map(lenenc, row)) for row in rows] + [END])
    expected = plain(columns, rows)
    for step, target in [(len(stream), 1 << 30), (1009, 1 << 30), (65_536, 1), (7919, 20_000)]:
        assert compiled(columns, stream, step, target).combine_chunks() == expected.combine_chunks()


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_has_the_same_fate(seed: int) -> None:
    rng = random.Random(1000 + seed)
    fates = set()
    for _ in range(60):
        each = rng.choice(COLUMNS)
        cell = bytearray(valid(rng, each)[:60])
        for _ in range(rng.randint(0, 2)):
            at = rng.randint(0, len(cell))
            cell[at : at + rng.randint(0, 1)] = rng.choice(
                [b"", b"0", b"9", b"-", b".", b":", b" ", b"e", b"\xff"]
            )
        one, other = outcome([each], [[bytes(cell)]], True), outcome([each], [[bytes(cell)]], False)
        assert one == other, (each, bytes(cell))
        fates.add("[" in one)
    assert fates == {True, False}, "damage was refused, and some was harmless"


def test_one_byte_at_a_time() -> None:
    columns = [column("int", "int(11)"), column("string", "text", name="d")]
    rows: list[Row] = [[b"1", b"a"], [None, b"x" * 300], [b"-5", None]]
    stream = packets([b"".join(map(lenenc, row)) for row in rows] + [END])
    assert compiled(columns, stream, 1).to_pylist() == plain(columns, rows).to_pylist()


def test_null_in_a_column_that_has_none() -> None:
    columns = [column("int", "int(11)", nullable=False)]
    assert outcome(columns, [[None]], True) == outcome(columns, [[None]], False)
    assert "NOT NULL" in str(outcome(columns, [[None]], True))


@pytest.mark.parametrize("size", [16777208, 16777209, 16777210, 33554418, 33554419, 33554420])
def test_packets_in_parts(size: int) -> None:
    """Payloads of one and two full parts (16777215 bytes), one byte less, and one more."""
    columns = [column("binary", "longblob"), column("int", "int(11)", name="d")]
    rows: list[Row] = [[b"x" * size, b"7"], [b"y", b"8"]]
    payloads = [b"".join(map(lenenc, row)) for row in rows]
    assert split_row(payloads[0], 2) == rows[0]
    stream = packets([*payloads, END])
    assert compiled(columns, stream, 1 << 20).to_pylist() == plain(columns, rows).to_pylist()


def test_a_batch_of_many_rows() -> None:
    """More than once the buffers grow, the null bits with them."""
    columns = [column("boolean", "bit(1)"), column("long", "bigint(20)"), column("string", "text")]
    columns = [Column(f"c{number}", each.type, True, each.native) for number, each in enumerate(columns)]
    rows: list[Row] = [[b"1", b"%d" % i, b"%d" % i] if i % 700 else [None] * 3 for i in range(9000)]
    stream = packets([b"".join(map(lenenc, row)) for row in rows] + [END])
    assert compiled(columns, stream, 1 << 20, 1 << 30) == plain(columns, rows)


def test_no_rows() -> None:
    assert compiled([column("int", "int(11)")], packets([END]), 100).num_rows == 0


@pytest.mark.parametrize(
    "stream",
    [
        packets([b"\x011"], sequence=5),
        packets([b"\x051"]),
        packets([b"\x011\x01"]),
        packets([b""]),
        packets([b"\xfc\x01"]),
        packets([b"\xfe" + b"\xff" * 8]),
        packets([b"\x011\x012"]),
    ],
    ids=["sequence", "short cell", "rest", "empty", "short length", "huge length", "one cell more"],
)
def test_what_is_not_the_protocol(stream: bytes) -> None:
    assert decoder([column("int", "int(11)")]).feed(bytearray(stream), 0, len(stream)) == mysqlrows.BROKEN


def test_a_packet_without_end() -> None:
    """A server that never ends a packet does not fill the memory: it cannot make one of more than 4 GB."""
    kernel = decoder([column("string")])
    assert kernel.longest == 1 << 32
    kernel.longest = 4 << 24
    part, sequence = b"\xff\xff\xff\0" + b"\xfe" + b"\0" * 0xFFFFFE, 0
    buffer, state = bytearray(part), mysqlrows.MORE
    while state == mysqlrows.MORE and sequence < 9:
        buffer[3] = sequence
        state = kernel.feed(buffer, 0, len(buffer))
        sequence += 1
    assert (state, sequence) == (mysqlrows.BROKEN, 5)


def test_an_error_packet_among_the_rows() -> None:
    stream = packets([b"\x011", b"\xff\x25\x05#70100killed"])
    kernel = decoder([column("int", "int(11)")])
    assert kernel.feed(bytearray(stream), 0, len(stream)) == mysqlrows.ERROR
    assert kernel.error == b"\xff\x25\x05#70100killed"
    lost = packets([b"\xff\x1d\x04#08S01shutdown"], sequence=0)
    kernel = decoder([column("int", "int(11)")], sequence=9)
    assert kernel.feed(bytearray(lost), 0, len(lost)) == mysqlrows.ERROR, "MariaDB's shutdown has number 0"


def test_a_batch_outlives_its_decoder() -> None:
    columns = [column("string", "text"), column("boolean", "bit(1)", name="d")]
    batches = []
    for number in range(50):
        rows: list[Row] = [[f"{number}-{i}".encode(), None if i % 3 else b"1"] for i in range(100)]
        stream = packets([b"".join(map(lenenc, row)) for row in rows] + [END])
        batches.append(compiled(columns, stream, 4096))
    for number, batch in enumerate(batches):
        assert batch.column(0)[99].as_py() == f"{number}-99"
        assert batch.column(1).null_count == 66


# against the server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("mariadb")) as running:
        running.create_database("fuzz")
        yield running


def random_literal(rng: random.Random, native: str) -> str:
    """SQL for some value of this type, NULL now and then."""
    word = native.split("(")[0].split()[0]
    big, micros = rng.getrandbits(64), rng.randrange(10**6)
    text = "".join(rng.choice("aé|\\ñ z") for _ in range(rng.randrange(9)))
    literals: dict[str, Any] = {
        "bit": big % (1 << (int(native[4:-1]))) if word == "bit" else 0,
        "tinyint": rng.randint(-128, 127),
        "int": rng.randint(0, 2**31 - 1),
        "bigint": big >> 1,
        "decimal": f"{rng.choice(['', '-'])}{rng.randrange(10**8)}.{rng.randrange(10**5)}",
        "float": repr(rng.gauss(0, 1e6)) + "e0",
        "double": f"{rng.gauss(0, 1):.17e}",
        "date": f"'{rng.randint(1, 9999):04}-02-{rng.randint(1, 28):02}'",
        "datetime": f"'{rng.randint(1, 9999):04}-11-30 {rng.randrange(24)}:05:06.{micros:06}'",
        "timestamp": f"'{rng.randint(1971, 2037)}-03-31 02:30:00.{rng.randrange(1000):03}'",
        "time": f"'{rng.randint(-838, 838)}:{rng.randrange(60):02}:01.{micros:06}'",
        "year": rng.choice([0, 1901, 2024, 2155]),
        "enum": rng.choice(["'a'", "'é'", "''"]),
        "set": rng.choice(["''", "'z,x'", "'y'"]),
    }
    if rng.random() < 0.08:
        return "NULL"
    if word in ("blob", "binary"):
        return f"X'{rng.randbytes(rng.randrange(8)).hex()}'"
    return str(literals[word]) if word in literals else "'" + text.replace("\\", "\\\\") + "'"


def test_random_rows_of_the_server(server: MariaDB) -> None:
    """Both decoders, and the server's own checksum of each row against one computed from Arrow."""
    rng = random.Random(20)
    natives = [
        *("bit(1)", "bit(20)", "bit(64)", "tinyint", "int", "int unsigned", "bigint", "bigint unsigned"),
        *(
            "decimal(10,2)",
            "decimal(38,20)",
            "decimal(60,5)",
            "float",
            "double",
            "date",
            "datetime(6)",
            "year",
        ),
        *("time(6)", "timestamp(3) null", "varchar(300)", "varchar(50) character set latin1", "text", "blob"),
        *("binary(7)", "enum('a','é','')", "set('x','y','z')", "varchar(9) character set utf8mb3"),
    ]

    declared = ", ".join(f"c{number} {native}" for number, native in enumerate(natives))
    rows = ",\n".join(
        "(" + ", ".join(random_literal(rng, native) for native in natives) + ")" for _ in range(1500)
    )
    server.execute(f"CREATE TABLE f ({declared}); INSERT INTO f VALUES {rows}", "fuzz")
    tables = {}
    for kernel in (False, True):
        opened = MySQLSource(server.host, server.port, server.user, server.password, "fuzz", compiled=kernel)
        table = opened.introspect().table("f")
        with opened.snapshot() as snapshot:
            batches = list(snapshot.read(table, batch_bytes=20_000))
            assert len(batches) > 5
            tables[kernel] = pa.Table.from_batches(batches).combine_chunks()
    assert tables[False] == tables[True]
    dialect = opened.dialect
    forms = [dialect.form(c) for c in table.columns]
    texts = [dialect.text(c, form) for c, form in zip(table.columns, forms, strict=True)]
    lake = []
    for row in zip(*(tables[True].column(i) for i in range(len(natives))), strict=True):
        cells = [canonical(c, form, cell) for c, form, cell in zip(table.columns, forms, row, strict=True)]
        lake.append("\x1f".join("\x1e" if cell is None else cell for cell in cells))
    sums = [zlib.crc32(line.encode()) for line in lake]
    with opened.snapshot() as snapshot:
        hashed = dialect.row_hash(texts)
        total = snapshot.select(f"SELECT {dialect.total(hashed)} FROM f")
        none = snapshot.select(f"SELECT {dialect.total(hashed)} FROM f WHERE FALSE")
        buckets = snapshot.select(f"SELECT {dialect.modulo(hashed, 16)} AS b, COUNT(*) FROM f GROUP BY b")
    assert total == [(str(sum(sums)),)]
    assert none == [("0",)]
    assert dict(buckets) == {b: sum(1 for each in sums if each % 16 == b) for b in {s % 16 for s in sums}}


# hashes


@pytest.mark.parametrize("kernel", [False, True])
def test_crc32_of_each(kernel: bool) -> None:
    rng = random.Random(3)
    values = [None if rng.random() < 0.1 else rng.randbytes(rng.randrange(70)) for _ in range(2000)]
    wanted = [None if v is None else zlib.crc32(v) for v in values]
    array = pa.array(values, pa.binary())
    assert crc32_each(array, compiled=kernel).to_pylist() == wanted
    assert crc32_each(array.slice(5, 900), compiled=kernel).to_pylist() == wanted[5:905]
    assert crc32_each(array.cast(pa.large_binary()), compiled=kernel).to_pylist() == wanted
    assert crc32_each(pa.chunked_array([array[:7], array[7:]]), compiled=kernel).to_pylist() == wanted
    assert crc32_sum(array, compiled=kernel) == sum(w for w in wanted if w is not None)
    assert crc32_each(pa.array(["é", None, ""]), compiled=kernel).to_pylist() == [
        zlib.crc32("é".encode()),
        None,
        0,
    ]
    assert crc32_each(pa.array([], pa.string()), compiled=kernel).to_pylist() == []
    assert crc32_sum(pa.array([], pa.string()), compiled=kernel) == 0


def test_doubles_as_the_server_prints_them(server: MariaDB) -> None:
    rng = random.Random(7)
    values = [
        0.0,
        5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        9007199254740993.0,
        1000000000000000.1,
    ]
    values += [float(f"{digits}e{power}") for power in range(-323, 308) for digits in ("1", "3.7", "9.99")]
    values += [sign * 2.0**power for power in range(-1074, 1024) for sign in (1, -1)]
    while len(values) < 16_000:
        value = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        values += [value] if abs(value) <= 1.7976931348623157e308 else []
    for _ in range(2000):
        values += [
            round(rng.uniform(-1e6, 1e6), rng.randrange(7)),
            float(rng.randrange(10**18)),
            rng.gauss(0, 1),
        ]
        values += [rng.uniform(1e14, 1e17), rng.uniform(-1e-14, 1e-16)]
    lines = ",".join(f"({number},{value!r})" for number, value in enumerate(values))
    server.execute(f"CREATE TABLE d (i INT PRIMARY KEY, v DOUBLE); INSERT INTO d VALUES {lines}", "fuzz")
    printed = server.execute("SELECT CAST(v + 0e0 AS CHAR) FROM d ORDER BY i", "fuzz").split()
    assert len(printed) == len(values) > 20_000
    array = pa.array(values)
    assert mysql_double_text(array, compiled=True).to_pylist() == printed
    assert mysql_double_text(array, compiled=False).to_pylist() == printed
    read = MySQLSource(server.host, server.port, server.user, server.password, "fuzz")
    with read.snapshot() as snapshot:
        back = pa.Table.from_batches(snapshot.read(read.introspect().table("d")))
    assert back.sort_by("i").column("v").to_pylist() == values


@pytest.mark.parametrize("kernel", [False, True])
def test_double_texts_of_odd_arrays(kernel: bool) -> None:
    array = pa.array([1.5, None, float("nan"), float("inf"), float("-inf"), -0.0, 1e15, 1e-15, 1e-16])
    texts = ["1.5", None, "nan", "inf", "-inf", "-0", "1e15", "0.000000000000001", "1e-16"]
    assert mysql_double_text(array, compiled=kernel).to_pylist() == texts
    assert mysql_double_text(array.slice(1, 3), compiled=kernel).to_pylist() == texts[1:4]
    assert mysql_double_text(pa.array([0.1], pa.float32()), compiled=kernel).to_pylist() == [
        "0.10000000149011612"
    ]
    assert mysql_double_text(pa.chunked_array([], pa.float64()), compiled=kernel).to_pylist() == []
