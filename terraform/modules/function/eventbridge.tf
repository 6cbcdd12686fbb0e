# The EventBridge trigger: a rule for the bucket's events, and a queue for events that EventBridge could not deliver.
# The owner of the bucket's notification configuration makes the bucket send its events to EventBridge.

locals {
  event_pattern = jsonencode({
    source = ["aws.s3"]
    # Unlike S3's notifications, EventBridge reports a lifecycle rule's deletions as Object Deleted, too.
    "detail-type" = concat(["Object Created", "Object Restore Completed"], var.mirror_deletes ? ["Object Deleted"] : [])
    detail = merge(
      { bucket = { name = [var.source_bucket.name] } },
      # No pattern for keys where a filter matches every key.
      length(local.key_patterns) == 0 ? {} : { object = { key = local.key_patterns } },
    )
  })
}

resource "aws_cloudwatch_event_rule" "uploads" {
  count = var.trigger == "s3" ? 0 : 1

  name        = var.name
  description = "Tells ${var.name} of uploads to ${var.source_bucket.name}."
  tags        = var.tags

  event_pattern = local.event_pattern

  lifecycle {
    precondition {
      # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
      condition     = length(local.event_pattern) <= 2048
      error_message = "The filters make an event pattern of ${length(local.event_pattern)} characters, and EventBridge allows 2048: use fewer filters, or a wider prefix."
    }
  }

  # EventBridge would overwrite an existing rule of this name. IAM and CloudWatch Logs reject a name that is taken, so the
  # role and the log group come first.
  depends_on = [aws_iam_role.this, aws_cloudwatch_log_group.this]
}

resource "aws_cloudwatch_event_target" "function" {
  count = var.trigger == "s3" ? 0 : 1

  # EventBridge deletes the target with the rule, whose ID equals its name.
  rule      = aws_cloudwatch_event_rule.uploads[0].id
  target_id = "function"
  arn       = local.target_arn

  dead_letter_config {
    arn = aws_sqs_queue.undelivered[0].arn
  }

  # No event may arrive before EventBridge can invoke the function, and before failed and undeliverable events have a
  # destination.
  depends_on = [
    aws_lambda_function_event_invoke_config.this,
    aws_lambda_function_event_invoke_config.alias,
    aws_lambda_permission.eventbridge,
    aws_lambda_permission.eventbridge_alias,
    aws_sqs_queue_policy.undelivered,
  ]
}

resource "aws_lambda_permission" "eventbridge" {
  count = var.trigger == "s3" ? 0 : 1

  statement_id  = "EventBridgeMayInvoke"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.id
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.uploads[0].arn
}

resource "aws_sqs_queue" "undelivered" {
  count = var.trigger == "s3" ? 0 : 1

  name                      = "${var.name}-undelivered"
  message_retention_seconds = local.queue_retention_seconds
  kms_master_key_id         = var.kms_key_arns.queues
  sqs_managed_sse_enabled   = var.kms_key_arns.queues == null ? true : null
  tags                      = var.tags

  depends_on = [aws_iam_role.this, aws_cloudwatch_log_group.this]
}

resource "aws_sqs_queue_policy" "undelivered" {
  count = var.trigger == "s3" ? 0 : 1

  queue_url = aws_sqs_queue.undelivered[0].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.undelivered[0].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "TheRuleMaySend"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.undelivered[0].arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.uploads[0].arn } }
      },
    ]
  })
}
