# Names, ARNs and URLs, and the values that modules/notification and modules/monitoring need.

output "alias_arn" {
  description = "ARN of the alias; null without one."
  value       = one(aws_lambda_alias.this[*].arn)
}

output "architecture" {
  description = "The function's architecture, arm64 or x86_64."
  value       = one(aws_lambda_function.this.architectures)
}

output "batch_operations_role_arn" {
  description = "ARN of the role for S3 Batch Operations jobs; null unless batch_operations is true."
  value       = one(aws_iam_role.jobs[*].arn)

  # A caller can create a job at once: the role already has its permissions.
  depends_on = [aws_iam_role_policy_attachment.jobs]
}

output "failure_queue_arn" {
  description = "ARN of the queue that holds a record of every image that could not be resized."
  value       = aws_sqs_queue.failures.arn
}

output "failure_queue_name" {
  description = "Name of the queue that holds a record of every image that could not be resized."
  value       = aws_sqs_queue.failures.name
}

output "failure_queue_url" {
  description = "URL of the queue that holds a record of every image that could not be resized."
  value       = aws_sqs_queue.failures.url
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_version" {
  description = "The version that the last apply published, to which a later rollback can return; null without an alias."
  value       = var.alias == null ? null : aws_lambda_function.this.version
}

output "lambda_notification" {
  description = "What the source bucket's notification configuration must contain: one object for each filter, with the arguments of a lambda_function block of aws_s3_bucket_notification. Empty if trigger is \"eventbridge\"."
  value       = local.lambda_notification

  # S3 tests the permission when it saves the notification configuration, so the permission must exist first.
  depends_on = [aws_lambda_permission.source_bucket, aws_lambda_permission.source_bucket_alias]
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = local.log_group

  # A metric filter needs the log group.
  depends_on = [aws_cloudwatch_log_group.this]
}

output "memory_size" {
  description = "The function's memory in MiB."
  value       = aws_lambda_function.this.memory_size
}

output "region" {
  description = "The function's region."
  value       = split(":", aws_lambda_function.this.arn)[3]
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = local.role_arn
}

output "role_name" {
  description = "Name of the function's role, for attaching further policies."
  value       = var.role.create ? aws_iam_role.this[0].name : reverse(split("/", var.role.arn))[0]
}

output "role_policy_json" {
  description = "The policy that the function's role needs. With role.create = false, attach it to your role."
  value       = local.policy
}

output "source_bucket_policy_json" {
  description = "Policy that the owner of the source bucket must add to the bucket's own, if the bucket is in another account; null without source_bucket.account_id."
  value = var.source_bucket.account_id == null ? null : jsonencode({
    Version   = "2012-10-17"
    Statement = [for one in slice(local.statements, 0, 2) : merge(one, { Principal = { AWS = local.role_arn } })]
  })
}

output "target_arn" {
  description = "ARN that senders of events invoke: that of the alias if it receives events, otherwise that of the function."
  value       = local.target_arn

  # No event may arrive before failed events have a destination.
  depends_on = [aws_lambda_function_event_invoke_config.this, aws_lambda_function_event_invoke_config.alias]
}

output "timeout" {
  description = "The function's timeout in seconds."
  value       = aws_lambda_function.this.timeout
}

output "undelivered_queue_arn" {
  description = "ARN of the queue for events that EventBridge could not deliver; null if trigger is \"s3\"."
  value       = one(aws_sqs_queue.undelivered[*].arn)
}

output "undelivered_queue_name" {
  description = "Name of the queue for events that EventBridge could not deliver; null if trigger is \"s3\"."
  # Not the resource's attribute: Terraform would not know while planning whether a computed name is null.
  value = var.trigger == "s3" ? null : "${var.name}-undelivered"

  depends_on = [aws_sqs_queue.undelivered]
}

output "undelivered_queue_url" {
  description = "URL of the queue for events that EventBridge could not deliver; null if trigger is \"s3\"."
  value       = one(aws_sqs_queue.undelivered[*].url)
}
