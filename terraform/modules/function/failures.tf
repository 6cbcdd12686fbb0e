# The failure queue and the log group.

locals {
  queue_retention_seconds = 14 * 24 * 60 * 60 # the longest that SQS keeps a message

  log_group = coalesce(var.log_group.name, "/aws/lambda/${var.name}")
}

resource "aws_sqs_queue" "failures" {
  name                      = "${var.name}-failures"
  message_retention_seconds = local.queue_retention_seconds
  kms_master_key_id         = var.kms_key_arns.queues
  sqs_managed_sse_enabled   = var.kms_key_arns.queues == null ? true : null
  tags                      = var.tags

  # SQS would return an existing queue of this name, and terraform destroy would then delete another pipeline's queue.
  # IAM and CloudWatch Logs reject a name that is taken, so the role and the log group come first.
  depends_on = [aws_iam_role.this, aws_cloudwatch_log_group.this]
}

resource "aws_sqs_queue_policy" "failures" {
  queue_url = aws_sqs_queue.failures.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = aws_sqs_queue.failures.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:A year of one line per image costs more than it is worth; log_retention_days sets the retention.
  count = var.log_group.create ? 1 : 0

  name              = local.log_group
  log_group_class   = var.log_group.class
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arns.log_group
  tags              = var.tags
}
