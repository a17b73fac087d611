# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

resource "aws_sns_topic" "alarms" {
  name              = "mainstem-shop-alarms"
  kms_master_key_id = aws_kms_key.lake.id
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "Publish"
      Effect = "Allow"
      Principal = {
        Service = [
          "cloudwatch.amazonaws.com",
          "events.amazonaws.com",
        ]
      }
      Action   = "sns:Publish"
      Resource = aws_sns_topic.alarms.arn
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
        }
      }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.alarm_email == "" ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# A run that failed or took too long. Readers still see the last one that went well.
resource "aws_cloudwatch_event_rule" "failed" {
  name        = "mainstem-shop-failed"
  description = "A run did not succeed"
  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change"]
    detail = {
      jobName = [aws_glue_job.run.name]
      state = [
        "FAILED",
        "TIMEOUT",
        "ERROR",
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  rule      = aws_cloudwatch_event_rule.failed.name
  target_id = "alarms"
  arn       = aws_sns_topic.alarms.arn
}

# A schedule that does not run is silent: no metric of the job for a day is an alarm.
resource "aws_cloudwatch_metric_alarm" "missing" {
  count             = var.schedule == "" ? 0 : 1
  alarm_name        = "mainstem-shop-missing"
  alarm_description = "No run for a day"
  namespace         = "Glue"
  metric_name       = "glue.driver.aggregate.elapsedTime"
  dimensions = {
    JobName  = aws_glue_job.run.name
    JobRunId = "ALL"
    Type     = "count"
  }
  statistic           = "SampleCount"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "scanned" {
  alarm_name        = "mainstem-shop-scanned"
  alarm_description = "Athena read as much as a hundred queries may, in a day"
  namespace         = "AWS/Athena"
  metric_name       = "ProcessedBytes"
  dimensions = {
    WorkGroup = aws_athena_workgroup.mainstem.name
  }
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.scan_limit * 100
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
