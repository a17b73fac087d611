"""Contracts, marks of deletion, histories and values out of range, on the servers themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mainstem.schema import RAW_OUT_OF_RANGE
from servers.mariadb import MariaDB
from servers.postgres import Postgres
from support import ask, make_project, run

CONFIG = """tables:
  items:
    cursor: changed_at
    deleted: {deleted}
    history: scd2
    contract: {{on_break: quarantine, columns: {{price: {{range: [0, 100]}}}}}}
    columns:
      seen_on: {{out_of_range: null}}
      rated_at: {{out_of_range: null}}
      gone_at: {{out_of_range: null}}
"""
MARIADB = """SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';
CREATE TABLE items (id INT PRIMARY KEY, price DECIMAL(10,2), gone BIT(1), gone_at DATETIME NULL,
  seen_on DATE NOT NULL, rated_at TIMESTAMP NULL, changed_at TIMESTAMP(6) NOT NULL);
INSERT INTO items VALUES (1, 10, 0, NULL, '0000-00-00', '2024-01-01', '2024-01-01'),
  (2, 200, 0, NULL, '2024-02-30', 0, '2024-01-01'),
  (3, 30, 1, '2024-01-01', '2024-01-01', NULL, '2024-01-01'),
  (4, 40, NULL, '0000-00-00 00:00:00', '2024-01-01', NULL, '2024-01-01');
"""
POSTGRES = """
CREATE TABLE items (id int PRIMARY KEY, price numeric(10,2), gone boolean, gone_at timestamp,
  seen_on date NOT NULL, rated_at timestamptz, changed_at timestamptz NOT NULL);
INSERT INTO items VALUES (1, 10, false, NULL, '-infinity', '2024-01-01', '2024-01-01'),
  (2, 200, false, NULL, '0044-03-15 BC', 'infinity', '2024-01-01'),
  (3, 30, true, '2024-01-01', '2024-01-01', NULL, '2024-01-01'),
  (4, 40, NULL, NULL, '2024-01-01', NULL, '2024-01-01');
"""
TEXTS = {
    "mariadb": (
        "0000-00-00",
        {"seen_on": "2024-02-30", "rated_at": "0000-00-00 00:00:00"},
        {"gone_at": "0000-00-00 00:00:00"},
    ),  # no time: not deleted
    "postgres": ("-infinity", {"seen_on": "0044-03-15 BC", "rated_at": "infinity"}, None),
}


@dataclass(frozen=True)
class Shop:
    root: Path
    execute: Callable[[str], Any]
    texts: tuple[str, dict[str, str], dict[str, str] | None]


@pytest.fixture(params=["mariadb", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Shop]:
    """A project on a server; given the column that marks rows as deleted."""
    server: MariaDB | Postgres = request.getfixturevalue(request.param)
    server.create_database("terms")

    def made(deleted: str) -> Shop:
        config = CONFIG.format(deleted=deleted)
        root = make_project(tmp_path / "shop", {}, source="", config=config)
        if isinstance(server, MariaDB):
            server.execute(MARIADB, "terms")
            url = f"mysql://{server.user}:{server.password}@{server.host}:{server.port}/terms"
            zone = "SET time_zone = '+00:00'; "
        else:
            server.execute(POSTGRES, "terms")
            url, zone = server.url("terms"), "SET timezone = 'UTC'; "
        path = root / "mainstem.yml"
        path.write_text(path.read_text().replace("sqlite:///shop.db", url))
        return Shop(root, lambda sql: server.execute(zone + sql, "terms"), TEXTS[request.param])

    return made


@pytest.mark.parametrize("deleted", ["gone", "gone_at"])
def test_all_of_them_together(shop: Callable[[str], Shop], deleted: str) -> None:
    it = shop(deleted)
    ran = run(it.root)
    entry = ran.table("raw.items")
    assert ran.status == "published", ran.messages
    sql = f"select id, seen_on, {RAW_OUT_OF_RANGE} from raw.items order by id"
    (first, last) = ask(it.root, sql)
    assert (first[0], first[1], json.loads(first[2])) == (1, None, {"seen_on": it.texts[0]})
    assert (last[0], json.loads(last[2] or "null")) == (4, it.texts[2])
    ((key, text, reason),) = ask(it.root, f"select id, {RAW_OUT_OF_RANGE}, _reason from quarantine.items")
    assert (key, json.loads(text), reason) == (2, it.texts[1], "price: range")
    assert (entry["rows"], entry["quarantined"], entry["deleted"], entry["versions"]) == (2, 1, 1, 2)
    assert entry["text"].startswith("3 rows, every cell equal the source; 1 of them in quarantine")
    assert run(it.root).status == "unchanged"

    it.execute(
        f"UPDATE items SET {deleted} = NULL, changed_at = '2024-02-01' WHERE id = 3;"
        "UPDATE items SET price = 99, changed_at = '2024-02-01' WHERE id = 2;"
        "UPDATE items SET price = 101, changed_at = '2024-02-01' WHERE id = 4;"
        "UPDATE items SET seen_on = '2024-03-01', changed_at = '2024-02-01' WHERE id = 1;"
    )
    ran = run(it.root)
    assert "read by changed_at)" in ran.table("raw.items")["text"], ran.messages
    assert ask(it.root, "select id, seen_on::varchar from raw.items order by id") == [
        (1, "2024-03-01"), (2, None), (3, "2024-01-01"),
    ]  # fmt: skip
    assert ask(it.root, "select id from quarantine.items") == [(4,)]
    sql = "select epoch_ms(valid_from), is_current from history.items where id = 1 order by valid_from"
    assert ask(it.root, sql) == [(1704067200000, False), (1706745600000, True)]
    versions = ask(it.root, "select id, is_current from history.items order by id, valid_from")
    assert versions == [(1, False), (1, True), (2, True), (3, True), (4, False)]
    assert ran.table("raw.items")["deleted"] == 0
