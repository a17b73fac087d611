"""The job as files that need nothing of Mainstem: the script, and the plan of a full run."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mainstem.job.document import World, document
from mainstem.job.launch import SCRIPT, variable

SCRIPT_NAME, PLAN_NAME = "mainstem_job.py", "plan.json"
EXTENSIONS = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"


def emit(
    world: World,
    *,
    settings: Mapping[str, str],
    catalog: str = "lake",
    secrets: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """File name → text. `settings` are those of Spark's catalog `catalog` and of the session; `secrets` names
    for each source the secret in AWS Secrets Manager that holds {"url", "user", "password"} for JDBC; one
    without logs in by the environment variable that `launch.variable` names.

    The job stages on a branch of each table and moves the tables after every proof has held.
    """
    value = document(world, "", catalog).value
    for name, source in value["sources"].items():
        secret = (secrets or {}).get(name)
        source.update({"secret": secret} if secret else {"env": variable(name)})
    value["settings"] = {"spark.sql.extensions": EXTENSIONS, **settings}
    value["branch"] = "mainstem"
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    return {SCRIPT_NAME: SCRIPT.read_text(encoding="utf-8"), PLAN_NAME: text + "\n"}
