# The Lambda function, its package and its settings.

locals {
  # The description of the zip: from the manifest beside it, or from var.package if the zip is in S3. Before a build there
  # is no manifest, but validate and destroy must work, and the provider requires a runtime and a handler. The function's
  # precondition rejects a missing manifest in a plan.
  manifest_file = try(jsondecode(file("${trimsuffix(var.package.path, ".zip")}.json")), {})
  manifest = {
    architecture    = try(local.manifest_file.architecture, coalesce(var.package.architecture, "arm64"))
    contents_sha256 = try(local.manifest_file.contents_sha256, var.package.sha256)
    handler         = try(local.manifest_file.handler, "lambda_function.lambda_handler")
    runtime         = try(local.manifest_file.runtime, coalesce(var.package.runtime, "python3.13"))
    sha256          = try(local.manifest_file.sha256, null)
  }

  # By default glibc returns large blocks to the kernel at once, and the kernel clears them again for the next image: a
  # quarter of the time that a WebP takes. Blocks that stay in one arena for all threads take no more memory than the
  # largest image did.
  allocator = { MALLOC_ARENA_MAX = "1", MALLOC_MMAP_MAX_ = "0", MALLOC_TRIM_THRESHOLD_ = "268435456" }

  # Null for a variable that is not set. Without the failure queue's URL, which is unknown in a plan.
  own_variables = merge(
    local.allocator,
    {
      SOURCE_BUCKET      = var.source_bucket.name
      DESTINATION_BUCKET = var.destination_bucket.name
      METADATA           = var.metadata
      # Only options that are set: all environment variables together may have 4 KB.
      RENDITIONS = jsonencode({
        for name, one in local.renditions :
        name => { for option, value in merge(one, { key = local.keys[name] }) : option => value if value != null }
      })
      # The function derives its requests' timeouts from its own, which Lambda does not tell it.
      TIMEOUT_SECONDS = tostring(var.function.timeout)
      # Each filter as a pair, to save bytes.
      FILTERS        = local.filters == [{ prefix = "", suffix = "" }] ? null : jsonencode([for one in local.filters : [one.prefix, one.suffix]])
      MAX_PIXELS     = var.max_pixels == null ? null : tostring(var.max_pixels)
      MANIFEST       = local.manifest_key
      MIRROR_DELETES = var.mirror_deletes ? "true" : null
      PLACEHOLDERS   = var.placeholders ? "true" : null
      CONTENT_CREDENTIALS = var.content_credentials == null ? null : jsonencode({
        for option, value in var.content_credentials : option => value if value != null
      })
      EVENTS = var.events == null ? null : jsonencode({ for option, value in var.events : option => value if value != null })
      # The function ignores it: the operator's commands find the alias by it.
      ALIAS = try(var.alias.receives_events, false) ? var.alias.name : null
    },
  )

  environment = merge(
    var.function.environment_variables,
    { for name, value in local.own_variables : name => value if value != null },
  )

  # Also names that this configuration leaves unset: the function would read them.
  colliding_variables = setintersection(keys(var.function.environment_variables), concat(keys(local.own_variables), ["FAILURE_QUEUE_URL"]))

  # With the longest names of a region and of a partition's domain.
  longest_queue_url = "https://sqs.us-isof-south-1.csp.hci.ic.gov/123456789012/${var.name}-failures"

  # Lambda measures the variables as JSON, which adds a backslash before every quote within the renditions.
  # https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-deployment.html
  environment_bytes = length(base64encode(jsonencode(merge(local.environment, { FAILURE_QUEUE_URL = local.longest_queue_url })))) / 4 * 3
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50:Each traced invocation costs money; function.tracing turns tracing on.
  # checkov:skip=CKV_AWS_116:The event invoke config sends failed events to the failure queue, with the error that a dead-letter queue would lack.
  function_name = var.name
  # Lambda allows 256 characters; old buckets in us-east-1 may have names of 255.
  description                    = substr("Resizes images from ${var.source_bucket.name} to ${var.destination_bucket.name}.", 0, 256)
  role                           = local.role_arn
  filename                       = var.package.path
  s3_bucket                      = try(var.package.s3.bucket, null)
  s3_key                         = try(var.package.s3.key, null)
  s3_object_version              = try(var.package.s3.version, null)
  source_code_hash               = local.manifest.contents_sha256
  runtime                        = local.manifest.runtime
  architectures                  = [local.manifest.architecture]
  handler                        = local.manifest.handler
  publish                        = var.alias != null
  memory_size                    = var.function.memory_size
  timeout                        = var.function.timeout
  reserved_concurrent_executions = var.function.reserved_concurrent_executions == null ? -1 : var.function.reserved_concurrent_executions
  kms_key_arn                    = var.kms_key_arns.environment
  layers                         = var.function.layers
  code_signing_config_arn        = var.function.code_signing_config_arn

  replace_security_groups_on_destroy = try(var.function.vpc.replace_security_groups_on_destroy, null)
  tags                               = var.tags

  environment {
    variables = merge(local.environment, { FAILURE_QUEUE_URL = aws_sqs_queue.failures.url })
  }

  ephemeral_storage {
    size = var.function.ephemeral_storage_size
  }

  logging_config {
    log_format            = "JSON"
    log_group             = local.log_group
    application_log_level = var.log_levels.application
    system_log_level      = var.log_levels.system
  }

  tracing_config {
    mode = var.function.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    # Without subnets the function leaves its VPC. Its role keeps the permissions that Lambda then needs.
    for_each = [for vpc in var.function.vpc[*] : vpc if length(vpc.subnet_ids) > 0]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    # Preconditions instead of validations, because these use locals.
    precondition {
      condition     = length(local.repeated_names) == 0
      error_message = "Two renditions have one name (${join(", ", local.repeated_names)}): widths and formats make NAME-WIDTH-FORMAT, so rename the rendition that has this name itself."
    }

    precondition {
      condition     = length(local.colliding_renditions) == 0
      error_message = "Two renditions could write the same key (${join("; ", local.colliding_renditions)}). Use one pattern for all keys, such as \"{rendition}/{dir}{name}\", or make the text before {name} in their keys differ from its first letter."
    }

    precondition {
      condition     = length(local.manifest_collisions) == 0
      error_message = "A rendition and the manifest could write the same key (${join(", ", local.manifest_collisions)}): set the rendition's format, or end its key in {name} without a dot between the last slash and {name}."
    }

    precondition {
      condition     = length(local.overlapping_filters) == 0
      error_message = "A key could match two filters (${join("; ", local.overlapping_filters)}), which S3 rejects: change their prefixes or suffixes so that no key matches both, or keep only the wider one."
    }

    precondition {
      condition     = length(local.looping_outputs) == 0
      error_message = "With one bucket, the function could resize its own outputs in an endless and costly loop (${join("; ", local.looping_outputs)}): set source_bucket.prefix or each filter to one folder, such as \"uploads/\", and destination_bucket.prefix to another, such as \"resized/\"."
    }

    # As validations of source_bucket, these would hide its other errors if trigger has an error of its own.
    precondition {
      condition     = var.source_bucket.account_id == null || var.trigger == "s3"
      error_message = "With source_bucket.account_id, trigger must be \"s3\": S3 sends a bucket's events to EventBridge only in the account that owns the bucket."
    }

    precondition {
      condition     = var.source_bucket.account_id == null || !var.batch_operations
      error_message = "With source_bucket.account_id, batch_operations must be false: the job that \"invoke backfill\" creates lists only a bucket of its own account. For existing objects, run \"invoke audit --redrive --yes\"."
    }

    precondition {
      # A package in S3 has no manifest.
      condition     = var.content_credentials == null || contains(keys(try(local.manifest_file.packages, { c2pa-python = "" })), "c2pa-python")
      error_message = "content_credentials needs a package that can sign: run \"invoke build --c2pa\", or remove content_credentials."
    }

    precondition {
      # AWS Signer reads from S3 and writes to S3, and nothing signs the zip of a build or a release.
      condition     = var.function.code_signing_config_arn == null || var.package.s3 != null
      error_message = "function.code_signing_config_arn needs a zip that AWS Signer signed, which is in S3: set package.s3 to the signed object and package.sha256 to its digest, or remove code_signing_config_arn."
    }

    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The function's settings, with ${length(local.members)} renditions, take ${local.environment_bytes} bytes, and Lambda allows 4096 for all environment variables: use fewer renditions, shorter keys, or fewer function.environment_variables. A rendition counts once for each of its widths in each of its formats. A long content_credentials.certificate_chain fits into a secret, with its key: content_credentials.secret_arn."
    }

    precondition {
      condition     = length(local.colliding_variables) == 0
      error_message = "function.environment_variables must not set ${join(", ", local.colliding_variables)}: the module sets these variables. Use the module's own options, or rename yours."
    }

    precondition {
      # Modules can't see the provider's version. Only version 6 gives a queue a region.
      condition     = local.manifest.runtime != "python3.14" || contains(keys(aws_sqs_queue.failures), "region")
      error_message = "The package is for python3.14, which version 5 of the provider hashicorp/aws does not know: require \">= 6.21\" and run \"terraform init -upgrade\", or build for python3.13."
    }

    precondition {
      condition     = var.log_group.create || var.kms_key_arns.log_group == null
      error_message = "With log_group.create = false, leave out kms_key_arns.log_group: the log group's owner chooses its key."
    }

    precondition {
      condition     = var.package.path == null || try(filebase64sha256(var.package.path), "no zip") == local.manifest.sha256
      error_message = "No built function at ${coalesce(var.package.path, "package.path")}, or the manifest beside it belongs to another zip. In a clone, run \"invoke build\" first. A module from git has no zip: upload one to a bucket of yours with \"invoke publish --bucket NAME\", and set package to what that prints."
    }
  }

  # An invocation fails before the policy is attached, and cannot log before the log group exists.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.this]
}

# A data source is read after the update. In a plan, the resource itself still has the old digest. Version 6 of the provider
# lets code_sha256 be set (https://github.com/hashicorp/terraform-provider-aws/pull/45618, December 2025): once the module
# requires that release, "code_sha256 = var.package.sha256" in the function replaces this data source, and a plan then shows
# code that somebody else changed.
data "aws_lambda_function" "deployed" {
  count = var.package.s3 == null ? 0 : 1

  function_name = aws_lambda_function.this.function_name

  lifecycle {
    postcondition {
      condition     = self.code_sha256 == var.package.sha256
      error_message = "The deployed zip is not the one that package.sha256 names: the object in S3 differs, or somebody changed the function. Set package to what \"invoke publish --bucket NAME\" prints, and apply at once. If package says that already, apply with -replace=ADDRESS of this module's aws_lambda_function.this."
    }
  }

  depends_on = [aws_lambda_function.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  # Lambda deletes this configuration and the permissions with the function. The ID equals the name, but is unknown in a
  # plan that replaces the function: these are then replaced, too.
  function_name                = aws_lambda_function.this.id
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
  function_name  = aws_lambda_function.this.id
  principal      = "s3.amazonaws.com"
  source_arn     = local.source_arn
  source_account = coalesce(var.source_bucket.account_id, local.account_id)

  # No event may arrive before failed events have a destination.
  depends_on = [aws_lambda_function_event_invoke_config.this]
}
