"""Every fault of the user's files is told at its file and line, all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.project.config import ProofLevel
from mainstem.project.load import find_root, load_project, read_env
from mainstem.project.modelfile import parse_model
from mainstem.project.secrets import resolve
from mainstem.project.targets import LocalTarget
from mainstem.project.yamlfile import parse
from support import make_project

CONFIG = "name: shop\nsources:\n  shop:\n    url: sqlite:///shop.db\n"

FAULTS = [
    # mainstem.yml, then what must be said
    ("name: [\n", "mainstem.yml:2: not valid YAML"),
    ("name: a\n\tb: c\n", "mainstem.yml:2: not valid YAML"),
    ("name: shop\nname: other\n", "mainstem.yml:2: the key 'name' stands twice"),
    (CONFIG + "  shop:\n    url: x\n", "mainstem.yml:5: the key 'shop' stands twice"),
    ("name: shop\nsources: &a\n  shop: {url: x}\ntargets: *a\n", "mainstem.yml:2: aliases are not supported"),
    (
        CONFIG + "    prof: full\n",
        "mainstem.yml:5: sources.shop.prof: there is no such field\n  → did you mean proof?",
    ),
    (CONFIG + "sorces: {}\n", "mainstem.yml:5: sorces: there is no such field\n  → did you mean sources?"),
    (
        CONFIG + "    tables:\n      orders:\n        allow_emty: true\n",
        "mainstem.yml:7: sources.shop.tables.orders.allow_emty: there is no such field\n  → did you",
    ),
    (
        CONFIG + "    proof: most\n",
        "mainstem.yml:5: sources.shop.proof: input should be 'full', 'changes', 'count' or 'off'",
    ),
    (CONFIG + "    timeout: 0\n", "mainstem.yml:5: sources.shop.timeout: input should be greater than 0"),
    (
        CONFIG + "keep_releases: 0\n",
        "mainstem.yml:5: keep_releases: input should be greater than or equal to 1",
    ),
    ("name: shop\n", "mainstem.yml:1: sources: field required"),
    ("name: shop\nsources: {}\n", "mainstem.yml:2: sources: dictionary should have at least 1 item"),
    (
        "name: ''\nsources: {shop: {url: x}}\n",
        "mainstem.yml:1: name: string should have at least 1 character",
    ),
    ("", "mainstem.yml:1: name: field required"),
    ("- a\n- b\n", "mainstem.yml:1: the file: input should be a valid dictionary"),
    ("a: 1\n---\nb: 2\n", "mainstem.yml:2: not valid YAML"),
    ("name: !!python/object:os.system x\n", "mainstem.yml:1: not valid YAML"),
    (CONFIG + "targets:\n  big:\n    memory: 4 gigs\n", "mainstem.yml:7: targets.big.memory:"),
    (
        CONFIG + "targets:\n  s:\n    engine: spark\n    mastr: x\n",
        "mainstem.yml:8: targets.s.mastr: there is no such field\n  → did you mean master?",
    ),
    (
        CONFIG + "targets:\n  a: {engine: aws, region: eu-central-1}\n",
        "mainstem.yml:6: targets.a.bucket: field required",
    ),
    (
        CONFIG + "targets:\n  big:\n    engine: dask\n",
        "mainstem.yml:6: targets.big: 'dask' is none of 'duckdb', 'spark', 'aws'",
    ),
]


@pytest.mark.parametrize(("text", "said"), FAULTS, ids=[said[:60] for _, said in FAULTS])
def test_a_fault_of_the_configuration_has_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mainstem.yml").write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        load_project(tmp_path)
    assert said in str(caught.value)


MODEL_FAULTS = [
    ("/* mainstem\nkind: fct\n*/\nselect 1", "models/m.sql:2: kind: input should be"),
    (
        "\n\n/* mainstem\nkind: fact\nmeasure: {}\n*/\nselect 1",
        "models/m.sql:5: measure: there is no such field\n  → did you mean measures?",
    ),
    (
        "/* mainstem\r\nkind: fact\r\nkey: a\r\n*/\r\nselect 1",
        "models/m.sql:3: key: input should be a valid list",
    ),
    (
        "/* mainstem\nmeasures:\n  a: {description: x}\n  b: {additiv: full}\n*/\nselect 1",
        "models/m.sql:4: measures.b.additiv: there is no such field\n  → did you mean additive?",
    ),
    ("/* mainstem\nkind: fact\nkey: [a\n*/\nselect 1", "models/m.sql:4: not valid YAML"),
    ("/* mainstem\nkind: fact\n*/\n\n", "models/m.sql:3: there is no SELECT below the header"),
    ("/* mainstem\nkind: fact\nselect 1", "models/m.sql:1: the header has no end\n  → end it with a line */"),
    ("---\nkind: fact\n---\nselect 1", "models/m.sql:1: the header stands in a comment"),
    (
        "/* mainstem\nchecks:\n  - severity: warn\n*/\nselect 1",
        "models/m.sql:3: checks.0: a check has exactly one of",
    ),
    (
        "/* mainstem\nchecks:\n  - {unique: [a]}\n  - {unique: [a], not_null: [a]}\n*/\nselect 1",
        "models/m.sql:4: checks.1: a check has exactly one of",
    ),
    (
        "/* mainstem\ncolumns:\n  a: {references: dim_customers}\n*/\nselect 1",
        "models/m.sql:3: columns.a.references: write it as MODEL.COLUMN",
    ),
]


@pytest.mark.parametrize(("text", "said"), MODEL_FAULTS, ids=[said[:60] for _, said in MODEL_FAULTS])
def test_a_fault_of_a_header_has_its_line_of_the_sql_file(tmp_path: Path, text: str, said: str) -> None:
    root = make_project(tmp_path, {})
    (root / "models" / "m.sql").write_bytes(text.encode())
    with pytest.raises(ConfigErrors) as caught:
        load_project(root)
    assert said in str(caught.value)


def test_all_faults_of_all_files_come_at_once_in_order(tmp_path: Path) -> None:
    root = make_project(tmp_path, {"b": "/* mainstem\nkeys: []\n*/\nselect 1", "a": "---\n---\nselect 1"})
    (root / "mainstem.yml").write_text(CONFIG + "nam: x\nkeep_releases: -1\n")
    (root / "dashboards").mkdir()
    (root / "dashboards" / "d.yml").write_text(
        "dashboard: d\nmodel: a\nmeasures: {}\ndimensions: {}\nlayout: [[{}]]\n"
    )
    (root / "requirements.yml").write_text("requirements:\n- {who: me, what: x, when: now}\n")
    with pytest.raises(ConfigErrors) as caught:
        load_project(root)
    places = [str(error.where) for error in caught.value.errors]
    assert places == [
        "dashboards/d.yml:5",
        "mainstem.yml:5",
        "mainstem.yml:6",
        "models/a.sql:1",
        "models/b.sql:2",
        "requirements.yml:2",
    ]


def test_two_models_with_one_name_are_named_both(tmp_path: Path) -> None:
    root = make_project(tmp_path, {"orders": "select 1 as a"})
    (root / "models" / "old").mkdir()
    (root / "models" / "old" / "Orders.sql").write_text("select 2 as a")
    with pytest.raises(ConfigErrors, match=r"the model \w+ is defined in models/.*rders\.sql as well"):
        load_project(root)


def test_two_dashboards_with_one_name(tmp_path: Path) -> None:
    root = make_project(tmp_path, {})
    (root / "dashboards").mkdir()
    for name in ("a", "b"):
        (root / "dashboards" / f"{name}.yml").write_text(
            "# d\ndashboard: sales\nmodel: m\nmeasures: {}\ndimensions: {}\nlayout: []\n"
        )
    with pytest.raises(
        ConfigErrors, match=r"dashboards/b\.yml:2: the dashboard sales is defined in dashboards/a\.yml"
    ):
        load_project(root)


@pytest.mark.parametrize("name", ["2nd", "has space", "a-b", "naïve"])
def test_a_file_name_that_cannot_name_a_table(tmp_path: Path, name: str) -> None:
    root = make_project(tmp_path, {name: "select 1"})
    with pytest.raises(ConfigErrors, match="cannot name a table"):
        load_project(root)


@pytest.mark.parametrize(
    ("file", "content"), [("mainstem.yml", b"\xff\xfe"), ("models/m.sql", b"select '\xe9'")]
)
def test_a_file_that_is_no_utf8(tmp_path: Path, file: str, content: bytes) -> None:
    root = make_project(tmp_path, {"m": "select 1"})
    (root / file).write_bytes(content)
    with pytest.raises(ConfigErrors, match="UTF-8") as caught:
        load_project(root)
    assert file in str(caught.value)


def test_a_byte_order_mark_and_windows_line_ends_are_well(tmp_path: Path) -> None:
    root = make_project(tmp_path, {})
    (root / "mainstem.yml").write_bytes(b"\xef\xbb\xbf" + CONFIG.replace("\n", "\r\n").encode())
    (root / "models" / "m.sql").write_bytes(
        b"\xef\xbb\xbf/* mainstem\r\nkind: fact\r\n*/\r\n\r\nselect 1;\r\n"
    )
    project = load_project(root)
    assert project.models[0].sql == "select 1"
    assert project.models[0].sql_line == 5


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mainstem.yml").write_text(CONFIG + "#" * (1 << 20))
    with pytest.raises(ConfigErrors, match="larger than 1 MiB"):
        load_project(tmp_path)


def test_the_header_keeps_words_as_words() -> None:
    model = parse_model("/* mainstem\ndescription: 2003-01-06\n*/\nselect 1", "m", "m.sql")
    assert model.header.description == "2003-01-06"


def test_a_project_is_found_from_below_and_missed_elsewhere(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    assert find_root(root / "models") == root
    with pytest.raises(UsageError, match="is no Mainstem project") as caught:
        load_project(tmp_path)
    assert "mainstem init" in caught.value.hint
    assert caught.value.exit_code == 2


def test_an_unknown_target_names_those_that_are(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    with (root / "mainstem.yml").open("a") as file:
        file.write("targets: {big: {threads: 8}}\n")
    project = load_project(root)
    assert project.target("big") == LocalTarget(threads=8)
    assert project.target("local") == LocalTarget()
    with pytest.raises(UsageError, match="no target 'huge'\n  → targets: big, local"):
        project.target("huge")


def test_the_proof_of_a_table_goes_over_that_of_its_source(tmp_path: Path) -> None:
    root = make_project(tmp_path, config="proof: count\ntables:\n  orders: {proof: 'off'}")
    project = load_project(root)
    assert project.proof("shop", "orders") is ProofLevel.OFF
    assert project.proof("shop", "customers") is ProofLevel.COUNT


# Variables


def test_a_missing_variable_is_named_at_its_line(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    (root / "mainstem.yml").write_text(
        CONFIG.replace("sqlite:///shop.db", "\"{{ env_var('NO_SUCH_URL') }}\"")
    )
    with pytest.raises(UsageError, match=r"mainstem\.yml:4: the environment variable NO_SUCH_URL is not set"):
        load_project(root, {}).url("shop")


@pytest.mark.parametrize(
    "text", ["{{ var('A') }}", "{{ env_var('A') | upper }}", "{{ env_var('A') }} {{", "{{ env_var(A) }}"]
)
def test_other_braces_are_refused(tmp_path: Path, text: str) -> None:
    root = make_project(tmp_path)
    (root / "mainstem.yml").write_text(CONFIG.replace("sqlite:///shop.db", f'"{text}"'))
    with pytest.raises(UsageError, match=r"mainstem\.yml:4: only \{\{ env_var\('NAME'\) \}\} may stand"):
        load_project(root, {"A": "x"}).url("shop")


def test_a_value_with_braces_is_not_expanded_again() -> None:
    env = {"A": "p{{ env_var('B') }}", "B": "no"}
    assert resolve('x/{{env_var("A")}}', env, Where("f")) == "x/p{{ env_var('B') }}"


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    (root / "mainstem.yml").write_text(CONFIG.replace("sqlite:///shop.db", "\"{{ env_var('U') }}\""))
    (root / ".env").write_text("U=from-file\n")
    assert load_project(root, {}).url("shop") == "from-file"
    assert load_project(root, {"U": "from-shell"}).url("shop") == "from-shell"


def test_dotenv_lines(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# no\n\nA=1\nexport B = two words \nC='a#b=c'\nD=\"x'y\"\nE=\nF='\nG=$A\n")
    assert read_env(path) == {
        "A": "1", "B": "two words", "C": "a#b=c", "D": "x'y", "E": "", "F": "'", "G": "$A",
    }  # fmt: skip
    assert read_env(tmp_path / "none") == {}


@pytest.mark.parametrize("line", ["no equals sign", "1A=x", "A-B=x"])
def test_a_bad_line_of_dotenv_has_its_number_and_hides_its_text(tmp_path: Path, line: str) -> None:
    root = make_project(tmp_path)
    (root / ".env").write_text(f"A=1\n{line} secret\n")
    with pytest.raises(UsageError, match=r"^\.env:2: a line of the form NAME=value is expected$") as caught:
        load_project(root)
    assert "secret" not in str(caught.value)


def test_off_and_no_are_words() -> None:
    """As YAML 1.2 has it, and as docs/project.md writes it: `proof: off`."""
    document = parse("proof: off\nwords: [no, yes, on]\ntruth: [true, False]\n", "mainstem.yml")
    assert document.value == {"proof": "off", "words": ["no", "yes", "on"], "truth": [True, False]}
