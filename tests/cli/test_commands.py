"""The command line as people and scripts meet it: exit codes, output, secrets."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mainstem import __version__
from mainstem.cli import console
from mainstem.cli.commands import query
from mainstem.project.secrets import redact
from servers.mariadb import MariaDB
from support import (
    BROKEN_LINES,
    FACT_LINES,
    Cli,
    environment,
    execute_sql,
    files_of,
    mainstem,
    make_project,
    write_model,
)

# Exit codes


def test_0_and_3_and_back(tiny: Path, cli: Cli) -> None:
    at = ("-C", str(tiny))
    code, out, err = cli(*at, "run")
    assert code == 0
    assert "mart.fact_lines: 8 rows and 20,772.84 equal the source" in out
    assert "published r0001" in out
    assert "✓ raw.order_lines" in err
    code, out, _ = cli(*at, "run")
    assert (code, "nothing changed: r0001 is current" in out) == (0, True)

    write_model(tiny, "fact_lines", BROKEN_LINES)
    code, out, err = cli(*at, "run")
    assert code == 3
    assert "published" not in out
    assert "equal the source" not in out  # nothing is praised that was refused
    assert "nothing was published; the current release stays r0001" in err
    assert "models/fact_lines.sql:11: fact_lines is refused: 4 rows" in err

    write_model(tiny, "fact_lines", FACT_LINES)
    execute_sql(tiny / "shop.db", "update orders set comments = 'changed' where order_number = 10")
    assert cli(*at, "run")[0] == 0
    code, out, _ = cli(*at, "runs")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[1:]] == [
        "published",
        "failed",
        "unchanged",
        "published",
    ]
    code, out, _ = cli(*at, "runs", "latest")
    assert "published, release r0002" in out
    assert "✓ grain: 8 rows, as many as raw.order_lines" in out
    code, out, _ = cli(*at, "releases")
    assert re.search(r"^\*\s+r0002", out, re.MULTILINE)
    assert cli(*at, "rollback")[1] == "r0001 is current (it was r0002)\n"
    code, _, err = cli(*at, "rollback")
    assert (code, "r0001 is the oldest release that is kept" in err) == (2, True)
    assert cli(*at, "rollback", "r0002")[0] == 0
    code, _, err = cli(*at, "rollback", "r0009")
    assert (code, "there is no release r0009" in err) == (2, True)


USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "no such command": (("rum",), "rum"),
    "no such option": (("run", "--fast"), "--fast"),
    "no such choice": (("run", "--proof", "most"), "most"),
    "not a number": (("run", "--threads", "x"), "--threads"),
    "out of range": (("run", "--threads", "0"), "--threads"),
    "nothing to ask": (("query",), "'SQL'"),
    "no release yet": (("query", "select 1"), "there is no release yet"),
    "empty history": (("rollback",), "there is no release yet"),
    "unknown run": (("runs", "20200101"), "there is no receipt of a run 20200101"),
    "unknown selection": (("plan", "--select", "fact_line"), "did you mean fact_lines"),
    "unknown exclusion": (("run", "--exclude", "fact_line"), "did you mean fact_lines"),
    "unknown target": (("run", "--target", "moon"), "there is no target 'moon'"),
    "a project where none can be": (("demo", "--dir", "/dev/null/shop"), "/dev/null/shop cannot be written"),
    "half a link": (("draft", "--link", "orders"), "not of the form TABLE.COLUMN=OTHER"),
    "serve before a run": (("serve",), "there is no release yet"),
}


@pytest.mark.parametrize("name", USAGE)
def test_2_is_for_the_user_to_correct(tiny: Path, cli: Cli, name: str) -> None:
    arguments, said = USAGE[name]
    code, out, err = cli("-C", str(tiny), *arguments)
    assert code == 2, err
    assert out == ""
    assert err.startswith("error: ")
    assert said in err
    assert "Traceback" not in err


def test_a_group_of_commands_alone_shows_its_commands(cli: Cli) -> None:
    code, out, err = cli("export")
    assert (code, out) == (2, "")
    assert err.startswith("Usage: ")
    assert "airflow" in err


def test_2_for_errors_of_the_project_all_at_once(tiny: Path, cli: Cli) -> None:
    write_model(tiny, "a", "/* mainstem\nkid: fact\n*/\nselect 1")
    write_model(tiny, "b", "/* mainstem\nkind: fat\n*/\nselect 1")
    code, _, err = cli("-C", str(tiny), "plan")
    assert code == 2
    assert err.count("error: models/") == 2
    assert "  → did you mean kind?" in err


def test_2_outside_of_a_project(tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("-C", str(tmp_path), "plan")
    assert (code, "is no Mainstem project" in err, "mainstem init" in err) == (2, True, True)


def test_4_if_the_source_is_not_there(tiny: Path, cli: Cli) -> None:
    (tiny / "shop.db").unlink()
    for name in ("plan", "run", "doctor"):
        code, out, err = cli("-C", str(tiny), name)
        assert code == 4
        assert "shop.db" in out + err
        assert "Traceback" not in err


def test_2_if_the_users_sql_is_wrong(tiny_run: Path, cli: Cli) -> None:
    code, _, err = cli("-C", str(tiny_run), "query", "select nope from fact_lines")
    assert code == 2
    assert "nope" in err


@pytest.mark.parametrize(
    "sql",
    ["create table x as select 1", "copy fact_lines to 'out.csv'", "select * from read_text('/etc/hosts')",
     "select * from read_text('mainstem.yml')", "set memory_limit = '1GB'", "install httpfs", "attach 'x.db'",
     "select 1; select 2", "", "--", "pragma database_list; drop view raw.orders"],
)  # fmt: skip
def test_a_query_reads_the_release_and_nothing_else(tiny_run: Path, cli: Cli, sql: str) -> None:
    before = files_of(tiny_run)
    code, out, _ = cli("-C", str(tiny_run), "query", sql)
    assert code in (2, 4)
    assert out == ""
    assert files_of(tiny_run) == before


# Where


def test_the_directory_by_option_by_variable_and_from_below(
    tiny_run: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("query", "select 1")[0] == 2
    assert cli("--project-dir", str(tiny_run), "query", "select 1 as a", "--output", "csv") == (
        0,
        "a\n1\n",
        "",
    )
    monkeypatch.setenv("MAINSTEM_PROJECT_DIR", str(tiny_run))
    assert cli("query", "select 1 as a", "--output", "csv") == (0, "a\n1\n", "")
    assert cli("-C", str(tmp_path), "query", "select 1")[0] == 2
    monkeypatch.delenv("MAINSTEM_PROJECT_DIR")
    monkeypatch.chdir(tiny_run / "models")
    assert cli("query", "select 1 as a", "--output", "csv") == (0, "a\n1\n", "")


# Machine-readable output


@pytest.mark.parametrize(
    "arguments",
    [("plan",), ("runs",), ("runs", "latest"), ("releases",), ("doctor",), ("query", "from fact_lines")],
)
def test_json_is_json(tiny_run: Path, cli: Cli, arguments: tuple[str, ...]) -> None:
    code, out, _ = cli("-C", str(tiny_run), *arguments, "--output", "json")
    assert code == 0
    assert json.loads(out)


def test_a_run_as_json_is_its_receipt_and_alone_on_stdout(tiny: Path, cli: Cli) -> None:
    code, out, err = cli("-C", str(tiny), "run", "--output", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["status"] == "published"
    write_model(tiny, "fact_lines", BROKEN_LINES)
    code, out, err = cli("-C", str(tiny), "run", "--output", "json")
    assert code == 3
    assert json.loads(out)["errors"][0]["error"] == "ModelFailed"
    assert "is refused" in err


def test_a_plan_as_json(tiny_run: Path, cli: Cli) -> None:
    value = json.loads(cli("-C", str(tiny_run), "plan", "--output", "json")[1])
    assert value["rows"] == 17
    assert value["removed"] == []
    assert {step["table"]: step["action"] for step in value["models"]}["mart.fact_lines"] == "depends"
    step = next(step for step in value["models"] if step["table"] == "mart.fact_lines")
    assert step["file"] == "models/fact_lines.sql"
    assert "raw.order_lines" in step["reads"]


VALUES = """select
    cast('1234567890123456789012345678.0123456789' as decimal(38,10)) as d,
    9223372036854775807::bigint as b, 170141183460469231731687303715884105727::hugeint as h,
    0.1::double as f, 'nan'::double as n, true as t, null as nothing, '' as empty,
    'a,b "c"' || chr(10) || 'd' as text, date '2003-01-06' as day,
    timestamp '2003-01-06 01:02:03.000004' as moment, '\\xC3\\xBC'::blob as bytes,
    [1, 2] as list, {'a': 1.50} as struct"""


def test_every_digit_arrives_in_json(tiny_run: Path, cli: Cli) -> None:
    code, out, err = cli("-C", str(tiny_run), "query", VALUES, "--output", "json")
    assert code == 0, err
    from decimal import Decimal

    (row,) = json.loads(out, parse_float=Decimal, parse_constant=lambda name: pytest.fail(name))
    assert row["d"] == Decimal("1234567890123456789012345678.0123456789")
    assert row["b"] == 9223372036854775807
    assert row["h"] == 170141183460469231731687303715884105727
    assert (row["f"], row["n"], row["t"], row["nothing"], row["empty"]) == (
        Decimal("0.1"),
        "nan",
        True,
        None,
        "",
    )
    assert row["text"] == 'a,b "c"\nd'
    assert (row["day"], row["moment"]) == ("2003-01-06", "2003-01-06 01:02:03.000004")
    assert (row["bytes"], row["list"], row["struct"]) == ("c3bc", [1, 2], {"a": Decimal("1.50")})


def test_csv_is_quoted_and_tells_null_from_empty(tiny_run: Path, cli: Cli) -> None:
    code, out, _ = cli("-C", str(tiny_run), "query", VALUES, "--output", "csv")
    assert code == 0
    header, row = list(csv.reader(io.StringIO(out, newline="")))
    found = dict(zip(header, row, strict=True))
    assert found["d"] == "1234567890123456789012345678.0123456789"
    assert found["b"] == "9223372036854775807"
    assert found["text"] == 'a,b "c"\nd'
    assert ',true,,"",' in out


def test_a_table_shows_every_digit_too(tiny_run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = cli(
        "-C", str(tiny_run), "query", "select 12345678901234567890.12::decimal(38,2) as amount, null as x"
    )
    assert code == 0
    assert "12345678901234567890.12  NULL" in out


def test_sql_from_stdin_and_from_an_older_release(
    tiny: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("-C", str(tiny))
    cli(*at, "run")
    execute_sql(tiny / "shop.db", "insert into order_lines values (14, 3, 'car', 1, 1)")
    cli(*at, "run")
    for options, rows in (((), "9"), (("--release", "r0001"), "8")):
        monkeypatch.setattr("sys.stdin", io.StringIO("select count(*) as n\nfrom fact_lines -- how many\n"))
        assert cli(*at, "query", "-", "--output", "csv", *options) == (0, f"n\n{rows}\n", "")
    monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
    assert cli(*at, "query", "-")[0] == 2


def test_a_short_password_does_not_eat_the_results(tmp_path: Path, cli: Cli) -> None:
    root = make_project(tmp_path)
    assert cli("-C", str(root), "run")[0] == 0
    text = (root / "mainstem.yml").read_text()
    (root / "mainstem.yml").write_text(text + "  other:\n    url: mysql://u:8@nowhere/x\n")
    code, out, _ = cli("-C", str(root), "query", "select count(*) as n from fact_lines", "--output", "json")
    assert (code, json.loads(out)) == (0, [{"n": 8}])


# Terminals and pipes


def test_colour_only_where_it_is_wanted(tiny_run: Path) -> None:
    def out(**env: str) -> str:
        return mainstem("releases", cwd=tiny_run, env=env).stdout

    assert "\x1b[" in out(FORCE_COLOR="1")
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]")
    assert not colour.search(out(FORCE_COLOR="1", NO_COLOR="1"))
    assert "\x1b" not in out()


@pytest.mark.parametrize("sql", ["select 1 as a", "select range as a from range(200000)"])
@pytest.mark.parametrize("output", ["csv", "json"])
def test_a_reader_that_goes_away_is_no_error(tiny_run: Path, sql: str, output: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "mainstem", "query", sql, "--output", output],
        cwd=tiny_run, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_costs_nothing() -> None:
    script = (
        "import sys; sys.argv = ['mainstem', '--version']; from mainstem.__main__ import main; main();"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True, env=environment()
    )
    version, modules = done.stdout.splitlines()
    assert version == f"mainstem {__version__}"
    heavy = {
        "duckdb",
        "pyarrow",
        "pyiceberg",
        "pydantic",
        "sqlglot",
        "typer",
        "rich",
        "yaml",
        "pymysql",
        "starlette",
    }
    assert not heavy & set(eval(modules))  # noqa: S307 - printed by the line above


def test_the_version_after_an_option(cli: Cli, tmp_path: Path) -> None:
    assert cli("-C", str(tmp_path), "--version") == (0, f"mainstem {__version__}\n", "")


# Secrets


SECRET = "s3cr/et@pass"


def test_a_password_is_in_no_output_and_no_file(
    mariadb: MariaDB, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb.create_database("tinyshop")
    mariadb.execute(
        "create table t (id int primary key, v decimal(10,2)); insert into t values (1, 2.50)", "tinyshop"
    )
    mariadb.create_user("reader", SECRET, ["SELECT ON tinyshop.*"])
    good = f"mysql://reader:s3cr%2Fet%40pass@127.0.0.1:{mariadb.port}/tinyshop"
    bad = f"mysql://reader:s3cr%2Fet%40passX@127.0.0.1:{mariadb.port}/tinyshop"
    raw = f"mysql://reader:{SECRET}@127.0.0.1:{mariadb.port}/tinyshop"
    root = tmp_path / "p"
    said: list[Any] = []
    for url, code in ((bad, 4), (raw, 0), (good, 0)):
        said.append(cli("init", str(root), "--from", url))
        assert said[-1][0] == code, said[-1]
    assert "export TINYSHOP_URL='mysql://reader:PASSWORD@127.0.0.1" in said[-1][2]
    assert cli("-C", str(root), "run")[0] == 2  # the variable is not set
    monkeypatch.setenv("TINYSHOP_URL", bad)
    for name in ("plan", "run", "doctor"):
        said.append(cli("-C", str(root), name))
        assert said[-1][0] == 4
    monkeypatch.setenv("TINYSHOP_URL", good)
    for arguments in (
        ("plan",),
        ("run",),
        ("run", "--full-refresh", "--output", "json"),
        ("runs", "latest"),
        ("doctor",),
    ):
        said.append(cli("-C", str(root), *arguments))
        assert said[-1][0] == 0, said[-1]
    monkeypatch.setenv("MAINSTEM_DEBUG", "1")
    for secret in (SECRET, "s3cr", "%2Fet%40"):
        assert secret not in str(said)
        for path in root.rglob("*"):
            assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_a_traceback_for_developers_hides_them_too(
    tiny_run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise RuntimeError(f"cannot log in with {SECRET}")

    monkeypatch.setattr(query, "_result", defect)
    monkeypatch.setattr(console, "_redact", [lambda text: redact(text, [SECRET])])
    code, out, err = cli("-C", str(tiny_run), "query", "select 1")
    assert (code, "Traceback" in err, SECRET in out + err) == (1, False, False)
    monkeypatch.setenv("MAINSTEM_DEBUG", "1")
    code, out, err = cli("-C", str(tiny_run), "query", "select 1")
    assert (code, "Traceback" in err, SECRET in out + err) == (1, True, False)


# The way of a newcomer


def test_demo_goes_all_the_way_and_again(tmp_path: Path, cli: Cli) -> None:
    root = tmp_path / "demo"
    code, out, err = cli("demo", "--no-serve", "--dir", str(root))
    assert code == 0, err
    assert "equal the source" in out
    assert "published r0001" in out
    assert json.loads(
        cli("-C", str(root), "query", "select count(*) as n from dim_dates", "--output", "json")[1]
    )
    code, out, err = cli("demo", "--no-serve", "--dir", str(root))
    assert (code, "exists: its project is run again" in err, "nothing changed" in out) == (0, True, True)


def test_init_refuses_what_is_no_database(tmp_path: Path, cli: Cli) -> None:
    for url, code, said in (
        ("oracle://x/y", 2, "no source speaks 'oracle'"),
        ("shop.db", 2, "has no scheme"),
        (f"sqlite:///{tmp_path / 'none.db'}", 4, "none.db"),
    ):
        found = cli("init", str(tmp_path / "p"), "--from", url)
        assert (found[0], said in found[2]) == (code, True), found
        assert not (tmp_path / "p").exists()
    execute_sql(tmp_path / "empty.db", "create view v as select 1")
    code, _, err = cli("init", str(tmp_path / "p"), "--from", f"sqlite:///{tmp_path / 'empty.db'}")
    assert (code, "has no table" in err) == (2, True)


# Documentation


def _commands() -> dict[str, list[str]]:
    """The options of every command; a command of a group is `export page`."""
    import typer.main

    from mainstem.cli import commands
    from mainstem.cli.main import app

    commands.register(app)
    group = typer.main.get_command(app)
    found = {"": [option for one in group.params for option in one.opts if option != "--help"]}
    pending = list(group.commands.items())  # type: ignore[attr-defined]
    while pending:
        name, one = pending.pop(0)
        inner = getattr(one, "commands", {})
        pending += [(f"{name} {below}", command) for below, command in inner.items()]
        if not inner:
            found[name] = [
                option
                for parameter in one.params
                for option in (*parameter.opts, *parameter.secondary_opts)
                if option.startswith("-") and option not in ("--help", "-h")
            ]
    return found


def test_every_command_and_option_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    found = _commands()
    assert set(found) >= {
        "init",
        "demo",
        "plan",
        "run",
        "query",
        "serve",
        "runs",
        "releases",
        "rollback",
        "doctor",
    }
    shared = {"--select", "-s", "--exclude", "--full-refresh", "--output"}  # `run` is documented "as plan"
    missing = []
    for name, options in found.items():
        line = (
            next((line for line in text.splitlines() if line.startswith(f"| `mainstem {name}")), "")
            if name
            else text
        )
        if not line:
            missing.append(name)
        for option in options:
            words = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", line))
            if option not in words and not (name == "run" and option in shared and "As `plan`" in line):
                missing.append(f"{name} {option}")
    assert missing == []


def test_every_documented_option_exists() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    found = _commands()
    for line in text.splitlines():
        match = re.match(r"\| `mainstem (\w+(?: [a-z]+)?)", line)
        if match:
            assert match[1] in found
            for option in re.findall(r"`(?:[^`]*\s)?(--[a-z][a-z-]*)", line):
                assert option in found[match[1]], (match[1], option)


@pytest.mark.parametrize("name", ["", *sorted(_commands())])
def test_help_says_what_a_command_does(cli: Cli, name: str) -> None:
    code, out, _ = cli(*name.split(), "--help")
    assert code == 0
    assert "Usage:" in out
    assert len(out.splitlines()) > 4
    # What a value is stands there in the words of docs/cli.md, not in those of Python's types.
    assert not re.search(r"<(str|path|int|float|list)\b.*>", out.split("Options:")[1])


@pytest.mark.parametrize("command", ["runs", "releases"])
def test_names_that_one_copies_stand_in_one_line(
    tiny_run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    (receipt,) = (tiny_run / ".mainstem" / "runs").glob("*.json")
    out = cli("-C", str(tiny_run), command)[1]
    assert receipt.stem in out
    assert re.search(r"\br0001\b", out)
