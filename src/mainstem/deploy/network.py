"""network.tf: what the job may connect to. Pure."""

from __future__ import annotations

from mainstem.deploy.hcl import Attr, Block, Comment, Expr, Item, Template, attrs, resource
from mainstem.project.awsnames import Names


def network(names: Names) -> list[Item]:
    """The file's items."""
    return [
        Block("data", ("aws_subnet", "job"), (Attr("id", Expr("var.subnet_id")),)),
        resource(
            "aws_security_group",
            "job",
            *attrs(
                name=names.role("job"),
                description="The Glue job: to the sources, to AWS, among its workers",
                vpc_id=Expr("var.vpc_id"),
            ),
        ),
        Comment("Glue asks for this rule: Spark's workers talk to each other on any port."),
        _among_workers("ingress"),
        _among_workers("egress"),
        *_egress(),
        Comment("The lake's rows take this way, which costs nothing and leaves no network of AWS."),
        resource(
            "aws_vpc_endpoint",
            "s3",
            Attr("count", Expr("length(var.route_table_ids) == 0 ? 0 : 1")),
            *attrs(
                vpc_id=Expr("var.vpc_id"),
                service_name=Template("com.amazonaws.${var.region}.s3"),
                route_table_ids=Expr("var.route_table_ids"),
            ),
        ),
    ]


def _egress() -> list[Item]:
    return [
        resource(
            "aws_vpc_security_group_egress_rule",
            "source",
            Attr("for_each", Expr(_PAIRS)),
            *attrs(
                security_group_id=Expr("aws_security_group.job.id"),
                description="To the sources",
                ip_protocol="tcp",
                from_port=Expr("each.value.port"),
                to_port=Expr("each.value.port"),
                cidr_ipv4=Expr("each.value.block"),
            ),
        ),
        resource(
            "aws_vpc_security_group_egress_rule",
            "services",
            Attr("for_each", Expr("toset(var.service_cidr_blocks)")),
            *attrs(
                security_group_id=Expr("aws_security_group.job.id"),
                description="To the services of AWS",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                cidr_ipv4=Expr("each.value"),
            ),
        ),
    ]


_PAIRS = (
    "{ for pair in setproduct(var.source_cidr_blocks, var.source_ports) :"
    ' "${pair[0]}:${pair[1]}" => { block = pair[0], port = pair[1] } }'
)


def _among_workers(direction: str) -> Item:
    return resource(
        f"aws_vpc_security_group_{direction}_rule",
        "workers",
        *attrs(
            security_group_id=Expr("aws_security_group.job.id"),
            description="Among the job's workers",
            ip_protocol="tcp",
            from_port=0,
            to_port=65535,
            referenced_security_group_id=Expr("aws_security_group.job.id"),
        ),
    )
