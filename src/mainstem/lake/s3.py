"""The lake in S3: whole objects, and a lock that is one of them. The only user of boto3's S3 client."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError

from mainstem.aws import code_of, failure
from mainstem.errors import LakeUnavailable
from mainstem.lake.files import Files

LEASE = timedelta(hours=1)
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_MISSING = ("NoSuchKey", "404")
_BROKEN_OFF = (IncompleteReadError, HTTPClientError)
_READS = 3


class S3Files(Files):
    """New objects, never an overwritten one: a commit's names are unique. S3 acknowledges what is durable,
    and refuses what does not have the checksum that was sent along."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client
        self._sizes: dict[str, int] = {}  # of what is there since it was said so

    def read(self, location: str) -> bytes:
        """See Files. The client tries again what was not answered, here what broke off is."""
        for attempt in range(_READS):
            try:
                with _mapped(location):
                    return bytes(self._client.get_object(**_place(location))["Body"].read())
            except LakeUnavailable as error:
                if attempt == _READS - 1 or not isinstance(error.__cause__, _BROKEN_OFF):
                    raise
        raise AssertionError("unreachable")

    def exists(self, location: str) -> bool:
        """See Files. The answer to a HEAD has no body to say whether the object or the bucket is missing."""
        with _mapped(location):
            try:
                self._client.get_object(**_place(location), Range="bytes=0-0")["Body"].close()
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return False
                if code_of(error) != "InvalidRange":  # an empty object
                    raise
        return True

    def write(self, location: str, content: bytes) -> None:
        """See Files."""
        self.written.append(location)
        self._sizes[location] = len(content)
        try:
            with _mapped(location):
                put = {**_place(location), "Body": content, **_checksum(content)}
                self._client.put_object(**put, IfNoneMatch="*")
        except LakeUnavailable as error:
            # The first answer was lost, and the client's second try finds what the first has made.
            if not isinstance(error.__cause__, ClientError) or code_of(error.__cause__) not in _TAKEN:
                raise
            if self.read(location) != content:
                raise

    def settle(self, folder: str) -> None:
        """See Files: every object is durable already."""

    def upload(self, file: Path, location: str) -> None:
        """A data file, in parts if it is large; every part with its checksum. It stays whatever becomes of
        the commit: another publisher of the same rows gives the same file the same name."""
        size = file.stat().st_size
        try:
            with _mapped(location):
                place = _place(location)
                extra = {"ChecksumAlgorithm": "SHA256"}
                self._client.upload_file(str(file), place["Bucket"], place["Key"], ExtraArgs=extra)
        except LakeUnavailable as error:
            # The answer to the last call was lost, and the client's second try finds no upload any more.
            if not _says(error, "NoSuchUpload") or self._size(location) != size:
                raise
        self._sizes[location] = size

    def verify(self) -> None:
        """LakeUnavailable if something that was written, as was said, is not there."""
        for location, size in self._sizes.items():
            if self._size(location) != size:
                message = f"{location} is not there as it was written, though the store said so"
                raise LakeUnavailable(message, hint="run again")

    def _size(self, location: str) -> int:
        """An object's bytes; -1 if there is none."""
        try:
            return int(self._client.head_object(**_place(location))["ContentLength"])
        except (ClientError, BotoCoreError) as error:
            if code_of(error) not in _MISSING:
                raise failure(error, location) from error
        return -1

    def remove(self) -> None:
        """Delete what this commit wrote; what cannot be deleted stays, unreferenced."""
        for location in self.written:
            try:
                self._client.delete_object(**_place(location))
            except (ClientError, BotoCoreError):
                continue


@dataclass(frozen=True, slots=True)
class _Holder:
    tag: str
    since: datetime
    host: str
    process: int
    token: str


class Lock:
    """One publisher at a time: an object that only one can create. A holder that died is succeeded: at once
    on the same machine, elsewhere when its lease of an hour has run out. `renew` extends the lease, and fails
    if somebody else has it by then. `host` and `process` are this publisher's, for others to know; by its
    token it knows its own lock, when the answer was lost that said so."""

    def __init__(self, client: Any, location: str, host: str, process: int) -> None:
        self._client = client
        self._location = location
        self._host = host
        self._process = process
        self._token = uuid.uuid4().hex
        self._tag = ""

    def __enter__(self) -> Lock:
        """LakeUnavailable if somebody else holds it; says who, since when."""
        if not self._put(IfNoneMatch="*"):
            found = self._present()
            if self._is_ours(found):
                return self
            over = datetime.now(UTC) - found.since >= LEASE or self._is_dead(found)
            if not over or not self._put(IfMatch=found.tag):
                who = f"process {found.process} on {found.host}"
                raise LakeUnavailable(
                    f"another publisher is at work: {who}, since {found.since:%Y-%m-%d %H:%M} UTC",
                    hint="wait for it to end, then try again",
                )
        return self

    def renew(self) -> None:
        """Extend the lease. LakeUnavailable if it was lost."""
        if not self._put(IfMatch=self._tag) and not self._is_ours(self._present()):
            raise LakeUnavailable("the lock of the lake was lost to another publisher", hint="run again")

    def __exit__(self, *_: object) -> None:
        try:
            self._client.delete_object(**_place(self._location), IfMatch=self._tag)
        except (ClientError, BotoCoreError):
            return  # the lease will run out

    def _is_ours(self, found: _Holder) -> bool:
        if found.token != self._token:
            return False
        self._tag = found.tag
        return True

    def _put(self, **condition: str) -> bool:
        now = datetime.now(UTC).isoformat()
        signed = {"host": self._host, "process": self._process, "token": self._token, "at": now}
        content = json.dumps(signed).encode()
        try:
            done = self._client.put_object(**_place(self._location), Body=content, **condition)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) in (*_TAKEN, "NoSuchKey"):
                return False
            raise failure(error, self._location) from error
        self._tag = str(done["ETag"])
        return True

    def _present(self) -> _Holder:
        with _mapped(self._location):
            found = self._client.get_object(**_place(self._location))
            text = found["Body"].read()
        try:
            signed = json.loads(text)
            host, process, token = str(signed["host"]), int(signed["process"]), str(signed.get("token", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            host, process, token = "", 0, ""
        return _Holder(str(found["ETag"]), found["LastModified"], host, process, token)

    def _is_dead(self, holder: _Holder) -> bool:
        if holder.host != self._host:
            return False
        try:
            os.kill(holder.process, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # it lives, as another user
        return False


def _place(location: str) -> dict[str, str]:
    parts = urlsplit(location, allow_fragments=False)
    return {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}


def _says(error: LakeUnavailable, code: str) -> bool:
    """Whether that was AWS's answer, behind what boto3 makes of it."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and code_of(cause) == code


def _checksum(content: bytes) -> dict[str, str]:
    return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(content).digest()).decode()}


@contextmanager
def _mapped(location: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise failure(error, location) from error
    except (Boto3Error, OSError) as error:
        if isinstance(error.__context__, ClientError | BotoCoreError):  # why an upload failed
            raise failure(error.__context__, location) from error.__context__
        raise LakeUnavailable(
            f"{location} was not written: {type(error).__name__}", hint="run again"
        ) from error
