"""iam.tf: a role for the job, one for readers, the rights of whoever applies. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.deploy.access import Statement, Step, job_statements, publisher_statements, reader_statements
from mainstem.deploy.hcl import Attr, Comment, Expr, Item, Json, Template, Value, attrs, resource
from mainstem.project.awsnames import Names


def iam(names: Names, steps: Sequence[Step]) -> list[Item]:
    """The file's items."""
    return [
        Comment(
            "Each statement follows from what the steps of a run read and write:\n"
            + "\n".join(f"  {step.name}: {_told(step)}" for step in steps)
        ),
        *_job(names, steps),
        *_people(names),
    ]


def _job(names: Names, steps: Sequence[Step]) -> list[Item]:
    return [
        resource(
            "aws_iam_role",
            "job",
            *attrs(
                name=names.role("job"),
                description="The Glue job reads the sources' secrets and writes the lake",
                assume_role_policy=_trust({"Service": "glue.amazonaws.com"}, _OWN_ACCOUNT),
            ),
        ),
        resource(
            "aws_iam_role_policy",
            "job",
            *attrs(
                name="lake", role=Expr("aws_iam_role.job.id"), policy=_policy(job_statements(names, steps))
            ),
        ),
        Comment("What Glue needs to run any job in a subnet of yours: its network interfaces, its logs."),
        resource(
            "aws_iam_role_policy",
            "job_runtime",
            *attrs(name="runtime", role=Expr("aws_iam_role.job.id"), policy=_policy(_runtime())),
        ),
    ]


def _people(names: Names) -> list[Item]:
    """Who reads the lake, and who fills it from elsewhere."""
    return [
        Comment("For people and dashboards: the mart through Athena, and nothing else."),
        resource(
            "aws_iam_policy",
            "reader",
            *attrs(
                name=names.role("reader"),
                description="Reads the mart through Athena",
                policy=_policy(reader_statements(names)),
            ),
        ),
        Comment("For mainstem publish: a lake filled and proven elsewhere, copied here."),
        resource(
            "aws_iam_policy",
            "publisher",
            *attrs(
                name=names.role("publisher"),
                description="Writes the lake's tables",
                policy=_policy(publisher_statements(names)),
            ),
        ),
        resource(
            "aws_iam_role",
            "reader",
            Attr("count", Expr("length(var.reader_principals) == 0 ? 0 : 1")),
            *attrs(
                name=names.role("reader"),
                description="Reads the mart through Athena",
                assume_role_policy=_trust({"AWS": Expr("var.reader_principals")}, {}),
            ),
        ),
        resource(
            "aws_iam_role_policy_attachment",
            "reader",
            Attr("count", Expr("length(aws_iam_role.reader)")),
            *attrs(role=Expr("aws_iam_role.reader[0].name"), policy_arn=Expr("aws_iam_policy.reader.arn")),
        ),
    ]


def _policy(statements: Sequence[Statement]) -> Json:
    """A policy document."""
    return Json({"Version": "2012-10-17", "Statement": [one.value() for one in statements]})


_OWN_ACCOUNT: dict[str, Value] = {"StringEquals": {"aws:SourceAccount": Expr("local.account")}}


def _trust(principal: dict[str, Value], condition: dict[str, Value]) -> Json:
    statement: dict[str, Value] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    return Json({"Version": "2012-10-17", "Statement": [statement]})


def _told(step: Step) -> str:
    parts = [f"the secret of {secret}" for secret in sorted(step.secrets)]
    parts += ["reads " + ", ".join(sorted(step.reads))] if step.reads else []
    parts += ["writes " + ", ".join(sorted(step.writes))] if step.writes else []
    return "; ".join(parts)


def _runtime() -> tuple[Statement, ...]:
    return (
        Statement(
            "WriteLogs",
            ("logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
            (Template("${local.arn.logs}:log-group:/aws-glue/jobs/*"),),
        ),
        # Metrics have no ARN: the namespace is what there is to name.
        Statement(
            "PutMetrics",
            ("cloudwatch:PutMetricData",),
            (Template("*"),),
            {"StringEquals": {"cloudwatch:namespace": "Glue"}},
        ),
        Statement("ReadConnection", ("glue:GetConnection",), _connection()),
        *_network(),
    )


def _network() -> tuple[Statement, ...]:
    region = "${local.arn.ec2}"
    return (
        # EC2 lists its resources for everybody or nobody.
        Statement(
            "LookAtNetwork",
            (
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcEndpoints",
            ),
            (Template("*"),),
            {"StringEquals": {"aws:RequestedRegion": Expr("var.region")}},
        ),
        Statement(
            "LookAtVpc",
            ("ec2:DescribeVpcAttribute",),
            (Template(f"{region}:vpc/${{var.vpc_id}}"),),
        ),
        Statement(
            "AttachToSubnet",
            ("ec2:CreateNetworkInterface",),
            (
                Template(f"{region}:subnet/${{var.subnet_id}}"),
                Template(f"{region}:security-group/${{aws_security_group.job.id}}"),
                Template(f"{region}:network-interface/*"),
            ),
        ),
        Statement(
            "TagInterface",
            ("ec2:CreateTags",),
            (Template(f"{region}:network-interface/*"),),
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}},
        ),
        Statement(
            "DetachFromSubnet",
            ("ec2:DeleteNetworkInterface",),
            (Template(f"{region}:network-interface/*"),),
            {"ArnEquals": {"ec2:Subnet": Template(f"{region}:subnet/${{var.subnet_id}}")}},
        ),
    )


def _connection() -> tuple[Template, ...]:
    name = "${aws_glue_connection.source.name}"
    return (Template("${local.arn.glue}:catalog"), Template(f"${{local.arn.glue}}:connection/{name}"))
