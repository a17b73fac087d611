"""glue.tf: the catalog's databases, the way to the source, the job, its schedule. Pure."""

from __future__ import annotations

from mainstem.deploy.hcl import Attr, Comment, Expr, Item, Template, Value, attrs, block, resource
from mainstem.project.awsnames import Names
from mainstem.schema import HISTORY, MART, QUARANTINE, RAW

SCRIPT, PLAN = "mainstem_job.py", "plan.json"
VERSION = "5.1"  # Spark 3.5.6, Iceberg included
_JARS = 'join(",", [for jar in fileset("${path.module}/job", "*.jar") : "s3://${var.bucket}/job/${jar}"])'
_ABOUT = {
    RAW: "The sources' tables, as they are",
    QUARANTINE: "Rows that break their table's contract",
    HISTORY: "Every version of a row",
    MART: "The models",
}


def glue(names: Names) -> list[Item]:
    """The file's items."""
    return [
        *(_database(names, namespace) for namespace in names.databases),
        Comment(
            "The job's place in your network. It holds no password: the job takes the source's login from\n"
            "Secrets Manager when it runs, so neither this file nor Terraform's state has it."
        ),
        resource(
            "aws_glue_connection",
            "source",
            *attrs(name=names.role("source"), connection_type="NETWORK"),
            block(
                "physical_connection_requirements",
                *attrs(
                    availability_zone=Expr("data.aws_subnet.job.availability_zone"),
                    subnet_id=Expr("var.subnet_id"),
                    security_group_id_list=[Expr("aws_security_group.job.id")],
                ),
            ),
        ),
        _encryption(names),
        Comment("What stands in job/ beside this file: script, plan, drivers. New content, new object."),
        resource(
            "aws_s3_object",
            "job",
            Attr("for_each", Expr('fileset("${path.module}/job", "**")')),
            *attrs(
                bucket=Expr("aws_s3_bucket.lake.id"),
                key=Template("job/${each.value}"),
                source=Template("${path.module}/job/${each.value}"),
                source_hash=Expr('filemd5("${path.module}/job/${each.value}")'),
            ),
        ),
        _job(names),
        resource(
            "aws_glue_trigger",
            "schedule",
            Attr("count", Expr('var.schedule == "" ? 0 : 1')),
            *attrs(name=names.job, type="SCHEDULED", schedule=Expr("var.schedule"), start_on_creation=True),
            block("actions", Attr("job_name", Expr("aws_glue_job.run.name"))),
        ),
    ]


def _encryption(names: Names) -> Item:
    """Logs, bookmarks and objects that the job writes: all with the lake's key."""
    return resource(
        "aws_glue_security_configuration",
        "lake",
        Attr("name", names.stem),
        block(
            "encryption_configuration",
            *(
                block(kind, *attrs(**{f"{kind}_mode": mode}, kms_key_arn=Expr("aws_kms_key.lake.arn")))
                for kind, mode in (
                    ("cloudwatch_encryption", "SSE-KMS"),
                    ("job_bookmarks_encryption", "CSE-KMS"),
                )
            ),
            block(
                "s3_encryption",
                *attrs(s3_encryption_mode="SSE-KMS", kms_key_arn=Expr("aws_kms_key.lake.arn")),
            ),
        ),
    )


def _database(names: Names, namespace: str) -> Item:
    return resource(
        "aws_glue_catalog_database",
        namespace,
        *attrs(
            name=names.databases[namespace],
            description=_ABOUT[namespace],
            location_uri=Template(f"s3://${{var.bucket}}/{names.prefix}/{namespace}"),
        ),
    )


def _job(names: Names) -> Item:
    arguments: dict[str, Value] = {
        "--datalake-formats": "iceberg",
        "--enable-auto-scaling": "true",
        "--enable-continuous-cloudwatch-log": "true",
        "--enable-metrics": "true",
        "--job-bookmark-option": "job-bookmark-disable",
        "--extra-jars": Expr(_JARS),
        "--plan": Template(f"s3://${{var.bucket}}/job/{PLAN}"),
        "--result": Template("s3://${var.bucket}/runs/result.json"),
        "--warehouse": Template(f"s3://${{var.bucket}}/{names.prefix}"),
        "--database": names.database,
        **{f"--secret-{source}": secret for source, secret in sorted(names.secrets.items())},
    }
    return resource(
        "aws_glue_job",
        "run",
        *attrs(
            name=names.job,
            description="Sources to lake to models, proven",
            role_arn=Expr("aws_iam_role.job.arn"),
            glue_version=VERSION,
            worker_type=Expr("var.worker_type"),
            number_of_workers=Expr("var.workers"),
            timeout=Expr("var.timeout_minutes"),
            max_retries=1,
            connections=[Expr("aws_glue_connection.source.name")],
            security_configuration=Expr("aws_glue_security_configuration.lake.name"),
            default_arguments=arguments,
        ),
        block(
            "command",
            *attrs(
                name="glueetl",
                python_version="3",
                script_location=Template(f"s3://${{var.bucket}}/job/{SCRIPT}"),
            ),
        ),
        Comment("Two runs at once would only wait for each other's commits."),
        block("execution_property", Attr("max_concurrent_runs", 1)),
    )
