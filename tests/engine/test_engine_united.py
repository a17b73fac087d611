"""A UNION of many rows comes to its end, whoever asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROWS = 6_000_000
BEGINNING = """
import json
import sys
from pathlib import Path
from mainstem.engine.connect import connect, select
from mainstem.engine.duckdb import DuckDB
from mainstem.engine.session import Limits
from mainstem.serve.config import Limits as PromptLimits
from mainstem.serve.console import SqlRequest, answer

file = sys.argv[1]
columns = "i, q, " + ", ".join(f"i + {n} as c{n}" for n in range(20))

def united(what):
    one = f"select {what} from '{file}' anti join (select i from '{file}' where q = 1) as b using (i)"
    two = f"select {what} from '{file}' where i in (select i from '{file}' where q = 2)"
    return f"{one} Union all {two}"

def session():
    return connect({}, Limits(threads=2), locked=False)
"""
WAYS = {
    "an engine's stream": (
        """
schema, batches = DuckDB(Path(file + "-tmp"), Limits(threads=2)).stream(united("i, q"))
print(schema.names, sum(batch.num_rows for batch in batches))
""",
        f"['i', 'q'] {ROWS}\n",
    ),
    "mainstem query": ("print(select(session(), united('i, q')).num_rows)", f"{ROWS}\n"),
    "in Python": ("print(session().sql(united('i, q')).to_arrow_table().num_rows)", f"{ROWS}\n"),
    "in Python, by and by": (
        """
rows, relation = 0, session().sql(united("i, q")).execute()
while found := relation.fetchmany(100_000):
    rows += len(found)
print(rows)
""",
        f"{ROWS}\n",
    ),
    "the SQL prompt": (
        """
request = SqlRequest(sql=united(columns), limit=10_000)
document = json.loads(answer(session().cursor(), request, PromptLimits()))
print(len(document["rows"]), document["truncated"])
""",
        "10000 True\n",
    ),
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("united") / "rows.parquet"
    rows = f"select i, i % 50 as q from range({ROWS}) as r(i)"
    with duckdb.connect() as session:
        session.execute(f"copy ({rows}) to '{path}' (format parquet, row_group_size 20000)")
    return path


@pytest.mark.parametrize("way", WAYS)
def test_a_union_of_many_rows_comes_to_its_end(file: Path, way: str) -> None:
    """Handed out as they come, DuckDB 1.5 waits for itself for ever with these rows and two threads."""
    program, printed = WAYS[way]
    command = [sys.executable, "-c", BEGINNING + program, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == printed
