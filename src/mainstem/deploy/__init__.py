"""The project as files for systems that run it: Terraform that a person can read and keep, a DAG. Pure."""

from mainstem.deploy.aws import FOLDER, infrastructure
from mainstem.project.awsnames import Names, names_of

__all__ = ["FOLDER", "Names", "infrastructure", "names_of"]
