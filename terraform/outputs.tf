# What a user of the pipeline needs to know of it.

output "batch_operations_role_arn" {
  description = "ARN of the role for jobs of S3 Batch Operations; null where batch_operations is false."
  value       = module.function.batch_operations_role_arn
}

output "destination_bucket" {
  description = "Name of the bucket that the resized images appear in."
  value       = module.destination_bucket.name
}

output "failure_queue_arn" {
  description = "ARN of the queue that holds a record of every image that could not be resized."
  value       = module.function.failure_queue_arn
}

output "failure_queue_url" {
  description = "URL of the queue that holds a record of every image that could not be resized."
  value       = module.function.failure_queue_url
}

output "function_arn" {
  description = "ARN of the function."
  value       = module.function.function_arn
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.function_name
}

output "log_group" {
  description = "Name of the function's log group."
  value       = module.function.log_group
}

output "role_arn" {
  description = "ARN of the role that the function has."
  value       = module.function.role_arn
}

output "role_name" {
  description = "Name of the role that the function has, to attach further policies to."
  value       = module.function.role_name
}

output "source_bucket" {
  description = "Name of the bucket to upload to: whoever reads this may upload, for the trigger is in place."
  value       = module.source_bucket.name
  depends_on  = [module.function, module.notification]
}

output "undelivered_queue_arn" {
  description = "ARN of the queue that holds the events which EventBridge could not deliver; null where S3 is the trigger."
  value       = module.function.undelivered_queue_arn
}

output "undelivered_queue_url" {
  description = "URL of the queue that holds the events which EventBridge could not deliver; null where S3 is the trigger."
  value       = module.function.undelivered_queue_url
}
