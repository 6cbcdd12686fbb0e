# The alias, if there is one: triggers invoke it, and it names the version that runs. The unqualified permissions and event invoke
# config stay beside those of the alias, so a stack can gain an alias, or leave it, without losing an event.

locals {
  alias_version = try(coalesce(var.alias.version, aws_lambda_function.this.version), null)

  # Unknown in a plan that replaces the alias, unlike its name: what belongs to the alias is then replaced, too.
  alias_qualifier = one([for alias in aws_lambda_alias.this : split(":", alias.arn)[7]])

  # What triggers invoke.
  target_arn = try(var.alias.receives_events, false) ? aws_lambda_alias.this[0].arn : aws_lambda_function.this.arn
}

resource "aws_lambda_alias" "this" {
  count = var.alias == null ? 0 : 1

  name             = var.alias.name
  description      = "The version that processes the events of ${var.source_bucket.name}."
  function_name    = aws_lambda_function.this.id
  function_version = local.alias_version

  dynamic "routing_config" {
    for_each = length(var.alias.weights) == 0 ? [] : [var.alias.weights]

    content {
      additional_version_weights = routing_config.value
    }
  }

  lifecycle {
    precondition {
      condition     = !contains(keys(var.alias.weights), local.alias_version)
      error_message = "alias.weights names version ${local.alias_version}, which the alias already invokes: name another version there, or in alias.version."
    }
  }

  # A version with the wrong code never receives events.
  depends_on = [data.aws_lambda_function.deployed]
}

resource "aws_lambda_function_event_invoke_config" "alias" {
  count = var.alias == null ? 0 : 1

  function_name                = aws_lambda_function.this.id
  qualifier                    = local.alias_qualifier
  maximum_retry_attempts       = var.asynchronous.maximum_retry_attempts
  maximum_event_age_in_seconds = var.asynchronous.maximum_event_age_in_seconds

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }
}

resource "aws_lambda_permission" "source_bucket_alias" {
  count = var.alias == null || var.trigger == "eventbridge" ? 0 : 1

  statement_id   = "SourceBucketMayInvoke"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.id
  qualifier      = local.alias_qualifier
  principal      = "s3.amazonaws.com"
  source_arn     = local.source_arn
  source_account = coalesce(var.source_bucket.account_id, local.account_id)

  # No event may arrive before failed events have a destination.
  depends_on = [aws_lambda_function_event_invoke_config.alias]
}

resource "aws_lambda_permission" "eventbridge_alias" {
  count = var.alias == null || var.trigger == "s3" ? 0 : 1

  statement_id  = "EventBridgeMayInvoke"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.id
  qualifier     = local.alias_qualifier
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.uploads[0].arn
}
