"""Type × value: what arrives in the lake against what psql prints, by both decoders. One line a type, its
values behind it; each value is a case of its own."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from oracle import checksum

from cases.postgres import EXACT, REFUSED, SETUP
from mainstem.contract.reconcile import Side, fingerprint, forms
from mainstem.errors import ValueNotExact
from mainstem.schema import Database
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.postgres import PostgresSource
from mainstem.source.postgres.decode import Choice
from servers.postgres import Postgres

DECODERS: list[Choice] = ["python", "compiled"]
CASES = [(table, row) for table, (_, _, values) in enumerate(EXACT) for row in range(len(values) + 1)]
_NULL = "~"


def _is_not_null(native: str) -> bool:
    return native == "label"


class Values:
    """All cases in one database, what psql prints of them, and what both decoders read."""

    def __init__(self, server: Postgres) -> None:
        server.create_database("values")
        script = [SETUP]
        for i, (native, _, values) in enumerate(EXACT):
            values = values if _is_not_null(native) else [*values, "NULL"]
            script.append(f"CREATE TABLE t{i} (k serial PRIMARY KEY, v {native});")
            script += [f"INSERT INTO t{i} (v) VALUES ({value});" for value in values]
        for i, (native, value, _) in enumerate(REFUSED):
            script.append(f"CREATE TABLE r{i} (k serial, v {native}); INSERT INTO r{i} (v) VALUES ({value});")
        server.psql("\n".join(script).encode(), "values")
        self.server = server
        names = [f"t{i}" for i in range(len(EXACT))] + [f"r{i}" for i in range(len(REFUSED))]
        self.texts = self._texts(names)
        self.url = server.url("values")
        self.database = PostgresSource.from_url(self.url).introspect()
        self.read: dict[tuple[Choice, str], list[pa.RecordBatch]] = {}
        for decoder in DECODERS:
            source = PostgresSource.from_url(self.url, decoder=decoder)
            with source.snapshot() as snapshot:
                for name in names[: len(EXACT)]:
                    self.read[decoder, name] = list(snapshot.read(self.database.table(name)))

    def _texts(self, names: list[str]) -> dict[str, list[str | None]]:
        """What psql prints for each value, by table."""
        code = "coalesce(encode(convert_to(v::text, 'UTF8'), 'hex'), '{1}')"
        query = f"SELECT '{{0}} ' || {code} FROM {{0}} ORDER BY k;"
        lines = "SET TimeZone = 'UTC';" + "".join(query.format(name, _NULL) for name in names)
        found: dict[str, list[str | None]] = {name: [] for name in names}
        for line in self.server.execute(lines, "values").splitlines():
            name, _, code = line.partition(" ")
            found[name].append(None if code == _NULL else bytes.fromhex(code).decode())
        return found


@pytest.fixture(scope="module")
def values() -> Iterator[Values]:
    with Postgres() as server:
        yield Values(server)


def _micros(text: str) -> int:
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 10**6 + int(fraction.ljust(6, "0") or 0)


def _moment(text: str) -> datetime:
    day, _, clock = text.removesuffix("+00").partition(" ")
    return datetime.fromisoformat(day) + (datetime.min.resolution * _micros(clock))


def _bits(shape: str, text: str) -> bytes:
    return struct.pack(shape, float(text))


def _wanted(native: str, lake: str, text: str) -> Any:
    """psql's text as the value that the lake must hold."""
    if lake.startswith("decimal"):
        number = Decimal(text.replace("$", "").replace(",", ""))
        return format(number, f".{lake.partition(',')[2].rstrip(')')}f") if number else "0"
    if lake == "long" and native.startswith("time"):
        return _micros(text)
    conversions: dict[str, Callable[[], Any]] = {
        "boolean": lambda: text == "true",
        "int": lambda: int(text),
        "long": lambda: int(text),
        "float": lambda: _bits(">f", text),
        "double": lambda: _bits(">d", text),
        "string": lambda: text,
        "binary": lambda: bytes.fromhex(text.removeprefix("\\x")),
        "date": lambda: date.fromisoformat(text),
        "timestamp": lambda: _moment(text),
        "timestamptz": lambda: _moment(text).replace(tzinfo=UTC),
    }
    return conversions[lake]()


def _shown(lake: str, value: Any) -> Any:
    """A value of Arrow, comparable: floats by their bits, decimals by their digits."""
    if lake in ("float", "double"):
        return struct.pack(">f" if lake == "float" else ">d", value)
    return (format(value, "f") if value else "0") if isinstance(value, Decimal) else value


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("table", "row"), CASES)
def test_exact(values: Values, table: int, row: int, decoder: Choice) -> None:
    native, lake, _ = EXACT[table]
    texts = values.texts[f"t{table}"]
    if _is_not_null(native):
        row = min(row, len(texts) - 1)
    got = [v for batch in values.read[decoder, f"t{table}"] for v in batch.column("v").to_pylist()]
    assert len(got) == len(texts)
    text = texts[row]
    if text is None:
        assert got[row] is None
    else:
        assert _shown(lake, got[row]) == _wanted(native, lake, text)


@pytest.mark.parametrize("table", range(len(EXACT)))
def test_the_proof_holds(values: Values, table: int) -> None:
    """The server's checksum is the one computed, by other code, from what was read."""
    found = values.database.table(f"t{table}")
    assert str(found.column("v").type) == EXACT[table][1]
    source = PostgresSource.from_url(values.url)
    with source.snapshot() as snapshot:
        server = fingerprint(Side(source.dialect, snapshot.select), found, forms(source.dialect, found))
    for decoder in DECODERS:
        batches = values.read[decoder, f"t{table}"]
        assert (server.rows, server.checksum) == checksum(source.dialect, found, batches)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_refused(values: Values, index: int, decoder: Choice) -> None:
    source = PostgresSource.from_url(values.url, decoder=decoder)
    table = values.database.table(f"r{index}")
    with source.snapshot() as snapshot:
        with pytest.raises(ValueNotExact, match=REFUSED[index][2]) as caught:
            list(snapshot.read(table))
        assert snapshot.select("SELECT 1") == [(1,)]  # the view is still there
    assert str(caught.value.where) == f"r{index}.v"
    assert f"tables.r{index}.columns.v.out_of_range: text" in caught.value.hint
    literal = REFUSED[index][1].strip("'")
    assert not literal[-1].isdigit() or literal not in str(caught.value)


@pytest.fixture(scope="module")
def as_text(values: Values) -> tuple[PostgresSource, Database]:
    names = [f"{kind}{i}" for kind, cases in (("t", EXACT), ("r", REFUSED)) for i in range(len(cases))]
    options = SourceOptions(out_of_range={(name, "v"): OutOfRange.TEXT for name in names})
    source = PostgresSource.from_url(values.url, options)
    return source, source.introspect()


@pytest.mark.parametrize(
    "name", [f"r{i}" for i in range(len(REFUSED))] + [f"t{i}" for i in range(len(EXACT))]
)
def test_as_text(values: Values, as_text: tuple[PostgresSource, Database], name: str) -> None:
    source, database = as_text
    table = database.table(name)
    assert str(table.column("v").type) == "string"
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        server = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    assert [v for batch in batches for v in batch.column("v").to_pylist()] == values.texts[name]
    assert (server.rows, server.checksum) == checksum(source.dialect, table, batches)


def test_numbers_of_cases() -> None:
    assert sum(len(cases) for _, _, cases in EXACT) + len(REFUSED) >= 150
