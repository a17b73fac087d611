"""The benchmarks: python -m bench [NAME …]; without a name, all. Tables go to stdout, progress to stderr."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.venv import ROOT


def _script(name: str) -> Callable[[Path, argparse.Namespace], None]:
    def run(_: Path, __: argparse.Namespace) -> None:
        subprocess.run([sys.executable, str(ROOT / "bench" / f"{name}.py")], check=True)

    return run


def _benchmarks() -> dict[str, Callable[[Path, argparse.Namespace], None]]:
    from bench import source, star, start

    return {
        "start": start.start,
        "source": source.source,
        "postgres": source.postgres,
        "star": star.star,
        "change": star.change,
        "click": _script("clicks"),
        "cube": _script("cube"),
        "stars": _script("stars"),
    }


def main() -> None:
    """Read the options, run what was asked for."""
    known = _benchmarks()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--scale", default="1", help="of TPC-H (1: 6 million lines)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contestant")
    parser.add_argument("--only", default="", help="contestants whose name has one of these words (a,b)")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "bench-data")
    options = parser.parse_args()
    if unknown := set(options.names) - set(known):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    options.home.mkdir(parents=True, exist_ok=True)
    print(
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {sys.version.split()[0]}"
    )
    for name in options.names or known:
        known[name](options.home, options)


if __name__ == "__main__":
    main()
