"""Passwords leave the program in no form; what is no secret stays as it is."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from mainstem.project.secrets import redact, secrets_of, variable_name

PASSWORDS = ["p@ss", "a%b", "sl/ash:colon", 'it\'s "quoted"', "pässwört", "back\\slash", "p w+d", "x&y=z#?"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_is_removed_in_every_form(password: str) -> None:
    url = f"mysql://reader:{quote(password, safe='')}@db/shop"
    hidden = secrets_of(url)
    forms = {
        "plain": password,
        "percent-encoded": quote(password, safe=""),
        "percent-encoded, lower case": _lower(quote(password, safe="")),
        "partly encoded": quote(password),
        "as a form": quote_plus(password),
        "as Python prints it": repr(password),
        "as JSON": json.dumps(password),
        "as JSON, unicode": json.dumps(password, ensure_ascii=False),
        "URL": url,
    }
    for name, form in forms.items():
        clean = redact(f"Access denied, using {form} here", hidden)
        assert "***" in clean, name
        assert form not in clean, name
        assert clean.startswith("Access denied, using "), name


def _lower(text: str) -> str:
    from re import sub

    return sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)


@pytest.mark.parametrize("password", ["p@ss", "sl/ash", "que?ry", "ha#sh", "a:b", "in[valid"])
def test_a_password_that_was_not_encoded_is_removed_as_well(password: str) -> None:
    # A user's slip: the URL is refused, but the message and the files must not show it.
    hidden = secrets_of(f"mysql://reader:{password}@db/shop")
    assert password not in redact(f"cannot use mysql://reader:{password}@db/shop", hidden)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("postgresql://reader@db/shop?password=hidden77", "hidden77"),
        ("postgresql://db/shop?user=me&password=hid%2Fden&x=1", "hid/den"),
        ("postgresql://db/shop?sslpassword=hidden77", "hidden77"),
    ],
)
def test_a_password_among_the_options_is_one_too(url: str, secret: str) -> None:
    assert secret not in redact(f"no: {url} {secret}", secrets_of(url))


def test_a_short_password_leaves_the_words_readable() -> None:
    said = redact("the server refused mysql://r:r@db/shop (user 'rr')", secrets_of("mysql://r:r@db/shop"))
    assert said == "the server refused mysql://***:***@db/shop (user 'rr')"


@pytest.mark.parametrize("url", ["sqlite:///shop.db", "mysql://reader@db/shop", "mysql://reader:@db/shop"])
def test_a_url_without_a_password_hides_nothing(url: str) -> None:
    assert secrets_of(url) == []
    assert redact("reader shop db", secrets_of(url)) == "reader shop db"


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("shop", "SHOP_URL"), ("Web Shop-2", "WEB_SHOP_2_URL"), ("2nd", "_2ND_URL"), ("лавка", "SOURCE_URL"),
        ("", "SOURCE_URL"), ("__a__", "A_URL"),
    ],
)  # fmt: skip
def test_the_variable_of_a_source(name: str, variable: str) -> None:
    assert variable_name(name) == variable
