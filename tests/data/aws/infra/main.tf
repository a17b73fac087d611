# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.69"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = var.tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # How the account's ARNs begin.
  arn = {
    ec2            = "arn:${local.partition}:ec2:${var.region}:${local.account}"
    glue           = "arn:${local.partition}:glue:${var.region}:${local.account}"
    logs           = "arn:${local.partition}:logs:${var.region}:${local.account}"
    secretsmanager = "arn:${local.partition}:secretsmanager:${var.region}:${local.account}"
    iam            = "arn:${local.partition}:iam::${local.account}"
  }
}
