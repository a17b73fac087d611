"""An emulator of AWS in a process of its own (ministack, from .make/emulator), for tests; stops by pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from servers.mariadb import _free_port

CLOUD = Path(__file__).parents[2] / ".make" / "emulator" / "bin"
REGION = "eu-west-1"
ROOT_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_TRIES = 600  # of 50 ms each


class Ministack:
    """`with Ministack(directory) as aws:`. Listens on loopback; IAM is enforced, and `client` asks as the
    account's root. Nothing is kept when it stops."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Ministack:
        program = CLOUD / "ministack"
        assert program.exists(), "the emulator is not installed: make dev"
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "0",
            "S3_DATA_DIR": str(self.directory / "s3"),
            "STATE_DIR": str(self.directory / "state"),
            "TMPDIR": str(self.directory),
            "HOME": str(self.directory),
        }
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program], cwd=self.directory, env={**os.environ, **settings}, stdout=log, stderr=log
            )
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's own clients need to come here as the account's root."""
        return {**ROOT_KEYS, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": self.endpoint}

    def client(self, service: str, key: str = "test", secret: str = "test") -> Any:
        """A client that tries once."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def bucket(self, name: str) -> str:
        """A new bucket."""
        place = {"LocationConstraint": REGION}
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place)
        return name

    def _wait(self) -> None:
        for _ in range(_TRIES):
            assert self.process is not None
            if self.process.poll() is not None:
                text = (self.directory / "server.log").read_text(errors="replace")
                raise AssertionError("the emulator did not start:\n" + text[-3000:])
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    connection.sendall(b"GET /_ministack/health HTTP/1.0\r\n\r\n")
                    if b"200" in connection.recv(64):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("the emulator does not answer")
