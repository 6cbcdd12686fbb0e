# The function, everything that it needs, and nothing that it does not.

locals {
  # What the build says of the zip: in the manifest beside it, or, where it is in S3, in the variable. Where it has not
  # run, nobody must be kept from validating or destroying, for which the provider wants a runtime and a handler all the
  # same; the function's precondition lets nothing else pass.
  manifest_file = try(jsondecode(file("${trimsuffix(var.package.path, ".zip")}.json")), {})
  manifest = {
    architecture    = try(local.manifest_file.architecture, coalesce(var.package.architecture, "arm64"))
    contents_sha256 = try(local.manifest_file.contents_sha256, var.package.sha256)
    handler         = try(local.manifest_file.handler, "lambda_function.lambda_handler")
    runtime         = try(local.manifest_file.runtime, coalesce(var.package.runtime, "python3.13"))
    sha256          = try(local.manifest_file.sha256, null)
  }

  # glibc gives large blocks back to the kernel at once, which clears them anew for the next image: a quarter of the
  # time that a WebP takes. Kept for the next image, in one place for all threads, they take no more memory than the
  # largest one did.
  allocator = { MALLOC_ARENA_MAX = "1", MALLOC_MMAP_MAX_ = "0", MALLOC_TRIM_THRESHOLD_ = "268435456" }

  # Without what is not set, for there is not much room.
  renditions = jsonencode({
    for name, one in var.renditions :
    name => { for option, value in merge(one, { key = local.keys[name] }) : option => value if value != null }
  })

  # All but the failure queue's URL, which is not known while planning.
  environment = merge(
    local.allocator,
    {
      SOURCE_BUCKET      = var.source_bucket.name
      DESTINATION_BUCKET = var.destination_bucket.name
      METADATA           = var.metadata
      RENDITIONS         = local.renditions
      # The function fits the time-outs of its requests into its own, which Lambda does not tell it.
      TIMEOUT_SECONDS = tostring(var.function.timeout)
    },
    # Each as its two ends, for there is not much room.
    local.filters == [{ prefix = "", suffix = "" }] ? {} : { FILTERS = jsonencode([for one in local.filters : [one.prefix, one.suffix]]) },
    var.max_pixels == null ? {} : { MAX_PIXELS = tostring(var.max_pixels) },
    var.mirror_deletes ? { MIRROR_DELETES = "true" } : {},
  )

  # No region's name is longer.
  longest_queue_url = "https://sqs.us-isof-south-1.${data.aws_partition.current.dns_suffix}/${local.account_id}/${var.name}-failures"

  # As Lambda measures it: all of it in JSON, in which every quote within the renditions takes a backslash, too.
  # https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-deployment.html
  environment_bytes = length(base64encode(jsonencode(merge(local.environment, { FAILURE_QUEUE_URL = local.longest_queue_url })))) / 4 * 3
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50:Traces cost by the invocation; function.tracing turns them on.
  # checkov:skip=CKV_AWS_116:The event invoke config sends failed events to the queue, with their reasons, which a dead-letter queue would not have.
  # checkov:skip=CKV_AWS_272:Signing needs a profile of the account; the manifest's or package.sha256 says which zip it must be.
  function_name                  = var.name
  description                    = "Resizes images from ${var.source_bucket.name} to ${var.destination_bucket.name}."
  role                           = aws_iam_role.this.arn
  filename                       = var.package.path
  s3_bucket                      = try(var.package.s3.bucket, null)
  s3_key                         = try(var.package.s3.key, null)
  s3_object_version              = try(var.package.s3.version, null)
  source_code_hash               = local.manifest.contents_sha256
  runtime                        = local.manifest.runtime
  architectures                  = [local.manifest.architecture]
  handler                        = local.manifest.handler
  memory_size                    = var.function.memory_size
  timeout                        = var.function.timeout
  reserved_concurrent_executions = var.function.reserved_concurrent_executions == null ? -1 : var.function.reserved_concurrent_executions
  kms_key_arn                    = var.kms_key_arns.environment
  tags                           = var.tags

  environment {
    variables = merge(local.environment, { FAILURE_QUEUE_URL = aws_sqs_queue.failures.url })
  }

  ephemeral_storage {
    size = var.function.ephemeral_storage_size
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.function.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.function.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    # No validations of the variables: those could not use the locals that are made of them.
    precondition {
      condition     = length(local.colliding_renditions) == 0
      error_message = "Two renditions could write one key (${join("; ", local.colliding_renditions)}), as \"a\" and \"a-b\" do: a-b-cake.jpg would have two sources. Make what stands before {name} in their keys differ from its first letter on."
    }

    precondition {
      condition     = length(local.overlapping_filters) == 0
      error_message = "Two filters could fit one key (${join("; ", local.overlapping_filters)}), which S3 refuses: make their prefixes or their suffixes differ so that no key has both, or keep the wider one alone."
    }

    precondition {
      condition     = length(local.looping_outputs) == 0
      error_message = "One bucket for both could be an endless and costly loop (${join("; ", local.looping_outputs)}): give source_bucket.prefix or each filter one folder, such as \"uploads/\", and destination_bucket.prefix another, such as \"resized/\"."
    }

    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The function's settings take ${local.environment_bytes} bytes, and Lambda has 4096 for all environment variables: use fewer renditions, or shorter keys."
    }

    precondition {
      condition     = var.package.path == null || try(filebase64sha256(var.package.path), "no zip") == local.manifest.sha256
      error_message = "No built function at ${coalesce(var.package.path, "package.path")}, or the manifest beside it is another's. In a clone, run \"invoke build\" first. Where the module comes from git it brings no zip: put one into a bucket of yours with \"invoke publish --bucket NAME\" and set package to what that prints."
    }
  }

  # An invocation before the policy is attached fails, and one before the log group exists would log nowhere.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.this]
}

# Read once it is deployed: the function's own digest is still the old one while an update is planned.
data "aws_lambda_function" "deployed" {
  count = var.package.s3 == null ? 0 : 1

  function_name = aws_lambda_function.this.function_name

  lifecycle {
    postcondition {
      condition     = self.code_sha256 == var.package.sha256
      error_message = "What is deployed is not the zip that package.sha256 names: the object in S3 is another, or somebody changed the function. Set package to what \"invoke publish --bucket NAME\" prints and apply at once; where it says that already, with -replace=ADDRESS of this module's aws_lambda_function.this."
    }
  }

  depends_on = [aws_lambda_function.this]
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
  count = var.trigger == "eventbridge" ? 0 : 1

  statement_id   = "SourceBucketMayInvoke"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = local.source_arn
  source_account = local.account_id

  # Events are let in only once it is settled what becomes of those that fail.
  depends_on = [aws_lambda_function_event_invoke_config.this]
}
