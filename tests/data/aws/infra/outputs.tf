# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

output "bucket" {
  description = "The lake's bucket"
  value       = aws_s3_bucket.lake.bucket
}

output "databases" {
  description = "The Glue catalog's databases"
  value       = [aws_glue_catalog_database.raw.name, aws_glue_catalog_database.mart.name]
}

output "job" {
  description = "The Glue job: aws glue start-job-run --job-name …"
  value       = aws_glue_job.run.name
}

output "job_role" {
  description = "What the job runs as"
  value       = aws_iam_role.job.arn
}

output "reader_policy" {
  description = "To be attached to who asks questions"
  value       = aws_iam_policy.reader.arn
}

output "publisher_policy" {
  description = "To be attached to who publishes"
  value       = aws_iam_policy.publisher.arn
}

output "workgroup" {
  description = "Athena's workgroup"
  value       = aws_athena_workgroup.mainstem.name
}

output "alarms" {
  description = "The topic of the alarms"
  value       = aws_sns_topic.alarms.arn
}
