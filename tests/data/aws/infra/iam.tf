# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

# Each statement follows from what the steps of a run read and write:
#   read shop: the secret of shop; reads raw; writes raw
#   build dim_customers: reads mart, raw; writes mart
#   build dim_dates: reads mart, raw; writes mart
#   build dim_employees: reads mart, raw; writes mart
#   build dim_products: reads mart, raw; writes mart
#   build fact_order_lines: reads mart, raw; writes mart
#   build fact_payments: reads mart, raw; writes mart
resource "aws_iam_role" "job" {
  name        = "mainstem-shop-job"
  description = "The Glue job reads the sources' secrets and writes the lake"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Service = "glue.amazonaws.com"
      }
      Action = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "job" {
  name = "lake"
  role = aws_iam_role.job.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadSourceLogins"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = ["${local.arn.secretsmanager}:secret:shop/reader-??????"]
      },
      {
        Sid      = "ReadJob"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${aws_s3_bucket.lake.arn}/job/*"]
      },
      {
        Sid      = "WriteResult"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${aws_s3_bucket.lake.arn}/runs/*"]
      },
      {
        Sid      = "ListBucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [aws_s3_bucket.lake.arn]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "lake/raw/*",
              "lake/mart/*",
              "job/*",
            ]
          }
        }
      },
      {
        Sid    = "ReadLake"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "${aws_s3_bucket.lake.arn}/lake/raw/*",
          "${aws_s3_bucket.lake.arn}/lake/mart/*",
        ]
      },
      {
        Sid    = "WriteLake"
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload",
          "s3:DeleteObject",
          "s3:PutObject",
        ]
        Resource = [
          "${aws_s3_bucket.lake.arn}/lake/raw/*",
          "${aws_s3_bucket.lake.arn}/lake/mart/*",
        ]
      },
      {
        Sid    = "ReadTables"
        Effect = "Allow"
        Action = [
          "glue:GetDatabase",
          "glue:GetTable",
          "glue:GetTables",
        ]
        Resource = [
          "${local.arn.glue}:catalog",
          aws_glue_catalog_database.raw.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.raw.name}/*",
          aws_glue_catalog_database.mart.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.mart.name}/*",
        ]
      },
      {
        Sid    = "WriteTables"
        Effect = "Allow"
        Action = [
          "glue:CreateTable",
          "glue:UpdateTable",
          "glue:DeleteTable",
        ]
        Resource = [
          "${local.arn.glue}:catalog",
          aws_glue_catalog_database.raw.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.raw.name}/*",
          aws_glue_catalog_database.mart.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.mart.name}/*",
        ]
      },
      {
        Sid    = "UseKey"
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource = [aws_kms_key.lake.arn]
      },
    ]
  })
}

# What Glue needs to run any job in a subnet of yours: its network interfaces, its logs.
resource "aws_iam_role_policy" "job_runtime" {
  name = "runtime"
  role = aws_iam_role.job.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WriteLogs"
        Effect = "Allow"
        Action = [
          "logs:AssociateKmsKey",
          "logs:CreateLogGroup",
          "logs:CreateLogStream",
          "logs:PutLogEvents",
        ]
        Resource = ["${local.arn.logs}:log-group:/aws-glue/jobs/*"]
      },
      {
        Sid      = "PutMetrics"
        Effect   = "Allow"
        Action   = ["cloudwatch:PutMetricData"]
        Resource = ["*"]
        Condition = {
          StringEquals = {
            "cloudwatch:namespace" = "Glue"
          }
        }
      },
      {
        Sid    = "ReadConnection"
        Effect = "Allow"
        Action = ["glue:GetConnection"]
        Resource = [
          "${local.arn.glue}:catalog",
          "${local.arn.glue}:connection/${aws_glue_connection.source.name}",
        ]
      },
      {
        Sid    = "LookAtNetwork"
        Effect = "Allow"
        Action = [
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeRouteTables",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeVpcEndpoints",
        ]
        Resource = ["*"]
        Condition = {
          StringEquals = {
            "aws:RequestedRegion" = var.region
          }
        }
      },
      {
        Sid      = "LookAtVpc"
        Effect   = "Allow"
        Action   = ["ec2:DescribeVpcAttribute"]
        Resource = ["${local.arn.ec2}:vpc/${var.vpc_id}"]
      },
      {
        Sid    = "AttachToSubnet"
        Effect = "Allow"
        Action = ["ec2:CreateNetworkInterface"]
        Resource = [
          "${local.arn.ec2}:subnet/${var.subnet_id}",
          "${local.arn.ec2}:security-group/${aws_security_group.job.id}",
          "${local.arn.ec2}:network-interface/*",
        ]
      },
      {
        Sid      = "TagInterface"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["${local.arn.ec2}:network-interface/*"]
        Condition = {
          "ForAllValues:StringEquals" = {
            "aws:TagKeys" = ["aws-glue-service-resource"]
          }
        }
      },
      {
        Sid      = "DetachFromSubnet"
        Effect   = "Allow"
        Action   = ["ec2:DeleteNetworkInterface"]
        Resource = ["${local.arn.ec2}:network-interface/*"]
        Condition = {
          ArnEquals = {
            "ec2:Subnet" = "${local.arn.ec2}:subnet/${var.subnet_id}"
          }
        }
      },
    ]
  })
}

# For people and dashboards: the mart through Athena, and nothing else.
resource "aws_iam_policy" "reader" {
  name        = "mainstem-shop-reader"
  description = "Reads the mart through Athena"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Ask"
        Effect = "Allow"
        Action = [
          "athena:GetQueryExecution",
          "athena:GetQueryResults",
          "athena:GetWorkGroup",
          "athena:StartQueryExecution",
          "athena:StopQueryExecution",
        ]
        Resource = [aws_athena_workgroup.mainstem.arn]
      },
      {
        Sid    = "ReadMartTables"
        Effect = "Allow"
        Action = [
          "glue:GetDatabase",
          "glue:GetTable",
          "glue:GetTables",
        ]
        Resource = [
          "${local.arn.glue}:catalog",
          aws_glue_catalog_database.mart.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.mart.name}/*",
        ]
      },
      {
        Sid      = "ReadMart"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${aws_s3_bucket.lake.arn}/lake/mart/*"]
      },
      {
        Sid    = "Results"
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload",
          "s3:GetObject",
          "s3:PutObject",
        ]
        Resource = ["${aws_s3_bucket.lake.arn}/athena-results/*"]
      },
      {
        Sid      = "LocateBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation"]
        Resource = [aws_s3_bucket.lake.arn]
      },
      {
        Sid      = "ListBucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [aws_s3_bucket.lake.arn]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "lake/mart/*",
              "athena-results/*",
            ]
          }
        }
      },
      {
        Sid    = "UseKey"
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource = [aws_kms_key.lake.arn]
      },
    ]
  })
}

# For mainstem publish: a lake filled and proven elsewhere, copied here.
resource "aws_iam_policy" "publisher" {
  name        = "mainstem-shop-publisher"
  description = "Writes the lake's tables"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadLake"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "${aws_s3_bucket.lake.arn}/lake/raw/*",
          "${aws_s3_bucket.lake.arn}/lake/mart/*",
          "${aws_s3_bucket.lake.arn}/lake/publisher.lock",
        ]
      },
      {
        Sid    = "WriteLake"
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload",
          "s3:PutObject",
        ]
        Resource = [
          "${aws_s3_bucket.lake.arn}/lake/raw/*",
          "${aws_s3_bucket.lake.arn}/lake/mart/*",
          "${aws_s3_bucket.lake.arn}/lake/publisher.lock",
          "${aws_s3_bucket.lake.arn}/lake/releases/*",
        ]
      },
      {
        Sid    = "TidyUp"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "${aws_s3_bucket.lake.arn}/lake/raw/*",
          "${aws_s3_bucket.lake.arn}/lake/mart/*",
          "${aws_s3_bucket.lake.arn}/lake/publisher.lock",
        ]
      },
      {
        Sid    = "ReadTables"
        Effect = "Allow"
        Action = [
          "glue:GetDatabase",
          "glue:GetTable",
          "glue:GetTables",
        ]
        Resource = [
          "${local.arn.glue}:catalog",
          aws_glue_catalog_database.raw.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.raw.name}/*",
          aws_glue_catalog_database.mart.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.mart.name}/*",
        ]
      },
      {
        Sid    = "WriteTables"
        Effect = "Allow"
        Action = [
          "glue:CreateTable",
          "glue:UpdateTable",
        ]
        Resource = [
          "${local.arn.glue}:catalog",
          aws_glue_catalog_database.raw.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.raw.name}/*",
          aws_glue_catalog_database.mart.arn,
          "${local.arn.glue}:table/${aws_glue_catalog_database.mart.name}/*",
        ]
      },
      {
        Sid    = "UseKey"
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource = [aws_kms_key.lake.arn]
      },
    ]
  })
}

resource "aws_iam_role" "reader" {
  count       = length(var.reader_principals) == 0 ? 0 : 1
  name        = "mainstem-shop-reader"
  description = "Reads the mart through Athena"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        AWS = var.reader_principals
      }
      Action = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "reader" {
  count      = length(aws_iam_role.reader)
  role       = aws_iam_role.reader[0].name
  policy_arn = aws_iam_policy.reader.arn
}
