"""Back-fills: rows that changed behind their cursor's back are read again, merged, and nothing else moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainstem.errors import UsageError
from mainstem.ingest.cursor import Increment, Watermark
from mainstem.ingest.state import CURSOR
from mainstem.ingest.window import Window, check, condition
from mainstem.project.load import load_project
from mainstem.run import RunOptions
from mainstem.source.postgres.dialect import PostgresDialect
from mainstem.source.sqlite.dialect import SQLiteDialect
from mainstem.wiring import open_lake
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import ask, execute_sql, mainstem, make_project, plan_of, raw, run, table

ROWS = """
create table t (id int primary key, note varchar(20) not null, updated_at {time} not null);
insert into t values (1, 'a', '2026-01-01 10:00:00'), (2, 'b', '2026-01-02 10:00:00'),
  (3, 'c', '2026-01-03 10:00:00'), (4, 'd', '2026-06-01 10:00:00');
"""
# The cursor shows neither; proof: count does not either.
BEHIND = "update t set note = 'new' where id = 2"
COUNTS = {"mart_t": "/* mainstem\nkey: [note]\n*/\nselect note, count(*) as n from raw.t group by note"}
TIME = {"mariadb": "datetime(6)", "mariadb-tz": "timestamp(6)", "postgres": "timestamp",
        "postgres-tz": "timestamptz", "sqlite": "timestamp"}  # fmt: skip


class Place:
    """A project on one kind of source, loaded once."""

    def __init__(self, root: Path, kind: str, request: pytest.FixtureRequest) -> None:
        self.root = root / "p"
        self.server: MariaDB | Postgres | None = None
        if kind != "sqlite":
            self.server = request.getfixturevalue(kind.partition("-")[0])
            self.server.create_database("fill")
        config = "proof: count\ntables:\n  t: {cursor: updated_at, overlap: 0}"
        make_project(self.root, COUNTS, source="", config=config)
        if self.server is not None:
            file = self.root / "mainstem.yml"
            url = f"{self.server.url}fill" if isinstance(self.server, MariaDB) else self.server.url("fill")
            file.write_text(file.read_text().replace("sqlite:///shop.db", "\"{{ env_var('FILL_URL') }}\""))
            (self.root / ".env").write_text(f"FILL_URL={url}\n")
        self.sql(ROWS.format(time=TIME[kind]))
        assert run(self.root).status == "published"

    def sql(self, statements: str) -> None:
        if self.server is not None:
            self.server.execute(statements, "fill")
        else:
            execute_sql(self.root / "shop.db", statements)

    def notes(self) -> list[str]:
        return [note for (note,) in ask(self.root, "select note from raw.t order by id")]


@pytest.fixture(autouse=True)
def _by_the_cursor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL knows what was written since, and reads it in any case: no row would be left to repair."""
    monkeypatch.setattr(PostgresDialect, "written_since", lambda *_: "")


@pytest.fixture(params=list(TIME))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, request.param, request)


@pytest.fixture
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The same on SQLite alone."""
    return Place(tmp_path, "sqlite", request)


def _mark(root: Path) -> Watermark | None:
    head = open_lake(load_project(root)).head(raw("t"))
    assert head is not None
    return Watermark.decode(head.summary[CURSOR])


def test_a_row_changed_behind_the_cursor_is_repaired(place: Place) -> None:
    place.sql(BEHIND)
    run(place.root)
    assert place.notes() == ["a", "b", "c", "d"], "negative control: without a back-fill it stays"
    before = _mark(place.root)
    ran = run(place.root, window=Window("2026-01-02", "2026-01-03"))
    assert ran.status == "published", ran.messages
    assert place.notes() == ["a", "new", "c", "d"]
    assert ask(place.root, "select n from mart_t where note = 'new'") == [(1,)], "models follow"
    assert _mark(place.root) == before, "the watermark stays"
    note = "(2 rows read by updated_at and since 2026-01-02 until 2026-01-03)"  # and the newest, as always
    assert ran.table("raw.t")["text"].endswith(note)


@pytest.mark.parametrize(
    ("since", "until", "repaired"),
    [
        ("2026-01-02T10:00", "2026-01-02T10:01", True),  # not below: the bound itself is read
        ("2026-01-02", "2026-01-02T10:00", False),  # below: the bound itself is not
        ("2026-01-02T11:00+01:00", "2026-01-02T11:01+01:00", True),  # a zone: in UTC
        ("2026-01-02T10:00+01:00", "2026-01-02T10:01+01:00", False),
        ("2026-01-02", "", True),
        ("", "2026-01-03", True),
        ("2026-01-03", "2026-01-04", False),
    ],
)
def test_bounds(
    tmp_path: Path, request: pytest.FixtureRequest, since: str, until: str, repaired: bool
) -> None:
    place = Place(tmp_path, "mariadb-tz", request)
    place.sql(BEHIND)
    assert not run(place.root, window=Window(since, until)).messages
    assert place.notes() == ["a", "new" if repaired else "b", "c", "d"]


def test_a_full_proof_holds(small: Place) -> None:
    config = small.root / "mainstem.yml"
    config.write_text(config.read_text().replace("proof: count", "proof: full"))
    run(small.root, options=RunOptions(full_refresh=True))
    small.sql(BEHIND)
    ran = run(small.root, window=Window("2026-01-02", "2026-01-03"))
    text = "every cell equal the source (2 rows read by updated_at and since 2026-01-02 until 2026-01-03)"
    assert ran.table("raw.t")["text"] == f"4 rows, {text}", "no part had to be repaired"
    ran = run(small.root, window=Window("2026-01-02", "2026-01-03"))
    assert (ran.status, ran.table("raw.t")["status"]) == ("unchanged", "unchanged")


def test_texts_with_a_t_are_read_too(small: Place) -> None:
    """SQLite compares texts; the window holds at least its rows, however they are written."""
    small.sql("update t set updated_at = replace(updated_at, ' ', 'T') where id in (2, 4)")
    run(small.root)
    small.sql(BEHIND)
    assert not run(small.root, window=Window("2026-01-02T09:00", "2026-01-02T10:30")).messages
    assert small.notes() == ["a", "new", "c", "d"]


def test_a_table_without_a_cursor_is_read_as_always(tmp_path: Path) -> None:
    source = ROWS.format(time="timestamp") + "create table u (id int primary key); insert into u values (1);"
    root = make_project(tmp_path, {}, source=source, config="tables:\n  t: {cursor: updated_at}")
    run(root)
    with plan_of(root, window=Window("2026-01-02")) as made:
        reasons = {str(step.name): step.reasons for step in made.plan.ingest}
    assert reasons["raw.t"][-1] == "rows since 2026-01-02 again, unless its fingerprint is the same"
    assert reasons["raw.u"][-1] == "no cursor: not narrowed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "yesterday"], "raw.t.updated_at: --since and --until: the cursor is a time"),
        (["--since", "7"], "the cursor is a time"),
        (["--since", "2026-01-02", "--until", "2026-01-02"], "is not before --until"),
        (["--since", "2026-01-02", "--full-refresh"], "--full-refresh reads every row"),
        (["--until", "2026-01-02", "--select", "mart_t"], "no selected table has a cursor"),
    ],
)
def test_choices_that_cannot_be(small: Place, arguments: list[str], said: str) -> None:
    for command in ("plan", "run"):
        done = mainstem(command, *arguments, cwd=small.root)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_the_command_line(small: Place) -> None:
    small.sql(BEHIND)
    done = mainstem("run", "--since", "2026-01-02", "--until", "2026-01-03", cwd=small.root)
    assert done.returncode == 0, done.stderr
    assert small.notes() == ["a", "new", "c", "d"]


def _sql(kind: str, since: str, until: str) -> str:
    made = table("t", f"id int, c {kind}", ["id"])
    increment, window = Increment("c", ("id",)), Window(since, until)
    check(window, increment, made)
    return condition(window, increment, made, SQLiteDialect())


@pytest.mark.parametrize(
    ("kind", "since", "until", "sql"),
    [
        ("timestamp", "2026-01-02", "", "\"c\" >= '2026-01-02'"),
        ("timestamp", "", "2026-01-02T06:00:00.5", "\"c\" < '2026-01-02T06:00:00.500000'"),
        ("timestamptz", "2026-01-02T00:00+02:00", "", "\"c\" >= '2026-01-01 22:00:00'"),
        # Whole days for a date: those in which the bounds lie.
        ("date", "2026-01-02T12:00", "2026-01-03T12:00", "\"c\" >= '2026-01-02' AND \"c\" < '2026-01-04'"),
        ("date", "2026-01-02", "2026-01-03", "\"c\" >= '2026-01-02' AND \"c\" < '2026-01-03'"),
        ("long", "9", "10", '"c" >= 9 AND "c" < 10'),
        ("decimal(10,2)", "-1.50", "1e2", '"c" >= -1.50 AND "c" < 100'),
    ],
)
def test_conditions(kind: str, since: str, until: str, sql: str) -> None:
    assert _sql(kind, since, until) == sql


@pytest.mark.parametrize(
    ("kind", "since", "until"),
    [
        ("long", "nan", ""),
        ("long", "2026-01-01", ""),
        ("long", "10", "9"),
        ("timestamp", "2026-01-01'; drop table t; --", ""),
        ("timestamp", "2026-01-02T00:00Z", "2026-01-02T01:00+01:00"),
    ],
)
def test_bounds_that_cannot_be(kind: str, since: str, until: str) -> None:
    with pytest.raises(UsageError):
        _sql(kind, since, until)


def test_an_unfinished_back_fill_is_resumed(small: Place) -> None:
    small.sql(BEHIND)
    broken = (small.root / "models" / "mart_t.sql").read_text()
    (small.root / "models" / "mart_t.sql").write_text(broken.replace("key: [note]", "key: [n]"))
    assert run(small.root, window=Window("2026-01-02", "2026-01-03")).status == "failed"
    (small.root / "models" / "mart_t.sql").write_text(broken)
    ran: Any = run(small.root, resume=True)
    assert (ran.status, ran.table("raw.t")["status"]) == ("published", "unchanged")
    assert small.notes() == ["a", "new", "c", "d"]
