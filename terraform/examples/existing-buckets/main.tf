# Existing buckets, one with a notification. The first two modules and the queue stand for what their owner already has.

module "uploads" {
  source = "../../modules/bucket"

  name = "${var.bucket_prefix}-uploads"
}

module "assets" {
  source = "../../modules/bucket"

  name = "${var.bucket_prefix}-assets"
}

resource "aws_sqs_queue" "deletions" {
  name                    = "resize-existing-buckets-deletions"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "deletions" {
  queue_url = aws_sqs_queue.deletions.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "UploadsMaySend"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.deletions.arn
      Condition = { ArnEquals = { "aws:SourceArn" = module.uploads.arn } }
    }]
  })
}

module "image_resize" {
  source = "../../modules/function"

  name               = "resize-existing-buckets"
  package            = { path = "../../../dist/function.zip" }
  source_bucket      = { name = module.uploads.name, prefix = "photos/" }
  destination_bucket = { name = module.assets.name, prefix = "images/" }
  filters            = [{ suffix = ".jpg" }, { suffix = ".JPG" }]
}

resource "aws_s3_bucket_notification" "uploads" {
  bucket = module.uploads.name

  queue {
    queue_arn = aws_sqs_queue.deletions.arn
    events    = ["s3:ObjectRemoved:*"]
  }

  dynamic "lambda_function" {
    for_each = module.image_resize.lambda_notification

    content {
      id                  = lambda_function.value.id
      lambda_function_arn = lambda_function.value.lambda_function_arn
      events              = lambda_function.value.events
      filter_prefix       = lambda_function.value.filter_prefix
      filter_suffix       = lambda_function.value.filter_suffix
    }
  }

  depends_on = [aws_sqs_queue_policy.deletions]
}
