"""alarms.tf: a run that failed, a run that did not come, queries that read too much. Pure."""

from __future__ import annotations

from mainstem.deploy.hcl import Attr, Comment, Expr, Item, Json, attrs, resource
from mainstem.project.awsnames import Names

_TOPIC = Expr("aws_sns_topic.alarms.arn")
_DAY = 86_400
_QUERIES_A_DAY = 100  # of the workgroup's limit, together, before somebody should look


def alarms(names: Names) -> list[Item]:
    """The file's items."""
    return [
        *_topic(names),
        Comment("A run that failed or took too long. Readers still see the last one that went well."),
        *_failed(names),
        Comment("A schedule that does not run is silent: no metric of the job for a day is an alarm."),
        _missing(names),
        _scanned(names),
    ]


def _topic(names: Names) -> list[Item]:
    return [
        resource(
            "aws_sns_topic",
            "alarms",
            *attrs(name=names.role("alarms"), kms_master_key_id=Expr("aws_kms_key.lake.id")),
        ),
        resource("aws_sns_topic_policy", "alarms", *attrs(arn=_TOPIC, policy=_topic_policy())),
        resource(
            "aws_sns_topic_subscription",
            "email",
            Attr("count", Expr('var.alarm_email == "" ? 0 : 1')),
            *attrs(topic_arn=_TOPIC, protocol="email", endpoint=Expr("var.alarm_email")),
        ),
    ]


def _failed(names: Names) -> list[Item]:
    return [
        resource(
            "aws_cloudwatch_event_rule",
            "failed",
            *attrs(
                name=names.role("failed"),
                description="A run did not succeed",
                event_pattern=Json(
                    {
                        "source": ["aws.glue"],
                        "detail-type": ["Glue Job State Change"],
                        "detail": {
                            "jobName": [Expr("aws_glue_job.run.name")],
                            "state": ["FAILED", "TIMEOUT", "ERROR"],
                        },
                    }
                ),
            ),
        ),
        resource(
            "aws_cloudwatch_event_target",
            "failed",
            *attrs(rule=Expr("aws_cloudwatch_event_rule.failed.name"), target_id="alarms", arn=_TOPIC),
        ),
    ]


def _missing(names: Names) -> Item:
    return resource(
        "aws_cloudwatch_metric_alarm",
        "missing",
        Attr("count", Expr('var.schedule == "" ? 0 : 1')),
        *attrs(
            alarm_name=names.role("missing"),
            alarm_description="No run for a day",
            namespace="Glue",
            metric_name="glue.driver.aggregate.elapsedTime",
            dimensions={"JobName": Expr("aws_glue_job.run.name"), "JobRunId": "ALL", "Type": "count"},
            statistic="SampleCount",
            period=_DAY,
            evaluation_periods=1,
            comparison_operator="LessThanThreshold",
            threshold=1,
            treat_missing_data="breaching",
            alarm_actions=[_TOPIC],
        ),
    )


def _scanned(names: Names) -> Item:
    return resource(
        "aws_cloudwatch_metric_alarm",
        "scanned",
        *attrs(
            alarm_name=names.role("scanned"),
            alarm_description="Athena read as much as a hundred queries may, in a day",
            namespace="AWS/Athena",
            metric_name="ProcessedBytes",
            dimensions={"WorkGroup": Expr("aws_athena_workgroup.mainstem.name")},
            statistic="Sum",
            period=_DAY,
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            threshold=Expr(f"var.scan_limit * {_QUERIES_A_DAY}"),
            treat_missing_data="notBreaching",
            alarm_actions=[_TOPIC],
        ),
    )


def _topic_policy() -> Json:
    return Json(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Publish",
                    "Effect": "Allow",
                    "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
                    "Action": "sns:Publish",
                    "Resource": Expr("aws_sns_topic.alarms.arn"),
                    "Condition": {"StringEquals": {"aws:SourceAccount": Expr("local.account")}},
                }
            ],
        }
    )
