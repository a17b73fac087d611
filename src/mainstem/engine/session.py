"""DuckDB sessions: the same settings everywhere, extensions from their wheels, nothing from the net."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from mainstem.engine.views import literal
from mainstem.errors import EngineFailed, LakeUnavailable

_SHARE_OF_MEMORY = 0.6


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session may use. Zero: 60 % of the machine's (or container's) memory, all its processors,
    half of the free disk."""

    memory_bytes: int = 0
    threads: int = 0
    temp_bytes: int = 0


def open_session(limits: Limits, temp: Path | None) -> duckdb.DuckDBPyConnection:
    """A session in memory, in UTC, which spills to `temp` (None: not at all) and installs nothing."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{limits.memory_bytes or memory_limit()}B",
        "temp_directory": str(temp) if temp else "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
    }
    if limits.threads:
        config["threads"] = limits.threads
    if temp:
        try:  # DuckDB makes the session's own folder when it spills, but not the ones above
            temp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LakeUnavailable(f"the folder {temp.parent} cannot be made: {error.strerror}") from error
    with mapped():
        opened = duckdb.connect(":memory:", config=config)
        opened.execute("SET GLOBAL TimeZone = 'UTC'")  # without GLOBAL, cursors have the machine's zone
        if temp:  # as part of `config` it is shown, but not obeyed
            opened.execute(f"SET max_temp_directory_size = '{limits.temp_bytes or _free(temp) // 2}B'")
        return opened


def load_iceberg(session: duckdb.DuckDBPyConnection) -> None:
    """Load DuckDB's Iceberg reader from the installed wheels."""
    with mapped():
        for name in ("avro", "iceberg"):
            session.execute(f"LOAD {literal(str(extension(name)))}")


def extension(name: str) -> Path:
    """The extension's file in its wheel. EngineFailed if the wheel for this DuckDB is not installed."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    for folder in spec.submodule_search_locations or () if spec else ():
        file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if file.is_file():
            return file
    raise EngineFailed(
        f"DuckDB's {name} extension for version {duckdb.__version__} is not installed",
        hint=f"pip install duckdb-extension-{name}=={duckdb.__version__}",
    )


def memory_limit() -> int:
    """60 % of the memory that this process may have at all, in bytes."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        group = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        group = "max"
    return int(_SHARE_OF_MEMORY * (min(total, int(group)) if group.isdigit() else total))


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


# Errors


@contextmanager
def mapped() -> Iterator[None]:
    """DuckDB's errors as ours, also those that come through Arrow in the middle of a stream."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise failure(str(error)) from None


def failure(text: str) -> EngineFailed | LakeUnavailable:
    """DuckDB's message without its class, its stack and the values of rows."""
    kind, text = _split(text.strip().split("\nStack Trace:")[0].strip())
    if kind == "Out of Memory" or "max_temp_directory_size" in text:
        return EngineFailed(
            "the query needs more memory or temporary space than it may use",
            hint="raise the engine's memory limit, or filter and aggregate earlier in the query",
        )
    if kind == "IO":
        return LakeUnavailable(f"a file of the lake cannot be read or written: {text.splitlines()[0]}")
    if kind in ("Parser", "Binder", "Catalog", "Syntax"):
        return EngineFailed(text)  # these speak of the statement alone
    return EngineFailed(_without_values(text))


def _split(text: str) -> tuple[str, str]:
    """The last of the classes that the message begins with, and the rest of it."""
    kind = ""
    while match := re.match(r"([A-Z][A-Za-z ]*) Error: ", text):
        kind, text = match[1], text[match.end() :]
    return kind, text


_QUOTED = re.compile(r"""(?<![^\s(:=\[])(['"]).*\1(?!\w)""", re.DOTALL)


def _masked(quoted: re.Match[str]) -> str:
    """What is quoted, to the last quote, as a value may have some; nothing after it if lines were in it."""
    return f"{quoted[1]}…{quoted[1]}" + ("\n" if "\n" in quoted[0] else "")


def _without_values(text: str) -> str:
    message, line, excerpt = text.partition("\n\nLINE ")
    message = _QUOTED.sub(_masked, message).partition("\n")[0]  # further lines show the value again
    for pattern, mask in (
        (r"Input: .*", "Input: …"),  # JSON, in which there are quotes
        (r"\bCodepoint \S+", "Codepoint …"),
        (r"^((?:missing|invalid|bad|no argument|unexpected|trailing)\b[^:]*): .+", r"\1: …"),  # a pattern
        (r"\bvalue (?!is\b)\S+", "value …"),
        (r"\([^()]*\d[^()]*\)(?!\))", "(…)"),
        (r": -?[\d.]+ [-+*/%] -?[\d.]+", ": …"),  # Overflow in HUGEINT addition: 1 + 2
    ):
        message = re.sub(pattern, mask, message)
    return message + line + excerpt
