"""The program's entry: `mainstem` and `python -m mainstem`."""

from __future__ import annotations

import atexit
import gc
import os
import sys


def _open_standard() -> None:
    """Give a process that was started without standard streams (`>&-`) the empty device: nothing is written
    to them, and no file of the lake gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: that of the stream
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def main() -> None:
    """Run the command line and exit with its code."""
    _open_standard()
    if sys.argv[1:] == ["--version"]:
        # Answered before anything is loaded: scripts ask for it often.
        from mainstem import __version__

        sys.stdout.write(f"mainstem {__version__}\n")
        return
    # Imports make many objects that stay: looking for garbage among them takes a tenth of a start, and a
    # sixth of a second at the end.
    gc.set_threshold(200_000, 20, 100)
    atexit.register(gc.freeze)  # the first that is registered runs last
    from mainstem.cli.main import end_if_no_thread_begins, run

    end_if_no_thread_begins()
    sys.exit(run())


if __name__ == "__main__":
    main()
