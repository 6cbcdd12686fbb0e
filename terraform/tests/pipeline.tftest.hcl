# The whole pipeline: how its parts are put together.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  source_bucket      = "src-bucket-image-in"
  destination_bucket = "dest-bucket-image-out"
  package            = { path = "./tests/package/function.zip" }
}

run "defaults" {
  command = plan

  assert {
    condition = (
      output.source_bucket == "src-bucket-image-in"
      && output.destination_bucket == "dest-bucket-image-out"
      && output.function_name == "Lambda-image"
      && output.log_group == "/aws/lambda/Lambda-image"
      && output.failure_queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures"
      && output.role_arn == "arn:aws:iam::123456789012:role/Lambda-image-role"
      && output.role_name == "Lambda-image-role"
    )
    error_message = "An output is not what its description says."
  }
}

run "another_name" {
  command = plan

  variables {
    name = "thumbnails"
  }

  assert {
    condition     = output.function_name == "thumbnails" && output.log_group == "/aws/lambda/thumbnails"
    error_message = "Every name must follow var.name."
  }
}

run "triggered_by_eventbridge_with_own_keys" {
  command = plan

  variables {
    trigger = "eventbridge"
    kms_key_arns = {
      source_bucket      = "arn:aws:kms:eu-west-2:123456789012:key/source"
      destination_bucket = "arn:aws:kms:eu-west-2:123456789012:key/destination"
      queues             = "arn:aws:kms:eu-west-2:123456789012:key/queues"
    }
  }

  assert {
    condition     = output.undelivered_queue_url != null && output.undelivered_queue_arn != null
    error_message = "What EventBridge could not deliver must be to be found."
  }
}
