# What the function may do: exactly what it does.

resource "aws_iam_role" "this" {
  name        = "${var.name}-role"
  description = "Lets ${var.name} resize images from ${var.source_bucket} to ${var.destination_bucket}."
  tags        = var.tags

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

resource "aws_iam_policy" "this" {
  name        = "${var.name}-policy"
  description = "Read ${var.source_bucket}, write ${var.destination_bucket}, report failures, log."
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadSourceImages"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.source_arn}/*"
      },
      {
        # Without it S3 answers 403 for an object that is gone, and "deleted" could not be told from "denied".
        Sid      = "TellMissingFromDenied"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = local.source_arn
      },
      {
        Sid      = "WriteResizedImages"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${local.destination_arn}/*"
      },
      {
        Sid      = "ReportFailures"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.failures.arn
      },
      {
        # Not CreateLogGroup: a late invocation would make the group again after it was destroyed.
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.this.arn
}
