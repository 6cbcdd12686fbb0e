# One bucket for both: uploads/cake.jpg becomes resized/uploads/resized-cake.jpg beside it. The two folders are what
# keeps the function from resizing its own outputs for ever; without them the plan is refused.

module "bucket" {
  source = "../../modules/bucket"

  name = var.bucket_prefix
}

module "image_resize" {
  source = "../../modules/function"

  name               = "resize-single-bucket"
  package            = var.package
  source_bucket      = { name = module.bucket.name, prefix = "uploads/" }
  destination_bucket = { name = module.bucket.name, prefix = "resized/" }
}

module "notification" {
  source = "../../modules/notification"

  bucket              = module.bucket.name
  lambda_notification = module.image_resize.lambda_notification
}
