# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

# The workgroup's settings hold, whatever a client asks for.
resource "aws_athena_workgroup" "mainstem" {
  name        = "mainstem-shop"
  description = "Questions about the mart"

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.scan_limit

    result_configuration {
      output_location = "s3://${var.bucket}/athena-results/"

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = aws_kms_key.lake.arn
      }
    }
  }
}
