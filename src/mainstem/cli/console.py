"""Where text goes: results to stdout, everything else to stderr. Secrets never reach either."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

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

    return Console(stderr=True, highlight=False, soft_wrap=True)


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
