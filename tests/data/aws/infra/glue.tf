# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

resource "aws_glue_catalog_database" "raw" {
  name         = "shop_raw"
  description  = "The sources' tables, as they are"
  location_uri = "s3://${var.bucket}/lake/raw"
}

resource "aws_glue_catalog_database" "mart" {
  name         = "shop_mart"
  description  = "The models"
  location_uri = "s3://${var.bucket}/lake/mart"
}

# The job's place in your network. It holds no password: the job takes the source's login from
# Secrets Manager when it runs, so neither this file nor Terraform's state has it.
resource "aws_glue_connection" "source" {
  name            = "mainstem-shop-source"
  connection_type = "NETWORK"

  physical_connection_requirements {
    availability_zone      = data.aws_subnet.job.availability_zone
    subnet_id              = var.subnet_id
    security_group_id_list = [aws_security_group.job.id]
  }
}

resource "aws_glue_security_configuration" "lake" {
  name = "mainstem-shop"

  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = aws_kms_key.lake.arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = aws_kms_key.lake.arn
    }

    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = aws_kms_key.lake.arn
    }
  }
}

# What stands in job/ beside this file: script, plan, drivers. New content, new object.
resource "aws_s3_object" "job" {
  for_each    = fileset("${path.module}/job", "**")
  bucket      = aws_s3_bucket.lake.id
  key         = "job/${each.value}"
  source      = "${path.module}/job/${each.value}"
  source_hash = filemd5("${path.module}/job/${each.value}")
}

resource "aws_glue_job" "run" {
  name                   = "mainstem-shop-run"
  description            = "Sources to lake to models, proven"
  role_arn               = aws_iam_role.job.arn
  glue_version           = "5.1"
  worker_type            = var.worker_type
  number_of_workers      = var.workers
  timeout                = var.timeout_minutes
  max_retries            = 1
  connections            = [aws_glue_connection.source.name]
  security_configuration = aws_glue_security_configuration.lake.name
  default_arguments = {
    "--datalake-formats"                 = "iceberg"
    "--enable-auto-scaling"              = "true"
    "--enable-continuous-cloudwatch-log" = "true"
    "--enable-metrics"                   = "true"
    "--job-bookmark-option"              = "job-bookmark-disable"
    "--extra-jars"                       = join(",", [for jar in fileset("${path.module}/job", "*.jar") : "s3://${var.bucket}/job/${jar}"])
    "--plan"                             = "s3://${var.bucket}/job/plan.json"
    "--result"                           = "s3://${var.bucket}/runs/result.json"
    "--warehouse"                        = "s3://${var.bucket}/lake"
    "--database"                         = "shop"
    "--secret-shop"                      = "shop/reader"
  }

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.bucket}/job/mainstem_job.py"
  }

  # Two runs at once would only wait for each other's commits.
  execution_property {
    max_concurrent_runs = 1
  }
}

resource "aws_glue_trigger" "schedule" {
  count             = var.schedule == "" ? 0 : 1
  name              = "mainstem-shop-run"
  type              = "SCHEDULED"
  schedule          = var.schedule
  start_on_creation = true

  actions {
    job_name = aws_glue_job.run.name
  }
}
