# The root module: how it connects its parts.

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
      output.source_bucket_name == "src-bucket-image-in"
      && output.destination_bucket_name == "dest-bucket-image-out"
      && output.function_name == "Lambda-image"
      && output.log_group_name == "/aws/lambda/Lambda-image"
      && output.failure_queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures"
      && output.role_arn == "arn:aws:iam::123456789012:role/Lambda-image-role"
      && output.role_name == "Lambda-image-role"
      && output.batch_operations_role_arn == null
    )
    error_message = "Outputs must be as described."
  }

  assert {
    condition     = jsonencode(module.function.lambda_notification[0].events) == jsonencode(["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"])
    error_message = "By default the pipeline must ignore deletions."
  }

  assert {
    condition     = module.function.region == "eu-west-2" && module.function.failure_queue_name == "Lambda-image-failures" && module.function.undelivered_queue_name == null
    error_message = "The function's outputs must be as described."
  }
}

run "another_name_with_every_switch" {
  command = plan

  variables {
    name             = "thumbnails"
    mirror_deletes   = true
    batch_operations = true
  }

  assert {
    condition = (
      jsonencode(module.function.lambda_notification[0].events) == jsonencode(["s3:ObjectCreated:*", "s3:ObjectRestore:Completed", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"])
      && output.batch_operations_role_arn == "arn:aws:iam::123456789012:role/Lambda-image-jobs"
    )
    error_message = "The root module must pass the options on, and return the ARN of the jobs' role."
  }

  assert {
    condition     = output.function_name == "thumbnails" && output.log_group_name == "/aws/lambda/thumbnails"
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
    condition     = output.undelivered_queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-undelivered" && output.undelivered_queue_arn == "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered"
    error_message = "The outputs must name the queue of undelivered events."
  }
}
