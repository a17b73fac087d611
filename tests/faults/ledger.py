"""What the lake must hold, kept by somebody who knows nothing of the product.

The ledger writes a small bank to a database through the server's own client and remembers every state that
it has committed, beforehand. It reads a release through the catalog's SQLite file and pyiceberg, and says of
which committed state it is, in all tables at once: not a row less, not a row twice, not two moments mixed.
Nothing here imports the product.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyiceberg.table import StaticTable

Row = tuple[str | None, ...]
TABLES = {
    "clock": ("id", "n"),
    "accounts": ("id", "owner", "balance"),
    "transfers": ("id", "account_id", "amount", "note", "changed"),
}
CREATE = """
create table clock (id int primary key, n int not null);
create table accounts (id int primary key, owner varchar(40) not null, balance decimal(12,2) not null);
create table transfers (
  id int primary key, account_id int not null references accounts (id), amount decimal(12,2) not null,
  note varchar(300), changed timestamp(6) not null);
"""
BEGINNING = datetime(2024, 1, 1)
ACCOUNTS = 5

Execute = Callable[[str], object]


@dataclass
class State:
    """Every table at one moment: key → row, as texts."""

    tables: dict[str, dict[str, Row]] = field(default_factory=lambda: {name: {} for name in TABLES})

    def copy(self) -> State:
        return State({name: dict(rows) for name, rows in self.tables.items()})

    def rows(self, table: str) -> Counter[Row]:
        return Counter(self.tables[table].values())


class Wrong(AssertionError):
    """The lake is not what was committed."""


class Ledger:
    """The bank of one database. `execute` runs statements there, through the server's own client."""

    def __init__(self, execute: Execute, *, rows: int = 40, wide: int = 0, seed: int = 1) -> None:
        self._execute = execute
        self._dice = random.Random(seed)
        self._wide = wide
        self.states: list[State] = []
        self._next_id = 1
        execute(_portable(CREATE, execute))
        state = State()
        for number in range(1, ACCOUNTS + 1):
            self._put(state, "accounts", (str(number), f"owner {number}", "0.00"))
        self._put(state, "clock", ("1", "0"))
        for _ in range(rows // 2):
            self._transfer(state)
        self.states.append(state)
        for table in TABLES:
            for lot in _lots(list(state.tables[table].values())):
                execute(_insert(table, lot))

    @property
    def now(self) -> int:
        """The number of the newest state."""
        return len(self.states) - 1

    def commit(self, *, size: int = 3) -> int:
        """One transaction: transfers between accounts, a corrected note, a deleted pair. Its number."""
        before, after = self.states[-1], self.states[-1].copy()
        number = self.now + 1
        for _ in range(size):
            self._transfer(after)
        keys = list(after.tables["transfers"])
        changed = self._dice.choice(keys)
        row = after.tables["transfers"][changed]
        stamp = _moment(self._next_id)
        self._put(after, "transfers", (row[0], row[1], row[2], f"corrected in {number}", stamp))
        if number % 2:
            self._cancel(after)
        self._put(after, "clock", ("1", str(number)))
        statements = [text for table in TABLES for text in _changes(table, before, after)]
        self.states.append(after)  # before it is so: whoever reads it meanwhile must find it known
        self._execute(f"begin; {' '.join(statements)} commit;")
        return number

    def restore(self, number: int) -> int:
        """Bring back an old state, as a backup would; counts as a new state. Its number."""
        before, after = self.states[-1], self.states[number].copy()
        new = self.now + 1
        self._put(after, "clock", ("1", str(new)))
        statements = [text for table in reversed(TABLES) for text in _changes(table, before, after)]
        self.states.append(after)
        self._execute(f"begin; {' '.join(statements)} commit;")
        return new

    def put(self, *rows: Row, execute: bool = True) -> int:
        """One transaction puts these transfers in place of those of the same key. Its number. Without
        `execute` somebody else does it."""
        before, after = self.states[-1], self.states[-1].copy()
        for row in rows:
            self._put(after, "transfers", row)
        self._put(after, "clock", ("1", str(self.now + 1)))
        self.states.append(after)
        if execute:
            statements = [text for table in TABLES for text in _changes(table, before, after)]
            self._execute(f"begin; {' '.join(statements)} commit;")
        return self.now

    def transfer(self, key: str, note: str, changed: str) -> Row:
        """The transfer of that key with another note and time of change; a new one if there is none."""
        row = self.states[-1].tables["transfers"].get(key, (key, "1", "0.00", None, None))
        return (row[0], row[1], row[2], note, changed)

    @property
    def latest(self) -> str:
        """The greatest time of change."""
        return max(str(row[4]) for row in self.states[-1].tables["transfers"].values())

    def _transfer(self, state: State) -> None:
        giver, taker = self._dice.sample(range(1, ACCOUNTS + 1), 2)
        amount = Decimal(self._dice.randint(1, 999_999)) / 100
        for account, much in ((giver, -amount), (taker, amount)):
            note = f"Grüße – “{self._next_id}” 😀"
            note = note + "x" * (self._wide - len(note)) if self._wide else note
            row = (str(self._next_id), str(account), f"{much:.2f}", note, _moment(self._next_id))
            self._put(state, "transfers", row)
            self._next_id += 1
            _, owner, balance = state.tables["accounts"][str(account)]
            assert balance is not None
            self._put(state, "accounts", (str(account), owner, f"{Decimal(balance) + much:.2f}"))

    def _cancel(self, state: State) -> None:
        """Delete a pair of transfers that add up to nothing."""
        first = self._dice.choice([key for key in state.tables["transfers"] if int(key) % 2])
        for key in (first, str(int(first) + 1)):
            row = state.tables["transfers"].pop(key, None)
            if row is None:
                continue
            account, much = str(row[1]), Decimal(str(row[2]))
            _, owner, balance = state.tables["accounts"][account]
            self._put(state, "accounts", (account, owner, f"{Decimal(str(balance)) - much:.2f}"))

    @staticmethod
    def _put(state: State, table: str, row: Row) -> None:
        state.tables[table][str(row[0])] = row

    # The judgement

    def judge(self, root: Path, least: int = 0) -> int:
        """The number of the state that the current release shows, `least` or later; raises Wrong if it
        shows none, or models that are not its own."""
        return self.judge_tables(released(root), least)

    def judge_tables(self, tables: Mapping[str, Sequence[Row]], least: int = 0) -> int:
        """The same of tables that were read already."""
        ((_, shown),) = tables["raw.clock"]
        number = int(str(shown))
        if not least <= number <= self.now:
            raise Wrong(f"the release shows state {number}; acknowledged: {least}, newest: {self.now}")
        state = self.states[number]
        for name in TABLES:
            found, wanted = Counter(tables[f"raw.{name}"]), state.rows(name)
            if found != wanted:
                lost, more = wanted - found, found - wanted
                raise Wrong(f"state {number}, {name}: {len(lost)} lost, {len(more)} too many or other")
        fact = tables.get("mart.fact_transfers")
        if fact is not None:
            wanted = Counter((row[0], row[2], row[1]) for row in state.tables["transfers"].values())
            if Counter(fact) != wanted:
                raise Wrong(f"state {number}: fact_transfers is not of this state")
        return number


def released(root: Path) -> dict[str, list[Row]]:
    """The tables of the current release as texts, read by sqlite3 and pyiceberg."""
    return {name: rows_of(location) for name, location in locations(root).items()}


def locations(root: Path) -> dict[str, str]:
    """The metadata file of each table of the current release."""
    with closing(_catalog(root)) as catalog:
        found = catalog.execute(
            "select namespace || '.' || name, metadata_location from mainstem_release_tables"
            " where release = (select release from mainstem_current)"
        ).fetchall()
    return dict(found)


def _catalog(root: Path) -> sqlite3.Connection:
    # Not read-only: after a crash the first reader rolls the journal back.
    return sqlite3.connect(f"file:{root / '.mainstem' / 'catalog.db'}?mode=rw", uri=True, timeout=30)


def heads(root: Path) -> dict[str, str]:
    """The metadata file of each table's newest version, released or not."""
    with closing(_catalog(root)) as catalog:
        return dict(
            catalog.execute(
                "select table_namespace || '.' || table_name, metadata_location from iceberg_tables"
            ).fetchall()
        )


def data_files(root: Path) -> list[Path]:
    """The Parquet files of the current release."""
    tables = [StaticTable.from_metadata(location) for location in locations(root).values()]
    return [
        Path(task.file.file_path.removeprefix("file://")) for t in tables for task in t.scan().plan_files()
    ]


def rows_of(location: str) -> list[Row]:
    """A table's rows as texts."""
    table = StaticTable.from_metadata(location).scan().to_arrow()
    return [tuple(map(text_of, row)) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]


def text_of(value: Any) -> str | None:
    """One text for equal values, whatever type they came in."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return str(value)


def _moment(number: int) -> str:
    return (BEGINNING + timedelta(minutes=number)).isoformat(sep=" ", timespec="microseconds")


def _lots(rows: list[Row], size: int = 2000) -> Iterable[list[Row]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _literal(value: str | None, column: str) -> str:
    if value is None:
        return "null"
    return value if column in ("id", "n", "account_id", "amount", "balance") else f"'{value}'"


def _insert(table: str, rows: Iterable[Row]) -> str:
    columns = TABLES[table]
    values = (
        f"({', '.join(_literal(value, name) for value, name in zip(row, columns, strict=True))})"
        for row in rows
    )
    return f"insert into {table} ({', '.join(columns)}) values {', '.join(values)};"


def _changes(table: str, before: State, after: State) -> Iterable[str]:
    old, new = before.tables[table], after.tables[table]
    columns = TABLES[table]
    for key in old.keys() - new.keys():
        yield f"delete from {table} where id = {key};"
    added = [row for key, row in new.items() if key not in old]
    if added:
        yield _insert(table, added)
    for key, row in new.items():
        if key in old and old[key] != row:
            pairs = zip(columns[1:], row[1:], strict=True)
            sets = ", ".join(f"{name} = {_literal(value, name)}" for name, value in pairs)
            yield f"update {table} set {sets} where id = {key};"


def _portable(sql: str, execute: Execute) -> str:
    """MariaDB's TIMESTAMP is a moment with a zone and updates itself; a DATETIME is what we mean."""
    return sql.replace("timestamp(6)", "datetime(6)") if getattr(execute, "mysql", False) else sql
