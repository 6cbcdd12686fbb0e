# One bucket for uploads and outputs, in two folders.

module "bucket" {
  source = "../../modules/bucket"

  name = var.bucket_prefix
}

module "image_resize" {
  source = "../../modules/function"

  name               = "resize-single-bucket"
  package            = { path = "../../../dist/function.zip" }
  source_bucket      = { name = module.bucket.name, prefix = "uploads/" }
  destination_bucket = { name = module.bucket.name, prefix = "resized/" }
}

module "notification" {
  source = "../../modules/notification"

  bucket              = module.bucket.name
  lambda_notification = module.image_resize.lambda_notification
}
