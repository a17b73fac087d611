"""An HTTP proxy before a server of AWS's protocols, which fails requests on purpose and says that it did."""

from __future__ import annotations

import http.client
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

ALWAYS = 1 << 30
PIECES = 8  # of a slow answer, at most
_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


@dataclass(frozen=True, slots=True)
class Request:
    """A request on its way: `what` is Glue's action, or S3's method and what it is about (`PUT object`, `POST
    uploads`, `PUT uploads`, `POST complete`, `GET list`)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def what(self) -> str:
        target = self.headers.get("x-amz-target", "")
        if target:
            return target.partition(".")[2]
        query = self.path.partition("?")[2]
        if self.method == "POST" and "uploadId" in query:
            return "POST complete"
        kind = "list" if "list-type" in query else "uploads" if "upload" in query.lower() else "object"
        return f"{self.method} {kind}"


@dataclass
class Rule:
    """What happens to requests of which `what` and `path` contain these texts: to `times` of them after the
    first `after`. One of: `error` (status, AWS's code; nothing is forwarded), `lies` (a success, and nothing
    is forwarded), `lost` (forwarded, and the connection closed instead of an answer), `cut` (the answer ends
    half-way), `slow` (the answer comes in pieces, with pauses of `slow` seconds), `reset` (RST instead of an
    answer; nothing is forwarded), `stall` (not even the request's body is read, the connection stays open),
    `silent` (forwarded, no answer, the connection stays open). `act` runs then; `fired` counts."""

    what: str = ""
    path: str = ""
    after: int = 0
    times: int = 1
    error: tuple[int, str] | None = None
    lies: bool = False
    lost: bool = False
    cut: bool = False
    slow: float = 0.0
    reset: bool = False
    stall: bool = False
    silent: bool = False
    act: Callable[[], object] | None = None
    fired: int = 0
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, request: Request) -> bool:
        """Whether this one is struck; counted."""
        if self.what not in request.what or self.path not in request.path:
            return False
        with self.lock:
            self.seen += 1
            if not self.after < self.seen <= self.after + self.times:
                return False
            self.fired += 1
        if self.act:
            self.act()
        return True


class HttpProxy:
    """`with HttpProxy(port) as proxy:` listens on `proxy.port`, forwards to 127.0.0.1:`port`. `proxy.rules`
    may be changed at any time; `proxy.log` has what passed, as `what path`."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.rules: list[Rule] = []
        self.log: list[str] = []
        self.waits: list[float] = []  # seconds from each stall until its client hung up
        self._closing = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                return

            def handle_any(self) -> None:
                try:
                    proxy.handle(self)
                except OSError:
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> HttpProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def rule(self, **how: object) -> Rule:
        """Add a rule in place of those before."""
        made = Rule(**how)  # type: ignore[arg-type]
        self.rules = [made]
        return made

    def handle(self, client: BaseHTTPRequestHandler) -> None:
        """One request."""
        headers = {key.lower(): value for key, value in client.headers.items()}
        request = Request(client.command, client.path, headers, b"")
        self.log.append(f"{request.what} {request.path.partition('?')[0]}")
        rule = next((one for one in self.rules if one.takes(request)), None) or Rule()
        if rule.stall or rule.reset:
            self._hold(client, wait=rule.stall)
            return
        request = replace(request, body=_body(client))
        if rule.error:
            _answer(client, rule.error[0], *_refusal(request, rule.error[1]))
            return
        if rule.lies:
            glue = "x-amz-target" in headers
            _answer(client, 200, {"ETag": '"0"'}, b"{}" if glue else b"")
            return
        status, answered, content = self._forward(client, request)
        if rule.silent or rule.lost:
            self._hold(client, wait=rule.silent, rst=False)
            return
        _answer(client, status, answered, content, cut=rule.cut, slow=rule.slow)

    def _hold(self, client: BaseHTTPRequestHandler, *, wait: bool, rst: bool = True) -> None:
        """Close the connection; if told to `wait`, when the client has."""
        begun, gone = time.monotonic(), False
        watch = select.poll()
        watch.register(client.connection, select.POLLRDHUP)
        while wait and not gone and not self._closing.is_set():
            gone = bool(watch.poll(50))
        if gone:
            self.waits.append(time.monotonic() - begun)
        client.close_connection = True
        if rst:  # linger zero: close sends RST instead of FIN
            client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connection.close()

    def _forward(self, client: BaseHTTPRequestHandler, request: Request) -> tuple[int, dict[str, str], bytes]:
        server = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            sent = {k: v for k, v in client.headers.items() if k.lower() not in (*_HOP, "expect")}
            server.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for key, value in {**sent, "Content-Length": str(len(request.body))}.items():
                server.putheader(key, value)
            server.endheaders(request.body)
            answer = server.getresponse()
            content = answer.read()
            return answer.status, dict(answer.getheaders()), content
        finally:
            server.close()


def _body(client: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in client.headers.get("Transfer-Encoding", ""):
        return client.rfile.read(int(client.headers.get("Content-Length") or 0))
    blocks = []
    while size := int(client.rfile.readline().partition(b";")[0], 16):
        blocks.append(client.rfile.read(size))
        client.rfile.readline()
    client.rfile.readline()
    return b"".join(blocks)


def _refusal(request: Request, code: str) -> tuple[dict[str, str], bytes]:
    if "x-amz-target" in request.headers:
        text = f'{{"__type": "{code}", "message": "on purpose"}}'
        return {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}, text.encode()
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>on purpose</Message></Error>"
    return {"Content-Type": "application/xml"}, text.encode()


def _answer(
    client: BaseHTTPRequestHandler,
    status: int,
    headers: dict[str, str],
    content: bytes,
    *,
    cut: bool = False,
    slow: float = 0.0,
) -> None:
    kept = {key: value for key, value in headers.items() if key.lower() not in _HOP}
    length = headers.get("Content-Length", "0") if client.command == "HEAD" else str(len(content))
    lines = [f"{key}: {value}" for key, value in {**kept, "Content-Length": length}.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Told", *lines, "", ""]).encode("latin-1")
    content = b"" if client.command == "HEAD" else content
    if cut:
        client.wfile.write(head + content[: len(content) // 2] if content else head[: len(head) // 2])
        client.wfile.flush()
        client.close_connection = True
        return
    answer = head + content
    size = len(answer) // PIECES + 1 if slow else len(answer)
    for start in range(0, len(answer), size):
        client.wfile.write(answer[start : start + size])
        client.wfile.flush()
        time.sleep(slow)
