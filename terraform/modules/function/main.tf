# The function, everything that it needs, and nothing that it does not.

locals {
  manifest_path = "${trimsuffix(var.package.path, ".zip")}.json"

  # What the build says of the zip. Where it has not run, nobody must be kept from validating or destroying, for which
  # the provider wants a runtime and a handler all the same; the function's precondition lets nothing else pass.
  manifest = try(merge(local.no_manifest, jsondecode(file(local.manifest_path))), local.no_manifest)
  no_manifest = {
    architecture    = "arm64"
    contents_sha256 = null
    handler         = "lambda_function.lambda_handler"
    runtime         = "python3.13"
    sha256          = null
  }

  # glibc gives large blocks back to the kernel at once, which clears them anew for the next image: a quarter of the
  # time that a WebP takes. Kept for the next image, in one place for all threads, they take no more memory than the
  # largest one did.
  allocator = { MALLOC_ARENA_MAX = "1", MALLOC_MMAP_MAX_ = "0", MALLOC_TRIM_THRESHOLD_ = "268435456" }

  source_arn      = "arn:${data.aws_partition.current.partition}:s3:::${var.source_bucket}"
  destination_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.destination_bucket}"
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_lambda_function" "this" {
  function_name    = var.name
  description      = "Resizes images from ${var.source_bucket} to ${var.destination_bucket}."
  role             = aws_iam_role.this.arn
  filename         = var.package.path
  source_code_hash = local.manifest.contents_sha256
  runtime          = local.manifest.runtime
  architectures    = [local.manifest.architecture]
  handler          = local.manifest.handler
  memory_size      = var.memory_size
  timeout          = var.timeout
  tags             = var.tags

  environment {
    variables = merge(
      local.allocator,
      {
        SOURCE_BUCKET      = var.source_bucket
        DESTINATION_BUCKET = var.destination_bucket
        FAILURE_QUEUE_URL  = aws_sqs_queue.failures.url
        METADATA           = var.metadata
        # Without what is not set: all environment variables together may have 4 KB.
        RENDITIONS = jsonencode({ for name, one in var.renditions : name => { for option, value in one : option => value if value != null } })
      },
      var.max_pixels == null ? {} : { MAX_PIXELS = tostring(var.max_pixels) },
    )
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  lifecycle {
    # No validation of the variable: that could not use the locals that are made of it.
    precondition {
      condition     = length(local.colliding_renditions) == 0
      error_message = "Two renditions could write one key (${join("; ", local.colliding_renditions)}), as \"a\" and \"a-b\" do: a-b-cake.jpg would have two sources. Make what stands before {name} in their keys differ from its first letter on."
    }

    precondition {
      condition     = try(filebase64sha256(var.package.path), "no zip") == local.manifest.sha256
      error_message = "No built function at ${var.package.path}, or the manifest beside it is another's. Run \"invoke build\" first."
    }
  }

  # An invocation before the policy is attached fails, and one before the log group exists would log nowhere.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = var.asynchronous.maximum_retry_attempts
  maximum_event_age_in_seconds = var.asynchronous.maximum_event_age_in_seconds

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }
}

resource "aws_lambda_permission" "source_bucket" {
  statement_id   = "SourceBucketMayInvoke"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = local.source_arn
  source_account = data.aws_caller_identity.current.account_id

  # Events are let in only once it is settled what becomes of those that fail.
  depends_on = [aws_lambda_function_event_invoke_config.this]
}
