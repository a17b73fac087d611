"""Commands, global options, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, Any

import typer

from mainstem.cli import console
from mainstem.errors import MainstemError

_INTERRUPTED = 130  # as shells say it: 128 + SIGINT

app = typer.Typer(
    name="mainstem",
    help="From an operational database to numbers that people trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 well; 1 crash; 2 usage or configuration; 3 a check or proof failed; "
    "4 source, lake or engine not available; 5 over the budget; 130 interrupted.",
)


def _version(value: bool) -> None:
    if value:
        from mainstem import __version__

        typer.echo(f"mainstem {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    project_dir: Annotated[
        Path | None,
        typer.Option(
            "--project-dir",
            "-C",
            envvar="MAINSTEM_PROJECT_DIR",
            metavar="DIR",
            help="The project's directory.",
        ),
    ] = None,
    _version_flag: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keep the global options for the commands."""
    context.obj = project_dir or Path()


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; the exit code. Prints every error in the form that people and scripts read."""
    from mainstem.cli import commands

    commands.register(app)
    try:
        result = app(args=arguments, standalone_mode=False)
    except MainstemError as error:
        console.error(error)
        return error.exit_code
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as stop:
        # Typer's own answer to a pipe that nobody reads any more.
        return _reader_gone() if isinstance(stop.__context__, BrokenPipeError) else int(stop.code or 0)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect of ours, told as one
        return _outermost(error)
    if result == _INTERRUPTED:  # Typer has caught Ctrl-C
        return _interrupted()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    return result if isinstance(result, int) else 0


def _interrupted() -> int:
    console.note("interrupted")
    return _INTERRUPTED


def _reader_gone() -> int:
    """The reader of our output went away (head, a closed pager): not an error of ours."""
    console.leave(1)
    return 0


_MORE = "give this machine more of it"
_REMEDIES = {
    errno.EMFILE: "raise the limit of open files",
    errno.ENFILE: "raise the limit of open files",
    errno.ENOMEM: _MORE,
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EIO: "look after the disk",
    errno.EROFS: "choose a place that can be written",
}


def _exhausted(error: Exception) -> tuple[str, str] | None:
    """What the machine lacks and what to do, if that is what ended the command."""
    if isinstance(error, MemoryError) or str(error) == "can't start new thread":
        memory = isinstance(error, MemoryError)
        return "out of memory" if memory else "the system starts no more threads", _MORE
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return f"the system says: {os.strerror(error.errno)}", _REMEDIES[error.errno]
    return None


_STACK = 256 << 10  # bytes
_NO_THREAD = (
    "error: out of memory: a thread could not begin\n"
    "  → give this machine more of it, then run again; the last release is untouched\n"
).encode()


def end_if_no_thread_begins() -> None:
    """End this process with exit code 4 when a thread dies of a lack of memory before its first line: who has
    started it would wait for ever (Python's Thread.start waits for the thread's own word). The thread that
    sees to it stands already, and is told by a call that needs no frame: there may be no memory for one."""
    lost: SimpleQueue[Any] = SimpleQueue()
    usual = threading.stack_size(_STACK)
    try:
        threading.Thread(target=_end_or_tell, args=(lost,), name="mainstem-end", daemon=True).start()
    except RuntimeError:
        return  # not even one begins: the command will hear the same
    finally:
        threading.stack_size(usual)
    sys.unraisablehook = lost.put


def _end_or_tell(lost: SimpleQueue[Any]) -> None:
    while True:
        one = lost.get()
        try:
            if one.exc_type is not MemoryError or "thread" not in (one.err_msg or ""):
                sys.__unraisablehook__(one)
                continue
            os.write(2, _NO_THREAD)
        except MemoryError:
            pass
        os._exit(4)


def _outermost(error: Exception) -> int:
    """Usage errors of the command line (2), everything else is a defect of ours (1)."""
    show = getattr(error, "format_message", None)
    if show is not None:
        said = str(show())
        if said.startswith("Usage: "):  # nothing was typed but a group's name
            console.note(said)
        else:
            hint = "mainstem --help lists the commands; mainstem COMMAND --help their options"
            console.plain_error(said.replace("Value error, ", ""), hint)
        return 2
    if (lack := _exhausted(error)) is not None:
        console.plain_error(lack[0], f"{lack[1]}, then run again; the last release is untouched")
        return 4
    if os.environ.get("MAINSTEM_DEBUG"):
        sys.stderr.write(console.clean(traceback.format_exc()))
    console.plain_error(
        f"crash: {type(error).__name__}: this is a defect of Mainstem, not of your project",
        "set MAINSTEM_DEBUG=1 to see where, and report it; the last release is untouched",
    )
    return 1
