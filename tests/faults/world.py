"""A bank on a real server, and a project that reads it: where faults happen."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.launcher import Job, Launcher
from faults.ledger import Ledger, Wrong
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from servers.proxy import Proxy

__all__ = ["World", "Wrong", "build"]

READER, PASSWORD = "bank_reader", "s3cret-canary"
DIMENSION = """/* mainstem
kind: dimension
key: [account_key]
*/
select cast(id as varchar) as account_key, owner from raw.accounts
union all select 'missing', 'Unknown'
"""
FACT = """/* mainstem
kind: fact
grain: {statement: one row per transfer, table: raw.transfers}
key: [transfer_number]
columns:
  account_key: {references: dim_accounts.account_key}
measures:
  amount: {description: What was moved., equals: amount}
*/
select id as transfer_number, amount, cast(account_id as varchar) as account_key from raw.transfers
"""
_numbers = itertools.count(1)


class Run:
    """Runs statements in one database through the server's own client (sqlite3 for a file)."""

    def __init__(self, server: MariaDB | Postgres | None, database: str) -> None:
        self.server, self.database = server, database
        self.mysql = isinstance(server, MariaDB)

    def __call__(self, sql: str) -> str:
        if self.server is not None:
            return self.server.execute(sql, self.database)
        with closing(sqlite3.connect(self.database, timeout=30)) as file:
            file.executescript(sql)
        return ""


@dataclass
class World:
    """A database with its ledger, a project on it, and the command line."""

    kind: str
    root: Path
    launcher: Launcher
    server: MariaDB | Postgres | None
    database: str
    sql: Run
    ledger: Ledger
    env: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> Job:
        """A command line in the project."""
        return self.launcher.start(*arguments, cwd=self.root, env={**self.env, **(env or {})}, **more)

    def call(self, *arguments: str, timeout: float = 120, **more: Any) -> Job:
        """The same, and wait for its end."""
        return self.start(*arguments, **more).wait(timeout)

    def well(self, *arguments: str, **more: Any) -> Job:
        """The same, and it has to end well."""
        job = self.call(*arguments, **more)
        assert job.code == 0, job.text
        return job

    def fails(self, code: int, *said: str, arguments: tuple[str, ...] = ("run",), **more: Any) -> Job:
        """A command line that ends with this exit code, says these words, shows no stack and no secret."""
        job = self.call(*arguments, **more)
        assert job.code == code, job.text
        self.is_clean(job)
        for words in said:
            assert words in job.err, job.text
        return job

    def is_clean(self, job: Job) -> None:
        """No stack trace, no defect, no secret."""
        for never in ("Traceback", "crash:", PASSWORD):
            assert never not in job.out + job.err, job.text

    def shows(self, least: int = 0) -> int:
        """The state that the current release shows; see Ledger.judge."""
        return self.ledger.judge(self.root, least)

    def converges(self, **more: Any) -> None:
        """The fault is over: one run, and readers see the newest state."""
        self.well("run", **more)
        assert self.shows() == self.ledger.now

    def converges_with(self, *options: str) -> None:
        """The same with options."""
        self.well("run", *options)
        assert self.shows() == self.ledger.now

    def allow(self) -> None:
        """Let the reading user read tables that are new."""
        grant(self)

    def reader(self, port: int = 0) -> str:
        """The URL of the reading user, through another port if one is given."""
        assert self.server is not None
        scheme = "mysql" if isinstance(self.server, MariaDB) else "postgresql"
        return f"{scheme}://{READER}:{PASSWORD}@127.0.0.1:{port or self.server.port}/{self.database}"

    def behind(self, mode: str = "pass", after: int = 0, times: int = 1 << 30) -> Proxy:
        """A proxy before the server; as a context it is the way that the project takes."""
        assert self.server is not None
        world = self

        class Way(Proxy):
            def __enter__(self) -> Proxy:
                super().__enter__()
                world.env["SHOP_URL"] = world.reader(self.port)
                return self

            def __exit__(self, *raised: Any) -> None:
                world.env["SHOP_URL"] = world.reader()
                super().__exit__(*raised)

        return Way("127.0.0.1", self.server.port, mode, after, times)

    def configure(self, config: str, *, name: str = "bank") -> None:
        """Write mainstem.yml; `config` stands under the source's name."""
        lines = "".join(f"    {line}\n" for line in config.splitlines())
        text = f"name: ledger\nsources:\n  {name}:\n    url: \"{{{{ env_var('SHOP_URL') }}}}\"\n{lines}"
        (self.root / "mainstem.yml").write_text(text)

    @property
    def state(self) -> Path:
        return self.root / ".mainstem"

    def files(self) -> set[Path]:
        """All files of the lake."""
        return {path for path in (self.state / "lake").rglob("*") if path.is_file()}


def build(
    kind: str,
    folder: Path,
    launcher: Launcher,
    server: MariaDB | Postgres | None,
    *,
    config: str = "retries: 0",
    rows: int = 40,
    wide: int = 0,
    run: bool = True,
) -> World:
    """A world of its own on the server (none: SQLite), run once."""
    root = folder / "project"
    (root / "models").mkdir(parents=True)
    (root / "models" / "dim_accounts.sql").write_text(DIMENSION)
    (root / "models" / "fact_transfers.sql").write_text(FACT)
    database = f"bank{next(_numbers)}" if server else str(root / "bank.db")
    if server is not None:
        server.create_database(database)
    sql = Run(server, database)
    if server is None:
        sql("pragma journal_mode = wal")
    ledger = Ledger(sql, rows=rows, wide=wide)
    world = World(kind, root, launcher, server, database, sql, ledger)
    world.configure(config)
    grant(world)
    world.env["SHOP_URL"] = world.reader() if server else f"sqlite:///{database}"
    if run:
        world.converges()
    return world


def grant(world: World) -> None:
    """Let the reading user read."""
    if isinstance(world.server, MariaDB):
        world.server.create_user(READER, PASSWORD, ["SELECT ON *.*"])
    elif world.server is not None:
        if not world.server.execute(f"select 1 from pg_roles where rolname = '{READER}'"):
            world.server.create_role(READER, PASSWORD)
        world.sql(f"grant select on all tables in schema public to {READER}")


def before(world: World) -> int:
    """The state that a reader sees who has not been given the newest."""
    return world.ledger.now - 1
