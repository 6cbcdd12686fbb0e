# The whole pipeline: an image lands in the source bucket, and its renditions appear in the destination bucket.

module "source_bucket" {
  source = "./modules/bucket"

  name          = var.source_bucket
  kms_key_arn   = var.kms_key_arns.source_bucket
  force_destroy = var.force_destroy
  tags          = var.tags

  policy_statements = var.source_bucket_options.policy_statements
  lifecycle_rules   = var.source_bucket_options.lifecycle_rules
  cors_rules        = var.source_bucket_options.cors_rules
  logging           = var.source_bucket_options.logging
}

module "destination_bucket" {
  source = "./modules/bucket"

  name          = var.destination_bucket
  kms_key_arn   = var.kms_key_arns.destination_bucket
  force_destroy = var.force_destroy
  tags          = var.tags

  policy_statements = var.destination_bucket_options.policy_statements
  lifecycle_rules   = var.destination_bucket_options.lifecycle_rules
  cors_rules        = var.destination_bucket_options.cors_rules
  logging           = var.destination_bucket_options.logging
}

module "function" {
  source = "./modules/function"

  name    = var.name
  package = var.package.path == null && var.package.s3 == null ? merge(var.package, { path = "${path.module}/../dist/function.zip" }) : var.package

  source_bucket      = { name = module.source_bucket.name, kms_key_arn = var.kms_key_arns.source_bucket }
  destination_bucket = { name = module.destination_bucket.name, kms_key_arn = var.kms_key_arns.destination_bucket }
  trigger            = var.trigger
  filters            = var.filters

  renditions     = var.renditions
  manifest       = var.manifest
  placeholders   = var.placeholders
  mirror_deletes = var.mirror_deletes
  metadata       = var.metadata
  max_pixels     = var.max_pixels

  content_credentials = var.content_credentials
  events              = var.events

  function           = var.function
  alias              = var.alias
  asynchronous       = var.asynchronous
  log_group          = var.log_group
  log_levels         = var.log_levels
  log_retention_days = var.log_retention_days
  kms_key_arns       = merge(var.kms_key_arns, { source_bucket = null, destination_bucket = null })
  batch_operations   = var.batch_operations
  role               = var.role
  tags               = var.tags
}

module "notification" {
  source = "./modules/notification"

  bucket              = module.source_bucket.name
  lambda_notification = module.function.lambda_notification
  eventbridge         = var.trigger != "s3" || var.source_bucket_options.eventbridge
}

module "destination_notification" {
  source = "./modules/notification"
  count  = var.destination_bucket_options.eventbridge ? 1 : 0

  bucket      = module.destination_bucket.name
  eventbridge = true
}

module "monitoring" {
  source = "./modules/monitoring"
  count  = var.monitoring.enabled ? 1 : 0

  function_name          = module.function.function_name
  log_group_name         = module.function.log_group_name
  failure_queue_name     = module.function.failure_queue_name
  undelivered_queue_name = module.function.undelivered_queue_name
  architecture           = module.function.architecture
  memory_size            = module.function.memory_size
  timeout                = module.function.timeout
  region                 = module.function.region

  metrics          = var.monitoring.metrics
  alarms           = var.monitoring.alarms
  alarm_topic_arns = var.monitoring.alarm_topic_arns
  dashboard        = var.monitoring.dashboard
  runbook          = var.monitoring.runbook
  thresholds       = var.monitoring.thresholds
  tags             = var.tags
}
