"""`make mutants`: plants each bug in a copy of the tree, and says which the tests have caught."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
PARTS = ("src", "tests", "pyproject.toml", "docs", "scripts", "Makefile", "README.md", "CHANGELOG.md")
WANTED = 0.98
HANGS = 300  # seconds: a bug that makes the tests hang is caught


def copy(folder: Path) -> Path:
    """The tree, without what was made from it."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "data"))
        else:
            shutil.copy2(source, folder / part)
    (folder / "tests" / "data").symlink_to(ROOT / "tests" / "data")
    return folder


def pytest(folder: Path, tests: str) -> tuple[int, str]:
    """Run these tests in the copy: exit code and output."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *shlex.split(tests)]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HANGS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, "hangs"
    return done.returncode, done.stdout


def caught(mutant: Mutant, folder: Path) -> tuple[bool, str]:
    """Plant, test, take out. 1 (a test failed) and a hang count; nothing else does."""
    path = folder / mutant.file
    whole = path.read_text()
    assert whole.count(mutant.before) == 1, f"{mutant.file}: {mutant.before!r} stands there not just once"
    path.write_text(whole.replace(mutant.before, mutant.after))
    try:
        code, output = pytest(folder, mutant.tests)
    finally:
        path.write_text(whole)
    return code in (1, -1), output


def main() -> int:
    """0 if at least 98 % of the planted bugs are caught."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-k", default="", help="only those whose description contains this")
    parser.add_argument("-j", type=int, default=2, help="at once")
    parser.add_argument("--skip", type=int, default=0, help="as many from the beginning")
    chosen = parser.parse_args()
    mutants = [one for one in MUTANTS if chosen.k in one.plants][chosen.skip :]
    if not mutants:
        parser.error("no planted bug is described so; the descriptions are in tests/mutants/table.py")
    survived: list[Mutant] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary, ThreadPoolExecutor(chosen.j) as pool:
        folders: Queue[Path] = Queue()
        for number in range(chosen.j):
            (Path(temporary) / str(number)).mkdir()
            folders.put(copy(Path(temporary) / str(number)))

        def work(mutant: Mutant) -> tuple[bool, str]:
            folder = folders.get()
            try:
                return caught(mutant, folder)
            finally:
                folders.put(folder)

        for mutant, (found, output) in zip(mutants, pool.map(work, mutants), strict=True):
            sys.stdout.write(f"{'caught  ' if found else 'SURVIVED'}  {mutant.file}: {mutant.plants}\n")
            if not found:
                survived.append(mutant)
                sys.stdout.write("".join(f"    {line}\n" for line in output.splitlines()[-3:]))
            sys.stdout.flush()
    share = 1 - len(survived) / len(mutants)
    sys.stdout.write(
        f"{len(mutants) - len(survived)} of {len(mutants)} planted bugs caught ({share:.0%}) "
        f"in {time.monotonic() - began:.0f} s\n"
    )
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
