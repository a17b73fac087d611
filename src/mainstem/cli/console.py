"""Where text goes: results to stdout, everything else to stderr. Secrets never reach either."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import IO, TYPE_CHECKING, Any, cast

from mainstem.errors import ConfigErrors, MainstemError

if TYPE_CHECKING:
    from rich.console import Console

_redact: list[Callable[[str], str]] = []


def hide(redact: Callable[[str], str]) -> None:
    """From now on pass every text through `redact`."""
    _redact.append(redact)


def clean(text: str) -> str:
    """The text without the secrets known so far."""
    for redact in _redact:
        text = redact(text)
    return text


@cache
def out() -> Console:
    """The console of results."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


@cache
def err() -> Console:
    """The console of progress, notes and errors."""
    from rich.console import Console

    return Console(file=cast("IO[str]", _Unheard()), highlight=False, soft_wrap=True)


class _Unheard:
    """stderr for as long as somebody takes what is written to it (a closed pipe, a full disk): then nowhere.
    What a command does and how it ends never depends on whether its progress is read."""

    def write(self, text: str) -> int:
        try:
            return int(self._real().write(text))
        except OSError:
            leave(2)
            return len(text)

    def flush(self) -> None:
        try:
            self._real().flush()
        except OSError:
            leave(2)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    @staticmethod
    def _real() -> Any:
        # While bars are shown, sys.stderr is rich's, which writes through this console.
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)


def leave(descriptor: int) -> None:
    """From here on what is written to the descriptor goes nowhere, also what waits in a buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def note(text: str) -> None:
    """A remark for a person."""
    err().print(clean(text), markup=False)


def error(caught: MainstemError) -> None:
    """An error, its place and what to do."""
    if isinstance(caught, ConfigErrors):
        for one in caught.errors:
            error(one)
        return
    place = f"{caught.where}: " if caught.where and str(caught.where) else ""
    plain_error(f"{place}{caught.message}", caught.hint)


def plain_error(message: str, hint: str = "") -> None:
    """An error in words, then the hint."""
    from rich.text import Text

    text = Text("error: ", style="bold red").append(Text(clean(message), style="not bold default"))
    err().print(text)
    if hint:
        err().print(Text(f"  → {clean(hint)}", style="cyan"))


def write(text: str) -> None:
    """Machine-readable output, to the byte: a short password may be part of a number or a name. Texts in
    it that could hold a secret are cleaned by who puts them in."""
    sys.stdout.write(text)
    sys.stdout.write("\n")
    sys.stdout.flush()
