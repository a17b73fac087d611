"""PostgreSQL URLs: an allow-list, any password, nothing secret in a message."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from mainstem.errors import UsageError
from mainstem.source.port import SourceOptions
from mainstem.source.postgres import PostgresSource
from mainstem.source.postgres.url import parse

PASSWORDS = ["p@ss:w/rd?#%", 'it\'s \\ "q"', "é中😀", " ", "' host=evil '", "a=b", "%41"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password(password: str) -> None:
    address = parse(f"postgresql://us%40er:{quote(password, safe='')}@db.example.org:6543/sh%2Fop")
    assert (address.user, address.password) == ("us@er", password)
    assert (address.host, address.port, address.database) == ("db.example.org", 6543, "sh/op")
    assert password.strip() == "" or password not in repr(address)


def test_parts() -> None:
    address = parse(
        "postgres://[::1]/db?sslmode=verify-full&sslrootcert=%2Fca.pem&connect_timeout=3"
        "&schema=sales,%20hr&application_name=me"
    )
    assert (address.host, address.port, address.user, address.password) == ("::1", 5432, "", "")
    assert (address.sslmode, address.sslrootcert, address.connect_timeout) == ("verify-full", "/ca.pem", 3)
    assert (address.schemas, address.application_name) == (("sales", "hr"), "me")


WRONG = [
    "mysql://u:hunter2@h/d",
    "postgresql://u:hunter2@h",
    "postgresql://u:hunter2@h/",
    "postgresql:///d",
    "postgresql://u:hunter2@h:99999/d",
    "postgresql://u:hunter2@h:port/d",
    "postgresql://u:hunter2@[::1/d",
    "postgresql://u:hunter2@h1,h2/d",
    "postgresql://u:hunter2@h/d/e",
    "postgresql://u:hunter2@h/d#x",
    "postgresql://u:hunter2@h/d?passfile=/etc/passwd",
    "postgresql://u:hunter2@h/d?service=x",
    "postgresql://u:hunter2@h/d?sslkey=/k",
    "postgresql://u:hunter2@h/d?options=-crow_security%3Doff",
    "postgresql://u:hunter2@h/d?host=evil",
    "postgresql://u:hunter2@h/d?sslmode=maybe",
    "postgresql://u:hunter2@h/d?sslmode=require&sslmode=disable",
    "postgresql://u:hunter2@h/d?connect_timeout=soon",
    "postgresql://u:hunter2@h/d?connect_timeout=-1",
    "postgresql://u:hunter2%00@h/d",
]


@pytest.mark.parametrize("url", WRONG)
def test_wrong_urls(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        PostgresSource.from_url(url)
    assert "hunter2" not in str(caught.value)


def test_schemas_are_named_once() -> None:
    with pytest.raises(UsageError, match="schemas"):
        PostgresSource.from_url("postgresql://h/d?schema=a", SourceOptions(schemas=("b",)))
