# Your own KMS keys for all stored data.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  # The data source aws_region has no attribute for the name that both version 5 and 6 of the provider accept without a warning.
  region = split(":", aws_kms_key.images["in"].arn)[3]

  # Every key needs this statement: it lets the account's IAM policies decide who uses the key.
  account_decides = {
    Sid       = "TheAccountDecides"
    Effect    = "Allow"
    Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
    Action    = "kms:*"
    Resource  = "*"
  }
}

resource "aws_kms_key" "images" {
  for_each = toset(["in", "out"])

  description         = "Encrypts the images of the bucket ${each.key}."
  enable_key_rotation = true

  policy = jsonencode({ Version = "2012-10-17", Statement = [local.account_decides] })
}

resource "aws_kms_key" "operations" {
  description         = "Encrypts the function's queue, log and settings."
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.account_decides,
      {
        # CloudWatch Logs uses the key in its own name, not with the function's role.
        Sid       = "LogsOfTheFunction"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.current.partition}:logs:*:${data.aws_caller_identity.current.account_id}:log-group:/aws/lambda/resize-kms"
          }
        }
      },
    ]
  })
}

module "image_resize" {
  source = "../.."

  name               = "resize-kms"
  source_bucket      = "${var.bucket_prefix}-in"
  destination_bucket = "${var.bucket_prefix}-out"

  kms_key_arns = {
    source_bucket      = aws_kms_key.images["in"].arn
    destination_bucket = aws_kms_key.images["out"].arn
    queues             = aws_kms_key.operations.arn
    log_group          = aws_kms_key.operations.arn
    environment        = aws_kms_key.operations.arn
  }
}
