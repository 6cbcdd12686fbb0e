# Several sizes and formats of every upload, decoded once: for a web site that picks by the width of its screen.

module "image_resize" {
  source = "../.."

  name               = "resize-many-renditions"
  package            = var.package
  source_bucket      = "${var.bucket_prefix}-in"
  destination_bucket = "${var.bucket_prefix}-out"

  # An output that is not here any more stays in the bucket: nothing that was published is taken away.
  renditions = {
    large  = { width = 1600, height = 1600, format = "avif", key = "{rendition}/{dir}{name}", cache_control = local.for_ever }
    medium = { width = 800, height = 800, format = "webp", key = "{rendition}/{dir}{name}", cache_control = local.for_ever }
    tile   = { width = 320, height = 320, fit = "cover", format = "webp", quality = 70, key = "{rendition}/{dir}{name}" }
    print  = { scale = 1, key = "{rendition}/{dir}{name}", storage_class = "STANDARD_IA" }
  }
}

locals {
  # Whoever changes an image gives it another key.
  for_ever = "public, max-age=31536000, immutable"
}
