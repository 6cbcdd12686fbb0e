# Completion events on a bus, and a consumer that keeps the latest state of each upload in a table.

resource "aws_cloudwatch_event_bus" "images" {
  name = "resize-completion"
}

module "image_resize" {
  source = "../.."

  name               = "resize-completion"
  source_bucket      = "${var.bucket_prefix}-in"
  destination_bucket = "${var.bucket_prefix}-out"
  mirror_deletes     = true
  events             = { eventbridge_bus_arn = aws_cloudwatch_event_bus.images.arn }
}

resource "aws_dynamodb_table" "images" {
  # checkov:skip=CKV_AWS_28:Its items can be made again: invoke backfill sends an event for every upload.
  # checkov:skip=CKV_AWS_119:An example; DynamoDB encrypts the table with its own key.
  name         = "resize-completion"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "key"

  attribute {
    name = "key"
    type = "S"
  }
}
