"""Writing a project: what was drafted becomes files; what somebody edited stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from mainstem.errors import UsageError
from mainstem.project.load import FILE, STATE
from mainstem.project.secrets import masked, variable_name

_RECORD = "drafted.json"


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A project to be written: its name, the source's URL, the drafted files by relative path, and the
    choices under which they were drafted (`draft:` of the source)."""

    name: str
    url: str
    files: Mapping[str, str]
    drafting: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What was done. `kept` differ from the draft because somebody edited them; `variable` is the
    environment variable of the source's URL, which the user has to set if `needs_variable`."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    variable: str
    needs_variable: bool
    shown_url: str


def write_project(root: Path, scaffold: Scaffold) -> Written:
    """Write the files that are missing or still as they were drafted before. UsageError if the directory
    cannot be written."""
    variable = variable_name(scaffold.name)
    shown = masked(scaffold.url)
    secret = shown != scaffold.url
    files = {
        FILE: _config(scaffold.name, variable, scaffold.drafting),
        "requirements.yml": _REQUIREMENTS,
        ".gitignore": f"{STATE}/\n.env\n",
        **scaffold.files,
    }
    try:
        root.mkdir(parents=True, exist_ok=True)
        drafted = _drafted(root)
        written: list[str] = []
        kept: list[str] = []
        for path, text in files.items():
            (written if _write(root / path, text, drafted.get(path)) else kept).append(path)
        _env(root / ".env", variable, shown, secret=secret)
        _remember(root, {**drafted, **{path: _digest(files[path]) for path in written}})
    except OSError as error:
        raise UsageError(f"{root} cannot be written: {error.strerror}") from None
    return Written(tuple(written), tuple(kept), variable, secret, shown)


def settled_url(url: str, root: Path, base: Path) -> str:
    """The URL as a project in `root` has to write it: a SQLite file that was named relative to `base` is
    named relative to the project if it is inside, else absolutely. Others stay as they are."""
    path = unquote(urlsplit(url).path)[1:]
    if not url.lower().startswith("sqlite:") or not path or Path(path).is_absolute():
        return url
    file, home = (base / path).resolve(), root.resolve()
    inside = file.relative_to(home) if file.is_relative_to(home) else file
    return f"sqlite:///{quote(inside.as_posix())}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, text: str, drafted: str | None) -> bool:
    """True if the file now has the text; false if it has somebody's own."""
    if path.exists():
        present = path.read_text(encoding="utf-8", errors="replace")
        if present == text:
            return True
        if _digest(present) != drafted:
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


def _drafted(root: Path) -> dict[str, str]:
    try:
        value = json.loads((root / STATE / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _remember(root: Path, digests: Mapping[str, str]) -> None:
    folder = root / STATE
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / _RECORD).write_text(json.dumps(digests, indent=1, sort_keys=True), encoding="utf-8")


def _env(path: Path, variable: str, url: str, *, secret: bool) -> None:
    """A `.env` that names the variable. A URL with a password is left for the user to fill in."""
    present = path.read_text(encoding="utf-8") if path.exists() else ""
    if re.search(rf"^\s*(export\s+)?{variable}\s*=", present, re.M):
        return
    line = f"# {variable}={url}\n" if secret else f"{variable}={url}\n"
    if present and not present.endswith("\n"):
        line = f"\n{line}"
    with open(path, "a", encoding="utf-8", opener=_private) as file:
        file.write(line)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _config(name: str, variable: str, drafting: Mapping[str, object]) -> str:
    quoted = json.dumps(name, ensure_ascii=False)
    chosen = "".join(f"      {key}: {json.dumps(drafting[key], ensure_ascii=False)}\n" for key in drafting)
    return f"""\
# The project. All fields: docs/project.md.
name: {quoted}
sources:
  {quoted}:
    url: "{{{{ env_var('{variable}') }}}}"   # from the environment or .env, never written here
    proof: full   # every cell is compared with the source; changes, count, off: less (docs/proof.md)
""" + (
        f"    draft:   # how the star was drafted; mainstem draft does it the same way\n{chosen}"
        if chosen
        else ""
    )


_REQUIREMENTS = """\
# Who needs what, to decide what, how fresh. At most five fields each.
requirements: []
# - who: sales lead
#   what: revenue by country and month
#   decides: where to open the next office
#   fresh: daily
#   dashboard: sales
"""
