# The source bucket's one notification configuration; read the README's warning before you use this.

resource "aws_s3_bucket_notification" "this" {
  bucket = var.bucket

  lambda_function {
    id                  = "resize"
    lambda_function_arn = var.function_arn
    # Not only Put: uploads over 8 MB by the CLI and the SDKs are multipart, and copies are uploads too.
    events = ["s3:ObjectCreated:*"]
  }
}
