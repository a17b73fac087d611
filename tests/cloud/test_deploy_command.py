"""`mainstem deploy aws`: what is edited stays, what is new is shown, what is invalid is found."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cloud.conftest import HERE, TARGET, Terraform, files_of, with_target
from e2e.conftest import begin, load_mariadb, url_of
from mainstem.deploy.terraform import check
from mainstem.errors import EngineFailed, ProofFailed
from servers.mariadb import MariaDB
from servers.ministack import CLOUD
from support import mainstem, make_project

TERRAFORM = f"{CLOUD / 'python'} {HERE / 'terraform.py'}"


def deployed(root: Path, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = mainstem("deploy", "aws", *options, cwd=root)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_what_stands_beside_a_table_has_its_database(tmp_path: Path) -> None:
    """A quarantine and histories are namespaces of the lake: the catalog has them, job and publisher may
    write them, those who ask may not read them. A project without them has none."""
    config = (
        "tables:\n  customers: {history: scd2}\n"
        "  orders: {contract: {on_break: quarantine, expression: order_number > 0}}"
    )
    model = "select customer_number as k, valid_from from history.customers"
    plain, full = (
        files_of(with_target(make_project(tmp_path / name, {"m": model} if config else {}, config=config)))
        for name, config in (("plain", ""), ("full", config))
    )
    assert not [text for text in plain.values() if "quarantine" in text or "history" in text.lower()]
    for namespace in ("quarantine", "history"):
        assert f'name         = "shop_{namespace}"' in full["infra/glue.tf"]
        assert f"aws_glue_catalog_database.{namespace}.name" in full["infra/outputs.tf"]
        rights = full["infra/iam.tf"]
        job, publisher, reader = (
            rights.partition(f'{begin}" {{')[2].partition("\nresource ")[0]
            for begin in (
                '"aws_iam_role_policy" "job',
                '"aws_iam_policy" "publisher',
                '"aws_iam_policy" "reader',
            )
        )
        for text in (job, publisher):
            assert text.count(f"aws_glue_catalog_database.{namespace}.arn") == 2, "to read, to write"
        assert reader
        assert namespace not in reader


def test_edits_stay_and_a_patch_shows_what_is_new(shop: Path) -> None:
    with_target(shop)
    assert "10 files written" in deployed(shop).stdout
    assert "nothing to propose" in deployed(shop, "--diff").stderr
    variables = shop / "infra" / "variables.tf"
    variables.write_text(variables.read_text().replace('"Who is told; empty: nobody"', '"Whom to wake"'))
    config = shop / "mainstem.yml"
    config.write_text(config.read_text().replace("bucket: shop-lake", "bucket: shop-lake-2"))

    diff = deployed(shop, "--diff")
    (shop / "new.patch").write_text(diff.stdout)
    again = deployed(shop)
    assert "9 files written" in again.stdout
    assert "kept, because it was edited: infra/variables.tf" in again.stderr
    assert "Whom to wake" in variables.read_text()
    assert "shop-lake-2" not in variables.read_text()

    taken = subprocess.run(["git", "apply", "new.patch"], cwd=shop, capture_output=True, check=False)
    assert taken.returncode == 0, taken.stderr
    assert "Whom to wake" in variables.read_text()
    assert '"shop-lake-2"' in variables.read_text()


def test_the_job_is_written_beside_it(mariadb: MariaDB, tmp_path: Path) -> None:
    load_mariadb(mariadb, "classicmodels.mysql.sql", "classicmodels")
    place = begin(tmp_path, "classicmodels", url_of(mariadb, "classicmodels"))
    with_target(place.root, TARGET.replace("shop: shop/", "classicmodels: shop/"))
    printed = place.well("deploy", "aws")
    assert "12 files written" in printed
    script = (place.root / "infra" / "job" / "mainstem_job.py").read_text()
    plan = json.loads((place.root / "infra" / "job" / "plan.json").read_text())
    compile(script, "mainstem_job.py", "exec")
    assert len(plan["tables"]) == 8
    assert "adm%27in" not in json.dumps(plan)
    assert mariadb.password not in json.dumps(plan)
    assert [jar.name for jar in (place.root / "infra" / "job").glob("*.jar")] == ["mariadb-java-client.jar"]


def test_without_a_job_it_says_so(shop: Path) -> None:
    with_target(shop)
    assert "infra/job was not written" in deployed(shop).stderr


def test_a_fresh_clone_overwrites_nothing(shop: Path) -> None:
    with_target(shop)
    deployed(shop)
    shutil.rmtree(shop / ".mainstem")
    outputs = shop / "infra" / "outputs.tf"
    outputs.write_text("# mine\n")
    assert "kept, because it was edited: infra/outputs.tf" in deployed(shop).stderr
    assert outputs.read_text() == "# mine\n"


def test_what_is_missing_or_not_for_aws_is_told(shop: Path) -> None:
    assert "there is no target 'aws'" in deployed(shop, code=2).stderr
    assert "not one with engine: aws" in deployed(shop, "--target", "local", code=2).stderr
    with_target(shop)
    assert "mainstem deploy aws writes them" in deployed(shop, "--check", code=2).stderr


def test_check_asks_terraform(
    shop: Path, terraform: Terraform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_target(shop)
    deployed(shop)
    for name, value in terraform.environment.items():
        if name.startswith(("TF_", "AWS_", "CHECKPOINT")):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineFailed, match="there is no terraform"):
        check(shop / "infra", "infra")
    monkeypatch.setenv("MAINSTEM_TERRAFORM", TERRAFORM)
    with monkeypatch.context() as without:
        without.delenv("TF_REATTACH_PROVIDERS")
        with pytest.raises(EngineFailed, match="has not loaded the AWS provider"):
            check(shop / "infra", "infra")
    Terraform(shop / "infra", terraform.environment).well("init", "-input=false")
    assert check(shop / "infra", "infra").unformatted == ()

    glue = shop / "infra" / "glue.tf"
    text = glue.read_text()
    glue.write_text(text.replace("glue_version      ", "glue_version"))
    assert check(shop / "infra", "infra").unformatted == ("glue.tf",)
    glue.write_text(text.replace("glue_version ", "glue_versoin "))
    with pytest.raises(ProofFailed, match="Unsupported argument") as caught:
        check(shop / "infra", "infra")
    assert caught.value.where is not None
    assert "glue_versoin" in glue.read_text().splitlines()[caught.value.where.line - 1]
