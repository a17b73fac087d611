"""A real MariaDB server in a directory of its own, for tests: starts in about a second, stops by pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_TRIES = 600  # of 50 ms each


class MariaDB:
    """`with MariaDB(directory) as server:`. Listens on `host`:`port` (loopback) and on `socket`, has the
    binary log on, and keeps everything below `directory`. `user`/`password`: an administrator.

    `options` are further server options ("max_allowed_packet=1M"). The directory survives `stop()`, so
    that `start()` brings the same data back.
    """

    host = "127.0.0.1"
    user = "admin"
    password = "adm'in \\ pass"

    def __init__(self, directory: Path, options: Sequence[str] = ()) -> None:
        self.directory = directory
        self.options = tuple(options)
        self.port = _free_port()
        self.data = directory / "data"
        self.socket = directory / "s.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The administrator's URL, without a database."""
        return f"mariadb://{self.user}:adm%27in%20%5C%20pass@{self.host}:{self.port}/"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server does not run"
        return self.process.pid

    def start(self) -> None:
        """Create the data directory if there is none, start, wait until a login works."""
        fresh = not self.data.exists()
        self.directory.mkdir(parents=True, exist_ok=True)
        if len(os.fsencode(self.socket)) > 100:  # sockaddr_un holds 108 bytes
            self.socket = Path("/tmp") / f"mariadb-{os.getpid()}-{self.port}.sock"
        if fresh:
            self._install()
        log = self.directory / "server.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*self._command(), *self._arguments()],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._wait(log)
        if fresh:
            password = self.password.replace("\\", "\\\\").replace("'", "''")
            name = f"'{self.user}'@'%'"
            create = f"CREATE USER {name} IDENTIFIED BY '{password}'"
            self._bootstrap_login(f"{create}; GRANT ALL ON *.* TO {name} WITH GRANT OPTION;")

    def stop(self) -> None:
        """End the server, by force if it does not go. Safe to call twice."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.socket.unlink(missing_ok=True)

    def kill(self) -> None:
        """kill -9: what a crash looks like."""
        assert self.process is not None, "the server does not run"
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None
        self.socket.unlink(missing_ok=True)

    def execute(self, sql: str, database: str = "") -> str:
        """Run statements through the `mariadb` client as the administrator; its raw output, one line a
        row, tabs between columns, nothing escaped."""
        return self.client(sql.encode(), database).decode()

    def client(self, sql: bytes, database: str = "", *arguments: str) -> bytes:
        """The same with bytes and further options of the client."""
        command = [
            *(_program("mariadb", "mysql"), "--no-defaults", "--default-character-set=utf8mb4"),
            *(f"--socket={self.socket}", f"--user={self.user}", "--batch", "--raw", "--skip-column-names"),
            *arguments,
            *([f"--database={database}"] if database else []),
        ]
        environment = {**os.environ, "MYSQL_PWD": self.password}
        done = subprocess.run(command, input=sql, capture_output=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def create_database(self, name: str) -> None:
        """An empty database of that name (any name), utf8mb4; one that was there is dropped."""
        quoted = "`" + name.replace("`", "``") + "`"
        self.execute(f"DROP DATABASE IF EXISTS {quoted}; CREATE DATABASE {quoted} CHARACTER SET utf8mb4;")

    def create_user(self, name: str, password: str, grants: Sequence[str] = ()) -> None:
        """A user; `grants` are like "SELECT ON shop.*"."""
        quoted = password.replace("\\", "\\\\").replace("'", "''")
        user = "'" + name.replace("\\", "\\\\").replace("'", "''") + "'@'%'"
        lines = [f"CREATE OR REPLACE USER {user} IDENTIFIED BY '{quoted}';"]
        lines += [f"GRANT {grant} TO {user};" for grant in grants]
        self.execute("\n".join(lines))

    def load(self, dump: Path, database: str) -> None:
        """Create the database and run a .sql dump in it."""
        self.create_database(database)
        self.client(dump.read_bytes(), database)

    def _install(self) -> None:
        install = _program("mariadb-install-db", "mysql_install_db")
        done = subprocess.run(
            [
                *(
                    install,
                    "--no-defaults",
                    f"--datadir={self.data}",
                    "--auth-root-authentication-method=normal",
                ),
                *("--skip-test-db", "--skip-name-resolve", *_as_user()),
            ],
            capture_output=True,
            # A server that starts clears other servers' temporary tables out of the directory it shares.
            env={**os.environ, "TMPDIR": str(self.directory)},
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")

    def _command(self) -> list[str]:
        return [_program("mariadbd", "mysqld"), "--no-defaults"]

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _arguments(self) -> list[str]:
        return [
            *_as_user(),
            f"--datadir={self.data}",
            f"--socket={self.socket}",
            f"--pid-file={self.directory / 'pid'}",
            f"--tmpdir={self.directory}",
            f"--bind-address={self.host}",
            f"--port={self.port}",
            "--skip-name-resolve",
            f"--log-bin={self.data / 'binlog'}",
            "--binlog-format=ROW",
            "--server-id=1",
            "--sync-binlog=0",
            "--innodb-flush-log-at-trx-commit=2",  # with the system at each commit: kill -9 loses nothing
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=256M",
            "--innodb-log-file-size=64M",
            "--character-set-server=utf8mb4",
            *(f"--{option}" for option in self.options),
        ]

    def _wait(self, log: Path) -> None:
        for _ in range(_TRIES):
            assert self.process is not None
            if self.process.poll() is not None:
                self.process = None
                raise AssertionError("the server did not start:\n" + log.read_text(errors="replace")[-3000:])
            try:
                with socket.create_connection((self.host, self.port), 1) as connection:
                    if connection.recv(5):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def _bootstrap_login(self, sql: str) -> None:
        command = [
            *(_program("mariadb", "mysql"), "--no-defaults", "--default-character-set=utf8mb4"),
            *(f"--socket={self.socket}", "--user=root"),
        ]
        done = subprocess.run(command, input=sql.encode(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")


class Replica(MariaDB):
    """Follows another server from what that has done by now; its changes wait while `paused`."""

    def __init__(self, directory: Path, primary: MariaDB) -> None:
        super().__init__(directory, ["server-id=2"])
        self._primary = primary

    def start(self) -> None:
        """See MariaDB."""
        super().start()
        password = self._primary.password.replace("\\", "\\\\").replace("'", "''")
        self.execute(
            f"RESET MASTER; SET GLOBAL gtid_slave_pos = '{self._done()}'; "
            f"CHANGE MASTER TO MASTER_HOST = '{self._primary.host}', MASTER_PORT = {self._primary.port}, "
            f"MASTER_USER = '{self._primary.user}', MASTER_PASSWORD = '{password}', "
            "MASTER_USE_GTID = slave_pos; START SLAVE;"
        )

    def follow(self) -> None:
        """Go on, and return when all that the primary has done until now is here."""
        wait = f"START SLAVE SQL_THREAD; SELECT MASTER_GTID_WAIT('{self._done()}', 60);"
        assert self.execute(wait).strip() == "0", self.execute("SHOW ALL SLAVES STATUS")

    def pause(self) -> None:
        """Apply nothing from now on."""
        self.execute("STOP SLAVE SQL_THREAD")

    def _done(self) -> str:
        return self._primary.execute("SELECT @@GLOBAL.gtid_binlog_pos").strip()


def _as_user() -> list[str]:
    """mariadbd refuses to run as root unless told so."""
    return ["--user=root"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(*names: str) -> str:
    for name in names:
        for folder in (*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"):
            path = shutil.which(name, path=folder)
            if path:
                return path
    raise AssertionError(f"{names[0]} is not installed (Debian: mariadb-server)")
