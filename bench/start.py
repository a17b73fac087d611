"""How long one waits: the version, a plan and a run with nothing to do, the demo up to its page."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from argparse import Namespace
from pathlib import Path

from bench import measure
from bench.contestants import MAINSTEM, drafted
from bench.measure import Contestant, Result, Sample
from bench.venv import ROOT, peer_python
from servers.mariadb import MariaDB

SAMPLE = ROOT / "tests" / "data" / "samples" / "classicmodels.mysql.sql"
_PATIENCE = 120.0


def start(home: Path, options: Namespace) -> None:
    """Commands on the sample database classicmodels in MariaDB, and the demo."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, MariaDB(Path(folder) / "server") as server:
        server.load(SAMPLE, "classicmodels")
        project = drafted(f"{server.url}classicmodels", Path(folder) / "project")
        subprocess.run([*MAINSTEM, "-C", str(project), "run"], check=True, capture_output=True)
        commands = {
            "`mainstem --version`": [*MAINSTEM, "--version"],
            "`mainstem plan`, nothing to do": [*MAINSTEM, "-C", str(project), "plan"],
            "`mainstem run`, nothing to do": [*MAINSTEM, "-C", str(project), "run"],
            "`import dlt`": [peer_python(), "-c", "import dlt"],
        }
        contestants = [Contestant(name, command) for name, command in commands.items()]
        results = measure.compare(contestants, max(5, options.rounds), lambda: server.pid)
    samples = [_demo() for _ in range(options.rounds)]
    results.append(Result("`mainstem demo`, to a page and its cube", samples))
    measure.show("Start", results)


def _demo() -> Sample:
    """From the start of the process until its page, and the cube of its dashboard, have been received."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                [*MAINSTEM, "demo", "--no-open", "--dir", str(Path(folder) / "shop")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            address, token = _address(log, process, started)
            _get(address, "/", token)
            names = re.findall(rb'"name": ?"(\w+)"', _get(address, "/api/dashboards", token))
            _get(address, f"/api/dashboards/{names[0].decode()}/cube", token)
            wall = time.perf_counter() - started
            peak = measure.peak_of(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
    return Sample(wall, usage.ru_utime + usage.ru_stime, 0.0, peak)


def _address(log: Path, process: subprocess.Popen[bytes], started: float) -> tuple[str, str]:
    while time.perf_counter() - started < _PATIENCE and process.poll() is None:
        text = re.sub(r"\s", "", log.read_text(errors="replace"))
        found = re.search(r"(http://[\d.:]+)/?#(?:token=)?([\w-]{20,})\(Ctrl", text)
        if found:
            return found[1], found[2]
        time.sleep(0.02)
    sys.exit("the demo serves no page:\n" + log.read_text(errors="replace"))


def _get(address: str, path: str, token: str) -> bytes:
    request = urllib.request.Request(address + path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
        body: bytes = response.read()
        return body
