"""The project as files for systems that run it: Terraform that a person can read and keep, a DAG. Pure."""

from mainstem.deploy.aws import FOLDER, infrastructure
from mainstem.deploy.glue import catalog_settings
from mainstem.project.awsnames import Names, names_of

__all__ = ["FOLDER", "Names", "catalog_settings", "infrastructure", "names_of"]
