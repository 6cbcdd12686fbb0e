# A bucket with many listeners. The first three blocks stand for what its owner already has.

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
  package            = { path = "../../../dist/function.zip" }
  trigger            = "eventbridge"
  source_bucket      = { name = module.uploads.name }
  destination_bucket = { name = module.assets.name }
  filters            = [{ prefix = "photos/", suffix = ".jpg" }, { prefix = "logos/" }]
}
