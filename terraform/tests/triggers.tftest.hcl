# Which keys each trigger reports to the function. None of its own outputs may be among them.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package            = { path = "./tests/package/function.zip" }
  source_bucket      = { name = "src-bucket-image-in" }
  destination_bucket = { name = "dest-bucket-image-out" }
}

run "every_upload" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition = jsonencode(output.lambda_notification) == jsonencode([{
      id                  = "Lambda-image-0"
      lambda_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
      events              = ["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"]
      filter_prefix       = null
      filter_suffix       = null
    }])
    error_message = "By default S3 must report every new or restored object."
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.uploads) == 0 && output.undelivered_queue_arn == null && output.undelivered_queue_url == null
    error_message = "Without EventBridge there must be no rule and no queue for it."
  }
}

run "filtered" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket = { name = "src-bucket-image-in", prefix = "uploads/" }
    filters       = [{ prefix = "a b/é=", suffix = ".jpg" }, { suffix = ".PNG" }]
  }

  assert {
    condition = jsonencode([for one in output.lambda_notification : [one.id, one.filter_prefix, one.filter_suffix]]) == jsonencode([
      ["Lambda-image-0", "uploads/a+b/%C3%A9%3D", ".jpg"],
      ["Lambda-image-1", "uploads/", ".PNG"],
    ])
    error_message = "Filters must be form-encoded except for slashes, and begin with the source's prefix."
  }

  assert {
    condition = jsondecode(aws_lambda_function.this.environment[0].variables.FILTERS) == [
      ["uploads/a b/é=", ".jpg"],
      ["uploads/", ".PNG"],
    ]
    error_message = "The function must receive the filters."
  }
}

run "eventbridge" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    trigger = "eventbridge"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern) == {
      source        = ["aws.s3"]
      "detail-type" = ["Object Created", "Object Restore Completed"]
      detail        = { bucket = { name = ["src-bucket-image-in"] } }
    }
    error_message = "The rule must match every new or restored object of the bucket."
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.uploads[0].name == "Lambda-image"
      && aws_cloudwatch_event_target.function[0].arn == "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
      && aws_cloudwatch_event_target.function[0].rule == aws_cloudwatch_event_rule.uploads[0].id
      && aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-failures"
      && aws_cloudwatch_event_target.function[0].dead_letter_config[0].arn == "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered"
    )
    error_message = "The rule must invoke the function, and send undeliverable events to a queue; Lambda sends failed events to another."
  }

  assert {
    condition = (
      aws_lambda_permission.eventbridge[0].principal == "events.amazonaws.com"
      && aws_lambda_permission.eventbridge[0].action == "lambda:InvokeFunction"
      && aws_lambda_permission.eventbridge[0].function_name == aws_lambda_function.this.id
      && aws_lambda_permission.eventbridge[0].source_arn == "arn:aws:events:eu-west-2:123456789012:rule/Lambda-image"
      && length(aws_lambda_permission.source_bucket) == 0
      && length(output.lambda_notification) == 0
    )
    error_message = "Only the rule may invoke the function."
  }

  assert {
    condition = (
      aws_sqs_queue.undelivered[0].name == "Lambda-image-undelivered"
      && aws_sqs_queue.undelivered[0].message_retention_seconds == 1209600
      && aws_sqs_queue.undelivered[0].sqs_managed_sse_enabled
      && aws_sqs_queue_policy.failures.queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures"
      && aws_sqs_queue_policy.undelivered[0].queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-undelivered"
      && output.undelivered_queue_arn == "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered"
      && output.undelivered_queue_name == "Lambda-image-undelivered"
      && output.undelivered_queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-undelivered"
    )
    error_message = "The queue must keep events for 14 days, encrypted, and each policy must be for its own queue."
  }

  assert {
    condition = jsondecode(aws_sqs_queue_policy.undelivered[0].policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "OnlyOverTls"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "TheRuleMaySend"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered"
          Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:eu-west-2:123456789012:rule/Lambda-image" } }
        },
      ]
    }
    error_message = "Only this rule may send to the queue, and only over TLS."
  }
}

run "eventbridge_filtered" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    trigger = "eventbridge"
    filters = [{ prefix = "a/" }, { prefix = "b\\/", suffix = ".jpg" }, { prefix = "c/", suffix = ".png" }]
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern).detail.object.key == [
      { prefix = "a/" },
      { wildcard = "b\\\\/*.jpg" },
      { wildcard = "c/*.png" },
    ]
    error_message = "The rule must have every filter, with prefix and suffix in one pattern and backslashes escaped."
  }
}

run "eventbridge_with_suffixes" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    trigger = "eventbridge"
    filters = [{ suffix = ".jpg" }, { suffix = ".png" }]
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern).detail.object.key == [{ suffix = ".jpg" }, { suffix = ".png" }]
    error_message = "The rule must have every filter."
  }
}

run "eventbridge_below_a_prefix" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    trigger       = "eventbridge"
    source_bucket = { name = "src-bucket-image-in", prefix = "uploads/" }
    tags          = { team = "images" }
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern).detail.object.key == [{ prefix = "uploads/" }]
    error_message = "The rule must match only the source's prefix."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.uploads[0].tags == tomap({ team = "images" }) && aws_sqs_queue.undelivered[0].tags == tomap({ team = "images" })
    error_message = "Every resource that can have tags must have them."
  }
}

run "both_triggers" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    trigger = "both"
  }

  assert {
    condition = (
      length(output.lambda_notification) == 1
      && length(aws_lambda_permission.source_bucket) == 1
      && length(aws_lambda_permission.eventbridge) == 1
      && length(aws_cloudwatch_event_target.function) == 1
      && length(aws_sqs_queue.undelivered) == 1
    )
    error_message = "Both triggers must invoke the function."
  }
}

run "a_hundred_filters" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    filters = [for i in range(100) : { prefix = format("%03d/", i) }]
  }
}

run "filters_and_keys_that_differ_at_one_end" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    filters = [{ prefix = "a/", suffix = ".jpg" }, { prefix = "a/", suffix = ".png" }, { prefix = "b/", suffix = ".jpg" }, { suffix = ".JPG" }]
    renditions = {
      folder       = { width = 1, key = "x/{dir}b/{name}", format = "jpeg" }
      folder-end   = { width = 1, key = "{dir}a/{name}" }
      folder-start = { width = 1, key = "y/{dir}b/{name}" }
      name-end     = { width = 1, key = "x/{dir}b/{name}", format = "png" }
    }
  }
}

run "one_bucket_with_two_folders" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket      = { name = "one", prefix = "uploads/" }
    destination_bucket = { name = "one", prefix = "resized/" }
  }

  assert {
    condition = (
      jsondecode(aws_lambda_function.this.environment[0].variables.RENDITIONS).resized.key == "resized/{dir}{rendition}-{name}"
      && jsondecode(aws_iam_policy.this[0].policy).Statement[0].Resource == "arn:aws:s3:::one/uploads/*"
      && jsondecode(aws_iam_policy.this[0].policy).Statement[1].Resource == "arn:aws:s3:::one"
      && jsondecode(aws_iam_policy.this[0].policy).Statement[2].Resource == "arn:aws:s3:::one/resized/*"
    )
    error_message = "Outputs must go under the destination's prefix, and the role may use only the two folders."
  }
}

run "one_bucket_with_separate_filters_and_keys" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket      = { name = "one", prefix = "" }
    destination_bucket = { name = "one", prefix = "" }
    batch_operations   = true
    filters            = [{ prefix = "a/" }, { prefix = "b/" }]
    renditions         = { resized = { scale = 0.5, key = "c/{dir}{name}" }, thumb = { scale = 0.1, key = "d/{dir}{name}" } }
  }
}
