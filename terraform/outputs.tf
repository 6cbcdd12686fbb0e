# Names, ARNs and URLs for users of the pipeline.

output "alarm_arns" {
  description = "ARNs of the alarms, by their headings in the runbook; empty if there are none."
  value       = merge(module.monitoring[*].alarm_arns...)
}

output "alias_arn" {
  description = "ARN of the alias; null without one."
  value       = module.function.alias_arn
}

output "batch_operations_role_arn" {
  description = "ARN of the role for S3 Batch Operations jobs; null unless batch_operations is true."
  value       = module.function.batch_operations_role_arn
}

output "destination_bucket_name" {
  description = "Name of the bucket that holds the resized images."
  value       = module.destination_bucket.name
}

output "destination_bucket_arn" {
  description = "ARN of the destination bucket."
  value       = module.destination_bucket.arn
}

output "destination_bucket_regional_domain_name" {
  description = "Domain name of the destination bucket in its region, as an origin of CloudFront."
  value       = module.destination_bucket.bucket_regional_domain_name
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

output "function_version" {
  description = "The version that the last apply published, to which a later rollback can return; null without an alias."
  value       = module.function.function_version
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = module.function.log_group_name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = module.function.role_arn
}

output "role_name" {
  description = "Name of the function's role, for attaching further policies."
  value       = module.function.role_name
}

output "role_policy_json" {
  description = "The policy that the function's role needs. With role.create = false, attach it to your role."
  value       = module.function.role_policy_json
}

output "source_bucket_name" {
  description = "Name of the bucket to upload to. Terraform returns it once the trigger is in place."
  value       = module.source_bucket.name
  depends_on  = [module.function, module.notification]
}

output "source_bucket_arn" {
  description = "ARN of the source bucket."
  value       = module.source_bucket.arn
}

output "source_bucket_regional_domain_name" {
  description = "Domain name of the source bucket in its region, as an origin of CloudFront."
  value       = module.source_bucket.bucket_regional_domain_name
}

output "target_arn" {
  description = "ARN that senders of events invoke: that of the alias if it receives events, otherwise that of the function."
  value       = module.function.target_arn
}

output "undelivered_queue_arn" {
  description = "ARN of the queue for events that EventBridge could not deliver; null if trigger is \"s3\"."
  value       = module.function.undelivered_queue_arn
}

output "undelivered_queue_url" {
  description = "URL of the queue for events that EventBridge could not deliver; null if trigger is \"s3\"."
  value       = module.function.undelivered_queue_url
}
