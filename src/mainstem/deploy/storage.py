"""storage.tf: the lake's bucket, the bucket of its access log, the key of both. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.deploy.hcl import Attr, Comment, Expr, Item, Json, Template, Value, attrs, block, resource
from mainstem.project.awsnames import Names

# Every action by name: the account's administrators keep the key, and no statement says kms:*.
_KEY_ADMIN = (
    "CancelKeyDeletion",
    "CreateAlias",
    "CreateGrant",
    "DeleteAlias",
    "DescribeKey",
    "DisableKey",
    "EnableKey",
    "EnableKeyRotation",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListGrants",
    "ListKeyPolicies",
    "ListResourceTags",
    "PutKeyPolicy",
    "RevokeGrant",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
)
_KEY_USE = ("Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")


def storage(names: Names) -> list[Item]:
    """The file's items."""
    return [
        Comment("One key for the lake, the answers, the logs and the alarms."),
        *_key(names),
        Comment(
            f"{names.prefix}/ has the tables, job/ what the job runs, runs/ how it ended,\n"
            "athena-results/ the answers."
        ),
        *_lake(),
        Comment("Who opened what. S3 writes its access log with its own key only (SSE-S3)."),
        *_logs(),
    ]


def _key(names: Names) -> list[Item]:
    return [
        resource(
            "aws_kms_key",
            "lake",
            *attrs(
                description=f"Mainstem, {names.stem}",
                enable_key_rotation=True,
                deletion_window_in_days=30,
                policy=_key_policy(),
            ),
        ),
        resource(
            "aws_kms_alias",
            "lake",
            *attrs(name=f"alias/{names.stem}", target_key_id=Expr("aws_kms_key.lake.key_id")),
        ),
    ]


def _lake() -> list[Item]:
    return [
        resource("aws_s3_bucket", "lake", Attr("bucket", Expr("var.bucket"))),
        *_closed("lake"),
        resource(
            "aws_s3_bucket_server_side_encryption_configuration",
            "lake",
            Attr("bucket", Expr("aws_s3_bucket.lake.id")),
            block(
                "rule",
                Attr("bucket_key_enabled", True),
                block(
                    "apply_server_side_encryption_by_default",
                    *attrs(sse_algorithm="aws:kms", kms_master_key_id=Expr("aws_kms_key.lake.arn")),
                ),
            ),
        ),
        resource(
            "aws_s3_bucket_logging",
            "lake",
            *attrs(
                bucket=Expr("aws_s3_bucket.lake.id"),
                target_bucket=Expr("aws_s3_bucket.logs.id"),
                target_prefix="access/",
            ),
        ),
        resource(
            "aws_s3_bucket_lifecycle_configuration",
            "lake",
            Attr("bucket", Expr("aws_s3_bucket.lake.id")),
            _rule(
                "uploads-that-broke-off", "", "abort_incomplete_multipart_upload", "days_after_initiation", 7
            ),
            _rule("versions-replaced", "", "noncurrent_version_expiration", "noncurrent_days", 30),
            _rule("answers", "athena-results/", "expiration", "days", 7),
        ),
    ]


def _logs() -> list[Item]:
    return [
        resource("aws_s3_bucket", "logs", Attr("bucket", Template("${var.bucket}-logs"))),
        *_closed("logs"),
        resource(
            "aws_s3_bucket_server_side_encryption_configuration",
            "logs",
            Attr("bucket", Expr("aws_s3_bucket.logs.id")),
            block(
                "rule",
                block("apply_server_side_encryption_by_default", Attr("sse_algorithm", "AES256")),
            ),
        ),
        resource(
            "aws_s3_bucket_lifecycle_configuration",
            "logs",
            Attr("bucket", Expr("aws_s3_bucket.logs.id")),
            _rule(
                "uploads-that-broke-off", "", "abort_incomplete_multipart_upload", "days_after_initiation", 7
            ),
            _rule("a-year", "", "expiration", "days", 365),
        ),
    ]


def _closed(bucket: str) -> list[Item]:
    """Versioned, closed to the public, TLS only."""
    id_ = Expr(f"aws_s3_bucket.{bucket}.id")
    return [
        resource(
            "aws_s3_bucket_versioning",
            bucket,
            Attr("bucket", id_),
            block("versioning_configuration", Attr("status", "Enabled")),
        ),
        resource(
            "aws_s3_bucket_public_access_block",
            bucket,
            *attrs(
                bucket=id_,
                block_public_acls=True,
                block_public_policy=True,
                ignore_public_acls=True,
                restrict_public_buckets=True,
            ),
        ),
        resource(
            "aws_s3_bucket_policy",
            bucket,
            *attrs(bucket=id_, policy=_bucket_policy(bucket)),
        ),
    ]


def _bucket_policy(bucket: str) -> Json:
    arn = f"aws_s3_bucket.{bucket}.arn"
    statements: list[Value] = [
        {
            "Sid": "EncryptedTransportOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [Expr(arn), Template(f"${{{arn}}}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
    if bucket == "logs":
        statements.append(
            {
                "Sid": "AccessLog",
                "Effect": "Allow",
                "Principal": {"Service": "logging.s3.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": Template(f"${{{arn}}}/access/*"),
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": Expr("local.account")},
                    "ArnLike": {"aws:SourceArn": Expr("aws_s3_bucket.lake.arn")},
                },
            }
        )
    return Json({"Version": "2012-10-17", "Statement": statements})


def _key_policy() -> Json:
    services: Sequence[tuple[str, Value, dict[str, Value]]] = (
        (
            "Logs",
            Template("logs.${var.region}.amazonaws.com"),
            {
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": Template(
                        "${local.arn.logs}:log-group:/aws-glue/jobs/*"
                    )
                }
            },
        ),
        (
            "Alarms",
            ["events.amazonaws.com", "cloudwatch.amazonaws.com"],
            {"StringEquals": {"aws:SourceAccount": Expr("local.account")}},
        ),
    )
    statements: list[Value] = [
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": Template("${local.arn.iam}:root")},
            "Action": [f"kms:{action}" for action in sorted((*_KEY_ADMIN, *_KEY_USE))],
            "Resource": "*",
        }
    ]
    for sid, principal, condition in services:
        statements.append(
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Service": principal},
                "Action": [f"kms:{action}" for action in ("DescribeKey", *_KEY_USE)],
                "Resource": "*",
                "Condition": condition,
            }
        )
    return Json({"Version": "2012-10-17", "Statement": statements})


def _rule(name: str, prefix: str, what: str, unit: str, days: int) -> Item:
    head = attrs(id=name, status="Enabled")
    return block("rule", *head, block("filter", Attr("prefix", prefix)), block(what, Attr(unit, days)))
