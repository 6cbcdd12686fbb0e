# One KMS key for everything. Its policy allows the account and the services that use the key in their own names:
# CloudWatch, CloudWatch Logs and EventBridge. The module can't know that the topic of completion events has the key.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  # The data source aws_region has no attribute for the name that both version 5 and 6 of the provider accept without a warning.
  region = split(":", aws_vpc.this.arn)[3]
}

resource "aws_kms_key" "this" {
  description         = "Encrypts all data of resize-complete."
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsOfTheFunction"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = {
          ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:*:${local.account_id}:log-group:/images/resize-complete" }
        }
      },
      {
        Sid       = "EventsThatCouldNotBeDelivered"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = {
          ArnLike = { "aws:SourceArn" = "arn:${local.partition}:events:*:${local.account_id}:rule/resize-complete" }
        }
      },
      {
        # The role doesn't exist yet, so it can't be the principal: KMS would refuse the policy.
        Sid       = "CompletionEvents"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = {
          ArnEquals    = { "aws:PrincipalArn" = "arn:${local.partition}:iam::${local.account_id}:role/images/resize-complete-role" }
          StringEquals = { "kms:ViaService" = "sns.${local.region}.amazonaws.com" }
        }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = {
          ArnLike = { "aws:SourceArn" = "arn:${local.partition}:cloudwatch:*:${local.account_id}:alarm:resize-complete-*" }
        }
      },
    ]
  })
}
