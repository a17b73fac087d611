"""Without a compiler, what is read at a time is bounded by the size of a batch, not by the table."""

from __future__ import annotations

import subprocess
import sys

import pytest

from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import environment

ROWS, BOUND = 400_000, 100 << 20  # of some 100 MB; bytes beyond what the start took
FILL = {
    "mariadb": f"insert into big select seq, seq * 1.25, repeat('x', 220) from seq_1_to_{ROWS}",
    "postgres": f"insert into big select n, n * 1.25, repeat('x', 220) from generate_series(1, {ROWS}) n",
}
# Prints the rows, and by how many bytes the peak of the process grew while they were read.
READ = r"""
import re, sys
for name in ("hashing._kernel.hashes", "source._kernel.mysqlrows", "source._kernel.pgcopy"):
    sys.modules["mainstem." + name] = None
import pyarrow.compute, pyarrow.csv
from mainstem.source.port import SourceOptions
from mainstem.wiring import open_source
peak = lambda: int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) * 1024
source = open_source(sys.argv[1], SourceOptions())
table = source.introspect().table("big")
before = peak()
with source.snapshot() as snapshot:
    rows = sum(batch.num_rows for batch in snapshot.read(table, 4 << 20))
print(rows, peak() - before)
"""


@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_memory_is_that_of_a_batch(kind: str, request: pytest.FixtureRequest) -> None:
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    server.execute("drop database if exists memory")
    server.create_database("memory")
    server.execute(
        f"create table big (id int primary key, v decimal(12,2), note varchar(220)); {FILL[kind]};", "memory"
    )
    url = server.url + "memory" if isinstance(server, MariaDB) else server.url("memory")
    done = subprocess.run(
        [sys.executable, "-c", READ, url], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    rows, grown = map(int, done.stdout.split())
    assert rows == ROWS
    assert grown < BOUND
