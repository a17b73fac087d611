"""Rows drawn at random, as files for a server's own client, and the client's answer as Arrow.

Every draw follows from a seed, so that a difference comes again. `MAINSTEM_FIDELITY_ROWS` sets the number
of rows a source (`make fidelity`: ten million).
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.csv
from way import Arrived, micros

from mainstem.arrow import arrow_type
from mainstem.schema import Type

ROWS = int(os.environ.get("MAINSTEM_FIDELITY_ROWS", "100000"))
_FIRST_ROWS = 5_000
_ROUND = 100_000
_TENTH = 10  # of the rounds are read as without a compiler, and the first one
_NULLS = 0.08
_FIRST, _LAST = date(1, 1, 1).toordinal(), date(9999, 12, 31).toordinal()
_WORDS, _NUMBERS = 3_000, 25_000  # that a column of a round draws its cells from
# Letters of one to four bytes, and what quoting, escaping, joining and padding stumble over.
LETTERS = (
    "aZ0 \t\n\r\\'\"`,;|~%_.-?\x01\x1e\x1f\x7f\u00a0éßŁЖ漢字"
    "\u0301\u200d\u2028\ufeff\ufffd\U0001f600\U0010ffff"
)
LATIN1 = "aZ0 \t\n\\'\",;?éßÿ\u00a0€Œž"
Draw = Callable[[Random], str]


@dataclass(frozen=True)
class Drawn:
    """A column: native declaration, lake type, how its text is drawn. `reading`: how the client's statement
    makes the value of the text `{}`; `writing`: how it prints the column `{}`."""

    native: str
    lake: str
    draw: Draw
    writing: str
    reading: str = "{}"


@dataclass(frozen=True)
class Round:
    """One table of random rows."""

    number: int
    rows: int
    compiled: bool

    @property
    def table(self) -> str:
        return f"r{self.number}"


def rounds(total: int = ROWS) -> list[Round]:
    """Tables that together have `total` rows; the first one and every tenth are read as without a
    compiler."""
    first = min(_FIRST_ROWS, total)
    sizes = [first, *(min(_ROUND, total - at) for at in range(first, total, _ROUND))]
    return [Round(number, rows, number % _TENTH > 0) for number, rows in enumerate(sizes)]


def integer(low: int, high: int) -> Draw:
    """Near the edges, near zero, or anywhere."""

    def draw(random: Random) -> str:
        kind = random.random()
        if kind < 0.1:
            return str(random.choice((low, low + 1, high - 1, high, max(low, 0))))
        if kind < 0.4:
            return str(max(low, min(high, random.randint(-300, 300))))
        return str(random.randint(low, high))

    return draw


def decimal(precision: int, scale: int) -> Draw:
    """Any number of digits that fits."""

    def draw(random: Random) -> str:
        count = random.randint(1, precision)
        number = random.randrange(10**count)
        whole, fraction = divmod(number, 10**scale)
        sign = "-" if random.random() < 0.5 else ""
        return f"{sign}{whole}.{fraction:0{scale}d}" if scale else f"{sign}{whole}"

    return draw


def floating(shape: str) -> Draw:
    """Any bits that make a finite number, or a short one."""
    size = struct.calcsize(shape)

    def draw(random: Random) -> str:
        if random.random() < 0.3:
            return repr(round(random.uniform(-1e6, 1e6), random.randint(0, 6)))
        while True:
            (number,) = struct.unpack(shape, random.randbytes(size))
            if abs(number) <= 3.4028234e38 or (size == 8 and abs(number) < float("inf")):
                return repr(number)

    return draw


def text(letters: str, longest: int) -> Draw:
    """Of any length, the empty one included."""

    def draw(random: Random) -> str:
        length = random.choice((0, 1, 2, longest)) if random.random() < 0.2 else random.randint(0, longest)
        return "".join(random.choices(letters, k=length))

    return draw


def octets(longest: int) -> Draw:
    """Bytes in hexadecimal."""
    return lambda random: random.randbytes(random.randint(0, longest)).hex()


def one_of(*words: str) -> Draw:
    return lambda random: random.choice(words)


def day(first: int = _FIRST, last: int = _LAST) -> Draw:
    return lambda random: date.fromordinal(random.randint(first, last)).isoformat()


def moment(digits: int, days: Draw | None = None) -> Draw:
    """A date and a time with so many decimals."""
    days = days or day()

    def draw(random: Random) -> str:
        seconds = random.randrange(86_400)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        fraction = f".{random.randrange(10**digits):0{digits}d}" if digits else ""
        return f"{days(random)} {clock}{fraction}"

    return draw


def duration(hours: int, *, negative: bool) -> Draw:
    """A time of up to so many hours, six decimals."""

    def draw(random: Random) -> str:
        seconds = random.randrange(hours * 3600)
        sign = "-" if negative and random.random() < 0.4 else ""
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{sign}{clock}.{random.randrange(10**6):06d}"

    return draw


def instants() -> Draw:
    """Days on which MySQL's TIMESTAMP has a meaning."""
    first = date(1970, 1, 2)
    return day(first.toordinal(), (first + timedelta(days=24_800)).toordinal())


def write(columns: tuple[Drawn, ...], round_: Round, path: Path) -> None:
    """The rows as lines of tab-separated text, escaped as LOAD DATA and COPY read it."""
    random = Random(round_.number)
    drawn = [_column(column, round_.rows, random) for column in columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{k}\t" + "\t".join(row) + "\n" for k, row in enumerate(zip(*drawn, strict=True)))


def _column(column: Drawn, rows: int, random: Random) -> list[str]:
    words = column.lake in ("string", "binary")
    pool = [_escaped(column.draw(random)) for _ in range(min(rows, _WORDS if words else _NUMBERS))]
    nulls = ["\\N"] * round(len(pool) * _NULLS / (1 - _NULLS))
    return random.choices(pool + nulls, k=rows)


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def answer(columns: tuple[Drawn, ...], lines: bytes, null: str) -> list[pa.Array[Any]]:
    """The client's lines, in the order of `k`, as one comparable array a column."""
    names = [str(number) for number in range(len(columns))]
    table = pyarrow.csv.read_csv(
        io.BytesIO(lines),
        pyarrow.csv.ReadOptions(column_names=names, block_size=max(len(lines), 1)),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[null], strings_can_be_null=True
        ),
    )
    return [
        comparable(_typed(column, texts.combine_chunks()))
        for column, texts in zip(columns, table.columns, strict=True)
    ]


def _typed(column: Drawn, texts: pa.Array[Any]) -> pa.Array[Any]:
    target = arrow_type(Type.parse(column.lake))
    if column.lake in ("string", "binary"):
        raw = [None if cell is None else bytes.fromhex(cell) for cell in texts.to_pylist()]
        return pa.array(raw, pa.binary()).cast(target)
    if column.native.startswith("time") and column.lake == "long":
        return pa.array([None if cell is None else micros(cell) for cell in texts.to_pylist()], target)
    if column.lake == "boolean":
        return texts.cast(pa.int8()).cast(target)
    if column.lake == "timestamptz":
        return texts.cast(pa.timestamp("us")).cast(target)
    return texts.cast(target)


def comparable(values: pa.Array[Any]) -> pa.Array[Any]:
    """The same with floats as their bits: -0.0 is not 0.0, and NaN is itself."""
    if pa.types.is_floating(values.type):
        return values.view(pa.int32() if values.type.bit_width == 32 else pa.int64())
    return values


def differences(columns: tuple[Drawn, ...], arrived: Arrived, wanted: list[pa.Array[Any]]) -> list[str]:
    """Columns in which a reader's rows, by their key, are not the client's; an example key each."""
    found = []
    for reader in arrived.readers:
        assert reader["k"].to_pylist() == list(range(len(wanted[0])))
        for number, (column, right) in enumerate(zip(columns, wanted, strict=True)):
            target = arrow_type(Type.parse(column.lake))
            left = comparable(reader[f"c{number}"].combine_chunks().cast(target))
            if not left.equals(right):
                pairs = enumerate(zip(left.to_pylist(), right.to_pylist(), strict=True))
                key, (got, printed) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
                found.append(f"{column.native}: k = {key}: {got!r} for {printed!r}")
    return found
