"""main.tf, variables.tf, outputs.tf: what the other files stand on. Pure."""

from __future__ import annotations

from mainstem.deploy.hcl import Attr, Block, Comment, Expr, Item, Template, Value, attrs, block
from mainstem.project.awsnames import Names
from mainstem.project.targets import AwsTarget

PROVIDER = "~> 6.69"
_REGIONAL = ("ec2", "glue", "logs", "secretsmanager")


def main(names: Names) -> list[Item]:
    """Versions, provider, how ARNs begin."""
    arns: dict[str, Value] = {
        service: Template(f"arn:${{local.partition}}:{service}:${{var.region}}:${{local.account}}")
        for service in _REGIONAL
    }
    arns["iam"] = Template("arn:${local.partition}:iam::${local.account}")
    return [
        block(
            "terraform",
            Attr("required_version", ">= 1.5"),
            block("required_providers", Attr("aws", {"source": "hashicorp/aws", "version": PROVIDER})),
        ),
        Block(
            "provider",
            ("aws",),
            (
                Attr("region", Expr("var.region")),
                block("default_tags", Attr("tags", Expr("var.tags"))),
            ),
        ),
        Block("data", ("aws_caller_identity", "current"), ()),
        Block("data", ("aws_partition", "current"), ()),
        block(
            "locals",
            *attrs(
                account=Expr("data.aws_caller_identity.current.account_id"),
                partition=Expr("data.aws_partition.current.partition"),
            ),
            Comment("How the account's ARNs begin."),
            Attr("arn", arns),
        ),
    ]


def variables(names: Names, target: AwsTarget) -> list[Item]:
    """What changes from account to account; the defaults are the target's in mainstem.yml."""
    return [
        _variable("region", "string", "Where everything is", target.region),
        _variable("bucket", "string", "The lake's bucket", names.bucket),
        _variable("vpc_id", "string", "The network from which the source can be reached"),
        _variable(
            "subnet_id", "string", "A private subnet in it, with a way to AWS's services (NAT or endpoints)"
        ),
        _variable("source_cidr_blocks", "list(string)", "Where the sources are, as narrow as can be"),
        _variable("source_ports", "list(number)", "The sources' ports", [3306, 5432]),
        _variable(
            "service_cidr_blocks",
            "list(string)",
            "Where Glue, Secrets Manager and S3 are reached by HTTPS: with endpoints, the VPC's own block",
            ["0.0.0.0/0"],
        ),
        _variable(
            "route_table_ids", "list(string)", "Where to put a route to S3 that leaves no network of AWS", []
        ),
        _variable("worker_type", "string", "The size of a worker", target.worker_type),
        _variable("workers", "number", "How many at most", target.workers),
        _variable("timeout_minutes", "number", "After which a run is stopped", target.timeout_minutes),
        _variable("scan_limit", "number", "Bytes that one query may read", names.scan_limit),
        _variable(
            "schedule",
            "string",
            "When the job runs, like cron(0 4 * * ? *) in UTC; empty: by hand",
            target.schedule,
        ),
        _variable("alarm_email", "string", "Who is told; empty: nobody", target.alarm_email),
        _variable("reader_principals", "list(string)", "ARNs that may take the reader's role", []),
        _variable("tags", "map(string)", "On everything", {"project": names.stem}),
    ]


def outputs(names: Names) -> list[Item]:
    """What a person or another stack needs to know."""
    databases = ", ".join(f"aws_glue_catalog_database.{one}.name" for one in names.databases)
    return [
        _output("bucket", "The lake's bucket", "aws_s3_bucket.lake.bucket"),
        _output(
            "databases",
            "The Glue catalog's databases",
            f"[{databases}]",
        ),
        _output("job", "The Glue job: aws glue start-job-run --job-name …", "aws_glue_job.run.name"),
        _output("job_role", "What the job runs as", "aws_iam_role.job.arn"),
        _output("reader_policy", "To be attached to who asks questions", "aws_iam_policy.reader.arn"),
        _output("publisher_policy", "To be attached to who publishes", "aws_iam_policy.publisher.arn"),
        _output("workgroup", "Athena's workgroup", "aws_athena_workgroup.mainstem.name"),
        _output("alarms", "The topic of the alarms", "aws_sns_topic.alarms.arn"),
    ]


def _variable(name: str, type_: str, about: str, default: Value | None = None) -> Item:
    body = attrs(description=about, type=Expr(type_))
    return Block("variable", (name,), body if default is None else (*body, Attr("default", default)))


def _output(name: str, about: str, value: str) -> Item:
    return Block("output", (name,), attrs(description=about, value=Expr(value)))
