"""The program's entry: `mainstem` and `python -m mainstem`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        # Answered before anything is loaded: scripts ask for it often.
        from mainstem import __version__

        sys.stdout.write(f"mainstem {__version__}\n")
        return
    # Imports make many objects that stay: looking for garbage among them takes a tenth of a start.
    gc.set_threshold(200_000, 20, 100)
    from mainstem.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
