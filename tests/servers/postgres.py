"""A real PostgreSQL server in a directory of its own, for tests: starts in about a second, stops by pid."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

_TRIES = 600  # of 50 ms each


class Postgres:
    """`with Postgres() as server:`. Listens on `host`:`port` (loopback TCP alone); passwords are checked.

    The server refuses to run as root, so then it runs as `postgres` (or `nobody`), and the data lies in a
    directory of its own below the system's temporary one. `options` are further settings
    ("max_connections=5"). The data survives `kill()` and `stop()`, so that `start()` brings it back;
    leaving the context removes it.
    """

    host = "127.0.0.1"
    user = "admin"
    password = "adm'in \\ pass"

    def __init__(self, options: Sequence[str] = ()) -> None:
        self.options = tuple(options)
        self.port = _free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self.directory / "data"
        self.process: subprocess.Popen[bytes] | None = None
        self._account = _account()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server does not run"
        return self.process.pid

    def url(self, database: str, user: str = "", password: str = "") -> str:
        """The URL of a database, for the administrator or another login."""
        login = f"{quote(user or self.user, safe='')}:{quote(password if user else self.password, safe='')}"
        return f"postgresql://{login}@{self.host}:{self.port}/{quote(database, safe='')}"

    def start(self) -> None:
        """Create the data directory if there is none, start, wait until a login works."""
        self.hand_over(self.directory)
        if not self.data.exists():
            self._initdb()
        settings = [
            f"listen_addresses={self.host}",
            f"port={self.port}",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "max_wal_size=4GB",
            "wal_level=logical",
            "log_min_messages=warning",
            *self.options,
        ]
        log = self.directory / "server.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [_program("postgres"), "-D", str(self.data), *(part for s in settings for part in ("-c", s))],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                user=self._account and self._account[0],
                group=self._account and self._account[1],
                extra_groups=[] if self._account else None,
            )
        self._wait(log)

    def stop(self) -> None:
        """A fast shutdown, by force if it does not go. Safe to call twice."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """kill -9 of the server and its backends: what a crash looks like."""
        assert self.process is not None, "the server does not run"
        backends = _children(self.process.pid)
        for pid in (self.process.pid, *backends):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        self.process = None
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def hand_over(self, path: Path) -> None:
        """Make a file or directory the server's own, for the server alone."""
        path.chmod(0o700 if path.is_dir() else 0o600)
        if self._account is not None:
            os.chown(path, *self._account)

    def remove(self) -> None:
        """Stop, and remove all data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def execute(self, sql: str, database: str = "postgres", *, user: str = "", password: str = "") -> str:
        """Run statements through `psql`; its unaligned output, one line a row, tabs between columns."""
        return self.psql(sql.encode(), database, user=user, password=password).decode()

    def psql(
        self,
        sql: bytes,
        database: str = "postgres",
        *arguments: str,
        user: str = "",
        password: str = "",
    ) -> bytes:
        """The same with bytes and further options of psql."""
        command = [
            *(_program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"),
            *("-h", self.host, "-p", str(self.port), "-U", user or self.user, "-d", database, *arguments),
        ]
        environment = {**os.environ, "PGPASSWORD": password if user else self.password, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, input=sql, capture_output=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def create_database(self, name: str, *, encoding: str = "UTF8") -> None:
        """An empty database of that name (any name); one that was there is dropped."""
        quoted = _quoted(name)
        self.execute(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE);")
        self.execute(
            f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C';"
        )

    def create_role(
        self, name: str, password: str, grants: Sequence[str] = (), database: str = "postgres"
    ) -> None:
        """A login role; `grants` are like "SELECT ON ALL TABLES IN SCHEMA public"."""
        escaped = password.replace("'", "''")
        statements = [f"CREATE ROLE {_quoted(name)} LOGIN PASSWORD '{escaped}';"]
        statements += [f"GRANT {grant} TO {_quoted(name)};" for grant in grants]
        self.execute("\n".join(statements), database)

    def drop_role(self, name: str) -> None:
        """Drop a role, if there is one, with all that it owns or may in every database."""
        if not self.execute("SELECT 1 FROM pg_roles WHERE rolname = '" + name.replace("'", "''") + "'"):
            return
        databases = self.execute("SELECT datname FROM pg_database WHERE datallowconn").splitlines()
        for database in databases:
            self.execute(f"DROP OWNED BY {_quoted(name)};", database)
        self.execute(f"DROP ROLE {_quoted(name)};")

    def load(self, dump: Path, database: str) -> None:
        """Create the database and run a .sql dump in it."""
        self.create_database(database)
        self.psql(dump.read_bytes(), database)

    def _initdb(self) -> None:
        secret = self.directory / "secret"
        secret.write_text(self.password + "\n")
        self.hand_over(secret)
        command = [
            *(_program("initdb"), "-D", str(self.data), "-U", self.user, "--pwfile", str(secret)),
            *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            cwd="/",
            user=self._account and self._account[0],
            group=self._account and self._account[1],
            extra_groups=[] if self._account else None,
        )
        secret.unlink()
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")

    def _wait(self, log: Path) -> None:
        for _ in range(_TRIES):
            assert self.process is not None
            if self.process.poll() is not None:
                self.process = None
                raise AssertionError("the server did not start:\n" + log.read_text(errors="replace")[-3000:])
            lines = (self.data / "postmaster.pid").read_text().split("\n") if self._has_pid_file() else []
            if len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.process.pid):
                return
            time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def _has_pid_file(self) -> bool:
        return (self.data / "postmaster.pid").is_file()


class Standby(Postgres):
    """A physical replica of another server, following it; its changes wait while `paused`."""

    def __init__(self, primary: Postgres) -> None:
        super().__init__()
        self._primary = primary

    def _initdb(self) -> None:
        account = self._account
        command = [
            *(_program("pg_basebackup"), "-D", str(self.data), "-R", "-X", "stream", "-c", "fast"),
            *("-h", self._primary.host, "-p", str(self._primary.port), "-U", self._primary.user),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            cwd="/",
            env={**os.environ, "PGPASSWORD": self._primary.password},
            user=account and account[0],
            group=account and account[1],
            extra_groups=[] if account else None,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def follow(self) -> None:
        """Go on, and return when all that the primary has done until now is here."""
        self.execute("select pg_wal_replay_resume()")
        position = self._primary.execute("select pg_current_wal_insert_lsn()").strip()
        for _ in range(_TRIES):
            if self.execute(f"select pg_last_wal_replay_lsn() >= '{position}'").strip() == "t":
                return
            time.sleep(0.05)
        raise AssertionError("the standby does not follow")

    def pause(self) -> None:
        """Apply nothing from now on, and receive it all the same."""
        self.execute("select pg_wal_replay_pause()")
        for _ in range(_TRIES):
            if self.execute("select pg_get_wal_replay_pause_state()").strip() == "paused":
                return
            time.sleep(0.05)
        raise AssertionError("the standby does not pause")

    def received(self) -> None:
        """Return when what the primary has done until now has been received, applied or not."""
        position = self._primary.execute("select pg_current_wal_flush_lsn()").strip()
        for _ in range(_TRIES):
            if self.execute(f"select pg_last_wal_receive_lsn() >= '{position}'").strip() == "t":
                return
            time.sleep(0.05)
        raise AssertionError("the standby receives nothing")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _account() -> tuple[int, int] | None:
    """User and group under which the server runs if this is root; None: ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
        except KeyError:
            continue
    raise AssertionError("PostgreSQL does not run as root, and there is neither `postgres` nor `nobody`")


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.is_file() else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str) -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name.zfill(4))
    for folder in (*reversed(versions), *map(Path, os.get_exec_path())):
        path = shutil.which(name, path=str(folder))
        if path:
            return path
    raise AssertionError(f"{name} is not installed (Debian: postgresql)")
