"""Type × value: what a SQLite value becomes in the lake, or that it is refused. One line a case."""

from __future__ import annotations

import sqlite3
import struct
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from oracle import checksum

from cases.sqlite import AS_TEXT, EXACT, REFUSED
from mainstem.contract.reconcile import Side, fingerprint, forms
from mainstem.errors import ValueNotExact
from mainstem.source.port import OutOfRange, SourceOptions
from mainstem.source.sqlite import SQLiteSource


def _database(folder: Path, declared: str, literals: list[str]) -> Path:
    path = folder / "values.db"
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE t (k INTEGER PRIMARY KEY, v {declared})")
    for literal in literals:
        connection.execute(f"INSERT INTO t (v) VALUES ({literal})")
    connection.commit()
    connection.close()
    return path


def _bits(value: Any) -> Any:
    return struct.pack(">d", value) if isinstance(value, float) else value


@pytest.mark.parametrize(("declared", "literals", "lake", "values"), EXACT)
def test_exact(tmp_path: Path, declared: str, literals: list[str], lake: str, values: list[Any]) -> None:
    source = SQLiteSource(_database(tmp_path, declared, literals))
    table = source.introspect().table("t")
    assert str(table.column("v").type) == lake
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        found = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    got = [value for batch in batches for value in batch.column("v").to_pylist()]
    wanted = [Decimal(v) if lake.startswith("decimal") and v is not None else v for v in values]
    assert [_bits(v) for v in got] == [_bits(v) for v in wanted]
    assert [str(v) for v in got] == [str(v) for v in wanted]
    assert (found.rows, found.checksum) == checksum(source.dialect, table, batches)


@pytest.mark.parametrize(("declared", "literal", "word"), REFUSED)
def test_refused(tmp_path: Path, declared: str, literal: str, word: str) -> None:
    source = SQLiteSource(_database(tmp_path, declared, [literal]))
    table = source.introspect().table("t")
    with (
        source.snapshot() as snapshot,
        pytest.raises(ValueNotExact, match=word.replace("^", r"\^")) as caught,
    ):
        list(snapshot.read(table))
    assert (caught.value.where and str(caught.value.where)) == "t.v"
    assert caught.value.hint
    assert literal.strip("'") not in str(caught.value) or len(literal) < 4


def test_mixed_classes_of_an_undeclared_column_are_refused(tmp_path: Path) -> None:
    source = SQLiteSource(_database(tmp_path, "", ["1", "'a'"]))
    table = source.introspect().table("t")
    with source.snapshot() as snapshot, pytest.raises(ValueNotExact, match="integers"):
        list(snapshot.read(table))


@pytest.mark.parametrize(("declared", "literal", "text"), AS_TEXT)
def test_as_text(tmp_path: Path, declared: str, literal: str, text: str | None) -> None:
    options = SourceOptions(out_of_range={("t", "v"): OutOfRange.TEXT})
    source = SQLiteSource(_database(tmp_path, declared, [literal]), options)
    table = source.introspect().table("t")
    assert str(table.column("v").type) == "string"
    with source.snapshot() as snapshot:
        batches = list(snapshot.read(table))
        found = fingerprint(Side(source.dialect, snapshot.select), table, forms(source.dialect, table))
    assert [v for batch in batches for v in batch.column("v").to_pylist()] == [text]
    assert (found.rows, found.checksum) == checksum(source.dialect, table, batches)


def test_long_texts_are_not_remembered(tmp_path: Path) -> None:
    """Whether a guarded text fits is asked of the decoder, whose answers are remembered: for short texts."""
    size, rows = 1 << 18, 100
    path = _database(tmp_path, "TEXT", [f"printf('%0{size}d', {row})" for row in range(rows)])
    source = SQLiteSource(path, SourceOptions(others_out_of_range=OutOfRange.NULL))
    table = source.introspect().table("t")
    assert table.column("v").guarded
    with source.snapshot() as snapshot:
        tracemalloc.start()
        try:
            assert sum(batch.num_rows for batch in snapshot.read(table, batch_bytes=1 << 20)) == rows
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert held < size * rows / 4
