"""The kinds of faults: the table of docs/reliability.md, and which tests make them.

A test of a kind is named after it (`test_f09_…` makes F-09). `python tests/faults/kinds.py` writes the table
into the page; a test keeps it true.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- kinds -->", "<!-- /kinds -->"


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault: what it is, how the tests make it, what is promised."""

    id: str
    title: str
    made: str
    promise: str


KINDS = (
    Kind(
        "F-01",
        "`kill -9` at a call that writes",
        "fault library, at calls spread over a run; the drill",
        "the last release stays whole; the next run is well; nothing lost, nothing twice",
    ),
    Kind(
        "F-02",
        "`kill -9` at a named step",
        "`MAINSTEM_CRASH_AT`, each step of a run",
        "the same",
    ),
    Kind(
        "F-03",
        "SIGINT, SIGTERM, SIGSTOP then SIGCONT",
        "signals at a named step",
        "ends at once, nothing published; a frozen run keeps its lock, and a late commit is refused",
    ),
    Kind("F-04", "the parent dies; started twice", "processes", "one works; the others wait, or exit 4"),
    Kind(
        "F-05",
        "out of memory",
        "`RLIMIT_AS`",
        "exit 4 or a dead process; nothing half-published",
    ),
    Kind("F-06", "server killed in mid-read", "`kill -9` of a real server", "tried again; else exit 4"),
    Kind(
        "F-07",
        "server restarted, connection ended by it",
        "shutdown, `KILL`, `pg_terminate_backend`",
        "tried again with a pause; else exit 4",
    ),
    Kind(
        "F-08",
        "connection cut or reset",
        "proxy: at the first byte, in the handshake, among the rows",
        "tried again with a pause; else exit 4, with what stands",
    ),
    Kind(
        "F-09",
        "stalled connection",
        "proxy: no byte, no end; in the handshake, an answer, the rows",
        "noticed within twice the source's `timeout` (from 3 seconds on)",
    ),
    Kind("F-10", "slow connection", "proxy: 512 bytes at a time", "read to the end"),
    Kind("F-11", "a bit flips on the way", "proxy", "the proof fails, or the read: never published"),
    Kind(
        "F-12",
        "no name found; another server under the name",
        "fault library; a second server",
        "exit 4; a cursor is not followed on another server",
    ),
    Kind(
        "F-13",
        "deadlock, a lock that is not given",
        "two sessions on real servers; a partition that is exchanged",
        "tried again; else exit 4, after the source's `timeout`",
    ),
    Kind("F-14", "DDL behind our snapshot", "`ALTER TABLE` in mid-run", "it waits no longer than the run"),
    Kind("F-15", "a long snapshot", "`kill -9` with an open snapshot", "the server ends it at once"),
    Kind(
        "F-16",
        "no connection left, password changed or expired",
        "limits, `ALTER USER` in mid-run",
        "exit 4, no password shown, a refusal is not tried again",
    ),
    Kind("F-17", "privilege revoked", "`REVOKE` in mid-run", "exit 4; the release stays"),
    Kind(
        "F-18",
        "disk full",
        "fault library: ENOSPC from some call on; in the lake, in the folder for temporary data",
        "exit 4 and said so; nothing half-visible; goes on when there is space",
    ),
    Kind(
        "F-19",
        "EIO, a failing fsync or rename, EINTR, short writes",
        "fault library, call by call",
        "a failure is a failure (exit 4); interruptions are gone on with",
    ),
    Kind(
        "F-20",
        "power loss",
        "killed, then all that was not synchronised emptied",
        "what was acknowledged is there",
    ),
    Kind(
        "F-21", "read-only file system, folder gone", "fault library; renamed folder", "exit 4; readers too"
    ),
    Kind("F-22", "torn source file", "SQLite file cut, emptied, overwritten, gone", "loud; release stays"),
    Kind(
        "F-23",
        "bit rot",
        "bits flipped in metadata, manifests, data, footers",
        "metadata: works or exit 4; data: each file has a stamp, doctor finds any bit; pages have checksums",
    ),
    Kind(
        "F-24",
        "runs and readers at once",
        "four runs; a reader while releases appear; one that stands still while they go",
        "one release; readers see one moment, never an older one; what a reader has found stays for an hour",
    ),
    Kind(
        "F-25",
        "catalog locked, damaged, of a newer version",
        "a second process; bytes",
        "waits ten seconds; refuses; data files untouched",
    ),
    Kind(
        "F-26",
        "a commit whose outcome is unknown",
        "fault library: EIO at each call of the catalog's commit; proxy: Glue's answer lost",
        "old or new, never neither; no file of either is missing",
    ),
    Kind(
        "F-27",
        "a success that was none",
        "proxy: S3 or Glue says 200 and does nothing",
        "looked at before anything builds on it: exit 4; the next try is well",
    ),
    Kind(
        "F-28",
        "S3 is busy, fails, is slow; answers lost or cut",
        "proxy before an emulator of AWS",
        "tried again, done once; else exit 4, tables as they were",
    ),
    Kind("F-29", "S3's listing is not up to date", "proxy: listing fails", "nothing is listed"),
    Kind(
        "F-30",
        "credentials expire",
        "proxy: 403 in the middle of publishing",
        "exit 4 and said so, not tried again; with new ones it goes on",
    ),
    Kind("F-31", "wrong clocks, clocks that jump", "fault library: ± hours, 2038", "the run is well"),
    Kind("F-32", "a row committed late", "two sessions", "read by the next run"),
    Kind("F-33", "10,000 rows of one time", "data", "all there, once"),
    Kind("F-34", "old, repeated, deleted rows", "data behind the cursor", "found by the proof"),
    Kind(
        "F-35",
        "columns and tables that change",
        "`ALTER`, `DROP`, `TRUNCATE`, `RENAME`, between runs and in mid-run",
        "taken over or stopped; never a value in another column",
    ),
    Kind("F-38", "a source restored from a backup", "data", "not followed: exit 3; taken on demand"),
    Kind(
        "F-49",
        "nobody reads the output",
        "closed and full outputs",
        "the run goes on and ends with its own exit code; a result that was not written is exit 4",
    ),
    Kind("F-51", "few descriptors, umask 0", "`RLIMIT_NOFILE`, umask", "exit 4; files stay private"),
    Kind(
        "F-53",
        "a data file is lost or cut",
        "moved away, shortened",
        "exit 4 with table and remedy, not published again; `--full-refresh` makes it whole",
    ),
    Kind(
        "F-54",
        "a source that is behind",
        "a standby whose log waits",
        "one older moment, whole; doctor says how far; a cursor that has seen newer rows does not follow",
    ),
    Kind(
        "F-55",
        "S3's connection stalls, breaks, trickles, or loses an answer",
        "proxy: at each kind of call that writes an object, in one or in several parts, or takes the lock",
        "a stall is noticed within twice the target's `timeout`; tried again, done once; else exit 4, tables"
        " as they were",
    ),
)


def tests() -> dict[str, list[str]]:
    """The tests of each kind: `test_disk.py::test_f18_…`."""
    found: dict[str, list[str]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in re.findall(r"_f(\d\d)(?=_)", node.name):
                    found.setdefault(f"F-{number}", []).append(f"{path.name}::{node.name}")
    return found


def table() -> str:
    """The table as Markdown."""
    made = tests()
    lines = ["| kind | fault | how it is made | what is promised | tests |", "|---|---|---|---|---|"]
    for kind in KINDS:
        names = sorted({name.partition("::")[0] for name in made.get(kind.id, [])})
        where = f"{len(made.get(kind.id, []))} in {', '.join(names)}"
        lines.append(f"| {kind.id} | {kind.title} | {kind.made} | {kind.promise} | {where} |")
    return "\n".join(lines)


def written(text: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
