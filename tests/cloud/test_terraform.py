"""`infra/` by the real Terraform, against the AWS provider's own schema, applied to an emulated account."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cloud.conftest import Account, Terraform, files_of, with_target
from mainstem.deploy.hcl import Attr, block, text_of
from mainstem.errors import ConfigErrors
from servers.ministack import CLOUD

LINT = CLOUD.parents[1] / "lint" / "bin"
GOLDEN = Path(__file__).parents[1] / "data" / "aws" / "infra"
# What checkov finds and we leave as it is, with the reason.
EXPLAINED = {
    ("CKV2_AWS_5", "aws_security_group.job"): "the Glue connection attaches it; checkov knows instances only",
    ("CKV2_AWS_62", "aws_s3_bucket.lake"): "nobody waits for single objects: commits are what counts",
    ("CKV2_AWS_62", "aws_s3_bucket.logs"): "nobody waits for single objects",
    (
        "CKV_AWS_144",
        "aws_s3_bucket.lake",
    ): "a second region is a choice of money; the source can fill the lake again",
    ("CKV_AWS_144", "aws_s3_bucket.logs"): "a second region is a choice of money",
    ("CKV_AWS_145", "aws_s3_bucket.logs"): "S3 delivers access logs to buckets with its own key only",
}


def test_the_demos_infrastructure_is_as_recorded(shop_infra: Path) -> None:
    """Golden files: a change of what is generated is a change that somebody looks at.
    MAINSTEM_GOLDEN=1 writes them anew."""
    here = {path.name: path.read_text() for path in shop_infra.glob("*.tf")}
    if os.environ.get("MAINSTEM_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for name, text in here.items():
            (GOLDEN / name).write_text(text)
    recorded = {path.name: path.read_text() for path in GOLDEN.glob("*.tf")}
    assert sorted(here) == sorted(recorded)
    for name, text in here.items():
        difference = difflib.unified_diff(recorded[name].splitlines(), text.splitlines(), "recorded", name)
        assert not list(difference), name


def test_it_is_laid_out_as_terraform_fmt_does(terraform: Terraform) -> None:
    assert terraform.well("fmt", "-check", "-diff", "-no-color") == ""


def test_it_is_valid(terraform: Terraform) -> None:
    assert json.loads(terraform.well("validate", "-json"))["diagnostics"] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("glue.tf", "worker_type ", "worker_typo ", "Unsupported argument"),
        ("glue.tf", 'connection_type = "NETWORK"', "connection_type = {}", "Incorrect attribute value type"),
        (
            "iam.tf",
            "role   = aws_iam_role.job.id",
            "role   = aws_iam_role.jobs.id",
            "Reference to undeclared resource",
        ),
        ("iam.tf", "assume_role_policy", "description2", "Missing required argument"),
        ("athena.tf", "result_configuration", "results", "Unsupported block type"),
        ("outputs.tf", "aws_glue_job.run.name", "aws_glue_job.run.label", "Unsupported attribute"),
    ],
)
def test_what_is_wrong_is_found(
    terraform: Terraform, tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    """The negative control of `test_it_is_valid`."""
    folder = tmp_path / "infra"
    shutil.copytree(terraform.folder, folder, ignore=shutil.ignore_patterns("*.tfstate*", "*.tfplan"))
    text = (folder / file).read_text()
    wanted = old if old in text else old.replace("   =", " =")
    assert wanted in text
    (folder / file).write_text(text.replace(wanted, new, 1))
    done = Terraform(folder, terraform.environment).run("validate", "-json")
    assert done.returncode == 1
    assert told in [one["summary"] for one in json.loads(done.stdout)["diagnostics"]]


def test_apply_really_creates(account: Account) -> None:
    s3, glue = account.aws.client("s3"), account.aws.client("glue")
    assert s3.get_bucket_versioning(Bucket="shop-lake")["Status"] == "Enabled"
    closed = s3.get_public_access_block(Bucket="shop-lake")["PublicAccessBlockConfiguration"]
    assert closed == dict.fromkeys(closed, True)
    rules = s3.get_bucket_encryption(Bucket="shop-lake")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert len(s3.get_bucket_lifecycle_configuration(Bucket="shop-lake")["Rules"]) == 3
    for namespace in ("raw", "mart"):
        database = glue.get_database(Name=f"shop_{namespace}")["Database"]
        assert database["LocationUri"] == f"s3://shop-lake/lake/{namespace}"
    job = glue.get_job(JobName="mainstem-shop-run")["Job"]
    assert job["Command"]["ScriptLocation"] == "s3://shop-lake/job/mainstem_job.py"
    assert s3.get_object(Bucket="shop-lake", Key="job/mainstem_job.py")["Body"].read() == b"# the job\n"
    group = account.aws.client("athena").get_work_group(WorkGroup="mainstem-shop")["WorkGroup"]
    assert group["Configuration"]["BytesScannedCutoffPerQuery"] == 10_000_000_000
    assert group["Configuration"]["EnforceWorkGroupConfiguration"] is True


def test_a_second_plan_changes_nothing(account: Account) -> None:
    changed = {
        one["address"] for one in account.plan["resource_changes"] if one["change"]["actions"] != ["no-op"]
    }
    assert changed == set()


def test_a_change_is_seen(account: Account) -> None:
    """The negative control of the plan that changes nothing."""
    done = account.terraform.run("plan", "-no-color", "-detailed-exitcode", "-var=workers=5", "-lock=false")
    assert done.returncode == 2
    assert "aws_glue_job.run will be updated in-place" in done.stdout


def test_no_secret_is_in_any_file_or_in_the_state(account: Account, shop: Path) -> None:
    with_target(shop)
    (shop / ".env").write_text("SHOP_URL=mysql://reader:C4n4ry@db.example/shop\n")
    state = (account.terraform.folder / "terraform.tfstate").read_text()
    for text in (*files_of(shop).values(), state):
        assert "C4n4ry" not in text
        assert "db.example" not in text
    arguments = account.values("aws_glue_job.run")["default_arguments"]
    assert arguments["--secret-shop"] == "shop/reader"
    assert arguments["--plan"] == "s3://shop-lake/job/plan.json"


def test_checkov_finds_nothing_that_is_not_explained(account: Account, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(account.plan))
    found, passed = checked(plan)
    assert found == set(EXPLAINED)
    assert passed > 90  # it did read the plan


def test_checkov_sees_an_open_bucket(account: Account, tmp_path: Path) -> None:
    """The negative control: in the plan as checkov reads it, one bucket is open to everybody."""
    text = json.dumps(account.plan).replace('"block_public_acls": true', '"block_public_acls": false')
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    found, _ = checked(plan, "--check", "CKV_AWS_53")
    assert ("CKV_AWS_53", "aws_s3_bucket_public_access_block.lake") in found


def checked(plan: Path, *options: str) -> tuple[set[tuple[str, str]], int]:
    """What checkov finds in a plan: check and resource; and how many checks passed."""
    done = subprocess.run(
        [
            *(str(LINT / "checkov"), "-f", str(plan), "--framework", "terraform_plan"),
            *("--skip-download", "--compact", "--output", "json", *options),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE"},
        check=False,
    )
    assert "Failed to run check" not in done.stderr + done.stdout
    report = json.loads(done.stdout)
    failed = {(one["check_id"], one["resource"]) for one in report["results"]["failed_checks"]}
    return failed, report["summary"]["passed"]


@pytest.mark.parametrize("name", ["region", "bucket", "prefix", "database", "workgroup", "schedule"])
def test_what_aws_would_refuse_is_refused_at_its_line(shop: Path, name: str) -> None:
    target = "\n".join(line for line in TARGET_LINES if not line.strip().startswith(f"{name}:"))
    with_target(shop, f'{target}\n    {name}: "not * allowed"\n')
    with pytest.raises(ConfigErrors) as caught:
        files_of(shop)
    (error,) = caught.value.errors
    assert error.where is not None
    assert (shop / "mainstem.yml").read_text().splitlines()[error.where.line - 1].strip().startswith(name)


TARGET_LINES = [
    "targets:",
    "  aws:",
    "    engine: aws",
    "    region: eu-west-1",
    "    bucket: shop-lake",
    "    secrets: {shop: shop/reader}",
]


def test_a_source_without_a_secret_is_refused(shop: Path) -> None:
    with_target(shop, "\n".join(TARGET_LINES[:-1]) + "\n")
    with pytest.raises(ConfigErrors, match="there is no secret for the source"):
        files_of(shop)


def test_a_name_cannot_become_an_expression(shop: Path, terraform: Terraform, tmp_path: Path) -> None:
    """What a user writes is text in Terraform too, whatever it contains."""
    hostile = 'email: x@y" } ${file("/etc/passwd")} %{ if true }'
    text = text_of([block("locals", Attr("a", hostile), Attr("b", {hostile: [hostile, "\\\n\t"]}))])
    (tmp_path / "main.tf").write_text(text + '\noutput "a" {\n  value = [local.a, local.b]\n}\n')
    here = Terraform(tmp_path, terraform.environment)
    here.well("apply", "-auto-approve", "-input=false", "-no-color")
    shown = json.loads(here.well("output", "-json", "a"))
    assert shown == [hostile, {hostile: [hostile, "\\\n\t"]}]
