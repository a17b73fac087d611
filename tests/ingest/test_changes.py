"""A change of few rows costs little: what each file adds to a fingerprint is remembered, rows that stand
there already are not written again, and `proof: changes` compares the rows that were read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainstem.arrow import schema_of
from mainstem.contract.reconcile import Fingerprint
from mainstem.engine.duckdb import DuckDB
from mainstem.ingest import lakeside, sums
from mainstem.ingest.merge import Merged, Merger
from mainstem.ingest.state import COMPARED, SUMS
from mainstem.ingest.window import Window
from mainstem.lake import Lake, TableVersion, parquet
from mainstem.metadata import load as load_metadata
from mainstem.project.config import ProofLevel
from mainstem.project.load import load_project
from mainstem.run import RunOptions
from mainstem.schema import Column, Kind, Table, Type
from mainstem.wiring import open_lake
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from sources import altering, through
from support import Ran, ask, execute_sql, make_project, plan_of, raw, run

ROWS = 20_000
FULL = RunOptions(proof=ProofLevel.FULL)


def _values() -> str:
    """Two files of rows by `id`; the last id has the newest time."""
    return ", ".join(
        f"({n}, 'n', {n}.5, '{2024 if n == ROWS else 2023}-01-01 00:00:00')" for n in range(1, ROWS + 1)
    )


SOURCE = (
    "create table t (id integer primary key, note text, x double, updated_at timestamp);"
    f"insert into t values {_values()};"
)


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "FILE_BYTES", 1)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)


def _project(tmp_path: Path, *more: str) -> Path:
    lines = "".join(f"\n    {line}" for line in ("cursor: updated_at", *more))
    root = make_project(tmp_path / "p", {}, source=SOURCE, config=f"tables:\n  t:{lines}")
    ran = run(root)
    assert ran.status == "published", ran.messages
    return root


def _head(root: Path) -> TableVersion:
    head = open_lake(load_project(root)).head(raw("t"))
    assert head is not None
    return head


def _files(root: Path) -> list[Path]:
    return list(load_metadata(_head(root).metadata_location).files or ())


def _touch(root: Path, *ids: int, note: str = "x") -> None:
    listed = ", ".join(map(str, ids))
    sql = f"update t set note = '{note}', updated_at = '2024-02-01 00:00:00' where id in ({listed})"
    execute_sql(root / "shop.db", sql)


def _text(ran: Ran) -> str:
    assert not ran.messages
    return str(ran.table("raw.t")["text"])


# What a file adds to the fingerprint


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of rows that proofs have read in files."""
    seen: list[int] = []
    real = lakeside.lake_fingerprint

    def counting(*arguments: Any) -> Fingerprint:
        found = real(*arguments)
        seen.append(found.rows)
        return found

    monkeypatch.setattr(sums, "lake_fingerprint", counting)
    return seen


@pytest.mark.usefixtures("small_files")
def test_only_new_files_are_hashed(tmp_path: Path, hashed: list[int]) -> None:
    root = _project(tmp_path)
    assert sum(hashed) == ROWS
    before = _files(root)
    assert len(before) == 2
    hashed.clear()
    _touch(root, ROWS)
    assert _text(run(root)) == f"{ROWS:,} rows, every cell equal the source (1 row read by updated_at)"
    kept = set(before) & set(_files(root))
    assert len(kept) == 1
    assert sum(hashed) == ROWS - pq.read_metadata(kept.pop()).num_rows


def _remembered(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Alter what the newest version remembers of its files."""
    location = Path(_head(root).metadata_location)
    document = json.loads(location.read_text())
    for snapshot in document["snapshots"]:
        change(snapshot["summary"])
    location.chmod(0o600)
    location.write_text(json.dumps(document))


def _wrong(summary: dict[str, Any]) -> None:
    document = json.loads(summary[SUMS])
    for entry in document["files"].values():
        entry[3] = str(int(entry[3]) + 1)
    summary[SUMS] = json.dumps(document)


def _wrong_of_another_form(summary: dict[str, Any]) -> None:
    _wrong(summary)
    summary[SUMS] = summary[SUMS].replace('"form": "1:', '"form": "0:')


def _wrong_nulls(summary: dict[str, Any]) -> None:
    document = json.loads(summary[SUMS])
    for entry in document["files"].values():
        entry[4] = [1] * 3
    summary[SUMS] = json.dumps(document)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("wrong", [_wrong, _wrong_nulls])
def test_what_is_remembered_wrongly_stops_the_run(tmp_path: Path, wrong: Any) -> None:
    root = _project(tmp_path)
    release = run(root).outcome.receipt.release
    _remembered(root, wrong)
    _touch(root, ROWS)
    ran = run(root)
    assert ran.outcome.exit_code == 3
    assert "what is remembered of the table's files is not what is in them" in ran.messages
    assert run(root, clean=False).outcome.exit_code == 3  # and stays
    assert open_lake(load_project(root)).current_release().id == release  # type: ignore[union-attr]
    assert _text(run(root, options=RunOptions(full_refresh=True))).endswith("every cell equal the source")


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize(
    "forget",
    [
        lambda summary: summary.pop(SUMS),
        lambda summary: summary.update({SUMS: "{"}),
        _wrong_of_another_form,
        lambda summary: summary.update({SUMS: summary[SUMS].replace('"files":{', '"files":{"data/x":0,')}),
    ],
    ids=["missing", "cut off", "of another form", "of no file"],
)
def test_what_is_not_remembered_is_read(tmp_path: Path, hashed: list[int], forget: Any) -> None:
    root = _project(tmp_path)
    _remembered(root, forget)
    hashed.clear()
    _touch(root, ROWS)
    assert _text(run(root)) == f"{ROWS:,} rows, every cell equal the source (1 row read by updated_at)"
    assert sum(hashed) == ROWS


@pytest.mark.usefixtures("small_files")
def test_a_file_that_was_written_again_is_read(tmp_path: Path, hashed: list[int]) -> None:
    """Then nothing that is remembered of it counts: not even what is wrong and would stop the run."""
    root = _project(tmp_path)
    _remembered(root, _wrong)
    for file in _files(root):
        os.utime(file, (1, 1))
    hashed.clear()
    _touch(root, ROWS)
    assert _text(run(root)) == f"{ROWS:,} rows, every cell equal the source (1 row read by updated_at)"
    assert sum(hashed) == ROWS


def test_shares_survive_a_load_that_was_only_counted(tmp_path: Path, hashed: list[int]) -> None:
    root = _project(tmp_path)
    execute_sql(root / "shop.db", "insert into t values (30000, 'new', 1, '2024-03-01 00:00:00')")
    run(root, options=RunOptions(proof=ProofLevel.COUNT))
    hashed.clear()
    assert _text(run(root)).startswith(f"{ROWS + 1:,} rows, every cell equal the source")
    assert hashed == [1]


# Rows that stand there already


@pytest.mark.usefixtures("small_files")
def test_rows_that_were_read_again_and_are_the_same_cost_no_file(tmp_path: Path) -> None:
    root = _project(tmp_path)
    before = _files(root)
    _touch(root, ROWS)
    text = _text(run(root, window=Window(since="2023-01-01")))
    assert "(20,000 rows read by updated_at and since 2023-01-01)" in text
    after = _files(root)
    assert len(set(before) & set(after)) == 1
    assert ask(root, "select count(*), count(distinct id), sum((note = 'x')::int) from raw.t") == [
        (ROWS, ROWS, 1)
    ]


@pytest.mark.parametrize("level", ["count", "'off'", "changes"])
def test_if_no_row_differs_there_is_no_new_version(tmp_path: Path, level: str) -> None:
    root = _project(tmp_path, f"proof: {level}")
    before = _head(root)
    ran = run(root)
    assert ran.status == "unchanged"
    assert _text(ran).endswith("(unchanged)")
    assert _head(root) == before
    _touch(root, 7)
    assert run(root).status == "published"


def test_a_proof_that_goes_further_makes_a_version_of_the_same_files(tmp_path: Path) -> None:
    root = _project(tmp_path, "proof: count")
    before = _files(root)
    assert not _head(root).summary[COMPARED]
    assert run(root, options=FULL).status == "published"
    assert _files(root) == before
    assert _head(root).summary[COMPARED]


KEYED = Table(
    "t",
    (
        Column("k", Type(Kind.STRING), nullable=False),
        Column("n", Type(Kind.LONG), nullable=False),
        Column("x", Type(Kind.DOUBLE)),
    ),
    primary_key=("k", "n"),
)


def _batches(rows: Sequence[tuple[str, int, float | None]], table: Table = KEYED) -> Iterator[pa.RecordBatch]:
    names = [column.name for column in table.columns]
    listed = [dict(zip(names, row, strict=True)) for row in rows]
    yield pa.RecordBatch.from_pylist(listed, schema=schema_of(table.columns))


def _merge(
    tmp_path: Path, before: Sequence[Any], change: Sequence[Any], table: Table = KEYED
) -> tuple[list[Path], list[tuple[Any, ...]], Merged]:
    """What a merge of the change into a lake with the rows of `before`, one file each, comes to."""
    lake = Lake(tmp_path / "state")
    files: tuple[Path, ...] = ()
    for rows in before:
        staged = lake.stage(raw("t"), table.columns, _batches(rows, table), keep=files)
        head = lake.commit(staged, run="run-1", summary={})
        files = staged.all_files
    with closing(DuckDB(tmp_path / "tmp")) as engine:
        merger = Merger(lake, engine, head, table)
        with merger.read(table.primary_key, _batches(change, table), lambda rows: None) as read:
            merged = merger.merge(read)
            arrived = engine.query(merger.arrived(read, merged)).to_pylist()
            assert sorted(map(str, (tuple(row.values()) for row in arrived))) == sorted(map(str, change))
        engine.attach_files(raw("t"), merged.staged.all_files, table.columns)
        found = engine.query("select * from raw.t").to_pylist()  # ORDER BY would make 0.0 of -0.0
    return list(files), sorted((tuple(row.values()) for row in found), key=str), merged


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (1.5, 1.5, True),
        (None, None, True),
        (float("nan"), float("nan"), True),
        (0.0, -0.0, False),  # equal in SQL
        (-0.0, 0.0, False),
        (None, 0.0, False),
        (0.0, None, False),
        (0.1, 0.1 + 2**-56, False),
        (float("inf"), float("-inf"), False),
    ],
)
def test_what_is_the_same_is_the_same_to_the_bit(tmp_path: Path, old: Any, new: Any, same: bool) -> None:
    _, found, merged = _merge(tmp_path, [[("a", 1, old)], [("b", 2, 2.0)]], [("a", 1, new)])
    assert (merged.staged.files == ()) is same
    assert list(map(str, found)) == [str(("a", 1, new)), str(("b", 2, 2.0))]
    assert len(merged.staged.kept) == (2 if same else 1)


def test_rows_that_stay_new_rows_and_changed_ones_in_one_merge(tmp_path: Path) -> None:
    before = [[("a", 1, 1.0), ("b", 1, 1.0)], [("c", 1, 1.0), ("d", 1, 1.0)], [("x", 9, 9.0)]]
    change = [("a", 1, 1.0), ("c", 1, 7.0), ("d", 1, 1.0), ("e", 1, 1.0)]
    files, found, merged = _merge(tmp_path, before, change)
    assert found == [*before[0], *change[1:], *before[2]]
    assert merged.staged.kept == (files[0], files[2])
    assert merged.same == (files[0],)


def test_small_files_are_gathered_and_lose_no_row(tmp_path: Path) -> None:
    before = [[(letter, n, 1.0)] for n, letter in enumerate("abcdefghijkl")]
    change = [("a", 0, 1.0), ("b", 1, 2.0), ("z", 1, 1.0)]
    _, found, merged = _merge(tmp_path, before, change)
    assert merged.staged.kept == ()
    assert found == [("a", 0, 1.0), ("b", 1, 2.0), *(rows[0] for rows in before[2:]), ("z", 1, 1.0)]


def test_a_key_is_found_whatever_the_footers_say(tmp_path: Path) -> None:
    """The bounds pass over files that cannot hold a key, and over no other; NULL and floats have none."""
    words = ["", "a", "é", "z" * 3000, "\U0010ffff", "\uffff"]
    before = [[(word, n, 1.0)] for n, word in enumerate(words)]
    for at, word in enumerate(words):
        _, found, _ = _merge(tmp_path / str(at), before, [(word, at, 2.0)])
        assert set(found) == {*(b[0] for b in before if b[0][0] != word), (word, at, 2.0)}


def test_a_key_that_is_null(tmp_path: Path) -> None:
    table = replace(KEYED, columns=(replace(KEYED.columns[0], nullable=True), *KEYED.columns[1:]))
    _, found, _ = _merge(tmp_path, [[("a", 1, 1.0)], [(None, 1, 1.0)]], [(None, 1, 2.0)], table)
    assert found == [("a", 1, 1.0), (None, 1, 2.0)]


def test_files_out_of_bounds_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    real = DuckDB.attach_files

    def attach(self: DuckDB, name: Any, files: Sequence[Path], columns: Any) -> None:
        asked.extend(files if name.namespace == "part" else ())
        real(self, name, files, columns)

    monkeypatch.setattr(DuckDB, "attach_files", attach)
    files, _, _ = _merge(tmp_path, [[("a", n, 1.0)] for n in range(5)], [("a", 3, 2.0)])
    assert asked == [files[3]]


# proof: changes


DAY = r"all compared on \d{4}-\d\d-\d\d"
CHANGED = "20,000 rows, as many as in the source; 1 row read by updated_at, every cell equal the source; "


def test_what_was_read_is_proven_and_the_rest_stands(tmp_path: Path) -> None:
    root = _project(tmp_path, "proof: changes")
    first = run(root, options=RunOptions(full_refresh=True)).table("raw.t")
    assert (first["proof"], first["text"], first["compared"]) == (
        "full",
        "20,000 rows, every cell equal the source",
        "",
    )
    compared = _head(root).summary[COMPARED]
    for note in ("x", "y"):
        _touch(root, ROWS, note=note)
        ran = run(root)
        assert _text(ran) == f"{CHANGED}all compared on {compared[:10]}"
        entry = ran.table("raw.t")
        assert (entry["proof"], entry["compared"], entry["holds"]) == ("changes", compared, True)
        assert _head(root).summary[COMPARED] == compared
    ran = run(root)
    assert _text(ran) == f"{CHANGED}all compared on {compared[:10]} (unchanged)"
    assert ran.status == "unchanged"


def test_what_changes_does_not_see_the_full_proof_does(tmp_path: Path) -> None:
    """The negative control, and the way back: a row that was changed without its cursor."""
    root = _project(tmp_path, "proof: changes")
    execute_sql(root / "shop.db", "update t set note = 'hidden' where id = 5")
    assert run(root).status == "unchanged"
    text = _text(run(root, options=FULL))
    assert text.startswith("20,000 rows, every cell equal the source (1 row read by updated_at, ")
    assert ask(root, "select note from raw.t where id = 5") == [("hidden",)]


def test_if_the_numbers_differ_everything_is_compared(tmp_path: Path) -> None:
    root = _project(tmp_path, "proof: changes")
    execute_sql(root / "shop.db", "delete from t where id = 5")
    ran = run(root)
    assert ran.table("raw.t")["proof"] == "full"
    assert _text(ran).startswith("19,999 rows, every cell equal the source (1 row read by updated_at, ")
    assert ask(root, "select count(*) from raw.t where id = 5") == [(0,)]
    _touch(root, ROWS)
    assert run(root).table("raw.t")["proof"] == "changes"


def test_a_fault_of_the_decoder_is_found_and_named(tmp_path: Path) -> None:
    root = _project(tmp_path, "proof: changes")
    _touch(root, ROWS)
    before = _head(root)
    ran = run(root, adapt=through(altering("t", "note", 0, "wrong")))
    assert ran.outcome.exit_code == 3
    assert "columns that differ: note" in ran.messages
    assert f"id={ROWS}" in ran.messages
    assert _head(root) == before
    # Negative control: with the number alone it goes through.
    counted = RunOptions(proof=ProofLevel.COUNT)
    assert run(root, options=counted, adapt=through(altering("t", "note", 0, "wrong"))).status == "published"


def test_a_row_that_was_read_and_not_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared is what stands in the files, not what was read."""
    root = _project(tmp_path, "proof: changes")
    _touch(root, ROWS)
    monkeypatch.setattr(Merger, "_unlike", lambda self, key: "false")
    ran = run(root)
    assert ran.outcome.exit_code == 3
    assert "of the rows that were read, the load does not equal the source" in ran.messages
    # Negative control: with the number alone it goes through.
    assert run(root, options=RunOptions(proof=ProofLevel.COUNT)).outcome.exit_code == 0


@pytest.mark.parametrize("level", ["count", "'off'"])
def test_changes_builds_on_a_full_proof(tmp_path: Path, level: str) -> None:
    root = _project(tmp_path, "proof: changes")
    _touch(root, ROWS)
    run(root, options=RunOptions(proof=ProofLevel(level.strip("'"))))
    ran = run(root)
    assert ran.table("raw.t")["proof"] == "full"
    assert _text(ran) == "20,000 rows, every cell equal the source (1 row read by updated_at)"
    assert run(root).table("raw.t")["proof"] == "changes"


def test_a_table_without_a_cursor_is_proven_in_full(tmp_path: Path) -> None:
    source = "create table t (id integer primary key, note text); insert into t values (1, 'a');"
    root = make_project(tmp_path / "p", {}, source=source, config="proof: changes")
    assert run(root).table("raw.t")["proof"] == "full"
    assert _text(run(root)) == "1 row, every cell equal the source (unchanged)"


def test_the_plan_says_what_is_compared(tmp_path: Path) -> None:
    root = _project(tmp_path, "proof: changes")
    day = _head(root).summary[COMPARED][:10]
    with plan_of(root) as made:
        assert made.plan.ingest[0].reasons == (
            "incremental by updated_at",
            f"what was read is compared; all was on {day}",
        )


def test_rows_marked_as_deleted_and_rows_in_quarantine(tmp_path: Path) -> None:
    source = (
        "create table t (id integer primary key, x integer, gone integer, updated_at timestamp);"
        "insert into t values (1, 1, 0, '2024-01-01'), (2, -2, 0, '2024-01-01'), (3, 3, 1, '2024-01-02');"
    )
    config = (
        "proof: changes\ntables:\n  t:\n    cursor: updated_at\n    deleted: gone\n"
        "    contract: {columns: {x: {range: [0, 9]}}, on_break: quarantine}"
    )
    root = make_project(tmp_path / "p", {}, source=source, config=config)
    assert not run(root).messages
    sql = (
        "insert into t values (4, -4, 0, '2024-01-03'), (5, 5, 0, '2024-01-03'), (6, 6, 1, '2024-01-03');"
        "update t set gone = 1, updated_at = '2024-01-03' where id = 1"
    )
    execute_sql(root / "shop.db", sql)
    ran = run(root)
    entry = ran.table("raw.t")
    assert not ran.messages
    assert (entry["proof"], entry["quarantined"], entry["deleted"]) == ("changes", 2, 3)
    assert ask(root, "select list(id order by id) from raw.t") == [([5],)]
    assert ask(root, "select list(id order by id) from quarantine.t") == [([2, 4],)]


SERVER_ROWS = (
    "(1, 'a', '2024-01-01 10:00:00'), (2, 'b', '2024-01-02 10:00:00'), (3, NULL, '2024-01-03 10:00:00')"
)


def _on_a_server(tmp_path: Path, url: str, execute: Callable[[str], object], now: str) -> None:
    config = "proof: changes\ntables:\n  t: {cursor: updated_at}"
    root = make_project(tmp_path / "p", {}, source="", config=config)
    text = (root / "mainstem.yml").read_text()
    text = text.replace("sqlite:///shop.db", "\"{{ env_var('SHOP_URL') }}\"")
    (root / "mainstem.yml").write_text(text)
    (root / ".env").write_text(f"SHOP_URL={url}\n")
    assert run(root).table("raw.t")["proof"] == "full"
    execute(f"insert into t values (4, 'd', {now}); update t set note = 'x', updated_at = {now} where id = 1")
    ran = run(root)
    assert not ran.messages
    entry = ran.table("raw.t")
    assert entry["proof"] == "changes"
    assert entry["text"].startswith("4 rows, as many as in the source; ")
    assert ask(root, "select id, note from raw.t order by id") == [(1, "x"), (2, "b"), (3, None), (4, "d")]
    execute("delete from t where id = 2")
    assert run(root).table("raw.t")["proof"] == "full"
    assert ask(root, "select list(id order by id) from raw.t") == [([1, 3, 4],)]
    execute(f"update t set note = 'y', updated_at = {now} where id = 3")
    ran = run(root, adapt=through(altering("t", "note", 0, "wrong")))
    assert ran.outcome.exit_code == 3
    assert "columns that differ: note" in ran.messages


def test_changes_on_mariadb(tmp_path: Path, mariadb: MariaDB) -> None:
    database = "changes"
    mariadb.create_database(database)
    mariadb.execute(
        "create table t (id int primary key, note text, updated_at datetime not null, key (updated_at));"
        f"insert into t values {SERVER_ROWS}",
        database,
    )
    mariadb.create_user("changes", "changes", ["SELECT ON *.*", "PROCESS ON *.*"])
    url = f"mysql://changes:changes@{mariadb.host}:{mariadb.port}/{database}"
    _on_a_server(tmp_path, url, lambda sql: mariadb.execute(sql, database), "now()")


def test_changes_on_postgres(tmp_path: Path, postgres: Postgres) -> None:
    database = "changes"
    postgres.create_database(database)
    postgres.execute(
        "create table t (id int primary key, note text, updated_at timestamp not null);"
        f"insert into t values {SERVER_ROWS}",
        database,
    )
    _on_a_server(tmp_path, postgres.url(database), lambda sql: postgres.execute(sql, database), "now()")
