# Which resources name the alias. The unqualified ones stay: a stack that gains or leaves an alias loses no event.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package            = { path = "./tests/package/function.zip" }
  source_bucket      = { name = "src-bucket-image-in" }
  destination_bucket = { name = "dest-bucket-image-out" }
  trigger            = "both"
  batch_operations   = true
}

run "without_an_alias" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition = (
      length(aws_lambda_alias.this) + length(aws_lambda_function_event_invoke_config.alias) == 0
      && length(aws_lambda_permission.source_bucket_alias) + length(aws_lambda_permission.eventbridge_alias) == 0
      && !aws_lambda_function.this.publish
    )
    error_message = "By default there must be no version and no alias."
  }

  assert {
    condition = (
      output.target_arn == aws_lambda_function.this.arn
      && aws_cloudwatch_event_target.function[0].arn == aws_lambda_function.this.arn
      && output.lambda_notification[0].lambda_function_arn == aws_lambda_function.this.arn
      && jsondecode(aws_iam_policy.jobs[0].policy).Statement[0].Resource == [aws_lambda_function.this.arn]
      && output.alias_arn == null && output.function_version == null
      && !contains(keys(aws_lambda_function.this.environment[0].variables), "ALIAS")
    )
    error_message = "Without an alias, triggers must invoke the function."
  }
}

run "with_an_alias" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    alias        = { name = "live", version = "12", weights = { "13" = 0.25 } }
    asynchronous = { maximum_retry_attempts = 1, maximum_event_age_in_seconds = 600 }
  }

  assert {
    condition = (
      aws_lambda_function.this.publish
      && aws_lambda_function.this.environment[0].variables.ALIAS == "live"
      && aws_lambda_alias.this[0].name == "live"
      && aws_lambda_alias.this[0].function_version == "12"
      && aws_lambda_alias.this[0].routing_config[0].additional_version_weights == tomap({ "13" = 0.25 })
    )
    error_message = "The alias must invoke the named version, and the other one with its weight."
  }

  assert {
    condition = [
      for one in [
        aws_lambda_function_event_invoke_config.alias[0],
        aws_lambda_permission.source_bucket_alias[0],
        aws_lambda_permission.eventbridge_alias[0],
      ] : one.qualifier
    ] == ["live", "live", "live"]
    error_message = "The alias must have permissions and an event invoke config of its own."
  }

  assert {
    condition = (
      aws_lambda_function_event_invoke_config.this.qualifier == null
      && aws_lambda_permission.source_bucket[0].qualifier == null
      && aws_lambda_permission.eventbridge[0].qualifier == null
    )
    error_message = "The function must keep its permissions and its event invoke config."
  }

  assert {
    condition = (
      aws_lambda_function_event_invoke_config.alias[0].maximum_retry_attempts == 1
      && aws_lambda_function_event_invoke_config.alias[0].maximum_event_age_in_seconds == 600
      && aws_lambda_function_event_invoke_config.alias[0].destination_config[0].on_failure[0].destination == aws_sqs_queue.failures.arn
    )
    error_message = "Events of the alias must be retried, and recorded, like those of the function."
  }

  assert {
    condition = (
      aws_lambda_permission.source_bucket_alias[0].principal == "s3.amazonaws.com"
      && aws_lambda_permission.source_bucket_alias[0].source_arn == "arn:aws:s3:::src-bucket-image-in"
      && aws_lambda_permission.source_bucket_alias[0].source_account == "123456789012"
      && aws_lambda_permission.eventbridge_alias[0].principal == "events.amazonaws.com"
      && aws_lambda_permission.eventbridge_alias[0].source_arn == aws_cloudwatch_event_rule.uploads[0].arn
    )
    error_message = "Only the bucket and the rule may invoke the alias."
  }

  assert {
    condition = (
      output.target_arn == aws_lambda_alias.this[0].arn
      && aws_cloudwatch_event_target.function[0].arn == aws_lambda_alias.this[0].arn
      && output.lambda_notification[0].lambda_function_arn == aws_lambda_alias.this[0].arn
      && output.alias_arn == aws_lambda_alias.this[0].arn
      && jsondecode(aws_iam_policy.jobs[0].policy).Statement[0].Resource == [aws_lambda_function.this.arn, aws_lambda_alias.this[0].arn]
    )
    error_message = "Triggers must invoke the alias, and jobs may invoke both."
  }
}

run "before_it_leaves" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    alias = { name = "live", receives_events = false }
  }

  assert {
    condition = (
      output.target_arn == aws_lambda_function.this.arn
      && output.lambda_notification[0].lambda_function_arn == aws_lambda_function.this.arn
      && !contains(keys(aws_lambda_function.this.environment[0].variables), "ALIAS")
    )
    error_message = "Triggers and operators must invoke the function."
  }

  assert {
    condition = (
      length(aws_lambda_alias.this) == 1 && length(aws_lambda_function_event_invoke_config.alias) == 1
      && length(aws_lambda_permission.source_bucket_alias) == 1 && length(aws_lambda_permission.eventbridge_alias) == 1
    )
    error_message = "The alias must still process the events that it has."
  }
}

run "one_trigger" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    alias   = { name = "live" }
    trigger = "eventbridge"
  }

  assert {
    condition     = length(aws_lambda_permission.source_bucket_alias) == 0 && length(aws_lambda_permission.eventbridge_alias) == 1
    error_message = "Only the trigger may invoke the alias."
  }
}

run "through_the_root" {
  command = plan

  variables {
    source_bucket      = "src-bucket-image-in"
    destination_bucket = "dest-bucket-image-out"
    alias              = { name = "live" }
  }

  assert {
    condition     = output.alias_arn == "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image:live" && output.target_arn == output.alias_arn
    error_message = "The root must pass the alias on."
  }
}
