# The source bucket's one notification configuration; read the README's warning before you use this.

locals {
  ends = [
    for one in var.lambda_notification : {
      prefix = one.filter_prefix == null ? "" : one.filter_prefix
      suffix = one.filter_suffix == null ? "" : one.filter_suffix
    }
  ]

  # The filters of one function do not overlap; those of several that meet here may.
  overlapping = flatten([
    for i, one in var.lambda_notification : [
      for j, other in var.lambda_notification : "${one.id} and ${other.id}"
      if i < j
      && anytrue(flatten([
        for a in one.events : [for b in other.events : startswith(a, trimsuffix(b, "*")) || startswith(b, trimsuffix(a, "*"))]
      ]))
      && (startswith(local.ends[i].prefix, local.ends[j].prefix) || startswith(local.ends[j].prefix, local.ends[i].prefix))
      && (endswith(local.ends[i].suffix, local.ends[j].suffix) || endswith(local.ends[j].suffix, local.ends[i].suffix))
    ]
  ])
}

resource "aws_s3_bucket_notification" "this" {
  bucket      = var.bucket
  eventbridge = var.eventbridge

  dynamic "lambda_function" {
    for_each = var.lambda_notification

    content {
      id                  = lambda_function.value.id
      lambda_function_arn = lambda_function.value.lambda_function_arn
      events              = lambda_function.value.events
      filter_prefix       = lambda_function.value.filter_prefix
      filter_suffix       = lambda_function.value.filter_suffix
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.overlapping) == 0
      error_message = "Two of lambda_notification could fit one key (${join("; ", local.overlapping)}), which S3 refuses: give their functions filters that no key fits together, or use EventBridge."
    }
  }
}
