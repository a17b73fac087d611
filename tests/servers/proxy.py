"""A TCP proxy that breaks connections on purpose, and says that it did."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType

MODES = ("pass", "cut", "reset", "stall")


class Proxy:
    """`with Proxy(host, port, mode, after=N) as proxy:` listens on `proxy.port` and forwards both ways.

    Once `after` bytes have come from the server (all connections together), it breaks that connection:
    `cut` closes it, `reset` sends RST, `stall` sends nothing more and keeps it open. `fired` tells whether
    it did, `bytes` how many came from the server.
    """

    def __init__(self, host: str, port: int, mode: str = "pass", after: int = 0) -> None:
        assert mode in MODES
        self._target, self._mode, self._after = (host, port), mode, after
        self.bytes = 0
        self.fired = False
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

    def _accept(self) -> None:
        self._listener.settimeout(0.1)
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
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
            if from_server:
                self.bytes += len(block)
                if self._mode != "pass" and self.bytes >= self._after:
                    self.fired = True
                    self._break(source, sink)
                    break
            try:
                sink.sendall(block)
            except OSError:
                break
        for side in (source, sink):
            side.close()

    def _break(self, server: socket.socket, client: socket.socket) -> None:
        if self._mode == "reset":
            # Linger zero: close sends RST instead of FIN.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self._mode == "stall":
            self._closing.wait()
