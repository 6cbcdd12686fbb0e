# A bucket that many listen to: it sends its events to EventBridge, and everyone has a rule of their own. That it does is
# a part of its notification configuration, so its owner sets it, once; modules/function makes a rule and never touches
# that. Here the first three blocks stand for what the owner has.

module "uploads" {
  source = "../../modules/bucket"

  name = "${var.bucket_prefix}-uploads"
}

resource "aws_s3_bucket_notification" "uploads" {
  bucket      = module.uploads.name
  eventbridge = true
}

module "assets" {
  source = "../../modules/bucket"

  name = "${var.bucket_prefix}-assets"
}

module "image_resize" {
  source = "../../modules/function"

  name               = "resize-eventbridge"
  package            = var.package
  trigger            = "eventbridge"
  source_bucket      = { name = module.uploads.name }
  destination_bucket = { name = module.assets.name }
  filters            = [{ prefix = "photos/", suffix = ".jpg" }, { prefix = "logos/" }]
}
