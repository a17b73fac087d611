"""References to secrets in the user's files, and their removal from every text that leaves the program."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus, unquote, urlsplit

from mainstem.errors import UsageError, Where

_REFERENCE = re.compile(r"\{\{\s*env_var\(\s*(['\"])(?P<name>[^'\"]+)\1\s*\)\s*\}\}")
_OPTION = re.compile(r"([?&][^=&#]*pass[^=&#]*=)([^&#]*)", re.IGNORECASE)  # ?password=, &sslpassword=

_SHORT = 4  # characters


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
    """The passwords of a URL in the forms in which they could appear in a message, longest first.

    A password whose `@`, `/`, `?` or `#` was not encoded makes the URL wrong, and is hidden all the same.
    """
    found = [match[2] for match in _OPTION.finditer(url)]
    span = _password_span(url)
    if span:
        found.append(url[slice(*span)])
    if span is None or "?" in found[-1]:
        found.append(_password(url))  # the last @ may be one of an option
    forms = {form for written in found for form in _forms(written)}
    return sorted((form for form in forms if form), key=len, reverse=True)


def masked(url: str) -> str:
    """The URL with the word PASSWORD in place of each password: it may be shown and written."""
    span = _password_span(url)
    if span:
        url = f"{url[: span[0]]}PASSWORD{url[span[1] :]}"
    return _OPTION.sub(r"\1PASSWORD", url)


def _password_span(url: str) -> tuple[int, int] | None:
    start = re.match(r"[^:/?#]+://[^:/?#@]*:", url)
    end = url.rfind("@")
    return (start.end(), end) if start and end > start.end() else None


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _forms(written: str) -> set[str]:
    plain = unquote(written)
    encoded = {written, quote(plain), quote(plain, safe=""), quote_plus(plain)}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in encoded}
    escaped = {json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1], repr(plain)[1:-1]}
    return {plain, plain.replace("'", "''")} | encoded | lower | escaped


def redact(text: str, secrets: list[str]) -> str:
    """The text without any of the secrets; one of a few characters is taken for one where it stands alone,
    for it would be found in every other word."""
    for secret in secrets:
        if len(secret) >= _SHORT:
            text = text.replace(secret, "***")
        else:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text
