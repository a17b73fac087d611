"""The peers' own virtual environment, below .make/: what is measured against Mainstem is no part of it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from bench.measure import note

ROOT = Path(__file__).parents[1]
_FOLDER = ROOT / ".make" / "bench"
_WANTED = Path(__file__).with_name("requirements.txt")


def peer_python() -> str:
    """The interpreter that has the peers; installs them when their list has changed."""
    python = _FOLDER / "bin" / "python"
    stamp = _FOLDER / "installed"
    digest = hashlib.sha256(_WANTED.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        note("installing the peers (some minutes)")
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(_FOLDER)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", str(_WANTED)], check=True)
        stamp.write_text(digest)
    return str(python)


def peer(name: str) -> list[str]:
    """The command of a script in bench/peers."""
    return [peer_python(), str(Path(__file__).with_name("peers") / f"{name}.py")]
