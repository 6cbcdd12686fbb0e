# A role and a log group that exist already. The first four resources stand for what their owners already have.

module "uploads" {
  source = "../../modules/bucket"

  name = "${var.bucket_prefix}-uploads"
}

module "assets" {
  source = "../../modules/bucket"

  name = "${var.bucket_prefix}-assets"
}

resource "aws_cloudwatch_log_group" "platform" {
  # checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts every log group; examples/kms shows a key of your own.
  # checkov:skip=CKV_AWS_338:The log of an example is not worth a year.
  name              = "/platform/resize"
  retention_in_days = 14
}

resource "aws_iam_role" "platform" {
  name = "platform-resize-bring-your-own"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaAssumesThis"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "resize" {
  name   = "resize-images"
  role   = aws_iam_role.platform.id
  policy = module.image_resize.role_policy_json
}

module "image_resize" {
  source = "../../modules/function"

  name               = "resize-bring-your-own"
  package            = { path = "../../../dist/function.zip" }
  source_bucket      = { name = module.uploads.name }
  destination_bucket = { name = module.assets.name }

  role       = { create = false, arn = aws_iam_role.platform.arn }
  log_group  = { create = false, name = aws_cloudwatch_log_group.platform.name }
  log_levels = { application = "WARN" } # The log has only the images that were not written.
  function   = { environment_variables = { OTEL_SERVICE_NAME = "resize" } }
}

module "notification" {
  source = "../../modules/notification"

  bucket              = module.uploads.name
  lambda_notification = module.image_resize.lambda_notification

  # The first event may arrive only once the role has its permissions.
  depends_on = [aws_iam_role_policy.resize]
}
