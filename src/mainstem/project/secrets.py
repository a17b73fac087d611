"""References to secrets in the user's files, and their removal from every text that leaves the program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from mainstem.errors import UsageError, Where

_REFERENCE = re.compile(r"\{\{\s*env_var\(\s*(['\"])(?P<name>[^'\"]+)\1\s*\)\s*\}\}")


def variable_name(name: str) -> str:
    """The environment variable that holds the URL of a source: `shop` → `SHOP_URL`."""
    slug = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper() or "SOURCE"
    return f"_{slug}_URL" if slug[0].isdigit() else f"{slug}_URL"


def resolve(template: str, env: Mapping[str, str], where: Where) -> str:
    """Put the environment's values in place of `{{ env_var('X') }}`.

    Raises UsageError that names the variable if it is not set, or if the text has any other `{{ }}`.
    """

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in env:
            raise UsageError(
                f"the environment variable {name} is not set",
                where=where,
                hint=f"export {name}=… or write it into the project's .env file",
            )
        return env[name]

    resolved = _REFERENCE.sub(value, template)
    if "{{" in _REFERENCE.sub("", template):
        raise UsageError("only {{ env_var('NAME') }} may stand between braces", where=where)
    return resolved


def secrets_of(url: str) -> list[str]:
    """The password of a URL in the forms in which it could appear in a message, longest first."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return [url]
    if not password:
        return []
    plain = unquote(password)
    forms = {password, plain, quote(plain, safe=""), repr(plain)[1:-1]}
    return sorted((form for form in forms if form), key=len, reverse=True)


def redact(text: str, secrets: list[str]) -> str:
    """The text without any of the secrets."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
