"""An emulated account, Terraform with the AWS provider's schema, and the demo project's infrastructure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mainstem.deploy import infrastructure
from mainstem.project.load import load_project
from mainstem.project.targets import AwsTarget
from servers.ministack import CLOUD, Ministack

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "data" / "aws" / "provider.json.gz"
TARGET = """\
targets:
  aws:
    engine: aws
    region: eu-west-1
    bucket: shop-lake
    secrets: {shop: shop/reader}
    schedule: cron(0 4 * * ? *)
    alarm_email: data@example.com
"""


def with_target(root: Path, target: str = TARGET) -> Path:
    """The project with an AWS target in its mainstem.yml."""
    with (root / "mainstem.yml").open("a") as file:
        file.write(target)
    return root


def files_of(root: Path) -> dict[str, str]:
    """The infrastructure of a project."""
    project = load_project(root)
    target = project.target("aws")
    assert isinstance(target, AwsTarget)
    return infrastructure(project, "aws", target)


@dataclass
class Terraform:
    """The real Terraform in a folder, with the stand-in for its AWS provider."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command."""
        return subprocess.run(
            [str(CLOUD / "python"), str(HERE / "terraform.py"), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def well(self, *arguments: str) -> str:
        """One command that must end well; what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def planned(self) -> dict[str, Any]:
        """A plan as JSON."""
        self.well("plan", "-no-color", "-input=false", "-out=a.tfplan")
        document = json.loads(self.well("show", "-json", "a.tfplan"))
        assert isinstance(document, dict)
        return document


@dataclass
class Account:
    """What was applied: the emulator, Terraform in its folder, the plan that follows (all is known in it)."""

    aws: Ministack
    terraform: Terraform
    plan: dict[str, Any]

    def values(self, address: str) -> dict[str, Any]:
        """A resource as it was made."""
        found = self.plan["planned_values"]["root_module"]["resources"]
        values = next(one["values"] for one in found if one["address"] == address)
        assert isinstance(values, dict)
        return values

    def policy(self, address: str) -> dict[str, Any]:
        """The policy document of a resource."""
        document = json.loads(self.values(address)["policy"])
        assert isinstance(document, dict)
        return document


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """An emulated account."""
    with Ministack(tmp_path_factory.mktemp("aws")) as server:
        yield server


@pytest.fixture
def credentials(aws: Ministack, monkeypatch: pytest.MonkeyPatch) -> Ministack:
    """The account, and its root's credentials in the environment."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return aws


@pytest.fixture(scope="session")
def shop_infra(shop_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project's infra/, with a job beside it."""
    root = with_target(shutil.copytree(shop_built, tmp_path_factory.mktemp("infra") / "shop"))
    for path, text in files_of(root).items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    folder = root / "infra"
    (folder / "job").mkdir()
    (folder / "job" / "mainstem_job.py").write_text("# the job\n")
    (folder / "job" / "plan.json").write_text("{}\n")
    return folder


@pytest.fixture(scope="session")
def terraform(
    aws: Ministack, shop_infra: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terraform]:
    """Terraform in the demo project's infra/, initialised."""
    socket = tmp_path_factory.mktemp("p") / "s"
    environment = {**os.environ, **aws.environment, "PYTHONPATH": str(HERE.parent), "CHECKPOINT_DISABLE": "1"}
    provider = subprocess.Popen(
        [CLOUD / "python", HERE / "provider.py", SCHEMA, aws.endpoint, socket, shop_infra],
        env=environment,
        stdout=subprocess.PIPE,
    )
    try:
        assert provider.stdout is not None
        assert provider.stdout.readline() == b"ready\n"
        address = {"Network": "unix", "String": str(socket)}
        reattach = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": provider.pid,
            "Test": True,
            "Addr": address,
        }
        rc = shop_infra.parent / "terraform.rc"
        rc.touch()
        environment["TF_CLI_CONFIG_FILE"] = str(rc)
        environment["TF_REATTACH_PROVIDERS"] = json.dumps({"registry.terraform.io/hashicorp/aws": reattach})
        made = Terraform(shop_infra, environment)
        made.well("init", "-no-color", "-input=false")
        yield made
    finally:
        provider.kill()
        provider.communicate()


@pytest.fixture(scope="session")
def account(aws: Ministack, terraform: Terraform) -> Account:
    """The account after `terraform apply`."""
    ec2 = aws.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    values = {
        "vpc_id": subnet["VpcId"],
        "subnet_id": subnet["SubnetId"],
        "source_cidr_blocks": ["10.0.3.0/24"],
    }
    (terraform.folder / "test.auto.tfvars.json").write_text(json.dumps(values))
    terraform.well("apply", "-no-color", "-input=false", "-auto-approve")
    return Account(aws, terraform, terraform.planned())
