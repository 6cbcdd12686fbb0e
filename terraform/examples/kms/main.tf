# Keys of your own for all that is stored: the images on both sides, the queue, the log and the function's settings.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # What every key needs: that the account's own policies decide who uses it.
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

  description         = "Images on their way ${each.key}."
  enable_key_rotation = true

  policy = jsonencode({ Version = "2012-10-17", Statement = [local.account_decides] })
}

resource "aws_kms_key" "operations" {
  description         = "The queue, the log and the settings of the function."
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.account_decides,
      {
        # CloudWatch Logs encrypts in its own name, not in that of the function.
        Sid       = "LogsOfTheFunction"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.current.id}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
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
  package            = var.package
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
