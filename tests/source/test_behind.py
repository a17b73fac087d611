"""Which positions of a replica are behind others: pure."""

from __future__ import annotations

import pytest

from mainstem.source.mysql.dialect import MySQLDialect
from mainstem.source.postgres.dialect import PostgresDialect

SYSTEM = {"system_identifier": "7", "timeline": "2"}
BEFORE = {**SYSTEM, "lsn": "1/A0"}
POSTGRES = [
    ({**SYSTEM, "applied": "1/9F"}, True),
    ({**SYSTEM, "applied": "0/FFFFFFFF"}, True),
    ({**SYSTEM, "applied": "1/A0"}, False),
    ({**SYSTEM, "applied": "2/0"}, False),
    ({**SYSTEM, "applied": "1/9F", "timeline": "1"}, True),  # it does not follow the new primary yet
    ({**SYSTEM, "applied": "1/9F", "timeline": "3"}, False),  # another history since
    ({**SYSTEM, "applied": "1/9F", "system_identifier": "8"}, False),
    ({**SYSTEM, "lsn": "1/9F"}, False),  # no replica
    ({"applied": "1/9F"}, False),  # nobody knows whose
]
MARIADB = [
    ({"gtid": "0-1-100"}, {"applied": "0-1-99"}, True),
    ({"gtid": "0-1-100"}, {"applied": "0-2-100"}, False),
    ({"gtid": "0-1-100,1-1-5"}, {"applied": "0-1-200,1-1-4"}, True),
    ({"gtid": "0-1-100,1-1-5"}, {"applied": "0-1-100"}, False),  # a domain that is not replicated
    ({"gtid": "0-1-90", "seen": "0-1-100"}, {"applied": "0-1-99"}, True),
    ({"gtid": "0-1-100"}, {"gtid": "0-1-99"}, False),  # no replica
    ({}, {"applied": "0-1-99"}, False),
    ({"gtid": "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5"}, {"applied": "0-1-99"}, False),
]


@pytest.mark.parametrize(("now", "behind"), POSTGRES)
def test_postgres(now: dict[str, str], behind: bool) -> None:
    assert PostgresDialect().behind(BEFORE, now) is behind


@pytest.mark.parametrize(("before", "now", "behind"), MARIADB)
def test_mariadb(before: dict[str, str], now: dict[str, str], behind: bool) -> None:
    assert MySQLDialect().behind(before, now) is behind
