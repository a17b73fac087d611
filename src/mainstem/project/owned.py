"""Generated files that people own: written while nobody has edited them, left alone afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mainstem.errors import UsageError
from mainstem.project.load import STATE


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the files: `written` have the new text, `kept` differ because somebody edited them."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def write_owned(root: Path, files: Mapping[str, str], record: str) -> Kept:
    """Write files that are missing or still as they were generated last. What was generated is remembered
    in .mainstem/RECORD/; where it is not known (a fresh clone), a file that differs counts as edited.

    UsageError if a file cannot be read or written.
    """
    before = generated(root, record)
    here = texts(root, files)
    written = [path for path in files if path not in here or here[path] in (files[path], before.get(path))]
    try:
        for path in written:
            for place in (root / path, root / STATE / record / path):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(files[path], encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    return Kept(tuple(written), tuple(path for path in files if path not in written))


def generated(root: Path, record: str) -> dict[str, str]:
    """The files as they were generated last, by path."""
    folder = root / STATE / record
    return texts(
        folder, [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    )


def texts(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Those of the files that exist. UsageError for one that is no text."""
    found = {}
    for path in paths:
        try:
            found[path] = (root / path).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{path} cannot be read as text") from None
    return found
