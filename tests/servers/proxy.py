"""A TCP proxy that breaks connections on purpose, and says that it did."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType

ALWAYS = 1 << 30  # times
MODES = ("pass", "cut", "reset", "stall", "slow", "flip", "drop")


class Proxy:
    """`with Proxy(host, port, mode, after=N) as proxy:` listens on `proxy.port` and forwards both ways.

    Once `after` bytes have come from the server (all connections together), it breaks that connection and,
    if `times` is not reached, those after it: `cut` closes it after exactly that byte, `reset` sends RST,
    `stall` sends nothing more and keeps it open, `drop` swallows what the server sends from there on and
    closes when the server is done, `flip` changes one bit of that byte and goes on, `slow` sends all that
    follows in pieces of 512 bytes with a pause after each.

    `fired` tells whether it did, `bytes` how many came from the server, `connections` how many there were,
    `noticed()` the seconds between a stall and the client's farewell. `when(pattern, act)`: `act` runs once,
    before the client's bytes that match the pattern are forwarded; `at(count, act)`: once so many bytes have
    come from the server. Moments inside a run, without a clock.
    """

    def __init__(self, host: str, port: int, mode: str = "pass", after: int = 0, times: int = ALWAYS) -> None:
        assert mode in MODES
        self.target, self.mode, self.after = (host, port), mode, after
        self.bytes = self.connections = 0
        self.fired = False
        self._noticed: float | None = None
        self._left = threading.Event()
        self._times = times
        self._hooks: list[tuple[re.Pattern[bytes], Callable[[], object]]] = []
        self._marks: list[tuple[int, Callable[[], object]]] = []
        self._stalled: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def when(self, pattern: bytes, act: Callable[[], object]) -> None:
        """Let `act` run once, when the client first sends what matches."""
        self._hooks.append((re.compile(pattern, re.IGNORECASE | re.DOTALL), act))

    def at(self, count: int, act: Callable[[], object]) -> None:
        """Let `act` run once, when `count` bytes have come from the server."""
        self._marks.append((count, act))

    def heal(self) -> None:
        """Break nothing from now on."""
        self.mode = "pass"

    def noticed(self) -> float:
        """Seconds, by a clock that nobody sets, from the first stall until its client hung up."""
        assert self._left.wait(30), "no client hung up"
        assert self._noticed is not None
        return self._noticed

    def _accept(self) -> None:
        self._listener.settimeout(0.1)
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            try:
                server = _connected(self.target)
            except OSError:
                client.close()
                continue
            for pair in ((client, server, False), (server, client, True)):
                for side in pair[:2]:
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    side.settimeout(0.1)
                thread = threading.Thread(target=self._forward, args=pair, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        while not self._closing.is_set():
            try:
                block = source.recv(16384)
            except TimeoutError:
                continue
            except OSError:
                break
            if not block:
                break
            try:
                if from_server:
                    if not self._from_server(block, source, sink):
                        break
                else:
                    self._run_hooks(block)
                    _send(sink, block)
            except OSError:
                break
        if not from_server and source in self._stalled:
            self._noticed = self._noticed or time.monotonic() - self._stalled[source]
            self._left.set()
        for side in (source, sink):
            side.close()

    def _run_hooks(self, block: bytes) -> None:
        with self._lock:
            due = [hook for hook in self._hooks if hook[0].search(block)]
            self._hooks = [hook for hook in self._hooks if hook not in due]
        for _, act in due:
            act()

    def _from_server(self, block: bytes, server: socket.socket, client: socket.socket) -> bool:
        """Forward a block, or break there; whether the connection goes on."""
        with self._lock:
            before = self.bytes
            self.bytes += len(block)
            breaks = self.mode != "pass" and self.bytes > self.after and self._times > 0
            if breaks and self.mode != "slow":
                self._times -= 1
            self.fired = self.fired or breaks
            marked = [act for count, act in self._marks if count <= self.bytes]
            self._marks = [(count, act) for count, act in self._marks if count > self.bytes]
        for act in marked:
            act()
        if not breaks:
            _send(client, block)
            return True
        at = max(0, self.after - before)
        if self.mode == "flip":
            _send(client, block[:at] + bytes([block[at] ^ 1]) + block[at + 1 :])
            return True
        if self.mode == "slow":
            for start in range(0, len(block), 512):
                _send(client, block[start : start + 512])
                self._closing.wait(0.002)
            return True
        _send(client, block[:at])
        self._break(server, client)
        return False

    def _break(self, server: socket.socket, client: socket.socket) -> None:
        if self.mode == "reset":
            # Linger zero: close sends RST instead of FIN.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self.mode == "stall":
            self._stalled.setdefault(client, time.monotonic())
            while not self._closing.wait(0.05) and client.fileno() >= 0:
                continue
        elif self.mode == "drop":
            while not self._closing.is_set():
                try:
                    if not server.recv(65536):
                        return
                except TimeoutError:
                    continue


def _connected(target: tuple[str, int]) -> socket.socket:
    """With a small buffer: what the server has sent is near, what it has not is not under way."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    try:
        server.connect(target)
    except OSError:
        server.close()
        raise
    return server


def _send(sink: socket.socket, block: bytes) -> None:
    """All of a block, however slowly it is taken."""
    view = memoryview(block)
    while view:
        try:
            view = view[sink.send(view) :]
        except TimeoutError:
            continue
