# Metrics, alarms and dashboard; what is in them beyond this is checked by tests/terraform/test_monitoring.py.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  # Of modules/monitoring.
  function_name      = "Lambda-image"
  log_group          = "/aws/lambda/Lambda-image"
  failure_queue_name = "Lambda-image-failures"
  architecture       = "arm64"
  memory_size        = 1769
  timeout            = 120

  # Of the root module.
  source_bucket      = "src-bucket-image-in"
  destination_bucket = "dest-bucket-image-out"
  package            = { path = "./tests/package/function.zip" }
}

run "plan" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["failure-age", "function-errors", "near-timeout", "records-lost", "throttles"])
    error_message = "Without EventBridge there is no alarm of what it could not deliver."
  }

  assert {
    condition = alltrue([
      for name, alarm in merge(aws_cloudwatch_metric_alarm.this, { rejected-rate = aws_cloudwatch_metric_alarm.rejected_rate }) : (
        alarm.alarm_name == "Lambda-image-${name}"
        && endswith(alarm.alarm_description, "docs/runbook.md#${name}")
        && length(alarm.alarm_actions) == 0
        && length(alarm.ok_actions) == 0
      )
    ])
    error_message = "Each alarm must lead to its heading in the runbook, and without a topic tell nobody."
  }

  assert {
    condition = (
      { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.threshold } == { failure-age = 86400, function-errors = 3, near-timeout = 96000, records-lost = 1, throttles = 1 }
      && { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.period * alarm.evaluation_periods } == { failure-age = 300, function-errors = 900, near-timeout = 900, records-lost = 300, throttles = 1800 }
      && aws_cloudwatch_metric_alarm.this["throttles"].datapoints_to_alarm == 6
      && aws_cloudwatch_metric_alarm.this["near-timeout"].datapoints_to_alarm == 2
      && aws_cloudwatch_metric_alarm.rejected_rate.threshold == 10
    )
    error_message = "A default of the thresholds is not as documented."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["function-errors"].dimensions == tomap({ FunctionName = "Lambda-image" })
      && aws_cloudwatch_metric_alarm.this["failure-age"].dimensions == tomap({ QueueName = "Lambda-image-failures" })
    )
    error_message = "An alarm must be of this function, or of its queue."
  }

  assert {
    condition     = alltrue([for one in aws_cloudwatch_log_metric_filter.this : one.log_group_name == "/aws/lambda/Lambda-image" && one.metric_transformation[0].namespace == "ImageResize/Lambda-image"])
    error_message = "Metrics must be made of this function's log, in a namespace of their own."
  }

  assert {
    condition = (
      aws_cloudwatch_log_metric_filter.this["Outputs"].pattern == "{ $.message = \"written\" }"
      && aws_cloudwatch_log_metric_filter.this["Outputs"].metric_transformation[0].value == "$.output_count"
      && aws_cloudwatch_log_metric_filter.this["RejectedByReason"].metric_transformation[0].dimensions == tomap({ Reason = "$.reason" })
      && length(aws_cloudwatch_log_metric_filter.this) == 10
    )
    error_message = "The filters are not those of which the cost is documented."
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "Lambda-image" && toset(keys(output.alarm_arns)) == toset(["failure-age", "function-errors", "near-timeout", "records-lost", "rejected-rate", "throttles"])
    error_message = "Dashboard and outputs are not as documented."
  }
}

run "with_all" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    alarm_topic_arn        = "arn:aws:sns:eu-west-2:123456789012:alarms"
    undelivered_queue_name = "Lambda-image-undelivered"
    runbook                = "https://wiki.example.com/images"
    tags                   = { team = "images" }
    thresholds             = { errors = 1, throttled_minutes = 1440, timeout_percent = 50, failure_age_hours = 0.5, rejected_percent = 100, rejected_uploads = 1 }
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), [aws_cloudwatch_metric_alarm.rejected_rate]) : (
        alarm.alarm_actions == toset(["arn:aws:sns:eu-west-2:123456789012:alarms"])
        && alarm.ok_actions == toset(["arn:aws:sns:eu-west-2:123456789012:alarms"])
        && alarm.tags == tomap({ team = "images" })
        && strcontains(alarm.alarm_description, "https://wiki.example.com/images#")
      )
    ])
    error_message = "Every alarm must tell the topic of its beginning and its end."
  }

  assert {
    condition = (
      { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.threshold } == { failure-age = 1800, function-errors = 1, near-timeout = 60000, records-lost = 1, throttles = 1, undelivered = 1 }
      && aws_cloudwatch_metric_alarm.this["throttles"].evaluation_periods == 288
      && aws_cloudwatch_metric_alarm.this["undelivered"].dimensions == tomap({ QueueName = "Lambda-image-undelivered" })
      && aws_cloudwatch_metric_alarm.rejected_rate.threshold == 100
    )
    error_message = "Every threshold must be taken."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Lambda-image-undelivered") && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "https://wiki.example.com/images")
    error_message = "The dashboard must show both queues, and where the runbook is."
  }
}

run "of_the_pipeline" {
  command = plan

  variables {
    name       = "thumbnails"
    trigger    = "eventbridge"
    function   = { memory_size = 3008, timeout = 60 }
    monitoring = { runbook = "runbook.md", thresholds = { timeout_percent = 50 } }
  }

  assert {
    condition = (
      module.monitoring[0].namespace == "ImageResize/thumbnails"
      && toset(keys(module.monitoring[0].alarm_arns)) == toset(["failure-age", "function-errors", "near-timeout", "records-lost", "rejected-rate", "throttles", "undelivered"])
    )
    error_message = "By default the pipeline is watched, with what EventBridge could not deliver."
  }

  assert {
    condition = (
      module.function.timeout == 60
      && module.function.memory_size == 3008
      && module.function.architecture == "arm64"
      && module.function.failure_queue_name == "thumbnails-failures"
      && module.function.undelivered_queue_name == "thumbnails-undelivered"
    )
    error_message = "The function must say of itself what is watched."
  }
}

run "off" {
  command = plan

  variables {
    monitoring = { enabled = false }
  }

  assert {
    condition     = length(module.monitoring) == 0
    error_message = "One switch must turn all of it off."
  }
}
