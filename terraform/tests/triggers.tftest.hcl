# What tells the function of which uploads, by both triggers, and that no output of its own is among them.

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
    error_message = "By default S3 tells the function of every object that is new or restored."
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.uploads) == 0 && output.undelivered_queue_arn == null && output.undelivered_queue_url == null
    error_message = "Without EventBridge there is nothing of it."
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
    error_message = "S3 wants filters form-encoded, slashes as they are, and with the source's prefix."
  }

  assert {
    condition = jsondecode(aws_lambda_function.this.environment[0].variables.FILTERS) == [
      ["uploads/a b/é=", ".jpg"],
      ["uploads/", ".PNG"],
    ]
    error_message = "The function must know what its uploads begin and end with."
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
    error_message = "The rule must be for every object of the bucket that is new or restored."
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.uploads[0].name == "Lambda-image"
      && aws_cloudwatch_event_target.function[0].arn == "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
      && length(aws_cloudwatch_event_target.function[0].dead_letter_config) == 1
    )
    error_message = "The rule must lead to the function, and what it can't deliver to a queue."
  }

  assert {
    condition = (
      aws_lambda_permission.eventbridge[0].principal == "events.amazonaws.com"
      && aws_lambda_permission.eventbridge[0].action == "lambda:InvokeFunction"
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
      && output.undelivered_queue_arn == aws_sqs_queue.undelivered[0].arn
      && output.undelivered_queue_url == aws_sqs_queue.undelivered[0].url
    )
    error_message = "What can't be delivered must be kept 14 days, encrypted."
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
          Resource  = aws_sqs_queue.undelivered[0].arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "TheRuleMaySend"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = aws_sqs_queue.undelivered[0].arn
          Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:eu-west-2:123456789012:rule/Lambda-image" } }
        },
      ]
    }
    error_message = "Only this rule may send to the queue, over TLS."
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
    error_message = "A rule must have the same filters, with both ends in one pattern whose backslashes are escaped."
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
    error_message = "A rule must have the same filters."
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
    error_message = "The rule must be for the source's prefix alone."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.uploads[0].tags == tomap({ team = "images" }) && aws_sqs_queue.undelivered[0].tags == tomap({ team = "images" })
    error_message = "Everything that can have tags must have them."
  }
}

run "both_on_the_way_from_one_to_the_other" {
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
    error_message = "Both must tell the function, so that none is missing while the other goes."
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

run "filters_that_differ_at_one_end" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    filters = [{ prefix = "a/", suffix = ".jpg" }, { prefix = "a/", suffix = ".png" }, { prefix = "b/", suffix = ".jpg" }, { suffix = ".JPG" }]
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
      && jsondecode(aws_iam_policy.this.policy).Statement[0].Resource == "arn:aws:s3:::one/uploads/*"
      && jsondecode(aws_iam_policy.this.policy).Statement[1].Resource == "arn:aws:s3:::one"
      && jsondecode(aws_iam_policy.this.policy).Statement[2].Resource == "arn:aws:s3:::one/resized/*"
    )
    error_message = "Outputs must go below the destination's prefix, and the role may read and write no more than the two folders."
  }
}

run "one_bucket_with_filters_and_keys_that_lead_apart" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket      = { name = "one", prefix = "" }
    destination_bucket = { name = "one", prefix = "" }
    filters            = [{ prefix = "a/" }, { prefix = "b/" }]
    renditions         = { resized = { scale = 0.5, key = "c/{dir}{name}" }, thumb = { scale = 0.1, key = "d/{dir}{name}" } }
  }
}
