# Metrics, alarms and dashboard. tests/terraform/test_monitoring.py checks their contents.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  # For modules/monitoring.
  function_name      = "Lambda-image"
  log_group          = "/aws/lambda/Lambda-image"
  failure_queue_name = "Lambda-image-failures"
  architecture       = "arm64"
  memory_size        = 1769
  timeout            = 120

  # For the root module.
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
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), [aws_cloudwatch_metric_alarm.rejected_rate]) :
      length(alarm.alarm_actions) + length(alarm.ok_actions) == 0
    ])
    error_message = "Without a topic, alarms must notify no one."
  }

  assert {
    condition = (
      { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.threshold } == { failure-age = 86400, function-errors = 3, near-timeout = 96000, records-lost = 1, throttles = 1 }
      && { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.period * alarm.evaluation_periods } == { failure-age = 300, function-errors = 900, near-timeout = 900, records-lost = 300, throttles = 1800 }
      && aws_cloudwatch_metric_alarm.this["throttles"].datapoints_to_alarm == 6
      && aws_cloudwatch_metric_alarm.this["near-timeout"].datapoints_to_alarm == 2
      && aws_cloudwatch_metric_alarm.rejected_rate.threshold == 10
    )
    error_message = "Default thresholds must be as documented."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["function-errors"].dimensions == tomap({ FunctionName = "Lambda-image" })
      && aws_cloudwatch_metric_alarm.this["failure-age"].dimensions == tomap({ QueueName = "Lambda-image-failures" })
    )
    error_message = "Alarms must watch this function and its queue."
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "Lambda-image" && toset(keys(output.alarm_arns)) == toset(["failure-age", "function-errors", "near-timeout", "records-lost", "rejected-rate", "throttles"])
    error_message = "The dashboard's name and the outputs must be as documented."
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
      )
    ])
    error_message = "Every alarm must notify the topic when it goes off and when it recovers."
  }

  assert {
    condition = (
      { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.threshold } == { failure-age = 1800, function-errors = 1, near-timeout = 60000, records-lost = 1, throttles = 1, undelivered = 1 }
      && aws_cloudwatch_metric_alarm.this["throttles"].evaluation_periods == 288
      && aws_cloudwatch_metric_alarm.this["undelivered"].dimensions == tomap({ QueueName = "Lambda-image-undelivered" })
      && aws_cloudwatch_metric_alarm.rejected_rate.threshold == 100
    )
    error_message = "Every threshold must have an effect."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Lambda-image-undelivered") && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "https://wiki.example.com/images")
    error_message = "The dashboard must show both queues and the runbook's address."
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
    error_message = "By default the pipeline must have every alarm, including the one for EventBridge."
  }

  assert {
    condition = (
      module.function.timeout == 60
      && module.function.memory_size == 3008
      && module.function.architecture == "arm64"
      && module.function.failure_queue_name == "thumbnails-failures"
      && module.function.undelivered_queue_name == "thumbnails-undelivered"
    )
    error_message = "The function's outputs must match its settings."
  }
}

run "off" {
  command = plan

  variables {
    monitoring = { enabled = false }
  }

  assert {
    condition     = length(module.monitoring) == 0
    error_message = "enabled = false must turn all of it off."
  }
}
