# The bucket's only notification configuration. Read the warning in the README before you use this module.

locals {
  filters = [
    for one in var.lambda_notification : {
      prefix = one.filter_prefix == null ? "" : one.filter_prefix
      suffix = one.filter_suffix == null ? "" : one.filter_suffix
    }
  ]

  # modules/function rejects overlapping filters of one function. Filters of several functions can still overlap.
  overlapping = flatten([
    for i, one in var.lambda_notification : [
      for j, other in var.lambda_notification : "${one.id} and ${other.id}"
      if i < j
      && anytrue(flatten([
        for a in one.events : [for b in other.events : startswith(a, trimsuffix(b, "*")) || startswith(b, trimsuffix(a, "*"))]
      ]))
      && (startswith(local.filters[i].prefix, local.filters[j].prefix) || startswith(local.filters[j].prefix, local.filters[i].prefix))
      && (endswith(local.filters[i].suffix, local.filters[j].suffix) || endswith(local.filters[j].suffix, local.filters[i].suffix))
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
      error_message = "A key could match two of lambda_notification (${join("; ", local.overlapping)}), which S3 rejects: give their functions filters that never match the same key, or use EventBridge."
    }
  }
}
