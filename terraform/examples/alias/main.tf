# Each apply that changes the code or the settings publishes a version. The alias names the version that runs.

module "image_resize" {
  source = "../.."

  name               = "resize-alias"
  source_bucket      = "${var.bucket_prefix}-in"
  destination_bucket = "${var.bucket_prefix}-out"

  alias = { name = "live", version = var.alias_version }
}
