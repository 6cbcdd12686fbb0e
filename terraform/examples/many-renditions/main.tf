# Several sizes and formats of every upload, for a website that chooses by screen width.

module "image_resize" {
  source = "../.."

  name               = "resize-many-renditions"
  source_bucket      = "${var.bucket_prefix}-in"
  destination_bucket = "${var.bucket_prefix}-out"

  # If you remove a rendition, its existing outputs stay in the bucket.
  renditions = {
    large  = { width = 1600, height = 1600, format = "avif", key = "{rendition}/{dir}{name}", cache_control = local.one_year }
    medium = { width = 800, height = 800, format = "webp", key = "{rendition}/{dir}{name}", cache_control = local.one_year }
    tile   = { width = 320, height = 320, fit = "cover", format = "webp", quality = 70, key = "{rendition}/{dir}{name}" }
    print  = { scale = 1, key = "{rendition}/{dir}{name}", storage_class = "STANDARD_IA" }
  }
}

locals {
  # Safe only if a changed image gets a new key.
  one_year = "public, max-age=31536000, immutable"
}
