# An image lands in the source bucket; its renditions appear in the destination bucket.

module "source_bucket" {
  source = "./modules/bucket"

  name          = var.source_bucket
  force_destroy = var.force_destroy
  tags          = var.tags
}

module "destination_bucket" {
  source = "./modules/bucket"

  name          = var.destination_bucket
  force_destroy = var.force_destroy
  tags          = var.tags
}

module "function" {
  source = "./modules/function"

  name               = var.name
  package            = { path = coalesce(var.package.path, "${path.module}/../dist/function.zip") }
  source_bucket      = module.source_bucket.name
  destination_bucket = module.destination_bucket.name
  renditions         = var.renditions
  metadata           = var.metadata
  max_pixels         = var.max_pixels
  memory_size        = var.memory_size
  timeout            = var.timeout
  asynchronous       = var.asynchronous
  log_retention_days = var.log_retention_days
  tags               = var.tags
}

module "notification" {
  source = "./modules/notification"

  bucket       = module.source_bucket.name
  function_arn = module.function.function_arn
}
