"""`mainstem draft` and the look at the data in `mainstem init`, as people meet them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from mainstem.cli.commands.drafting import Looking, draft_database
from mainstem.draft import SQLFLUFF
from mainstem.schema import Database
from servers.mariadb import MariaDB
from support import Cli, table

SCHEMAS = Path(__file__).parents[1] / "data" / "stars" / "schemas"

SHOP = """
create table clients (id integer primary key, client_name varchar(40) not null, country varchar(20) not null);
create table sales (
  id integer primary key, client_id integer not null, sold_on date not null, amount decimal(10,2) not null);
insert into clients values (1, 'Ann', 'Norway'), (2, 'Bo', 'Norway  '), (3, 'Cy', 'Spain');
insert into sales values (1, 1, '2024-01-02', 5.50), (2, 2, '2024-02-02', 6.50), (3, 3, '2024-02-03', 7);
"""
RETURNS = """
create table returns (
  id integer primary key, client_id integer not null references clients (id), returned_on date not null,
  amount decimal(10,2) not null);
"""


def execute(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


@pytest.fixture
def url(tmp_path: Path) -> str:
    execute(tmp_path / "source.db", SHOP)
    return f"sqlite:///{tmp_path / 'source.db'}"


@pytest.fixture
def project(cli: Cli, url: str, tmp_path: Path) -> Path:
    assert cli("init", str(tmp_path / "p"), "--from", url)[0] == 0
    return tmp_path / "p"


def texts(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_explain_says_what_became_of_every_table_and_what_the_data_says(cli: Cli, url: str) -> None:
    code, out, err = cli("draft", "--from", url)
    assert code == 0
    for line in ("fact_sales: one row per sale", "sales → fact_sales (score", "clients → dim_clients"):
        assert line in out
    assert "sales.client_id → clients.id (score 1.00: name 1.00, 100% of its values are found there)" in out
    assert "clients.country: 1 of 3 values differ from another only by blanks" in out
    assert "looked at the data of 2 tables, at most 50,000 rows each" in err


def test_without_a_look_the_data_says_nothing(cli: Cli, url: str) -> None:
    _, out, err = cli("draft", "--from", url, "--no-profile")
    assert "by name alone" in out
    assert "differ from another" not in out
    assert err == ""


def test_the_look_is_as_large_as_one_says(cli: Cli, url: str) -> None:
    _, out, err = cli("draft", "--from", url, "--profile-rows", "2")
    assert "larger, so by their first 2 rows: clients, sales" in err
    assert "sales is larger than what was looked at: decided by its first 2 rows" in out
    _, _, err = cli("draft", "--from", url, "--profile-seconds", "0")
    assert "not looked at within 0 seconds: 2 tables" in err


def test_sql_and_json(cli: Cli, url: str) -> None:
    _, out, _ = cli("draft", "--from", url, "--output", "sql")
    assert out.startswith("-- models/fact_sales.sql\n/* mainstem\n")
    assert "trim(clients.country) as country" in out
    _, out, _ = cli("draft", "--from", url, "--output", "json")
    assert [fact["grain_tables"] for fact in json.loads(out)["facts"]] == [["sales"]]


def test_a_schema_as_json(cli: Cli) -> None:
    code, out, err = cli("draft", "--schema", str(SCHEMAS / "chinook.json"), "--output", "json")
    assert (code, err) == (0, "")
    assert "invoice_line" in {fact["grain_tables"][0] for fact in json.loads(out)["facts"]}


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "is no JSON"), ("{}", "'tables' is not there"), ("[]", "is no schema"), (None, "cannot be read")],
)
def test_a_schema_that_is_none(cli: Cli, tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "schema.json"
    if text is not None:
        path.write_text(text)
    code, out, err = cli("draft", "--schema", str(path))
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


def test_what_does_not_go_together(cli: Cli, url: str) -> None:
    assert cli("draft", "--schema", "x.json", "--from", url)[0] == 2
    assert cli("draft", "--schema", "x.json", "--diff")[0] == 2


def test_a_link_that_the_user_says_is_there(cli: Cli, tmp_path: Path) -> None:
    execute(tmp_path / "s.db", SHOP.replace("client_id", "buyer"))
    place = f"sqlite:///{tmp_path / 's.db'}"
    assert "client_key" not in cli("draft", "--from", place)[1]
    assert "client_key" in cli("draft", "--from", place, "--link", "sales.buyer=clients")[1]
    code, _, err = cli("draft", "--from", place, "--link", "sales.byer=clients")
    assert (code, "did you mean buyer" in err) == (2, True)


def test_what_the_user_said_at_the_start_is_kept_and_told(cli: Cli, tmp_path: Path) -> None:
    execute(tmp_path / "s.db", SHOP.replace("client_id", "buyer"))
    place, root = f"sqlite:///{tmp_path / 's.db'}", tmp_path / "p"
    assert (
        cli("init", str(root), "--from", place, "--link", "sales.buyer=clients", "--profile-rows", "2")[0]
        == 0
    )
    text = (root / "mainstem.yml").read_text()
    assert 'links: ["sales.buyer=clients"]' in text
    assert "client_key" in (root / "models" / "fact_sales.sql").read_text()
    code, out, err = cli("-C", str(root), "draft", "--diff")
    assert (code, out) == (0, ""), "a draft of the project follows the same choices"
    assert "at most 2 rows each" in err
    (root / "mainstem.yml").write_text(text.replace('links: ["sales.buyer=clients"]', "links: []"))
    _, out, err = cli("-C", str(root), "draft", "--diff")
    assert "-  client_key" in out
    _, out, err = cli("-C", str(root), "draft", "--diff", "--link", "sales.buyer=clients")
    assert out == ""
    assert 'draft: {links: ["sales.buyer=clients"]}' in err


def test_a_plan_tells_how_far_a_draft_would_look(cli: Cli, project: Path) -> None:
    _, out, _ = cli("-C", str(project), "plan")
    told = " ".join(out.split())
    assert "mainstem draft would look at 2 tables of source, one pass each: at most" in told
    assert "and 10 seconds in all" in told
    with (project / "mainstem.yml").open("a") as file:
        file.write("    draft: {rows: 2, seconds: 3, links: [sales.client_id=clients]}\n")
    (look,) = json.loads(cli("-C", str(project), "plan", "--output", "json")[1])["draft"]
    assert (look["tables"], look["seconds"], look["links"]) == (2, 3, ["sales.client_id=clients"])
    assert look["rows"] <= 6
    with (project / "mainstem.yml").open("a") as file:
        file.write("    draft: {rows: -1}\n")
    code, _, err = cli("-C", str(project), "plan")
    assert (code, "mainstem.yml" in err) == (2, True)


def test_init_tells_how_it_looked_and_writes_the_style(cli: Cli, url: str, tmp_path: Path) -> None:
    code, _, err = cli("init", str(tmp_path / "p"), "--from", url)
    assert code == 0
    assert "looked at the data of 2 tables" in err
    assert "clients.country: 1 of 3 values differ" in err
    assert (tmp_path / "p" / ".sqlfluff").read_text() == SQLFLUFF
    assert "trim(clients.country)" in (tmp_path / "p" / "models" / "dim_clients.sql").read_text()
    code, _, err = cli("init", str(tmp_path / "q"), "--from", url, "--no-profile")
    assert (code, "looked at" in err) == (0, False)
    assert "trim(" not in (tmp_path / "q" / "models" / "dim_clients.sql").read_text()


def test_diff_of_an_untouched_project_is_empty(cli: Cli, project: Path) -> None:
    code, out, err = cli("-C", str(project), "draft", "--diff")
    assert (code, out) == (0, "")
    assert "nothing to propose" in err


def test_rows_that_come_and_go_are_no_change_of_the_draft(cli: Cli, project: Path, tmp_path: Path) -> None:
    execute(
        tmp_path / "source.db",
        "insert into clients values (4, 'Di', 'Spain  '), (5, 'Ed', 'Peru');"
        "insert into sales values (4, 4, '2024-03-02', 5.50), (5, 77, '2024-03-03', 1);",
    )
    assert cli("-C", str(project), "draft", "--diff")[1] == ""


def test_diff_never_undoes_an_edit(cli: Cli, project: Path) -> None:
    model = project / "models" / "fact_sales.sql"
    model.write_text(model.read_text().replace("Sales, one row each.", "What we sold."))
    before = texts(project)
    assert cli("-C", str(project), "draft", "--diff")[1] == ""
    assert texts(project) == before


def test_diff_proposes_a_new_table_as_a_patch_that_git_takes(cli: Cli, project: Path, tmp_path: Path) -> None:
    dates = project / "models" / "dim_dates.sql"
    dates.write_text(dates.read_text().replace("Days, one row each", "Our days, one row each"))
    execute(tmp_path / "source.db", RETURNS)
    before = texts(project)
    _, patch, err = cli("-C", str(project), "draft", "--diff")
    assert texts(project) == before
    assert "git apply" in err
    assert {line.split(" b/")[1] for line in patch.splitlines() if line.startswith("diff --git")} == {
        "dashboards/fact_returns.yml", "models/dim_dates.sql", "models/fact_returns.sql"
    }  # fmt: skip
    subprocess.run(["git", "init", "-q", "."], cwd=project, check=True)
    subprocess.run(["git", "apply", "--check", "-"], cwd=project, input=patch.encode(), check=True)
    only = ["git", "apply", "--include=models/fact_returns.sql", "-"]
    subprocess.run(only, cwd=project, input=patch.encode(), check=True)
    _, rest, _ = cli("-C", str(project), "draft", "--diff")
    assert "fact_returns.yml" in rest
    assert "models/fact_returns.sql" not in rest
    subprocess.run(["git", "apply", "-"], cwd=project, input=rest.encode(), check=True)
    assert cli("-C", str(project), "draft", "--diff")[1] == ""
    assert "Our days" in dates.read_text()


def test_diff_without_the_record_shows_the_differences_and_says_so(cli: Cli, project: Path) -> None:
    shutil.rmtree(project / ".mainstem" / "drafted")
    model = project / "models" / "fact_sales.sql"
    model.write_text(model.read_text().replace("Sales, one row each.", "What we sold."))
    _, patch, err = cli("-C", str(project), "draft", "--diff")
    assert "-description: What we sold." in patch
    assert "models/fact_sales.sql: how it was drafted first is not known" in err


def test_a_second_init_does_not_forget_what_an_edited_file_was_drafted_as(
    cli: Cli, project: Path, url: str, tmp_path: Path
) -> None:
    dates = project / "models" / "dim_dates.sql"
    dates.write_text(dates.read_text().replace("Days, one row each", "Our days, one row each"))
    execute(tmp_path / "source.db", RETURNS)
    assert "kept, because it was edited: models/dim_dates.sql" in cli("init", str(project), "--from", url)[2]
    _, patch, _ = cli("-C", str(project), "draft", "--diff")
    assert "+    select cast(returned_on as date) as day from raw.returns" in patch


DESK = """
create table tickets (
  id integer primary key, client_id integer not null, opened_on date not null,
  minutes_spent integer not null);
insert into tickets values (1, 1, '2024-03-02', 15), (2, 3, '2024-03-05', 25);
"""


def test_several_sources_share_their_dimensions(cli: Cli, project: Path, tmp_path: Path) -> None:
    execute(tmp_path / "desk.db", DESK)
    with (project / "mainstem.yml").open("a") as file:
        file.write(f"  desk:\n    url: sqlite:///{tmp_path / 'desk.db'}\n")
    code, out, err = cli("-C", str(project), "draft")
    assert code == 0
    assert "desk: looked at the data of 1 table" in err
    assert "tickets.client_id → clients.id (score 1.00: name 1.00, by name alone)" in out
    _, patch, _ = cli("-C", str(project), "draft", "--diff")
    assert {line.split(" b/")[1] for line in patch.splitlines() if line.startswith("diff --git")} == {
        "dashboards/fact_tickets.yml", "models/dim_dates.sql", "models/fact_tickets.sql"
    }  # fmt: skip
    subprocess.run(["git", "init", "-q", "."], cwd=project, check=True)
    subprocess.run(["git", "apply", "-"], cwd=project, input=patch.encode(), check=True)
    assert cli("-C", str(project), "run")[0] == 0
    _, out, _ = cli(
        "-C", str(project), "query", "--output", "json",
        "select client_name, sum(minutes_spent) as minutes, sum(s.amount) as sold from fact_tickets t "
        "join dim_clients using (client_key) join fact_sales s using (client_key) group by 1 order by 1",
    )  # fmt: skip
    assert [(row["client_name"], row["minutes"]) for row in json.loads(out)] == [("Ann", 15), ("Cy", 25)]


def test_a_source_by_name_and_two_tables_of_one_name(cli: Cli, project: Path, url: str) -> None:
    with (project / "mainstem.yml").open("a") as file:
        file.write(f"  other:\n    url: {url}\n")
    code, _, err = cli("-C", str(project), "draft")
    assert (code, "--source" in err, "raw.clients" in err) == (2, True, True)
    assert cli("-C", str(project), "draft", "--source", "other")[0] == 0
    code, _, err = cli("-C", str(project), "draft", "--source", "othr")
    assert (code, "did you mean other" in err) == (2, True)


def test_a_password_in_the_url_is_not_told(cli: Cli) -> None:
    code, out, err = cli("draft", "--from", "postgresql://me:s3cret-word@127.0.0.1:1/nothing")
    assert code == 4
    assert "s3cret-word" not in out + err


def test_a_file_named_from_where_one_stands_is_found_by_the_project(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite URLs are relative to the project, and `init` is called from outside it."""
    folder = tmp_path / "a b#"
    folder.mkdir()
    execute(folder / "source.db", SHOP)
    monkeypatch.chdir(folder)
    assert cli("init", "project", "--from", "sqlite:///source.db")[0] == 0
    assert cli("-C", "project", "plan")[0] == 0
    assert (
        folder / "project" / ".env"
    ).read_text() == f"SOURCE_URL=sqlite:///{quote(str(folder))}/source.db\n"
    assert cli("init", ".", "--from", "sqlite:///source.db")[0] == 0  # inside: movable
    assert (folder / ".env").read_text() == "SOURCE_URL=sqlite:///source.db\n"


def test_a_variable_that_is_set_need_not_be_set(
    mariadb: MariaDB, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb.create_database("init_told")
    mariadb.execute("create table t (id int primary key, name varchar(9));", "init_told")
    url = f"{mariadb.url}init_told"
    monkeypatch.delenv("INIT_TOLD_URL", raising=False)
    assert "export INIT_TOLD_URL=" in cli("init", str(tmp_path / "one"), "--from", url)[2]
    monkeypatch.setenv("INIT_TOLD_URL", url)
    assert "export" not in cli("init", str(tmp_path / "two"), "--from", url)[2]


def test_schemas_that_were_not_read_are_told() -> None:
    source = Database(
        "postgres", "shop", "15", (table("clients", "id int"),), aside=(("sales", 14), ("Billing", 1))
    )
    told = draft_database(source, None, Looking.of(False, None, None, None)).told
    assert "other schemas were not read: sales (14 tables) and Billing (1 table)" in told[0]
    assert "?schema=" in told[0]
    assert draft_database(replace(source, aside=()), None, Looking.of(False, None, None, None)).told == ()
