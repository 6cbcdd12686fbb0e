# The whole pipeline: how its parts are put together, and what its variables refuse.

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

run "one_bucket_for_both_is_a_loop" {
  command         = plan
  expect_failures = [var.destination_bucket]

  variables {
    destination_bucket = "src-bucket-image-in"
  }
}

run "source_bucket_name" {
  command         = plan
  expect_failures = [var.source_bucket]

  variables {
    source_bucket = "Upper-Case"
  }
}

run "destination_bucket_name" {
  command         = plan
  expect_failures = [var.destination_bucket]

  variables {
    destination_bucket = "a"
  }
}

run "numbers_too_small" {
  command         = plan
  expect_failures = [var.memory_size, var.timeout, var.log_retention_days, var.asynchronous]

  variables {
    memory_size        = 128
    timeout            = 3
    log_retention_days = 2
    asynchronous       = { maximum_retry_attempts = 3 }
  }
}

run "numbers_too_large" {
  command         = plan
  expect_failures = [var.memory_size, var.timeout, var.log_retention_days, var.asynchronous]

  variables {
    memory_size        = 10241
    timeout            = 901
    log_retention_days = 4000
    asynchronous       = { maximum_event_age_in_seconds = 21601 }
  }
}

run "names_and_paths" {
  command         = plan
  expect_failures = [var.name, var.package]

  variables {
    name    = "has spaces"
    package = { path = "./function" }
  }
}

run "no_renditions" {
  command         = plan
  expect_failures = [var.renditions]

  variables {
    renditions = {}
  }
}

run "rendition_names" {
  command         = plan
  expect_failures = [var.renditions]

  variables {
    renditions = { "Upper/Case" = {} }
  }
}

run "rendition_names_that_nest" {
  command         = plan
  expect_failures = [var.renditions]

  variables {
    renditions = { a = {}, a-b = {} }
  }
}

run "renditions_that_enlarge" {
  command         = plan
  expect_failures = [var.renditions]

  variables {
    renditions = { large = { scale = 1.01 } }
  }
}

run "renditions_of_nothing" {
  command         = plan
  expect_failures = [var.renditions]

  variables {
    renditions = { none = { scale = 0 } }
  }
}
