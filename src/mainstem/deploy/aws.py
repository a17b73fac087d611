"""A project and an AWS target → the files of `infra/`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.deploy.access import steps_of
from mainstem.deploy.alarms import alarms
from mainstem.deploy.athena import athena
from mainstem.deploy.frame import main, outputs, variables
from mainstem.deploy.glue import glue
from mainstem.deploy.hcl import Comment, Gap, Item, text_of
from mainstem.deploy.iam import iam
from mainstem.deploy.network import network
from mainstem.deploy.storage import storage
from mainstem.project.awsnames import names_of
from mainstem.project.load import Project
from mainstem.project.targets import AwsTarget

FOLDER = "infra"
_HEAD = "Written by mainstem deploy aws, and yours: what you edit is never overwritten."
_IGNORED = (".terraform/", "*.tfstate", "*.tfstate.*", "*.tfplan", "*.tfvars")


def infrastructure(project: Project, target_name: str, target: AwsTarget) -> dict[str, str]:
    """The files by path. Raises ConfigErrors for a target that AWS would refuse, or broken models."""
    names = names_of(project, target_name, target)
    steps = steps_of(project)
    files: dict[str, Sequence[Item]] = {
        "main.tf": main(names),
        "storage.tf": storage(names),
        "iam.tf": iam(names, steps),
        "glue.tf": glue(names),
        "athena.tf": athena(names),
        "network.tf": network(names),
        "alarms.tf": alarms(names),
        "variables.tf": variables(names, target),
        "outputs.tf": outputs(names),
    }
    texts = {f"{FOLDER}/{name}": text_of([Comment(_HEAD), Gap(), *items]) for name, items in files.items()}
    return {**texts, f"{FOLDER}/.gitignore": "\n".join(_IGNORED) + "\n"}
