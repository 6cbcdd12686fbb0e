# What others need to know of the function.

output "architecture" {
  description = "The function's processor, arm64 or x86_64."
  value       = one(aws_lambda_function.this.architectures)
}

output "batch_operations_role_arn" {
  description = "ARN of the role for jobs of S3 Batch Operations; null where batch_operations is false."
  value       = one(aws_iam_role.jobs[*].arn)

  # Whoever reads this may make a job, for the role may do what a job does.
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

output "lambda_notification" {
  description = "What the source bucket's notification configuration must hold: one object for each filter, with the arguments of a lambda_function block of aws_s3_bucket_notification. Empty where EventBridge is the trigger."
  value       = local.lambda_notification

  # S3 tries the permission out when it is told to notify the function, so the permission must be there first.
  depends_on = [aws_lambda_permission.source_bucket]
}

output "log_group" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "memory_size" {
  description = "The function's memory in MiB."
  value       = aws_lambda_function.this.memory_size
}

output "role_arn" {
  description = "ARN of the role that the function has."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Name of the role that the function has, to attach further policies to."
  value       = aws_iam_role.this.name
}

output "timeout" {
  description = "The function's timeout in seconds."
  value       = aws_lambda_function.this.timeout
}

output "undelivered_queue_arn" {
  description = "ARN of the queue that holds the events which EventBridge could not deliver; null where S3 is the trigger."
  value       = one(aws_sqs_queue.undelivered[*].arn)
}

output "undelivered_queue_name" {
  description = "Name of the queue that holds the events which EventBridge could not deliver; null where S3 is the trigger."
  value       = one(aws_sqs_queue.undelivered[*].name)
}

output "undelivered_queue_url" {
  description = "URL of the queue that holds the events which EventBridge could not deliver; null where S3 is the trigger."
  value       = one(aws_sqs_queue.undelivered[*].url)
}
