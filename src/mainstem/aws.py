"""What AWS's errors mean: the only place that reads their codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from mainstem.errors import LakeRefused, LakeUnavailable, MainstemError, Where

_REFUSED = (
    *("AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId"),
    *("ExpiredToken", "ExpiredTokenException", "SignatureDoesNotMatch", "InvalidAccessKeyId"),
)


def code_of(error: Exception) -> str:
    """AWS's code of an error; empty if no answer came."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def failure(error: ClientError | BotoCoreError, what: str) -> MainstemError:
    """What an error of AWS means: LakeRefused, or LakeUnavailable, which may be tried again. Messages of AWS
    name resources and people, never contents."""
    code = code_of(error)
    if code in _REFUSED:
        hint = "look at the credentials, and at the policies in infra/iam.tf"
        return LakeRefused(f"AWS refused: {code}", where=Where(table=what), hint=hint)
    if code in ("EntityNotFoundException", "NoSuchBucket"):
        return LakeRefused(
            f"AWS has no such place: {code}", where=Where(table=what), hint="terraform apply makes it"
        )
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
        return LakeRefused("there are no AWS credentials", hint="aws configure, or AWS_PROFILE")
    told = f"AWS did not do it: {code or type(error).__name__}"
    return LakeUnavailable(told, where=Where(table=what), hint="try again")


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """AWS's errors as ours; `what` names what they are about."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise failure(error, what) from error
