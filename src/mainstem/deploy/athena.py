"""athena.tf: a workgroup that bounds what a query may read. Pure."""

from __future__ import annotations

from mainstem.deploy.hcl import Attr, Comment, Expr, Item, Template, attrs, block, resource
from mainstem.project.awsnames import Names


def athena(names: Names) -> list[Item]:
    """The file's items."""
    return [
        Comment("The workgroup's settings hold, whatever a client asks for."),
        resource(
            "aws_athena_workgroup",
            "mainstem",
            *attrs(name=names.workgroup, description="Questions about the mart"),
            block(
                "configuration",
                *attrs(
                    enforce_workgroup_configuration=True,
                    publish_cloudwatch_metrics_enabled=True,
                    bytes_scanned_cutoff_per_query=Expr("var.scan_limit"),
                ),
                block(
                    "result_configuration",
                    Attr("output_location", Template("s3://${var.bucket}/athena-results/")),
                    block(
                        "encryption_configuration",
                        *attrs(encryption_option="SSE_KMS", kms_key_arn=Expr("aws_kms_key.lake.arn")),
                    ),
                ),
            ),
        ),
    ]
