"""The listening process: its port, its token, its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from mainstem.errors import UsageError
from mainstem.serve.config import ServerConfig
from mainstem.serve.server import FIRST_PORT, listen, run_server, token_of

from . import shop
from .conftest import Published

PROGRAM = """
import sys
sys.path[:0] = {path!r}
from datetime import UTC, datetime
from pathlib import Path
from mainstem.catalog.port import Release
from mainstem.serve.config import ServerConfig
from mainstem.serve.server import run_server
release = Release("r0001", {run!r}, datetime.now(UTC), {{}})
run_server(ServerConfig(
    Path({state!r}), lambda: release, static=Path({static!r}), on_ready=lambda url: print(url, flush=True)
))
print("ended", sorted(name for name in ("pyarrow", "sqlglot", "pyiceberg", "numpy") if name in sys.modules))
"""


@pytest.fixture
def process(project: Published, static: Path) -> Iterator[subprocess.Popen[str]]:
    project.publish()
    program = PROGRAM.format(path=sys.path, run=shop.RUN, state=str(project.state), static=str(static))
    started = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield started
    started.kill()
    started.communicate()


def client(base: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, trust_env=False)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_answers_and_ends(process: subprocess.Popen[str], how: signal.Signals) -> None:
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    found = re.fullmatch(r"(http://127\.0\.0\.1:(\d+))/#token=([\w-]{43})", address)
    assert found
    with client(found[1], found[3]) as page:
        assert page.get("/health").json() == {"ok": True}
        answer = page.post("/api/sql", json={"sql": "select count(*) from fact_orders"})
        assert answer.json()["rows"] == [["400"]]
        assert page.get("/api/dashboards/sales/cube").headers["content-encoding"] == "gzip"
        assert "server" not in answer.headers
    assert httpx.get(f"{found[1]}/api/catalog", trust_env=False).status_code == 401
    raw = socket.create_connection(("127.0.0.1", int(found[2])))
    raw.sendall(b"GET /api/catalog HTTP/1.1\r\nHost: evil.test\r\n\r\n")
    assert raw.recv(100).startswith(b"HTTP/1.1 421")
    raw.close()
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    # What only building needs is not loaded: the server starts sooner and stays small.
    assert out == "ended []\n"


def test_it_ends_while_a_statement_runs(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    base, _, token = process.stdout.readline().strip().partition("/#token=")
    asking = subprocess.Popen(
        [sys.executable, "-c", f"""
import httpx
try:
    httpx.post({base + "/api/sql"!r}, json={{"sql": "select sleep_ms(600000)"}}, timeout=600, trust_env=False,
               headers={{"Authorization": "Bearer {token}"}})
except httpx.HTTPError:
    pass
"""]
    )  # fmt: skip
    with client(base, token) as page:
        while page.post("/api/sql", json={"sql": "select count(*) from fact_orders"}).status_code != 200:
            pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert asking.wait(timeout=60) == 0


def test_a_taken_port_is_told_and_the_next_free_one_is_taken(config: ServerConfig) -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(UsageError, match=f"127.0.0.1:{port} is taken"):
        run_server(replace(config, port=port))
    taken.close()
    first = listen(replace(config, port=0))
    second = listen(replace(config, port=0))
    try:
        assert FIRST_PORT <= first.getsockname()[1] != second.getsockname()[1]
        assert first.getsockname()[0] == "127.0.0.1"
    finally:
        first.close()
        second.close()


def test_an_address_that_is_not_here(config: ServerConfig) -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1"):
        listen(replace(config, bind="192.0.2.1", port=5000))


def test_the_token_of_a_file(config: ServerConfig, tmp_path: Path) -> None:
    file = tmp_path / "token"
    given = replace(config, token="", token_file=file)
    with pytest.raises(UsageError, match="cannot be read"):
        token_of(given)
    file.write_text("0123456789abcdef\n")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="others can read"):
        token_of(given)
    file.chmod(0o600)
    assert token_of(given) == "0123456789abcdef"
    for bad in ("short", "0123456789 abcdef", "0123456789abcdefé", "", "0123456789abcdef\nmore"):
        file.write_text(bad)
        with pytest.raises(UsageError, match="no usable token") as raised:
            token_of(given)
        assert not bad or bad not in str(raised.value)


def test_a_new_token_at_each_start(config: ServerConfig) -> None:
    fresh = replace(config, token="")
    assert token_of(fresh) != token_of(fresh)
    assert len(token_of(fresh)) == 43


def test_the_browser_is_opened_without_the_token_on_a_command_line(
    project: Published, static: Path, tmp_path: Path
) -> None:
    """A real process and a browser of ours, which notes its arguments and what the page says."""
    project.publish()
    browser, note = tmp_path / "browser", tmp_path / "note"
    browser.write_text(
        f'#!/bin/sh\nf="${{1#file://}}"\n(echo "$1"; ls -l "$f"; cat "$f") > {note}.new\n'
        f"mv {note}.new {note}\n"
    )
    browser.chmod(0o755)
    program = PROGRAM.format(path=sys.path, run=shop.RUN, state=str(project.state), static=str(static))
    program = program.replace("on_ready=", "open_browser=True, on_ready=")
    env = {**os.environ, "BROWSER": f"{browser} %s"}
    started = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert started.stdout is not None
        address = started.stdout.readline().strip()
        while not note.exists():
            assert started.poll() is None
        argument, listing, page = note.read_text().split("\n", 2)
        assert argument == f"file://{project.state}/serve/open.html"
        assert listing.startswith("-rw-------")
        assert address in page
    finally:
        started.terminate()
        started.communicate(timeout=60)
    assert not (project.state / "serve" / "open.html").exists()
